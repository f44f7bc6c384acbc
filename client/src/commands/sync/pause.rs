//! `holdfast sync pause` and `resume`.

use std::path::PathBuf;

use time::OffsetDateTime;
use uuid::Uuid;

use super::pair;
use crate::agent::schedule::{Pause, minutes};
use crate::commands::{Context, Failure};

/// Rests folders.
pub fn pause(context: &Context, local: &[PathBuf], span: Option<&str>) -> Result<(), Failure> {
    let span = span.map(|text| {
        minutes(text).ok_or_else(|| {
            Failure::usage(format!("{text:?} is no length of time")).hint("write it as in 30min, 2h or 1d")
        })
    });
    let until = match span.transpose()? {
        Some(minutes) => {
            let seconds = minutes.checked_mul(60).and_then(|span| span.checked_add(now()));
            let known = seconds.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
            Some(known.ok_or_else(|| Failure::usage("that is longer than a clock can tell"))?)
        }
        None => None,
    };
    let pause = Pause { until: until.map(OffsetDateTime::unix_timestamp) };
    set(context, local, Some(pause))?;
    let clock = context.clock()?;
    let told = until
        .map_or_else(|| "until `holdfast sync resume`".to_owned(), |at| format!("until {}", clock.show(at)));
    Ok(context.out.note(&format!("paused {told}"))?)
}

/// Ends their rest.
pub fn resume(context: &Context, local: &[PathBuf]) -> Result<(), Failure> {
    set(context, local, None)?;
    Ok(context.out.note("`holdfast sync run` syncs again")?)
}

fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

fn set(context: &Context, local: &[PathBuf], pause: Option<Pause>) -> Result<(), Failure> {
    let ids: Vec<Uuid> = pair::chosen(context, local)?.into_iter().map(|pair| pair.id).collect();
    pair::change(context, |pairs| {
        pairs.iter_mut().filter(|pair| ids.contains(&pair.id)).for_each(|pair| pair.paused = pause);
        Ok(())
    })
}
