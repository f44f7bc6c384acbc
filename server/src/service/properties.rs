//! What WebDAV asks of files and folders: their facts, their locks, and the properties that clients set on them.

use std::collections::HashMap;
use std::sync::Arc;

use holdfast_protocol::DrivePath;

use super::act::Act;
use super::checksums::{self, Lacking};
use super::files::Who;
use super::locks::{self, Placed};
use super::placement::Mounted;
use super::touch::{self, Touched};
use crate::catalog::db::{AMBIGUOUS, Tx};
use crate::catalog::drives::Right;
use crate::catalog::members::{self, Member};
use crate::catalog::nodes::{self, Node};
use crate::catalog::properties::{self, Property};
use crate::catalog::sums::{self, Summed};
use crate::catalog::{changes, drives, locks as catalog_locks};
use crate::error::{Error, Kind, Result};

/// Most properties of one file or folder.
const MOST: i64 = 1_000;
/// Members that are read at once.
const PAGE: usize = 10_000;
/// Most characters of all of them together.
const LARGEST: i64 = 1024 * 1024;
/// How often a time is set anew on a content that has just taken the place of another.
const TRIES: usize = 3;

/// What of a file or folder is wanted beyond its facts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// The properties that clients set.
    pub dead: bool,
    /// The locks that cover it.
    pub locks: bool,
    /// A file's checksums.
    pub sums: bool,
}

/// A file or folder with what was wanted of it.
#[derive(Debug, Clone)]
pub struct Described {
    /// Its facts.
    pub member: Member,
    /// The properties that clients set.
    pub dead: Vec<Property>,
    /// The locks that cover it.
    pub locks: Vec<Placed>,
    /// A file's checksums, where they were wanted.
    pub sums: Option<Summed>,
}

/// A file or folder, and what is in it, one page at a time.
#[derive(Debug, Clone)]
pub struct Page {
    /// The file or folder itself; on the first page alone.
    pub top: Option<Described>,
    /// Members, in byte order of their names.
    pub members: Vec<Described>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor>,
}

/// Where a page of members begins.
#[derive(Debug, Clone)]
pub struct Cursor {
    folder: i64,
    path: DrivePath,
    after: String,
}

/// Describes what is at a path and, where `with_members`, the first page of what is in it.
///
/// # Errors
/// 404 when nothing is there.
pub async fn describe(
    mounted: &Arc<Mounted>,
    path: &DrivePath,
    wanted: Wanted,
    with_members: bool,
) -> Result<Arc<Page>> {
    let recent = if with_members { &mounted.recent.folders } else { &mounted.recent.tops };
    let (asked, state, now) = ((path.clone(), wanted), mounted.db().commits(), mounted.clock().now());
    if let Some(page) = recent.get(&asked, state, now) {
        return Ok(page);
    }
    let page = Arc::new(read(mounted, path, wanted, if with_members { PAGE } else { 0 }).await?);
    recent.put(asked, state, now, Arc::clone(&page));
    Ok(page)
}

async fn read(mounted: &Arc<Mounted>, path: &DrivePath, wanted: Wanted, members: usize) -> Result<Page> {
    let (root, at, now) = (mounted.root_node, path.clone(), mounted.clock().now());
    let mut page = if members > 0 {
        mounted.db().read(move |tx| Box::pin(page_of(tx, root, at, wanted, members, now))).await?
    } else {
        mounted.db().glance(move |tx| Box::pin(page_of(tx, root, at, wanted, 0, now))).await?
    };
    if wanted.sums {
        let budget = if members > 0 { checksums::OF_A_PAGE } else { checksums::OF_ONE };
        let top = page.top.iter_mut().filter_map(|top| lacking(top, path.clone()));
        let within = page.members.iter_mut().filter_map(|member| {
            let at = path.join(&member.member.name).ok()?;
            lacking(member, at)
        });
        checksums::fill(mounted, top.chain(within).collect(), budget).await;
    }
    Ok(page)
}

