//! `POST /api/sync/changes`: what a device has to do, given what it holds (003-06 to 003-12; algorithms B).

use std::sync::Arc;

use holdfast_protocol::plan::Plan;
use uuid::Uuid;

use super::conflicts::{self, Opening};
use super::world::{self, About, Reading, World, blocking};
use super::{Heard, of_caller};
use crate::app::App;
use crate::catalog::db::Tx;
use crate::catalog::{agreements, drives, sync};
use crate::domain::names::Platform;
use crate::domain::reconcile::Decision;
use crate::error::{Error, Result};
use crate::service::caller::Caller;

/// How often a reading is thrown away because the drive went on meanwhile. After that it is answered as of the reading:
/// what others did since is a change that the next answer tells (see [`Writing::may_write`]).
const FRESH: u32 = 3;
/// How often it is read at all; only the same device, acting all the time, can use these up.
const TRIES: u32 = 12;
/// Most rows that one turn of the writer takes, so that others are not kept waiting by a first sync.
const TURN: usize = 10_000;

/// Answers a manifest with a plan. Changes no content: rows, conflicts and the token are written, nothing else.
///
/// # Errors
/// 404 for a device or drive that is not the caller's, 403 for a credential of another device, 503 while the drive is
/// offline (promise P8) or the device itself changes things all the time.
pub async fn changes(app: &App, caller: &Caller, heard: Heard) -> Result<Plan> {
    // The turn of a large list is held until the plan is there: what is judged takes more room than what was read.
    let Heard { manifest, turn: _turn } = heard;
    let device = of_caller(app, caller, &manifest.device_id).await?;
    let drive = app.drives.reach(caller.user_id, manifest.drive.as_deref()).await?.1.id;
    let platform = device.platform.as_deref().map_or(Platform::Posix, Platform::of);
    let about = About { device: device.id, platform, drive };
    known(app, device.id, drive).await?;
    let manifest = Arc::new(manifest);
    for attempt in 0..TRIES {
        let world = match world::read(&app.db, about, Arc::clone(&manifest)).await? {
            Reading::World(world) => world,
            Reading::ListRequired(token) => {
                return Ok(Plan { full_list_required: true, change_token: token, ..Plan::default() });
            }
        };
        let (world, decision) = blocking(move || {
            let decision = world.decide();
            (world, decision)
        })
        .await?;
        let decision = decision.map_err(sync::too_many)?;
        if let Some(plan) = settle(app, caller, about, *world, decision, attempt < FRESH).await? {
            return Ok(plan);
        }
    }
    Err(Error::unavailable("this device changes things all the time; try again", 1))
}

/// Sees to it that the device has a state for the drive: one that never synced it gets an empty one.
async fn known(app: &App, device: i64, drive: i64) -> Result<()> {
    let known = app.db.read(move |tx| Box::pin(agreements::state_of(tx, device, drive))).await?;
    if known.is_some() {
        return Ok(());
    }
    let (token, now) = (Uuid::new_v4().to_string(), app.clock.now());
    let make = app.db.write(move |tx| {
        Box::pin(async move { agreements::ensure_state(tx, device, drive, &token, now).await })
    });
    make.await.map(drop)
}

/// Writes what was decided; `None` when it was decided from a reading that no longer holds.
async fn settle(
    app: &App,
    caller: &Caller,
    about: About,
    world: World,
    decision: Decision,
    head_must_stand: bool,
) -> Result<Option<Plan>> {
    let Decision { mut plan, conflicts, rows, unjudged } = decision;
    number_downloads(app, &world, &mut plan).await?;
    let writing = Writing {
        user: caller.user_id,
        about,
        state: world.state.id,
        revision: world.state.revision,
        head: world.head,
        head_must_stand,
    };
    let (root, now) = (world.root, app.clock.now());
    drop(world);
    let rows = Arc::new(rows);
    let turns = rows.len().div_ceil(TURN).max(1);
    for turn in 0..turns - 1 {
        let rows = Arc::clone(&rows);
        let done = app.db.write(move |tx| {
            Box::pin(async move {
                let may = writing.may_write(tx).await?;
                if may {
                    let part = rows.iter().skip(turn * TURN).take(TURN);
                    sync::write_rows(tx, writing.state, part).await?;
                }
                Ok(may)
            })
        });
        if !done.await? {
            return Ok(None);
        }
    }
    let token = Uuid::new_v4().to_string();
    let issued = token.clone();
    let opened = app
        .db
        .write(move |tx| {
            Box::pin(async move {
                if !writing.may_write(tx).await? {
                    return Ok(None);
                }
                sync::write_rows(tx, writing.state, rows.iter().skip((turns - 1) * TURN)).await?;
                let opening =
                    Opening { drive: about.drive, root, device: about.device, user: writing.user, now };
                let opened = conflicts::settle(tx, opening, &conflicts, &unjudged).await?;
                agreements::issue_token(tx, writing.state, &issued, writing.head, now).await?;
                Ok(Some(opened))
            })
        })
        .await?;
    Ok(opened.map(|conflicts| Plan { conflicts, change_token: token, ..plan }))
}

/// The condition under which a decision may be written.
#[derive(Debug, Clone, Copy)]
struct Writing {
    user: i64,
    about: About,
    state: i64,
    revision: i64,
    head: i64,
    head_must_stand: bool,
}

impl Writing {
    /// Whether the decision still stands, to be asked in the transaction that writes it (algorithms B rule a).
    ///
    /// The revision must be as read: nobody else writes the rows, conflicts or token of this device then, and the
    /// writing is as if it had been done at the moment of the reading, before whatever others changed since. Where the
    /// drive's head is still the same as well, the equality of claim and server holds in this very transaction.
    async fn may_write(&self, tx: &mut Tx) -> Result<bool> {
        let gone = || Error::not_found("there is no such drive");
        let drive = drives::lock(tx, self.about.drive).await?.ok_or_else(gone)?;
        drives::right(tx, drive.id, self.user).await?.ok_or_else(gone)?;
        let state = agreements::state_of(tx, self.about.device, self.about.drive).await?;
        let unwritten = state.is_some_and(|state| state.id == self.state && state.revision == self.revision);
        Ok(unwritten && (drive.head_seq == self.head || !self.head_must_stand))
    }
}

/// Fills in the versions' numbers of what is to be downloaded.
async fn number_downloads(app: &App, world: &World, plan: &mut Plan) -> Result<()> {
    let files: Vec<i64> = plan
        .to_download
        .iter()
        .filter(|download| download.hash.is_some())
        .filter_map(|download| world.node_at(&download.path))
        .collect();
    if files.is_empty() {
        return Ok(());
    }
    let numbers =
        app.db.read(move |tx| Box::pin(async move { sync::version_numbers(tx, &files).await })).await?;
    for download in plan.to_download.iter_mut().filter(|download| download.hash.is_some()) {
        let number = world.node_at(&download.path).and_then(|node| numbers.get(&node));
        download.version = number.and_then(|number| u32::try_from(*number).ok());
    }
    Ok(())
}
