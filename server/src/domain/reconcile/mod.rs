//! Decides what a device and the server have to do to hold the same: the sync table of design section 6 and the rules of
//! algorithms B. Pure: what is claimed (C), what was agreed (B) and what the server has (S) come in as data, sorted by
//! path; a plan and the rows of the agreement that change go out. Planning changes no content.
//!
//! It is asked in two steps, so that the history is looked up only where it decides something:
//!
//! ```text
//! let mut asked = reconcile::ask(&input);          // few paths, each with one content
//! for question in &mut asked { question.answer = /* from the catalogue, in one batch */ }
//! let decision = reconcile::decide(&input, &asked)?;
//! ```
//!
//! The nodes have to be read after the drive's head was, and rule a) wants "a claim equals S" checked in the transaction
//! that writes B: write [`Decision::rows`] only while the drive's head is still the one the nodes were read at.

pub mod acts;
mod decision;
mod guard;
mod input;
mod merge;
mod moves;
pub mod patch;
pub mod resolution;
mod table;
mod view;

pub use decision::{ConflictWanted, Decision};
pub use guard::{Guard, name_of};
pub use input::{Agreed, Answer, Input, Limits, Question, Row, Rows, Sent, ServerNode, ServerNodes, Token};

use holdfast_protocol::path_map::Full;

use self::decision::Draft;
use self::merge::cases;
use self::view::View;

/// What has to be looked up before [`decide`]: for each path at most one content. Sorted by path; fill in the answers
/// and hand the list on in the same order.
pub fn ask<'a>(input: &Input<'a>) -> Vec<Question<'a>> {
    let view = View::new(input);
    cases(input)
        .filter_map(|case| {
            let hash = table::question(&view, &case)?;
            Some(Question { path: case.path, hash, answer: Answer::default() })
        })
        .collect()
}

/// The plan, the conflicts that are to be open, and the rows that change.
///
/// # Errors
/// [`Full`] when the changed rows together have more path text than one collection holds.
pub fn decide<'a>(input: &Input<'a>, answers: &[Question<'a>]) -> Result<Decision, Full> {
    let view = View::new(input);
    let mut draft = Draft::new(&view, answers);
    for case in cases(input) {
        let verdict = table::judge(&view, &case, || draft.answer(case.path));
        draft.take(&case, verdict)?;
    }
    draft.finish()
}
