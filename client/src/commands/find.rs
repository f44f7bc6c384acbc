//! `holdfast find`

use std::path::{Path, PathBuf};

use holdfast_disk::index::{self, Entry, Header, IndexError, IndexReader, Kind, Pattern, Query};
use holdfast_protocol::ContentHash;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use uuid::Uuid;

use super::{Context, Failure};
use crate::show::{Clock, JsonList, Out, size, visible};

/// Find files in the index that a drive carries, without a server
#[derive(clap::Args)]
#[command(after_long_help = "\
The index is what the drive says of itself; `holdfast index` writes it. Upper and lower case do not count. All that is asked for \
has to hold. An index that is damaged is read up to there, and that is an error then.

Sizes: 100, 10k, 1.5M, 2G (1024 each), 2GB (1000 each), or a range of them: 1M.., ..10k, 1M..2M. Times: 2026-11-27, or with a time of day and a \
zone, 2026-11-27T08:00:00Z.

--json: an array of {path, kind, size, mtime_ns, hash, hashed_at, seen_at, local, drive_id, drive}; `hash` is null where the \
content was not read, `local` is where it is on this device. Exit code 3 when nothing is found")]
pub struct Args {
    /// A part of the name; with * or ? the whole name, with / the path. A hash of 64 digits: the content
    #[arg(value_name = "QUERY")]
    query: Option<String>,
    /// The drive's folder, or an index file
    #[arg(long, value_name = "PATH")]
    index: PathBuf,
    /// The same as QUERY, and never a hash
    #[arg(long, conflicts_with = "query")]
    name: Option<String>,
    /// The content's SHA-256
    #[arg(long, value_name = "SHA256")]
    hash: Option<ContentHash>,
    /// How large the file is
    #[arg(long, value_name = "RANGE", value_parser = range)]
    size: Option<(Option<u64>, Option<u64>)>,
    /// Written then or later
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Moment>,
    /// Written before that
    #[arg(long, value_name = "TIME", value_parser = moment)]
    before: Option<Moment>,
    /// Only `file`, `folder` or `link`
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<Kind>,
    /// Not more than so many
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Sizes and times, too
    #[arg(short, long)]
    long: bool,
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let (out, clock) = (context.out.clone(), context.clock()?);
    let query = query(&args, clock)?;
    let found = tokio::task::spawn_blocking(move || search(&out, clock, &args, &query)).await;
    found.map_err(|error| Failure::failed(error.to_string()))?
}

fn query(args: &Args, clock: Clock) -> Result<Query, Failure> {
    let mut query = Query {
        name: args.name.as_deref().map(Pattern::new),
        hash: args.hash,
        kind: args.kind,
        min_size: args.size.and_then(|(least, _)| least),
        max_size: args.size.and_then(|(_, most)| most),
        since_ns: args.since.map(|since| since.nanos(clock)).transpose()?,
        before_ns: args.before.map(|before| before.nanos(clock)).transpose()?,
    };
    match args.query.as_deref().map(|text| (text, text.parse::<ContentHash>())) {
        Some((_, Ok(hash))) if query.hash.is_none() => query.hash = Some(hash),
        Some((text, _)) => query.name = Some(Pattern::new(text)),
        None => {}
    }
    if query == Query::default() {
        return Err(Failure::usage("nothing is asked for")
            .hint("name a part of a file's name, or what else is known of it"));
    }
    Ok(query)
}

fn search(out: &Out, clock: Clock, args: &Args, query: &Query) -> Result<(), Failure> {
    let place = visible(&args.index.display().to_string()).into_owned();
    let failed = |error: IndexError| {
        let not_there = matches!(error, IndexError::Absent);
        let failure = if not_there {
            Failure::not_found(error.to_string())
        } else {
            Failure::failed(error.to_string())
        };
        let hint = if not_there {
            "`holdfast index FOLDER` writes it"
        } else {
            "`holdfast index FOLDER` writes it anew"
        };
        failure.about(&place).hint(hint)
    };
    let (mut reader, root) = open(&args.index).map_err(failed)?;
    let header = reader.header().clone();
    let mut list = JsonList::new(out);
    let (mut found, limit) = (0, args.limit.unwrap_or(u64::MAX));
    while found < limit {
        let Some(entry) = reader.next() else { break };
        let entry = entry.map_err(failed)?;
        if !query.matches(&entry) {
            continue;
        }
        found += 1;
        if out.json {
            list.push(&Hit::new(&entry, &header, root.as_deref()))?;
        } else {
            out.line(&line(&entry, args.long, clock))?;
        }
    }
    if out.json {
        list.end()?;
    }
    warn(&reader, &place);
    if found > 0 || limit == 0 {
        return Ok(());
    }
    let name = visible(&header.name).into_owned();
    Err(Failure::not_found(format!(
        "nothing like that in the index of {name}, of {}",
        clock.show(header.written_at)
    )))
}

/// What is not quite right with an index that can be used.
fn warn<R: std::io::BufRead>(reader: &IndexReader<R>, place: &str) {
    if reader.bad() > 0 {
        let first = reader.told().first().map(|bad| format!("; line {}: {}", bad.line, visible(&bad.why)));
        let first = first.unwrap_or_default();
        eprintln!("holdfast: {place}: {} bad entries were passed over{first}", reader.bad());
    } else if reader.end().is_some() && !reader.is_intact() {
        eprintln!("holdfast: {place}: the index was changed after it was written; what it says may be wrong");
    }
}

type Opened = (IndexReader<std::io::BufReader<std::fs::File>>, Option<PathBuf>);

