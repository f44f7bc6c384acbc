//! Content that arrives in parts, over several requests and perhaps several runs of the server. Its bytes wait in
//! `.holdfast/uploads/<id>`, on the file system of the tree, so that completing it is a change of its name: it becomes the
//! slot of that id. Nothing of it is a slot before, so recovery does not take it for what was staged and not committed.

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::AsFd;
use std::sync::Arc;

use bytes::Bytes;
use holdfast_disk::stat::stat_of;
use holdfast_disk::sync::sync_folder;
use holdfast_disk::walk::list_folder;
use holdfast_disk::{self as disk, Hasher, attrs, hash_reader};
use holdfast_protocol::ContentHash;
use rustix::fs::{AtFlags, Mode, OFlags, SeekFrom};
use rustix::io::Errno;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::drive::{FolderDrive, Shared};
use super::stage::carry_over;
use super::unsynced::Age;
use super::{Blob, FinishHints, Phys, SlotId};
use crate::domain::stat::Stat;
use crate::failpoint;

/// So many bytes are gathered for one job; twice that is what a content takes of memory.
const GATHER: usize = 256 * 1024;

/// After so many bytes the kernel is told to begin writing them.
const BEGIN_WRITING: u64 = 4 * 1024 * 1024;

/// Where a content in parts stands: how long it is, and the hash of that much if it did not have to be read again.
#[derive(Clone)]
pub struct Mark {
    size: u64,
    hasher: Option<Hasher>,
}

impl Mark {
    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// A content in parts that somebody is adding to. Dropped, it keeps what was written.
pub struct Partial {
    gathered: Vec<u8>,
    size: u64,
    work: Work,
}

enum Work {
    Idle(Box<Writer>),
    Job(JoinHandle<io::Result<Box<Writer>>>),
    /// A job has failed.
    Failed,
}

/// The blocking side.
struct Writer {
    shared: Arc<Shared>,
    id: SlotId,
    age: Age,
    file: File,
    mark: Mark,
    begun: u64,
}

impl FolderDrive {
    /// Opens a content in parts, or begins it. What is on the disk beyond the first `durable` bytes may be anything after
    /// a crash and is cut off. `known` is where it stood when it was let go, if that is remembered. It must not have been
    /// committed.
    ///
    /// # Errors
    /// What the file system says.
    pub async fn open_partial(&self, id: SlotId, durable: u64, known: Option<Mark>) -> io::Result<Partial> {
        let shared = Arc::clone(&self.shared);
        let writer = blocking(move || Writer::open(shared, id, durable, known)).await?;
        Ok(Partial { gathered: Vec::new(), size: writer.mark.size, work: Work::Idle(writer) })
    }

    /// Removes a content in parts. What cannot be removed now is found by [`FolderDrive::partials`].
    pub fn discard_partial(&self, id: SlotId) {
        match unlink(&self.shared, id) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => tracing::warn!(upload = %id, %error, "an upload could not be removed"),
        }
    }

    /// Makes a slot that was not committed a content in parts again.
    ///
    /// # Errors
    /// What the file system says; then it stays a slot.
    pub fn take_back(&self, slot: SlotId) -> io::Result<()> {
        self.shared.unsynced.forget(slot);
        rename(&self.shared, &Phys::slot(slot), &Phys::upload(slot))
    }

    /// The ids of all contents in parts. Other names are passed over.
    ///
    /// # Errors
    /// What the file system says.
    pub fn partials(&self) -> io::Result<Vec<SlotId>> {
        let listed = self.shared.root.open_folder(&Phys::uploads()).and_then(list_folder)?;
        let id = |name: &std::ffi::OsStr| {
            let name = name.to_str()?;
            name.parse::<Uuid>().ok().filter(|id| id.to_string() == name)
        };
        Ok(listed.iter().filter_map(|(name, _)| id(name)).collect())
    }
}

impl Partial {
    /// Bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds the next bytes; waits while earlier ones are still being written.
    ///
    /// # Errors
    /// What writing these or earlier bytes says; then what is not durable is lost.
    pub async fn write(&mut self, bytes: &Bytes) -> io::Result<()> {
        let mut rest = &bytes[..];
        self.size += rest.len() as u64;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(GATHER - self.gathered.len()));
            self.gathered.extend_from_slice(now);
            rest = later;
            if self.gathered.len() == GATHER {
                self.hand_over().await?;
            }
        }
        Ok(())
    }

    /// Where it stands now.
    ///
    /// # Errors
    /// As [`Partial::write`]'s.
    pub async fn mark(&mut self) -> io::Result<Mark> {
        let writer = self.writer().await?;
        let mark = writer.mark.clone();
        self.work = Work::Idle(writer);
        Ok(mark)
    }

    /// Makes it durable as far as it is, its name included; gives the number of bytes.
    ///
    /// # Errors
    /// What syncing says: then only what was durable before can be relied on.
    pub async fn sync(&mut self) -> io::Result<u64> {
        let writer = self.writer().await?;
        let writer = blocking(move || {
            writer.file.sync_data()?;
            sync_folder(writer.shared.root.open_folder(&Phys::uploads())?)?;
            failpoint::hit("upload.synced");
            Ok(writer)
        })
        .await?;
        self.work = Work::Idle(writer);
        Ok(self.size)
    }

    /// Cuts off what was added since a mark.
    ///
    /// # Errors
    /// What the file system says; then only what was durable before can be relied on.
    pub async fn cut(&mut self, mark: Mark) -> io::Result<()> {
        let mut writer = self.writer().await?;
        self.size = mark.size;
        let writer = blocking(move || {
            writer.cut(mark)?;
            Ok(writer)
        })
        .await?;
        self.work = Work::Idle(writer);
        Ok(())
    }

    /// Makes it a staged content in the slot of its id. It is read again only if its hash is not known any more.
    ///
    /// # Errors
    /// What the file system says; then it still waits for more.
    pub async fn finish(mut self, hints: FinishHints) -> io::Result<Blob> {
        let writer = self.writer().await?;
        blocking(move || writer.finish(&hints)).await
    }

    async fn hand_over(&mut self) -> io::Result<()> {
        let bytes = std::mem::replace(&mut self.gathered, Vec::with_capacity(GATHER));
        let mut writer = self.idle().await?;
        self.work = Work::Job(tokio::task::spawn_blocking(move || {
            writer.write(&bytes)?;
            Ok(writer)
        }));
        Ok(())
    }

    /// The writer, with everything written.
    async fn writer(&mut self) -> io::Result<Box<Writer>> {
        if !self.gathered.is_empty() {
            self.hand_over().await?;
        }
        self.idle().await
    }

    async fn idle(&mut self) -> io::Result<Box<Writer>> {
        match std::mem::replace(&mut self.work, Work::Failed) {
            Work::Idle(writer) => Ok(writer),
            Work::Job(job) => job.await.map_err(io::Error::other)?,
            Work::Failed => Err(io::Error::other("an earlier write of this content failed")),
        }
    }
}

