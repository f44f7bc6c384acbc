//! `holdfast mv` and `holdfast cp`

use super::place::Place;
use super::{Context, Failure};
use crate::api::{ApiError, Transfer};

/// Move or rename a file or folder within a drive
#[derive(clap::Args)]
#[command(
    after_long_help = "It is one step, however much is in a folder, and its history goes with it.\n\n--json: {from, to, entry}"
)]
pub struct MoveArgs {
    #[command(flatten)]
    how: How,
}

/// Copy a file or folder within a drive
#[derive(clap::Args)]
#[command(after_long_help = "No bytes go over the network.\n\n--json: {from, to, entry}")]
pub struct CopyArgs {
    #[command(flatten)]
    how: How,
}

#[derive(clap::Args)]
struct How {
    /// What
    #[arg(value_name = "[DRIVE:]FROM")]
    from: String,
    /// Where to: a new path, or a folder to put it into
    #[arg(value_name = "[DRIVE:]TO")]
    to: String,
    /// Replace what is there; it goes to the trash
    #[arg(short, long)]
    force: bool,
    /// Make missing folders above
    #[arg(short, long)]
    parents: bool,
}

pub async fn run_move(context: &Context, args: MoveArgs) -> Result<(), Failure> {
    run(context, &args.how, true).await
}

pub async fn run_copy(context: &Context, args: CopyArgs) -> Result<(), Failure> {
    run(context, &args.how, false).await
}

async fn run(context: &Context, how: &How, is_move: bool) -> Result<(), Failure> {
    let from = Place::read_entry(context, &how.from)?;
    let to = Place::read(context, &how.to)?;
    if from.drive != to.drive {
        return Err(Failure::usage("from one drive to another nothing can be moved or copied in one step")
            .hint("get it and put it there, then remove it here"));
    }
    let api = context.api()?;
    let name = from.path.name().unwrap_or_default();
    let to = to.into_if_folder(&api, name).await?;
    let transfer = Transfer {
        from: from.path.clone(),
        to: to.path.clone(),
        expect: None,
        overwrite: how.force,
        parents: how.parents,
    };
    let done = if is_move {
        api.move_within(&from.drive, &transfer).await
    } else {
        api.copy_within(&from.drive, &transfer).await
    };
    let done = done.map_err(|error| explain(error, &from, &to))?;
    if context.out.json {
        return Ok(context.out.value(&done)?);
    }
    Ok(context.out.note(&format!("{from} -> {to}"))?)
}

fn explain(error: ApiError, from: &Place, to: &Place) -> Failure {
    match error.problem().map(|problem| (problem.status, problem.name())) {
        Some((409, "exists")) => Failure::conflict(format!("{to} is there already"))
            .hint("replace it with --force; what is there goes to the trash"),
        Some((404, _)) => Failure::from(error).about(from),
        _ => Failure::from(error).about(format_args!("{from} -> {to}")),
    }
}
