//! Rule 9: a plan that would let too much go needs a person's yes. One guard, one setting, everywhere: what a device no
//! longer has is judged by it, and what a disk no longer has.

use holdfast_protocol::plan::{NeedsConfirmation, Plan};
use holdfast_protocol::{DrivePath, Kind};
use sha2::{Digest, Sha256};

use super::decision::Held;
use super::input::Input;

/// How much may be deleted or reverted without a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// That many files always may.
    pub files: usize,
    /// That share of what is held always may, in percent.
    pub percent: usize,
}

impl Default for Guard {
    fn default() -> Self {
        Self { files: 50, percent: 20 }
    }
}

impl Guard {
    /// Whether so many of so many held files need a person's yes.
    pub fn withholds(self, files: usize, held: usize) -> bool {
        files > self.files.max(held.saturating_mul(self.percent) / 100)
    }

    /// Where so many are held, so many files may always go: whoever asks need not count further.
    pub fn enough(self, files: usize) -> usize {
        files.saturating_mul(100).div_ceil(self.percent.max(1)).max(files.saturating_add(1))
    }

    /// Whether all that is gone looks like a lost disk, which may be small: at least two files, and none is left.
    pub fn seems_lost(self, files: usize, some_left: bool) -> bool {
        files >= 2 && !some_left
    }
}

/// Withholds the deletions and the uploads at `reverts` (sorted) if there are too many of them, or if the device seems
/// to have lost its disk: it claims none of at least two agreed files, and a lost disk is small, too.
pub(super) fn apply(input: &Input<'_>, held: Held, reverts: &[DrivePath], plan: &mut Plan) {
    let files = plan.deleted_by_client.iter().filter(|entry| entry.kind == Kind::File).count();
    let lost = input.guard.seems_lost(files, held.some_claimed);
    if !lost && !input.guard.withholds(files + reverts.len(), held.files) {
        return;
    }
    let deletes: Vec<DrivePath> = plan.deleted_by_client.iter().map(|entry| entry.path.clone()).collect();
    let token = name_of(&deletes, reverts);
    if input.sent.confirmed == Some(token.as_str()) {
        return;
    }
    plan.deleted_by_client.clear();
    plan.to_upload.retain(|entry| reverts.binary_search(&entry.path).is_err());
    plan.needs_confirmation = Some(NeedsConfirmation { token, deletes, reverts: reverts.to_vec() });
}

/// A name of exactly this set of paths, so that a confirmation releases no other.
pub fn name_of(deletes: &[DrivePath], reverts: &[DrivePath]) -> String {
    let mut hasher = Sha256::new();
    for (what, paths) in [(b'd', deletes), (b'r', reverts)] {
        for path in paths {
            hasher.update([what]);
            hasher.update(path.as_str());
            hasher.update([0]);
        }
    }
    hex::encode(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_further_than_enough_changes_nothing() {
        let guard = Guard::default();
        for files in (0..2_000).chain([usize::MAX / 200]) {
            let enough = guard.enough(files);
            assert!(!guard.withholds(files, enough), "{files}");
            assert!(enough > files, "it is seen that some are left");
        }
    }
}
