//! Many entries: written, read and searched with memory that does not grow with them.

use std::io::{self, BufWriter, Write as _};
use std::time::Instant;

use super::*;

/// How many entries: up to a million with `HOLDFAST_LONG`.
fn counts() -> &'static [u64] {
    if std::env::var_os("HOLDFAST_LONG").is_some() { &[10_000, 100_000, 1_000_000] } else { &[100_000] }
}

/// What reading and writing may take besides, whatever there is to read: buffers and one line.
const ROOM: u64 = 8 << 20;

/// Begins to look at how much memory is in use at most; says so in the end. `None` where the system does not tell.
fn memory() -> Option<impl Fn() -> u64> {
    let told = |name: &str| -> Option<u64> {
        let said = fs::read_to_string("/proc/self/status").ok()?;
        let line = said.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
    };
    fs::write("/proc/self/clear_refs", "5").ok()?;
    let before = told("VmRSS:")?;
    Some(move || told("VmHWM:").unwrap_or(u64::MAX).saturating_sub(before))
}

fn an_entry_of_many(number: u64) -> Entry {
    let folder = number / 1000;
    let path = format!("photos/{:04}/{:02}/IMG_{number:07}.jpg", 1900 + folder / 10, folder % 10);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&(number / 2).to_be_bytes());
    let mut entry = Entry::new(DrivePath::from_checked(path), Kind::File);
    entry.size = 1_000_000 + number;
    entry.mtime_ns = 1_700_000_000_000_000_000 + i64::try_from(number).unwrap() * 1_000_000_007;
    entry.sha256 = Some(bytes.into());
    entry.hashed_at = Some(a_time());
    entry.stat = Some(Stamp { ino: number, btime_ns: entry.mtime_ns, ctime_ns: entry.mtime_ns });
    entry
}

#[test]
fn many_entries_are_written_read_and_searched_in_little_memory() {
    counts().iter().for_each(|&count| write_read_and_search(count));
}

fn write_read_and_search(count: u64) {
    let (dir, root) = a_drive();
    let used = memory();
    let mut lap = Instant::now();
    let mut lap = |what: &str| {
        eprintln!("{what}: {:.3} s", lap.elapsed().as_secs_f64());
        lap = Instant::now();
    };
    let end = write::<io::Error>(&root, &a_header(), |writer| {
        (0..count).try_for_each(|number| writer.push(&an_entry_of_many(number)))
    })
    .unwrap();
    lap("written and synced");
    assert_eq!((end.entries, end.totals.files, end.totals.hashed), (count, count, count));
    let mut reader = open(&root).unwrap();
    let read =
        reader.by_ref().map(Result::unwrap).zip(0..).filter(|(e, n)| *e == an_entry_of_many(*n)).count();
    assert_eq!((read as u64, reader.is_intact()), (count, true));
    lap("read and compared");
    let search =
        |query: &Query| open(&root).unwrap().filter(|entry| query.matches(entry.as_ref().unwrap())).count();
    let hash = an_entry_of_many(count - 1).sha256;
    assert_eq!(search(&Query { hash, ..Query::default() }), 2);
    lap("searched by hash");
    let name = Some(Pattern::new(&format!("img_{:07}", count / 2)));
    assert_eq!(search(&Query { name, ..Query::default() }), 1);
    lap("searched by name");
    let size = fs::metadata(dir.path().join(RESERVED).join(FILE)).unwrap().len();
    eprintln!("{count} entries, {} bytes each", size / count);
    match used {
        Some(used) => {
            eprintln!("most memory besides: {} KiB", used() / 1024);
            assert!(used() < ROOM, "{} bytes", used());
        }
        None => crate::skipped("many_entries: memory", "this system does not tell how much is in use"),
    }
}

#[test]
fn many_entries_are_asked_for_in_memory() {
    let count = 100_000;
    let bytes = {
        let mut writer = IndexWriter::new(BufWriter::new(Vec::new()), &a_header()).unwrap();
        (0..count).for_each(|number| writer.push(&an_entry_of_many(number)).unwrap());
        let (mut to, _) = writer.finish().unwrap();
        to.flush().unwrap();
        to.into_inner().unwrap()
    };
    let lookup = Lookup::load(IndexReader::new(&bytes[..]).unwrap(), u32::MAX).unwrap();
    for number in (0..count).step_by(997) {
        let entry = an_entry_of_many(number);
        assert!(lookup.with_hash(&entry.sha256.unwrap()).any(|found| *found == entry));
        assert_eq!(lookup.of_size(entry.size..=entry.size).collect::<Vec<_>>(), [&entry]);
        assert_eq!(lookup.written(entry.mtime_ns..=entry.mtime_ns).collect::<Vec<_>>(), [&entry]);
    }
}

#[test]
fn a_folder_of_many_files_is_indexed() {
    let (dir, root) = a_drive();
    let count = 10_000;
    let folder = dir.path().join("all");
    fs::create_dir(&folder).unwrap();
    (0..count).for_each(|number| fs::write(folder.join(format!("{number}")), number.to_string()).unwrap());
    let options = Options { hash: true, again: false };
    for what in ["first", "again"] {
        let began = Instant::now();
        let report = update(&root, "test", options, &mut |_| std::ops::ControlFlow::Continue(())).unwrap();
        eprintln!("{what}: {:.3} s, {} read", began.elapsed().as_secs_f64(), report.read);
        assert_eq!((report.end.totals.files, report.end.totals.hashed, report.gone), (count, count, 0));
    }
}
