//! May this write go ahead? The header `If`, and the locks on what it touches (RFC 4918, sections 7 and 10.4).

use axum::http::{HeaderMap, HeaderName};
use holdfast_protocol::DrivePath;

use super::Inside;
use super::address::{Place, path_of_url};
use super::if_header::{self, Item, List};
use crate::error::{Error, Kind, Result};
use crate::service::listing;

const IF: HeaderName = HeaderName::from_static("if");

/// What a write touches.
#[derive(Debug, Clone, Copy)]
pub struct Touched<'a> {
    /// Where.
    pub path: &'a DrivePath,
    /// Also what lies beneath.
    pub deep: bool,
    /// The folder above gains or loses a member.
    pub member: bool,
}

/// Checks the header `If` and every lock on what a write touches.
///
/// # Errors
/// 400 for a header that is not understood, 412 when none of its lists holds, 423 when something is locked and the lock's
/// token was not sent.
pub async fn check(inside: &Inside, headers: &HeaderMap, touched: &[Touched<'_>]) -> Result<()> {
    let lists = match headers.get(IF) {
        None => Vec::new(),
        Some(value) => {
            let bad = || Error::malformed("the header If is not understood");
            if_header::parse(value.to_str().map_err(|_| bad())?).ok_or_else(bad)?
        }
    };
    if !lists.is_empty() && !any_holds(inside, &lists).await? {
        return Err(Error::precondition("no list of the header If holds"));
    }
    let tokens = submitted(&lists);
    for touch in touched {
        let mut wanted = vec![(touch.path.clone(), touch.deep)];
        wanted.extend(touch.path.parent().filter(|_| touch.member).map(|above| (above, false)));
        for (path, deep) in wanted {
            if inside.locks.in_the_way(inside.drive(), &path, &inside.principal, deep, &tokens).await {
                let error = Error::new(Kind::Locked, "it is locked").code("locked");
                return Err(error.with("path", path.to_string()));
            }
        }
    }
    Ok(())
}

fn submitted(lists: &[List]) -> Vec<String> {
    let conditions = lists.iter().flat_map(|list| &list.conditions);
    conditions
        .filter_map(|condition| match &condition.item {
            Item::Token(token) => Some(token.clone()),
            Item::Tag(_) => None,
        })
        .collect()
}

async fn any_holds(inside: &Inside, lists: &[List]) -> Result<bool> {
    for list in lists {
        if holds(inside, list).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn holds(inside: &Inside, list: &List) -> Result<bool> {
    let path = match &list.resource {
        None => Some(inside.path.clone()),
        Some(url) => path_in_drive(inside, url).await,
    };
    for condition in &list.conditions {
        let is = match (&path, &condition.item) {
            (None, _) => false,
            (Some(path), Item::Token(token)) => inside.locks.is_locked_by(inside.drive(), path, token).await,
            (Some(path), Item::Tag(tag)) => current_tag(inside, path).await?.as_ref() == Some(tag),
        };
        if is == condition.not {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The path that a URL means, if it lies in the request's own drive.
pub async fn path_in_drive(inside: &Inside, url: &str) -> Option<DrivePath> {
    let Ok(Place::Inside { drive, path, .. }) = Place::parse(path_of_url(url)) else { return None };
    let (visible, _) = inside.app.drives.reach(inside.who.user_id, Some(&drive)).await.ok()?;
    (visible.drive.id == inside.visible.drive.id).then_some(path)
}

async fn current_tag(inside: &Inside, path: &DrivePath) -> Result<Option<String>> {
    match listing::entry(&inside.mounted, path).await {
        Ok(entry) => Ok(entry.node.content_hash().map(|hash| format!("\"{hash}\""))),
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
