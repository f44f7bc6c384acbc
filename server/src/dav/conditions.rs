//! What a request says about locks: the header `If` (RFC 4918, section 10.4), read for the drive it is about.

use axum::http::{HeaderMap, HeaderName};
use holdfast_protocol::DrivePath;

use super::address::{Place, path_of_url};
use super::if_header;
use crate::app::App;
use crate::catalog::drives::Visible;
use crate::domain::locks::id_of;
use crate::error::{Error, Result};
use crate::service::locks::{Condition, Guard, Item, List, Resource};

const IF: HeaderName = HeaderName::from_static("if");
/// Most conditions in one header.
const MOST: usize = 200;

/// Reads the header `If` of a request about `path` in a drive.
///
/// # Errors
/// 400 for one that is not understood.
pub async fn guard(
    app: &App,
    user: i64,
    visible: &Visible,
    path: &DrivePath,
    headers: &HeaderMap,
) -> Result<Guard> {
    let Some(value) = headers.get(IF) else { return Ok(Guard::default()) };
    let bad = || Error::malformed("the header If is not understood");
    let lists = if_header::parse(value.to_str().map_err(|_| bad())?).ok_or_else(bad)?;
    if lists.iter().map(|list| list.conditions.len()).sum::<usize>() > MOST {
        return Err(Error::malformed("the header If has too many conditions"));
    }
    let mut read = Vec::with_capacity(lists.len());
    let mut drives = SameDrive { app, user, visible, known: Vec::new() };
    for list in lists {
        let resource = match &list.resource {
            None => Resource::Here(path.clone()),
            Some(url) => match drives.path_of(url).await {
                Some(path) => Resource::Here(path),
                None => Resource::Elsewhere,
            },
        };
        let conditions = list.conditions.into_iter().map(|condition| Condition {
            not: condition.not,
            item: match condition.item {
                if_header::Item::Token(text) => Item::Token(id_of(&text)),
                if_header::Item::Tag(tag) => Item::Tag(tag),
            },
        });
        read.push(List { resource, conditions: conditions.collect() });
    }
    Ok(Guard::new(read))
}

/// The path that a URL means, if it lies in that drive.
pub async fn path_in_drive(app: &App, user: i64, visible: &Visible, url: &str) -> Option<DrivePath> {
    SameDrive { app, user, visible, known: Vec::new() }.path_of(url).await
}

/// Tells addresses in a drive from others, and looks up each name of a drive once.
struct SameDrive<'a> {
    app: &'a App,
    user: i64,
    visible: &'a Visible,
    known: Vec<(String, bool)>,
}

impl SameDrive<'_> {
    async fn path_of(&mut self, url: &str) -> Option<DrivePath> {
        let Ok(Place::Inside { drive, path, .. }) = Place::parse(path_of_url(url)) else { return None };
        let known = self.known.iter().find(|(name, _)| *name == drive).map(|(_, same)| *same);
        let same = match known {
            Some(same) => same,
            None => {
                let other = self.app.drives.reach(self.user, Some(&drive)).await;
                let same = other.is_ok_and(|(other, _)| other.drive.id == self.visible.drive.id);
                self.known.push((drive, same));
                same
            }
        };
        same.then_some(path)
    }
}
