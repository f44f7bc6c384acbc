//! How fast a volume is written and read (001-18): a job, since it takes a while.

use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use holdfast_disk::volumes::speed::{self, Options, Phase, Progress};
use holdfast_disk::volumes::{Speed, SpeedError, Volume as Told};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{log, refresh};
use crate::app::App;
use crate::catalog::jobs::Subject;
use crate::catalog::volumes::{self as rows, Volume};
use crate::domain::jobs::Kind;
use crate::error::{Error, Result};
use crate::service::caller::Caller;
use crate::service::jobs::{self, Handle, New, Shown, Stopped, Work};

/// What a test may write, in bytes.
const BYTES: std::ops::RangeInclusive<u64> = 8 << 20..=4 << 30;
/// How long each of its two phases may take, in seconds.
const SECONDS: std::ops::RangeInclusive<u64> = 1..=120;

/// How a test is wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// Bytes to write at most.
    pub bytes: Option<u64>,
    /// Seconds that writing, and then reading, may take.
    pub seconds: Option<u64>,
}

/// What is needed to do it, also after a restart.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Params {
    volume: Uuid,
    bytes: u64,
    seconds: u64,
}

/// Begins to measure a volume. Admins only: it writes to a disk of the server.
///
/// # Errors
/// 403; 404; 422 for an amount or a time out of bounds; 409 `volume-offline`, `volume-not-mounted`, `volume-read-only`,
/// `volume-nearly-full`, `job-running` or `no-volumes`; those of [`jobs::start`].
pub async fn begin(app: &App, caller: &Caller, volume: String, wanted: Wanted) -> Result<Shown> {
    caller.require_admin()?;
    let (bytes, seconds) = checked(wanted)?;
    // What was told last may be of before its disk was pulled out, and its place is another disk's by now.
    refresh(app, None).await?;
    let row = super::get(app, caller, volume).await?.tracked.volume;
    let params = Params { volume: row.uuid, bytes, seconds };
    may_be_measured(&row, &told(&row)?, bytes)?;
    let new = New {
        kind: Kind::SpeedTest,
        subject: Some(Subject { kind: "volume".to_owned(), id: row.uuid, name: row.name }),
        owner: caller.user_id,
        unit: "bytes",
        params: serde_json::to_value(params).map_err(Error::internal)?,
    };
    jobs::start(app, new, work(app, caller.user_id, params)).await
}

/// The work of a test that was interrupted: it is done anew.
///
/// # Errors
/// As [`begin`].
pub(in crate::service) async fn prepare(app: &App, caller: &Caller, params: &Value) -> Result<Work> {
    caller.require_admin()?;
    let params = read(params)?;
    refresh(app, None).await?;
    let (row, told) = known(app, params.volume).await?;
    may_be_measured(&row, &told, params.bytes)?;
    Ok(work(app, caller.user_id, params))
}

/// Removes the file of a test whose process died in the moment when it had a name.
pub(in crate::service) async fn tidy_up(app: &App, params: &Value) {
    let Ok(params) = read(params) else { return };
    let Ok((_, told)) = known(app, params.volume).await else { return };
    let places = mounts(&told).into_iter().chain([app.config.data_dir.clone()]);
    let tidy = move || places.for_each(|place| remove_leftovers(&place));
    // On a thread of its own, for which nobody waits: a share whose server is gone answers after minutes.
    if let Err(error) = std::thread::Builder::new().name("tidy up".to_owned()).spawn(tidy) {
        tracing::debug!(%error, "what a speed test may have left is looked for the next time");
    }
}

fn checked(wanted: Wanted) -> Result<(u64, u64)> {
    let Options { bytes, limit } = Options::default();
    let bytes = wanted.bytes.unwrap_or(bytes);
    let seconds = wanted.seconds.unwrap_or(limit.as_secs());
    let refuse = |what: &str, (least, most): (u64, u64)| {
        let error = Error::invalid(format!("a speed test has {least} to {most} {what}"));
        Err(error.with("least", least).with("most", most))
    };
    if !BYTES.contains(&bytes) {
        return refuse("bytes", BYTES.into_inner());
    }
    if !SECONDS.contains(&seconds) {
        return refuse("seconds", SECONDS.into_inner());
    }
    Ok((bytes, seconds))
}

fn read(params: &Value) -> Result<Params> {
    Params::deserialize(params).map_err(Error::internal)
}

fn told(row: &Volume) -> Result<Told> {
    serde_json::from_str(&row.raw).map_err(Error::internal)
}

/// A volume, and what was told of it last.
async fn known(app: &App, volume: Uuid) -> Result<(Volume, Told)> {
    let rows = app.db.read(|tx| Box::pin(rows::all(tx))).await?;
    let row = rows.into_iter().find(|row| row.uuid == volume);
    let row = row.ok_or_else(|| Error::not_found("there is no such volume"))?;
    let told = told(&row)?;
    Ok((row, told))
}

