//! Reading the ignore file. When it cannot be read, what it said last holds: to take it for empty would send what is not to be
//! sent.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;

use holdfast_disk::stat::stat_of;
use holdfast_disk::{EntryKind, beneath, sync};
use rustix::fs::OFlags;

use super::LocalFolder;
use crate::agent::ignore::{FILE, Ignore, MOST_BYTES};

/// Its last readable text, in the agent's own folder.
const LAST: &str = "ignore";

/// What is wrong with an entry, by its path.
type Notices = Vec<(String, String)>;

/// The rules of the last walk, so that they are not compiled for each.
#[derive(Debug, Default)]
pub(super) struct Kept(RefCell<Option<(Vec<u8>, Ignore, Notices)>>);

impl LocalFolder {
    /// The rules as they are now, as far as they can be read.
    pub fn ignore(&self) -> Ignore {
        self.rules().map(|(ignore, _)| ignore).unwrap_or_default()
    }

    /// The rules as they are now, and what is wrong with them.
    ///
    /// # Errors
    /// When the agent's own folder cannot be used.
    pub(super) fn rules(&self) -> io::Result<(Ignore, Notices)> {
        let mut notices = Vec::new();
        let text = match read(&self.root, FILE) {
            Ok(text) => text,
            Err(error) => {
                let told = format!("cannot be read, so what it said last holds: {error}");
                notices.push((FILE.to_owned(), told));
                read(&self.own, LAST).unwrap_or_default()
            }
        };
        let mut kept = self.rules.0.borrow_mut();
        if kept.as_ref().is_none_or(|(before, ..)| *before != text) {
            let (ignore, wrong) = Ignore::read(&text, cfg!(any(windows, target_os = "macos")));
            let wrong = wrong.into_iter().map(|why| (FILE.to_owned(), why)).collect();
            if notices.is_empty() && read(&self.own, LAST).ok().as_ref() != Some(&text) {
                sync::write_atomic(&self.own, LAST, &text)?;
            }
            *kept = Some((text, ignore, wrong));
        }
        let (ignore, wrong) = match &*kept {
            Some((_, ignore, wrong)) => (ignore.clone(), wrong.clone()),
            None => (Ignore::default(), Vec::new()),
        };
        notices.extend(wrong);
        Ok((ignore, notices))
    }
}

/// A small file's text; empty where there is none.
fn read(folder: &OwnedFd, name: &str) -> io::Result<Vec<u8>> {
    let file = match beneath::open(folder, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => File::from(opened?),
    };
    if stat_of(&file)?.kind != EntryKind::File {
        return Err(io::Error::other("it is no file"));
    }
    let mut text = Vec::new();
    file.take(MOST_BYTES as u64 + 1).read_to_end(&mut text)?;
    if text.len() > MOST_BYTES {
        return Err(io::Error::other(format!("it has more than {} KiB", MOST_BYTES / 1024)));
    }
    Ok(text)
}
