//! Content on its way in (algorithms A, steps 1 and 2): written into a slot and hashed while it arrives.
//!
//! The blocking work is done in short jobs, one at a time per content, so that a slow sender holds no thread. A content
//! that is let go before it is finished leaves nothing behind.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

use bytes::Bytes;
use holdfast_disk::hash::BUFFER;
use holdfast_disk::stat::stat_of;
use holdfast_disk::{self as disk, Hasher, Summer, Sums, attrs, hash_reader};
use holdfast_protocol::ContentHash;
use rustix::fs::OFlags;
use tokio::task::JoinHandle;

use super::drive::{FolderDrive, Shared};
use super::slots;
use super::unsynced::Age;
use super::{Phys, SlotId};
use crate::domain::stat::{Ident, Stat};
use crate::failpoint;

/// So many bytes are gathered for one job; twice that is what a content takes of memory.
const GATHER: usize = 256 * 1024;

/// After so many bytes the kernel is told to begin writing them, so that the disk works while more arrives.
const BEGIN_WRITING: u64 = 4 * 1024 * 1024;

/// A finished content in its slot; durable only after [`FolderDrive::make_durable`].
#[derive(Debug, Clone, Copy)]
pub struct Blob {
    /// Where it is, and the uuid of the op that may place it.
    pub slot: SlotId,
    /// SHA-256 of its bytes.
    pub hash: ContentHash,
    /// Bytes.
    pub size: u64,
    /// The file in the slot.
    pub stat: Stat,
    /// Its checksums, where they were wanted ([`FolderDrive::stage`]).
    pub sums: Option<Sums>,
}

/// What a content gets besides its bytes.
#[derive(Debug, Clone, Default)]
pub struct FinishHints {
    /// When it was last written, in nanoseconds since 1970; `None`: now.
    pub mtime_ns: Option<i64>,
    /// Where it will stand. Of a file that stands there now it takes owner, mode, access list and attributes, as far as
    /// the process may; where none does, what its folder hands down.
    pub at: Option<Phys>,
}

/// A content that is arriving. Dropped before [`Staged::finish`] returned, it is gone.
pub struct Staged {
    slot: SlotId,
    gathered: Vec<u8>,
    work: Work,
}

/// Who has the file of a content that is arriving.
enum Work {
    /// Nobody yet: a small content that is here as a whole takes one job, in which it is made, written and finished.
    Begin(Arc<Shared>, bool),
    /// A job.
    Job(JoinHandle<io::Result<Box<Writer>>>),
    /// Nobody any more: a job has failed.
    Failed,
}

impl FolderDrive {
    /// Stages a content that is here as a whole. Blocks.
    ///
    /// # Errors
    /// What the file system says; then nothing is left behind.
    pub fn stage_whole(&self, bytes: &[u8], hints: &FinishHints) -> io::Result<Blob> {
        let mut writer = Writer::new(Arc::clone(&self.shared), slots::new_slot())?;
        writer.write(bytes)?;
        Ok(writer.finish(hints)?.keep())
    }

    /// Begins a content. With `sums`, its checksums are made as well.
    pub fn stage(&self, sums: bool) -> Staged {
        let work = Work::Begin(Arc::clone(&self.shared), sums);
        Staged { slot: slots::new_slot(), gathered: Vec::new(), work }
    }
}

impl Staged {
    /// Its slot.
    pub fn slot(&self) -> SlotId {
        self.slot
    }

    /// Has its slot made by now, while the rest arrives.
    pub fn begin(&mut self) {
        if let Work::Begin(shared, sums) = &self.work {
            let ready = Ready::Begin(Arc::clone(shared), self.slot, *sums);
            self.work = Work::Job(spawn(move || ready.get()));
        }
    }

