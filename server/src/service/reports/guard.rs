//! So much gone that it may be the disk's fault is kept until a person says yes: the guard of rule 9 (algorithms B), over a
//! whole walk, and stricter where nothing is left.

use holdfast_protocol::DrivePath;

use super::compare::Compared;
use super::{Report, Withheld};
use crate::catalog::reports::{self as rows, Walk};
use crate::domain::reconcile::{Guard, name_of};
use crate::error::Result;
use crate::service::act::Act;

/// So many of the paths that are withheld are told.
const TOLD: usize = 100;

/// Counts the files that are gone, and withholds them where they are too many; says what was withheld.
pub(super) async fn judge(
    act: &mut Act<'_>,
    report: &Report,
    compared: &mut Compared<'_>,
    walk: &mut Walk,
) -> Result<Option<Withheld>> {
    let mut files = 0;
    for (node, _) in &compared.gone {
        files += if node.is_folder() { rows::files_up_to(act.tx, node.id, usize::MAX).await? } else { 1 };
    }
    if files == 0 {
        return Ok(None);
    }
    let before = usize::try_from(walk.gone_files).unwrap_or(0);
    let (guard, gone) = (Guard::default(), before.saturating_add(files));
    let left = rows::files_up_to(act.tx, act.root, guard.enough(gone)).await?;
    // An empty mount point is one with a single file, too.
    let some_left = left > files || Compared::names_files(report);
    if some_left && !guard.withholds(gone, left.saturating_add(before)) {
        walk.gone_files = i64::try_from(gone).unwrap_or(i64::MAX);
        return Ok(None);
    }
    let mut paths: Vec<DrivePath> = compared.gone.iter().map(|(_, path)| path.clone()).collect();
    paths.sort_unstable();
    let token = name_of(&paths, &[]);
    if report.confirm.as_deref() == Some(token.as_str()) {
        (walk.gone_files, walk.withheld) = (0, false);
        return Ok(None);
    }
    walk.withheld = true;
    compared.withhold();
    paths.truncate(TOLD);
    Ok(Some(Withheld { token, files, paths }))
}
