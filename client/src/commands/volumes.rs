//! `holdfast volumes`

use super::{Context, Failure};
use crate::show::{Table, size};

/// List the disks and shares of the server's machine
#[derive(clap::Args)]
#[command(
    after_long_help = "--json: an array of {id, fingerprint, volume_name, kind, file_system, is_online, is_mounted, mounts, \
    total_capacity, available_capacity, last_seen_at, ..}, with --raw also all that the machine tells of each"
)]
pub struct Args {
    /// Only those that you track
    #[arg(long)]
    tracked: bool,
    /// All that the machine tells of each, for admins; as JSON
    #[arg(long)]
    raw: bool,
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let volumes = context.api()?.volumes(args.tracked, args.raw).await?;
    if context.out.json || args.raw {
        return Ok(context.out.value(&volumes)?);
    }
    let mut table = Table::new(&["STATE", "KIND", "SIZE", "FREE", "NAME", "PLACE"]);
    for volume in volumes {
        let state = match (volume.is_online, volume.is_mounted) {
            (false, _) => "offline",
            (true, false) => "not mounted",
            (true, true) => "mounted",
        };
        let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_owned(), size);
        let place = volume.mounts.first().map(|mount| mount.mount_point.clone()).unwrap_or_default();
        table.row([
            state.to_owned(),
            volume.kind,
            bytes(volume.total_capacity),
            bytes(volume.available_capacity),
            volume.volume_name,
            place,
        ]);
    }
    Ok(table.write(&context.out)?)
}