    /// Adds the next bytes; waits while earlier ones are still being written.
    ///
    /// # Errors
    /// What writing these or earlier bytes says; the content is then lost.
    pub async fn write(&mut self, bytes: Bytes) -> io::Result<()> {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(GATHER - self.gathered.len()));
            self.gathered.extend_from_slice(now);
            rest = later;
            if self.gathered.len() == GATHER {
                let writer = self.writer().await?;
                let bytes = std::mem::replace(&mut self.gathered, Vec::with_capacity(GATHER));
                self.work = Work::Job(spawn(move || {
                    let mut writer = writer.get()?;
                    writer.write(&bytes)?;
                    Ok(writer)
                }));
            }
        }
        Ok(())
    }

    /// Ends the content: attributes, times, and the hash of all of it.
    ///
    /// # Errors
    /// What the file system says; the content is then lost.
    pub async fn finish(mut self, hints: FinishHints) -> io::Result<Blob> {
        let writer = self.writer().await?;
        let bytes = std::mem::take(&mut self.gathered);
        let finished = spawn(move || {
            let mut writer = writer.get()?;
            writer.write(&bytes)?;
            writer.finish(&hints)
        });
        // Until here the slot is still the writer's, and gone when this future is dropped.
        Ok(finished.await.map_err(io::Error::other)??.keep())
    }

    async fn writer(&mut self) -> io::Result<Ready> {
        match std::mem::replace(&mut self.work, Work::Failed) {
            Work::Begin(shared, sums) => Ok(Ready::Begin(shared, self.slot, sums)),
            Work::Job(job) => Ok(Ready::Open(job.await.map_err(io::Error::other)??)),
            Work::Failed => Err(io::Error::other("an earlier write of this content failed")),
        }
    }
}

/// The file of a content, or what it takes to make it: for the job that writes.
enum Ready {
    Begin(Arc<Shared>, SlotId, bool),
    Open(Box<Writer>),
}

impl Ready {
    fn get(self) -> io::Result<Box<Writer>> {
        match self {
            Self::Open(writer) => Ok(writer),
            Self::Begin(shared, slot, sums) => {
                let mut writer = Writer::new(shared, slot)?;
                writer.summer = sums.then(Summer::default);
                Ok(writer)
            }
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // What a job that has ended left is removed with its handle, and removing a large file takes a while.
        if let Work::Job(job) = std::mem::replace(&mut self.work, Work::Failed)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn_blocking(move || drop(job));
        }
    }
}

fn spawn<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    tokio::task::spawn_blocking(job)
}

/// A slot that is removed again unless it is kept.
struct OwnSlot {
    shared: Arc<Shared>,
    id: SlotId,
    kept: bool,
}

impl OwnSlot {
    fn new(shared: Arc<Shared>, id: SlotId) -> Self {
        Self { shared, id, kept: false }
    }
}

impl Drop for OwnSlot {
    fn drop(&mut self) {
        if !self.kept {
            slots::discard(&self.shared, self.id);
        }
    }
}

/// The blocking side of a content.
struct Writer {
    slot: OwnSlot,
    age: Age,
    file: File,
    hasher: Hasher,
    summer: Option<Summer>,
    size: u64,
    /// Up to where the kernel was told to begin writing.
    begun: u64,
}

/// A finished content whose slot is still removed unless it is kept.
struct Finished {
    slot: OwnSlot,
    blob: Blob,
}

impl Finished {
    fn keep(mut self) -> Blob {
        self.slot.kept = true;
        self.blob
    }
}

impl Writer {
    fn new(shared: Arc<Shared>, slot: SlotId) -> io::Result<Box<Self>> {
        let age = shared.unsynced.age();
        let slot = OwnSlot::new(shared, slot);
        let file = slots::create_file(&slot.shared.root, slot.id)?;
        failpoint::hit("stage.created");
        Ok(Box::new(Self { slot, age, file, hasher: Hasher::new(), summer: None, size: 0, begun: 0 }))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        if let Some(summer) = &mut self.summer {
            summer.update(bytes);
        }
        self.size += bytes.len() as u64;
        if self.size - self.begun >= BEGIN_WRITING {
            disk::sync::begin_writing(&self.file, self.begun);
            self.begun = self.size;
        }
        Ok(())
    }

