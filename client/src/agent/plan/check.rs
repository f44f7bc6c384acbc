//! Programs that are built with checks plan small trees twice, narrowed and whole, and compare: whatever tests the agent tests
//! that too, the simulation above all.

use std::collections::HashMap;

use super::narrow::narrow;
use super::{Entity, NodeId, Plan, Step, View, decide};

/// Trees with more rows or entries than these are not planned twice.
const MOST: usize = 500;

/// Plans narrowly, however much is news, and whole.
///
/// # Panics
/// When the plans are not the same.
pub fn narrow_is_whole(view: &View<'_>, prefix: &str) {
    if view.base.len().max(view.local.len()).max(view.remote.len()) > MOST {
        return;
    }
    if let Some(narrowed) = narrow(view, usize::MAX) {
        let plan = decide(&narrowed.view(view.settings), prefix);
        assert_eq!(told(&plan), told(&decide(view, prefix)), "planned narrowly and whole");
    }
}

type Told = (Vec<(Step, Vec<Option<NodeId>>)>, Vec<NodeId>, Vec<(String, String)>, Option<super::Withheld>);

/// What a plan says, without the numbers it has for things.
fn told(plan: &Plan) -> Told {
    let mut numbers = HashMap::new();
    let mut number = |entity: &mut Entity, ids: &mut Vec<Option<NodeId>>| {
        if *entity != 0 {
            ids.push(plan.ids[*entity]);
            let next = numbers.len() + 1;
            *entity = *numbers.entry(*entity).or_insert(next);
        }
    };
    let renumbered = |mut step: Step| {
        let mut ids = Vec::new();
        match &mut step {
            Step::MakeRemote { entity, parent, .. } => {
                number(entity, &mut ids);
                number(parent, &mut ids);
            }
            Step::Upload(sending) => {
                number(&mut sending.entity, &mut ids);
                number(&mut sending.parent, &mut ids);
            }
            Step::MoveRemote { parent, .. } => number(parent, &mut ids),
            Step::MoveLocal { agreed: Some((_, parent, _)), .. } => number(parent, &mut ids),
            _ => {}
        }
        (step, ids)
    };
    let steps = plan.steps.iter().cloned().map(renumbered).collect();
    let mut notices = plan.notices.clone();
    notices.sort();
    notices.dedup();
    notices.extend(plan.conflicts.iter().cloned());
    (steps, plan.asks.clone(), notices, plan.withheld.clone())
}