async fn page_of(
    tx: &mut Tx,
    root: i64,
    path: DrivePath,
    wanted: Wanted,
    members: usize,
    now: i64,
) -> Result<Page> {
    let absent = || Error::not_found("there is nothing").with("path", path.to_string());
    let node = nodes::resolve(tx, root, &path).await?.node.ok_or_else(absent)?;
    let top = top(tx, &node, wanted, now).await?;
    let mut page = Page { top: Some(top), members: Vec::new(), next: None };
    if members > 0 && node.is_folder() {
        let begin = Cursor { folder: node.id, path, after: String::new() };
        (page.members, page.next) = read_members(tx, begin, wanted, members, now).await?;
    }
    Ok(page)
}

fn lacking(described: &mut Described, path: DrivePath) -> Option<Lacking<'_>> {
    let size = described.member.size.cast_unsigned();
    described.sums.as_mut().filter(|sums| !sums.is_whole()).map(|sums| Lacking { path, size, sums })
}

/// The next page of members.
///
/// # Errors
/// The catalogue's.
pub async fn more(mounted: &Arc<Mounted>, from: Cursor, wanted: Wanted) -> Result<Arc<Page>> {
    let (now, path) = (mounted.clock().now(), from.path.clone());
    let mut page = mounted
        .db()
        .read(move |tx| {
            Box::pin(async move {
                let (members, next) = read_members(tx, from, wanted, PAGE, now).await?;
                Ok(Page { top: None, members, next })
            })
        })
        .await?;
    if wanted.sums {
        let within = page.members.iter_mut().filter_map(|member| {
            let at = path.join(&member.member.name).ok()?;
            lacking(member, at)
        });
        checksums::fill(mounted, within.collect(), checksums::OF_A_PAGE).await;
    }
    Ok(Arc::new(page))
}

async fn top(tx: &mut Tx, node: &Node, wanted: Wanted, now: i64) -> Result<Described> {
    Ok(Described {
        member: members::one(tx, node.id).await?,
        dead: if wanted.dead { properties::of_node(tx, node.id).await? } else { Vec::new() },
        locks: if wanted.locks { locks::covering(tx, node.id, now).await? } else { Vec::new() },
        sums: if wanted.sums { sums::of_node(tx, node.id).await? } else { None },
    })
}

async fn read_members(
    tx: &mut Tx,
    from: Cursor,
    wanted: Wanted,
    most: usize,
    now: i64,
) -> Result<(Vec<Described>, Option<Cursor>)> {
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let found = members::of_folder(tx, from.folder, &from.after, limit).await?;
    let last = found.last().map(|member| member.name.clone()).unwrap_or_default();
    let next = (found.len() == most).then(|| Cursor {
        folder: from.folder,
        path: from.path.clone(),
        after: last.clone(),
    });
    let mut summed: HashMap<i64, Summed> = HashMap::new();
    if wanted.sums && !found.is_empty() {
        let known = sums::of_children(tx, from.folder, &from.after, &last).await?;
        summed.extend(known.into_iter().map(|known| (known.node_id, known)));
    }
    let mut dead: HashMap<i64, Vec<Property>> = HashMap::new();
    if wanted.dead && !found.is_empty() {
        for property in properties::of_children(tx, from.folder, &from.after, &last).await? {
            dead.entry(property.node_id).or_default().push(property);
        }
    }
    let (mut deep, mut own) = (Vec::new(), HashMap::<i64, Vec<Placed>>::new());
    if wanted.locks {
        let drive = nodes::by_id(tx, from.folder).await?.drive_id;
        if catalog_locks::any(tx, drive, now).await? {
            deep = locks::covering(tx, from.folder, now).await?;
            deep.retain(|placed| placed.lock.deep);
            for placed in locks::of_drive(tx, drive, now).await? {
                own.entry(placed.lock.node_id).or_default().push(placed);
            }
        }
    }
    let described = found.into_iter().map(|member| {
        let dead = dead.remove(&member.id).unwrap_or_default();
        let mut locks = deep.clone();
        locks.extend(own.remove(&member.id).unwrap_or_default());
        let sums = summed.remove(&member.id);
        Described { member, dead, locks, sums }
    });
    Ok((described.collect(), next))
}