    fn finish(self, hints: &FinishHints) -> io::Result<Finished> {
        if let Some(at) = &hints.at {
            carry_over(&self.slot.shared, at, &self.file, false)?;
        }
        if let Some(mtime_ns) = hints.mtime_ns {
            attrs::set_mtime(&self.file, mtime_ns)?;
        }
        let (hash, size) = (self.hasher.clone().finish(), self.size);
        self.done(hash, size)
    }

    fn done(self, hash: ContentHash, size: u64) -> io::Result<Finished> {
        let Self { slot, age, file, summer, .. } = self;
        let stat = Stat::from(stat_of(&file)?);
        if stat.size != size {
            return Err(io::Error::other("the slot was written by another program"));
        }
        slot.shared.unsynced.keep(slot.id, age, file)?;
        failpoint::hit("stage.written");
        let blob = Blob { slot: slot.id, hash, size, stat, sums: summer.map(Summer::finish) };
        Ok(Finished { blob, slot })
    }
}

impl FolderDrive {
    /// Stages an empty folder, with what the folder in which it will stand hands down.
    ///
    /// # Errors
    /// What the file system says; then nothing is left behind.
    pub fn stage_folder(&self, at: Option<&Phys>) -> io::Result<(SlotId, Stat)> {
        let mut slot = OwnSlot::new(Arc::clone(&self.shared), slots::new_slot());
        let folder = slots::create_folder(&self.shared.root, slot.id)?;
        failpoint::hit("stage.created");
        if let Some(at) = at {
            carry_over(&self.shared, at, &folder, true)?;
        }
        let stat = Stat::from(stat_of(&folder)?);
        slot.kept = true;
        Ok((slot.id, stat))
    }

    /// Stages a copy of the first candidate that is the expected file, with its time and attributes; a clone, which takes
    /// no room, where the file system can. `hash` and `size` are those of the copy: compare them with the version's.
    ///
    /// # Errors
    /// `NotFound` when no candidate is that file; `ResourceBusy` when it was written meanwhile; what the file system says.
    pub fn stage_copy(&self, from: &[Phys], expect: Ident) -> io::Result<Blob> {
        let (mut source, ..) = self.open_file(from, Some(expect)).map_err(io::Error::from)?;
        let before = stat_of(&source)?;
        let mut writer = Writer::new(Arc::clone(&self.shared), slots::new_slot())?;
        let (hash, size) = if self.caps().reflink && rustix::fs::ioctl_ficlone(&writer.file, &source).is_ok()
        {
            hash_reader(&writer.file)?
        } else {
            let mut buffer = vec![0; BUFFER];
            loop {
                match source.read(&mut buffer) {
                    Ok(0) => break (writer.hasher.clone().finish(), writer.size),
                    Ok(n) => writer.write(&buffer[..n])?,
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(e),
                }
            }
        };
        let after = stat_of(&source)?;
        if (after.size, after.mtime_ns, after.ctime_ns) != (before.size, before.mtime_ns, before.ctime_ns) {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        let lost = attrs::copy(&source, &writer.file)?;
        writer.slot.shared.tell_lost(lost);
        attrs::set_mtime(&writer.file, before.mtime_ns)?;
        Ok(writer.done(hash, size)?.keep())
    }
}

/// Gives a new file or folder what it should have where it will stand.
pub(super) fn carry_over(shared: &Shared, at: &Phys, to: impl AsFd, is_folder: bool) -> io::Result<()> {
    let there = shared.root.lstat(at)?.filter(|stat| stat.kind == disk::EntryKind::File && !is_folder);
    let lost = match there.map(|_| shared.root.open(at, OFlags::RDONLY)) {
        Some(Ok(file)) => attrs::copy(file, to)?,
        _ => match shared.root.parent(at) {
            Ok((folder, _)) => attrs::inherit(folder, to, is_folder)?,
            // Its folder is not placed yet, or may not be read: then it hands nothing down.
            Err(_) => return Ok(()),
        },
    };
    shared.tell_lost(lost);
    Ok(())
}
