//! `holdfast volumes`

use clap::Subcommand;
use serde_json::Value;

use super::{Context, Failure, jobs};
use crate::api::Api;
use crate::show::{Table, size, visible};

/// List the disks and shares of the server's machine, and measure them
#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_long_help = "--json: an array of {id, fingerprint, volume_name, kind, file_system, is_online, is_mounted, mounts, \
    total_capacity, available_capacity, read_speed_mbps, write_speed_mbps, last_speed_test_at, last_seen_at, ..}, with --raw \
    also all that the machine tells of each"
)]
pub struct Args {
    /// Only those that you track
    #[arg(long)]
    tracked: bool,
    /// All that the machine tells of each, for admins; as JSON
    #[arg(long)]
    raw: bool,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// Measure how fast a volume is written and read, for admins
    #[command(
        after_long_help = "The server writes a file without a name to the volume and reads it again; it is gone afterwards. The \
        server goes on with it when this command is interrupted: `holdfast jobs cancel ID` ends it.\n\nExit code 0 when it was \
        measured, 1 when it failed or was cancelled, 4 when the volume cannot be measured now (offline, not mounted, read-only, \
        nearly full, or being measured), 6 when the server stopped meanwhile.\n\n--json: {volume, read_mb_per_s, \
        write_mb_per_s, read_bytes, written_bytes, past_cache}"
    )]
    SpeedTest {
        /// Which, by its name, id or fingerprint
        volume: String,
        /// Bytes to write at most, 8 MiB to 4 GiB; 256 MiB without it
        #[arg(long)]
        bytes: Option<u64>,
        /// Seconds that writing, and then reading, may take, 1 to 120; 20 without it
        #[arg(long)]
        seconds: Option<u64>,
    },
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    match args.verb {
        Some(Verb::SpeedTest { volume, bytes, seconds }) => {
            speed_test(context, &volume, bytes, seconds).await
        }
        None => list(context, args.tracked, args.raw).await,
    }
}

async fn list(context: &Context, tracked: bool, raw: bool) -> Result<(), Failure> {
    let volumes = context.api()?.volumes(tracked, raw).await?;
    if context.out.json || raw {
        return Ok(context.out.value(&volumes)?);
    }
    let mut table = Table::new(&["STATE", "KIND", "SIZE", "FREE", "READ", "WRITE", "NAME", "PLACE"]);
    for volume in volumes {
        let state = match (volume.is_online, volume.is_mounted) {
            (false, _) => "offline",
            (true, false) => "not mounted",
            (true, true) => "mounted",
        };
        let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_owned(), size);
        let speed =
            |speed: Option<i64>| speed.map_or_else(|| "-".to_owned(), |speed| format!("{speed} MB/s"));
        let place = volume.mounts.first().map(|mount| mount.mount_point.clone()).unwrap_or_default();
        table.row([
            state.to_owned(),
            volume.kind,
            bytes(volume.total_capacity),
            bytes(volume.available_capacity),
            speed(volume.read_speed_mbps),
            speed(volume.write_speed_mbps),
            volume.volume_name,
            place,
        ]);
    }
    Ok(table.write(&context.out)?)
}

async fn speed_test(
    context: &Context,
    named: &str,
    bytes: Option<u64>,
    seconds: Option<u64>,
) -> Result<(), Failure> {
    let api = context.api()?;
    let (volume, name) = find(&api, named).await?;
    let begun = api.speed_test(&volume, bytes, seconds).await;
    let job = begun.map_err(|error| Failure::from(error).about(&name))?;
    let job = jobs::follow(context, &api, job).await?;
    jobs::judge(&job).map_err(|failure| failure.about(&name))?;
    let Some(Value::Object(mut result)) = job.result else {
        return Err(Failure::failed("the server does not say what it found").about(&name));
    };
    if context.out.json {
        result.insert("volume".to_owned(), volume.into());
        return Ok(context.out.value(&result)?);
    }
    let speed = |field: &str| result.get(field).and_then(Value::as_f64).unwrap_or_default();
    let cache = match result.get("past_cache").and_then(Value::as_bool) {
        Some(false) => " (through the system's cache: reading may be slower in truth)",
        _ => "",
    };
    let (write, read) = (speed("write_mb_per_s"), speed("read_mb_per_s"));
    Ok(context.out.line(&visible(&format!("{name}: writes {write:.1} MB/s, reads {read:.1} MB/s{cache}")))?)
}

/// The id and the name of a volume that somebody names.
async fn find(api: &Api, named: &str) -> Result<(String, String), Failure> {
    let volumes = api.volumes(false, false).await?;
    let by_key = volumes.iter().find(|one| one.fingerprint == named || one.id.to_string() == named);
    let mut by_name = volumes.iter().filter(|one| one.volume_name == named);
    let found = match (by_key, by_name.next(), by_name.next()) {
        (Some(found), ..) | (None, Some(found), None) => found,
        (None, Some(_), Some(_)) => {
            return Err(Failure::conflict(format!("several volumes are called {named:?}"))
                .hint("name one by its id; `holdfast volumes --json` tells it"));
        }
        (None, None, _) => {
            return Err(Failure::not_found(format!("the server knows no volume {named:?}"))
                .hint("`holdfast volumes` lists them"));
        }
    };
    Ok((found.id.to_string(), found.volume_name.clone()))
}
