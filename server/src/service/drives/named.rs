//! Which drive a name means to whom.

use holdfast_protocol::fold_key;
use uuid::Uuid;

use crate::catalog::db::Tx;
use crate::catalog::drives::{self as rows, Visible};
use crate::domain::drives as rules;
use crate::error::{Error, Kind, Result};

/// The drive that a name or UUID means to a user; `None` means their home drive. Own drives come before shared ones.
///
/// # Errors
/// Not found when there is none they may see; conflict with candidates when a name means several shared ones.
pub async fn named(tx: &mut Tx, user: i64, name: Option<&str>) -> Result<Visible> {
    among(&rows::visible(tx, user).await?, user, name.unwrap_or("home"))
}

/// The same among the drives that the user may see.
///
/// # Errors
/// As [`named`].
pub fn among(visible: &[Visible], user: i64, name: &str) -> Result<Visible> {
    let wanted = Uuid::try_parse(name).ok();
    let key = fold_key(name);
    let is_meant = |one: &&Visible| wanted == Some(one.drive.uuid) || fold_key(&one.drive.name) == key;
    let found: Vec<&Visible> = visible.iter().filter(is_meant).collect();
    let own = found.iter().find(|one| one.drive.owner_id == user || wanted == Some(one.drive.uuid));
    match (own, found.as_slice()) {
        (Some(own), _) => Ok((*own).clone()),
        (None, []) => Err(Error::not_found("there is no such drive")),
        (None, [one]) => Ok((*one).clone()),
        (None, _) => {
            let ids: Vec<String> = found.iter().map(|one| one.drive.uuid.to_string()).collect();
            Err(Error::new(Kind::Conflict, "several drives have this name").with("candidates", ids))
        }
    }
}

/// A name for a new drive of a user's: the wanted one, or that with a number.
///
/// # Errors
/// 422 for what cannot be a drive's name.
pub fn free_name(visible: &[Visible], user: i64, wanted: &str) -> Result<String> {
    let name = rules::name(wanted).map_err(Error::invalid)?;
    let own: Vec<String> = visible
        .iter()
        .filter(|one| one.drive.owner_id == user)
        .map(|one| fold_key(&one.drive.name))
        .collect();
    Ok(rules::free_name(&name, |key| own.iter().any(|own| own == key)))
}