/// Whether what is known of a volume stands in the way of a test.
fn may_be_measured(row: &Volume, told: &Told, bytes: u64) -> Result<()> {
    if !row.is_online {
        return Err(Error::conflict("the volume is not there now").code("volume-offline"));
    }
    if told.mounts.is_empty() {
        return Err(Error::conflict("the volume is not mounted").code("volume-not-mounted"));
    }
    if told.read_only || told.mounts.iter().all(|mount| mount.read_only) {
        return Err(refused(&SpeedError::ReadOnly));
    }
    match (told.total_bytes, told.available_bytes) {
        (Some(total), Some(available)) => {
            speed::room(total, available, bytes).map(drop).map_err(|error| refused(&error))
        }
        // A file system that did not answer in time may do so by now; the test asks it again.
        _ => Ok(()),
    }
}

/// What the public is told of a test that cannot be done.
fn refused(error: &SpeedError) -> Error {
    match error {
        SpeedError::ReadOnly => {
            Error::conflict("nothing can be written to the volume").code("volume-read-only")
        }
        SpeedError::NearlyFull { available, floor } => Error::conflict(error.to_string())
            .code("volume-nearly-full")
            .with("available", *available)
            .with("floor", *floor),
        error => Error::conflict(format!("the volume could not be measured: {error}")),
    }
}

fn work(app: &App, actor: i64, params: Params) -> Work {
    let app = app.clone();
    Box::new(move |handle| Box::pin(run(app, actor, params, handle)))
}

async fn run(app: App, actor: i64, params: Params, handle: Handle) -> Result<Value, Stopped> {
    // It may have waited for others, and its disk may be gone or at another place by now.
    let (row, told) = known(&app, params.volume).await?;
    may_be_measured(&row, &told, params.bytes)?;
    let (mounts, data_dir) = (mounts(&told), app.config.data_dir.clone());
    let (found, measured) = oneshot::channel();
    let measure = move || {
        // Whoever listens no more has left a disk that does not answer.
        let _ = found.send(measure(&mounts, &data_dir, params, &handle));
    };
    // Not among the runtime's own threads: the server's end would wait for a disk that does not answer.
    std::thread::Builder::new().name("speed test".to_owned()).spawn(measure).map_err(Error::internal)?;
    match measured.await.map_err(Error::internal)? {
        Ok(speed) => Ok(note_speed(&app, actor, &row, speed).await?),
        Err(SpeedError::Cancelled) => Err(Stopped::Asked),
        Err(error) => {
            let refused = refused(&error).because(error);
            note_failure(&app, actor, &row, refused.public().to_owned()).await?;
            Err(refused.into())
        }
    }
}

/// Where the volume's file system can be reached and written; where it shows most of itself first.
fn mounts(told: &Told) -> Vec<PathBuf> {
    let mut mounts: Vec<_> = told.mounts.iter().filter(|mount| !mount.read_only).collect();
    mounts.sort_by_key(|mount| mount.root.len());
    mounts.into_iter().map(|mount| PathBuf::from(&mount.mount_point)).collect()
}

/// Measures at the first place where the server may write.
fn measure(
    mounts: &[PathBuf],
    data_dir: &Path,
    params: Params,
    handle: &Handle,
) -> Result<Speed, SpeedError> {
    let options = Options { bytes: params.bytes, limit: Duration::from_secs(params.seconds) };
    let device = |place: &Path| std::fs::metadata(place).map(|found| found.dev()).ok();
    // Where the top of a file system belongs to somebody else, the server's own data may lie on it.
    let is_on_it = device(data_dir).is_some_and(|own| mounts.iter().any(|place| device(place) == Some(own)));
    let places = mounts.iter().map(PathBuf::as_path).chain(is_on_it.then_some(data_dir));
    let mut refused = SpeedError::ReadOnly;
    for place in places {
        remove_leftovers(place);
        match speed::measure(place, options, &mut |progress| tell(handle, progress)) {
            Err(error) if is_of_the_place(&error) => refused = error,
            done => return done,
        }
    }
    Err(refused)
}

/// Whether the same file system may take at another place what it does not take here.
fn is_of_the_place(error: &SpeedError) -> bool {
    match error {
        SpeedError::Io(error) => {
            matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::NotADirectory)
        }
        SpeedError::ReadOnly => true,
        _ => false,
    }
}

fn remove_leftovers(place: &Path) {
    match speed::remove_leftovers(place) {
        Ok(0) => {}
        Ok(files) => {
            tracing::info!(place = %place.display(), files, "removed what a speed test had left");
        }
        Err(error) => {
            tracing::debug!(place = %place.display(), %error, "it cannot be looked for what a speed test left");
        }
    }
}