impl Writer {
    fn open(shared: Arc<Shared>, id: SlotId, durable: u64, known: Option<Mark>) -> io::Result<Box<Self>> {
        let age = shared.unsynced.age();
        let path = Phys::upload(id);
        let open = |flags| {
            let (folder, name) = shared.root.parent(&path)?;
            let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | flags;
            Ok(File::from(rustix::fs::openat(folder, name, flags, Mode::from_raw_mode(0o666))?))
        };
        let is_absent = |error: &io::Error| error.kind() == ErrorKind::NotFound;
        let file = match open(OFlags::empty()) {
            // A commit whose end nobody saw may have left it in its slot.
            Err(error) if is_absent(&error) => match rename(&shared, &Phys::slot(id), &path) {
                Err(error) if is_absent(&error) => open(OFlags::CREATE | OFlags::EXCL)?,
                renamed => renamed.and_then(|()| open(OFlags::empty()))?,
            },
            opened => opened?,
        };
        let there = Stat::from(stat_of(&file)?).size;
        let size = there.min(durable);
        let hasher = match known {
            Some(known) if known.size == size => known.hasher,
            _ => (size == 0).then(Hasher::new),
        };
        let mut writer =
            Box::new(Self { shared, id, age, file, mark: Mark { size: there, hasher: None }, begun: size });
        writer.cut(Mark { size, hasher })?;
        Ok(writer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        if let Some(hasher) = &mut self.mark.hasher {
            hasher.update(bytes);
        }
        self.mark.size += bytes.len() as u64;
        if self.mark.size - self.begun >= BEGIN_WRITING {
            disk::sync::begin_writing(&self.file, self.begun);
            self.begun = self.mark.size;
        }
        Ok(())
    }

    fn cut(&mut self, mark: Mark) -> io::Result<()> {
        if self.mark.size != mark.size {
            self.file.set_len(mark.size)?;
        }
        rustix::fs::seek(&self.file, SeekFrom::Start(mark.size))?;
        self.begun = mark.size;
        self.mark = mark;
        Ok(())
    }

    fn hash(&mut self) -> io::Result<ContentHash> {
        if let Some(hasher) = &self.mark.hasher {
            return Ok(hasher.clone().finish());
        }
        rustix::fs::seek(&self.file, SeekFrom::Start(0))?;
        let (hash, size) = hash_reader(&self.file)?;
        if size == self.mark.size { Ok(hash) } else { Err(other_program()) }
    }

    fn finish(mut self, hints: &FinishHints) -> io::Result<Blob> {
        let hash = self.hash()?;
        if let Some(at) = &hints.at {
            carry_over(&self.shared, at, &self.file, false)?;
        }
        if let Some(mtime_ns) = hints.mtime_ns {
            attrs::set_mtime(&self.file, mtime_ns)?;
        }
        if stat_of(self.file.as_fd())?.size != self.mark.size {
            return Err(other_program());
        }
        rename(&self.shared, &Phys::upload(self.id), &Phys::slot(self.id))?;
        failpoint::hit("upload.renamed");
        let Self { shared, id, age, file, mark, .. } = self;
        let stat = Stat::from(stat_of(&file)?);
        shared.unsynced.keep(id, age, file)?;
        Ok(Blob { slot: id, hash, size: mark.size, stat, sums: None })
    }
}

fn other_program() -> io::Error {
    io::Error::other("the upload was written by another program")
}

fn rename(shared: &Shared, from: &Phys, to: &Phys) -> io::Result<()> {
    let (from, old) = shared.root.parent(from)?;
    let (to, new) = shared.root.parent(to)?;
    shared.root.rename_ours((&from, old), (&to, new))
}

fn unlink(shared: &Shared, id: SlotId) -> Result<(), Errno> {
    let path = Phys::upload(id);
    let Ok((folder, name)) = shared.root.parent(&path) else { return Err(Errno::NOENT) };
    rustix::fs::unlinkat(folder, name, AtFlags::empty())
}

async fn blocking<T: Send + 'static>(job: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(job).await.map_err(io::Error::other)?
}