/// One step of a PROPPATCH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A property gets a value.
    Set {
        /// Its namespace; empty for none.
        namespace: String,
        /// Its name in it.
        name: String,
        /// The whole element as XML that needs nothing around it.
        value: String,
    },
    /// A property goes, if it is there.
    Remove {
        /// Its namespace; empty for none.
        namespace: String,
        /// Its name in it.
        name: String,
    },
}

/// Takes all steps in their order, or none (RFC 4918, section 9.2); with `modified` (nanoseconds since 1970) as when it was
/// last written.
///
/// # Errors
/// 404 when nothing is there, 412 and 423 by what the request says and meets, 507 `too-many-properties`, and those of
/// [`touch::on_disk`].
pub async fn patch(
    mounted: &Arc<Mounted>,
    who: Who,
    path: DrivePath,
    steps: Vec<Step>,
    modified: Option<i64>,
) -> Result<()> {
    let Some(modified) = modified else { return commit(mounted, &who, &path, &steps, None).await };
    for _ in 1..TRIES {
        match touch_and_commit(mounted, &who, &path, &steps, modified).await {
            Err(error) if error.problem_code() == Some(touch::REPLACED) => {}
            done => return done,
        }
    }
    touch_and_commit(mounted, &who, &path, &steps, modified).await
}

async fn touch_and_commit(
    mounted: &Arc<Mounted>,
    who: &Who,
    path: &DrivePath,
    steps: &[Step],
    modified: i64,
) -> Result<()> {
    // Before the disk is touched; the commit asks again.
    locks::may_put(mounted, who, path).await?;
    let touched = Arc::new(touch::on_disk(mounted, path, modified).await?);
    let done = commit(mounted, who, path, steps, Some(Arc::clone(&touched))).await;
    if done.as_ref().is_err_and(|error| error.problem_code() != Some(AMBIGUOUS)) {
        touched.undo().await;
    }
    done
}

async fn commit(
    mounted: &Arc<Mounted>,
    who: &Who,
    path: &DrivePath,
    steps: &[Step],
    touched: Option<Arc<Touched>>,
) -> Result<()> {
    let (drive, actor) = (mounted.id, who.actor(mounted.clock().now()));
    let (guard, path, steps) = (who.guard.clone(), path.clone(), steps.to_vec());
    mounted
        .db()
        .write(move |tx| {
            Box::pin(async move {
                let mut act = Act::begin(tx, drive, actor, Right::Edit).await?;
                act.guarded(&guard).await?;
                let absent = || Error::not_found("there is nothing").with("path", path.to_string());
                let node = act.resolve(&path).await?.node.ok_or_else(absent)?;
                act.may_change(&node).await?;
                take(&mut act, node.id, &steps).await?;
                if let Some(touched) = &touched {
                    touched.in_catalogue(&mut act, &node).await?;
                }
                act.finish().await.map(drop)
            })
        })
        .await
}

/// Takes steps on a node within an act.
///
/// # Errors
/// 507 `too-many-properties`.
pub async fn take(act: &mut Act<'_>, node: i64, steps: &[Step]) -> Result<()> {
    for step in steps {
        match step {
            Step::Set { namespace, name, value } => {
                properties::set(act.tx, node, namespace, name, value).await?;
            }
            Step::Remove { namespace, name } => {
                properties::remove(act.tx, node, namespace, name).await?;
            }
        }
    }
    let (count, size) = properties::size(act.tx, node).await?;
    if count > MOST || size > LARGEST {
        let error = Error::new(Kind::NoSpace, "a file or folder keeps no more properties than these");
        return Err(error.code("too-many-properties").with("limit", MOST).with("size_limit", LARGEST));
    }
    Ok(())
}

/// Names what a drive holds now: `None` when it has no change yet.
///
/// # Errors
/// The catalogue's.
pub async fn head(mounted: &Arc<Mounted>) -> Result<Option<uuid::Uuid>> {
    let drive = mounted.id;
    mounted
        .db()
        .read(move |tx| {
            Box::pin(async move {
                let Some(now) = drives::by_id(tx, drive).await? else { return Ok(None) };
                changes::token_at(tx, drive, now.head_seq).await
            })
        })
        .await
}