/// What is written is read again: half of it is done by then.
fn tell(handle: &Handle, progress: Progress) -> ControlFlow<()> {
    let Progress { phase, done, total } = progress;
    let (message, before) = match phase {
        Phase::Writing => ("writing", 0),
        Phase::Reading => ("reading", total),
    };
    handle.message(message);
    handle.progress(before + done, Some(total * 2));
    if handle.is_asked_to_end() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

async fn note_speed(app: &App, actor: i64, row: &Volume, speed: Speed) -> Result<Value> {
    let tenths = |speed: f64| (speed * 10.0).round() / 10.0;
    let result = json!({
        "read_mb_per_s": tenths(speed.read_mb_per_s),
        "write_mb_per_s": tenths(speed.write_mb_per_s),
        "read_bytes": speed.read_bytes,
        "written_bytes": speed.written_bytes,
        "past_cache": speed.past_cache,
    });
    let (read, written) = (speed.read_mb_per_s.round() as i64, speed.write_mb_per_s.round() as i64);
    let (id, fingerprint, now) = (row.id, row.fingerprint.clone(), app.clock.now());
    app.db
        .write(move |tx| {
            Box::pin(async move {
                rows::measured(tx, id, read, written, now).await?;
                let detail = [
                    ("read_speed_mbps", read.into()),
                    ("write_speed_mbps", written.into()),
                    ("past_cache", speed.past_cache.into()),
                ];
                log(tx, Some(actor), "volume-speed-tested", &fingerprint, &detail, now).await
            })
        })
        .await?;
    Ok(result)
}

async fn note_failure(app: &App, actor: i64, row: &Volume, problem: String) -> Result<()> {
    let (fingerprint, now) = (row.fingerprint.clone(), app.clock.now());
    app.db
        .write(move |tx| {
            Box::pin(async move {
                log(tx, Some(actor), "volume-error", &fingerprint, &[("problem", problem.into())], now).await
            })
        })
        .await
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    const GIB: u64 = 1 << 30;

    fn row() -> Volume {
        Volume {
            id: 1,
            uuid: Uuid::nil(),
            fingerprint: "fs:a".to_owned(),
            name: "a".to_owned(),
            is_online: true,
            raw: String::new(),
            read_speed_mbps: None,
            write_speed_mbps: None,
            last_speed_test_at: None,
            first_seen_at: 0,
            last_seen_at: 0,
        }
    }

    fn told_of(mounts: Value, available: Option<u64>) -> Told {
        let volume = json!({"name": "a", "fingerprint": "fs:a", "kind": "usb", "mounts": mounts,
            "total_bytes": 100 * GIB, "available_bytes": available});
        serde_json::from_value(volume).unwrap()
    }

    fn code(row: &Volume, told: &Told) -> Option<&'static str> {
        may_be_measured(row, told, 256 << 20).err().map(|error| error.problem_code().unwrap())
    }

    #[test]
    fn a_volume_is_measured_where_it_can_be_written() {
        let here = || json!([{"mount_point": "/mnt/a"}]);
        let closed = json!([{"mount_point": "/mnt/a", "read_only": true}]);
        assert_eq!(code(&row(), &told_of(here(), Some(50 * GIB))), None);
        assert_eq!(code(&row(), &told_of(here(), None)), None, "it is asked when it is its turn");
        assert_eq!(code(&row(), &told_of(here(), Some(5 * GIB))), Some("volume-nearly-full"));
        assert_eq!(code(&row(), &told_of(json!([]), Some(50 * GIB))), Some("volume-not-mounted"));
        assert_eq!(code(&row(), &told_of(closed, Some(50 * GIB))), Some("volume-read-only"));
        let locked = Told { read_only: true, ..told_of(here(), Some(50 * GIB)) };
        assert_eq!(code(&row(), &locked), Some("volume-read-only"));
        let away = Volume { is_online: false, ..row() };
        assert_eq!(code(&away, &told_of(here(), Some(50 * GIB))), Some("volume-offline"));
    }

    #[test]
    fn it_is_tried_first_where_most_of_the_volume_is_seen() {
        let several = json!([{"mount_point": "/a", "root": "/sub"}, {"mount_point": "/b"},
            {"mount_point": "/c", "read_only": true}]);
        assert_eq!(mounts(&told_of(several, None)), [PathBuf::from("/b"), PathBuf::from("/a")]);
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_with_the_bounds() {
        let wanted = |bytes, seconds| checked(Wanted { bytes, seconds });
        assert_eq!(wanted(None, None).unwrap(), (256 << 20, 20));
        assert_eq!(wanted(Some(4 * GIB), Some(1)).unwrap(), (4 * GIB, 1));
        for (bytes, seconds) in
            [(Some(0), None), (Some(4 * GIB + 1), None), (None, Some(0)), (None, Some(u64::MAX))]
        {
            let refused = wanted(bytes, seconds).unwrap_err();
            assert!(refused.fields().contains_key("least"), "{refused:?}");
        }
    }
}