/// The index of a folder, and that folder; of an index file alone, which need not be in one.
fn open(path: &Path) -> Result<Opened, IndexError> {
    if path.is_dir() {
        return Ok((index::open(index::open_root(path)?)?, Some(path.to_owned())));
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Err(IndexError::Absent);
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let reader = match index::open_root(folder) {
        Ok(folder) => index::open_at(folder, name)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(IndexError::Absent),
        Err(error) => return Err(error.into()),
    };
    Ok((reader, None))
}

/// An entry for scripts.
#[derive(Serialize)]
struct Hit<'h> {
    path: &'h str,
    kind: Kind,
    size: u64,
    mtime_ns: i64,
    hash: Option<ContentHash>,
    #[serde(with = "time::serde::rfc3339::option")]
    hashed_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    seen_at: OffsetDateTime,
    local: Option<String>,
    drive_id: Uuid,
    drive: &'h str,
}

impl<'h> Hit<'h> {
    fn new(entry: &'h Entry, header: &'h Header, root: Option<&Path>) -> Self {
        let path = entry.path.as_str();
        Self {
            path,
            kind: entry.kind,
            size: entry.size,
            mtime_ns: entry.mtime_ns,
            hash: entry.sha256,
            hashed_at: entry.hashed_at,
            seen_at: entry.seen_at.unwrap_or(header.written_at),
            local: root.map(|root| root.join(path).display().to_string()),
            drive_id: header.drive_id,
            drive: &header.name,
        }
    }
}

fn line(entry: &Entry, is_long: bool, clock: Clock) -> String {
    let name =
        format!("{}{}", visible(entry.path.as_str()), if entry.kind == Kind::Folder { "/" } else { "" });
    if !is_long {
        return name;
    }
    let size = if entry.kind == Kind::File { size(entry.size) } else { "-".to_owned() };
    let written = OffsetDateTime::from_unix_timestamp_nanos(entry.mtime_ns.into()).ok();
    format!("{size:>9}  {:<17}  {name}", clock.maybe(written))
}

fn kind(text: &str) -> Result<Kind, String> {
    match text {
        "file" => Ok(Kind::File),
        "folder" => Ok(Kind::Folder),
        "link" => Ok(Kind::Link),
        _ => Err("it is `file`, `folder` or `link`".to_owned()),
    }
}

/// `10k`, `1M..`, `..2G`, `1M..2M`.
fn range(text: &str) -> Result<(Option<u64>, Option<u64>), String> {
    let part = |part: &str| if part.is_empty() { Ok(None) } else { bytes(part).map(Some) };
    match text.split_once("..") {
        Some(("", "")) => Err("a range has a beginning or an end".to_owned()),
        Some((least, most)) => Ok((part(least)?, part(most)?)),
        None => bytes(text).map(|bytes| (Some(bytes), Some(bytes))),
    }
}

/// `10k`, `1.5M`, `2 GB`.
fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no size; 10k, 1.5M and 2GB are");
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let unit: u128 = match text[end..].trim() {
        "B" | "" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "k" | "K" | "KiB" => 1 << 10,
        "M" | "MiB" => 1 << 20,
        "G" | "GiB" => 1 << 30,
        "T" | "TiB" => 1 << 40,
        _ => return Err(wrong()),
    };
    let (whole, rest) = text[..end].split_once('.').unwrap_or((&text[..end], ""));
    if whole.is_empty() || whole.len() > 19 || rest.len() > 9 {
        return Err(wrong());
    }
    let digits: u128 = format!("{whole}{rest}").parse().map_err(|_| wrong())?;
    let scale = 10_u128.pow(u32::try_from(rest.len()).unwrap_or_default());
    u64::try_from(digits * unit / scale).map_err(|_| wrong())
}

/// A time, or a day, which begins when it does where it is asked.
#[derive(Debug, Clone, Copy)]
enum Moment {
    Time(OffsetDateTime),
    Day(time::Date),
}

impl Moment {
    fn nanos(self, clock: Clock) -> Result<i64, Failure> {
        let time = match self {
            Self::Time(time) => time,
            Self::Day(day) => clock.midnight(day),
        };
        i64::try_from(time.unix_timestamp_nanos()).map_err(|_| Failure::usage("no file is of that time"))
    }
}

fn moment(text: &str) -> Result<Moment, String> {
    if let Ok(day) = time::Date::parse(text, format_description!("[year]-[month]-[day]")) {
        return Ok(Moment::Day(day));
    }
    OffsetDateTime::parse(text, &Rfc3339)
        .map(Moment::Time)
        .map_err(|_| format!("{text:?} is no time; 2026-11-27 and 2026-11-27T08:00:00Z are"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(bytes("0"), Ok(0));
        assert_eq!(bytes("10k"), Ok(10_240));
        assert_eq!(bytes("1.5M"), Ok(1_572_864));
        assert_eq!(bytes("2G"), Ok(2 << 30));
        assert_eq!(bytes("2 GB"), Ok(2_000_000_000));
        for wrong in ["", "k", "-1", "1.2.3", "1x", "99999999999999999999", "9999999999T", "1,5M", "µ"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
        assert_eq!(range("1k..2k"), Ok((Some(1024), Some(2048))));
        assert_eq!(range("1k.."), Ok((Some(1024), None)));
        assert_eq!(range("..2k"), Ok((None, Some(2048))));
        assert_eq!(range("5"), Ok((Some(5), Some(5))));
        assert!(range("..").is_err() && range("").is_err());
    }

    #[test]
    fn a_day_and_a_time_are_told_apart() {
        assert!(matches!(moment("2026-11-27"), Ok(Moment::Day(_))));
        assert!(matches!(moment("2026-11-27T08:00:00Z"), Ok(Moment::Time(_))));
        assert!(moment("yesterday").is_err() && moment("2026-02-30").is_err());
    }
}
