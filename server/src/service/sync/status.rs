//! `GET /api/sync/status/{device_id}`: where a device stands (003-05).

use std::sync::Arc;

use holdfast_protocol::PathMap;
use holdfast_protocol::manifest::Manifest;

use super::of_caller;
use super::world::{self, About, Reading, blocking};
use crate::app::App;
use crate::catalog::agreements::{self, State};
use crate::catalog::conflicts;
use crate::catalog::devices::Device;
use crate::catalog::sync;
use crate::domain::names::Platform;
use crate::error::Result;
use crate::service::caller::Caller;
use crate::service::drives;

/// Where a device stands with a drive.
#[derive(Debug, Clone)]
pub struct Status {
    /// The device.
    pub device: Device,
    /// Its state; `None`: it never synced this drive.
    pub state: Option<State>,
    /// What a plan would tell it now, by what it told last; `None` while the drive is offline.
    pub pending: Option<Pending>,
    /// How many of its conflicts are open.
    pub open_conflicts: usize,
}

/// Counts of what a plan would tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pending {
    /// To get from the server.
    pub downloads: usize,
    /// To send to the server.
    pub uploads: usize,
    /// To delete, on either side.
    pub deletes: usize,
    /// To be settled.
    pub conflicts: usize,
}

/// Says where a device stands. Changes nothing.
///
/// # Errors
/// 404 for a device or drive that is not the caller's, 403 for a credential of another device.
pub async fn status(app: &App, caller: &Caller, device_id: &str, drive: Option<String>) -> Result<Status> {
    let device = of_caller(app, caller, device_id).await?;
    let (user, id) = (caller.user_id, device.id);
    let (drive, state, open_conflicts) = app
        .db
        .read(move |tx| {
            Box::pin(async move {
                let drive = drives::named(tx, user, drive.as_deref()).await?.drive.id;
                let state = agreements::state_of(tx, id, drive).await?;
                let open = conflicts::open_of(tx, drive, id).await?.len();
                Ok((drive, state, open))
            })
        })
        .await?;
    let platform = device.platform.as_deref().map_or(Platform::Posix, Platform::of);
    let about = About { device: device.id, platform, drive };
    let pending = match (&state, app.drives.online(drive)) {
        (Some(state), Ok(_)) => pending(app, about, device_id, state).await?,
        _ => None,
    };
    Ok(Status { device, state, pending, open_conflicts })
}

/// What an empty delta would be answered.
async fn pending(app: &App, about: About, device_id: &str, state: &State) -> Result<Option<Pending>> {
    let manifest = Manifest {
        device_id: device_id.to_owned(),
        drive: None,
        change_token: Some(state.token.clone()),
        complete: None,
        folders: false,
        moves: false,
        confirm: None,
        claims: PathMap::default(),
    };
    // All that the drive and the device have is read for it, as for a large list.
    let _turn = super::reading::turn().await?;
    let Reading::World(world) = world::read(&app.db, about, Arc::new(manifest)).await? else {
        // It has just been told something new.
        return Ok(None);
    };
    let decision = blocking(move || world.decide()).await?.map_err(sync::too_many)?;
    let plan = decision.plan;
    Ok(Some(Pending {
        downloads: plan.to_download.len(),
        uploads: plan.to_upload.len(),
        deletes: plan.to_delete.len() + plan.deleted_by_client.len(),
        conflicts: decision.conflicts.len(),
    }))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;
    use crate::config::{Config, Flags, Resolved, Secret};
    use crate::domain::accounts::Role;
    use crate::service::sessions::{self, Login};
    use crate::service::sync::reading::{self, AT_ONCE};
    use crate::service::users::{self, Wanted};

    #[tokio::test]
    async fn a_status_waits_for_its_turn_as_a_large_list_does() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data").to_str().unwrap().to_owned();
        let environment = move |name: &str| (name == "HOLDFAST_DATA_DIR").then(|| data.clone());
        let config =
            Config::from_resolved(&Resolved::gather(&Flags::default(), environment).unwrap()).unwrap();
        let app = App::open(config, Clock::system()).await.unwrap();
        let (username, password) = ("ada".to_owned(), Secret::new("correct horse"));
        let wanted = Wanted {
            username: username.clone(),
            display_name: None,
            password: password.clone(),
            role: Role::Admin,
        };
        users::create(&app, None, wanted).await.unwrap();
        app.drives.start().await.unwrap();
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let device_id = Some("laptop".to_owned());
        let login = Login { username, password, device_id, user_agent: None, address };
        let tokens = sessions::login(&app, login).await.unwrap();
        let caller = sessions::bearer(&app, &tokens.access).await.unwrap();
        let device = crate::service::sync::Registering {
            device_id: "laptop".to_owned(),
            device_name: None,
            platform: None,
            reset: false,
        };
        crate::service::sync::register(&app, &caller, device).await.unwrap();

        let mut turns = Vec::new();
        for _ in 0..AT_ONCE {
            turns.push(reading::turn().await.unwrap());
        }
        let asked = status(&app, &caller, "laptop", None);
        tokio::pin!(asked);
        assert!(
            tokio::time::timeout(Duration::from_secs(2), &mut asked).await.is_err(),
            "all turns are taken"
        );
        turns.pop();
        assert_eq!(asked.await.unwrap().pending, Some(Pending::default()));
        app.drives.stop().await;
    }
}
