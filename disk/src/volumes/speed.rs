//! How fast a folder's disk is written and read, measured with a file that leaves nothing behind.

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::ops::ControlFlow;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{Advice, AtFlags, Mode, OFlags, StatVfsMountFlags};
use rustix::io::Errno;
use uuid::Uuid;

/// The beginning of the file's name, where the file system makes none without: it has one only for a moment.
const PREFIX: &str = ".holdfast-speedtest-";
/// Written and read at a time, in bytes.
const BLOCK: usize = 4 << 20;
/// Memory, offsets and lengths have to be multiples of this past the cache; disks want 512 or 4,096.
const ALIGN: usize = 4096;
/// Written at most before it is synced when it goes through the cache: syncing gigabytes at once cannot be cut short.
const SYNC_EVERY: u64 = 32 << 20;
/// Bytes that have to stay free, unless [`MIN_FREE_PERCENT`] is more.
const MIN_FREE: u64 = 1 << 30;
/// Of the total bytes, so many percent have to stay free.
const MIN_FREE_PERCENT: u64 = 5;
/// A test with less than this says nothing, in bytes.
const LEAST: u64 = 2 * BLOCK as u64;

/// How a test is done.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Bytes to write at most; rounded down to blocks of 4 MiB, two at least.
    pub bytes: u64,
    /// How long each of the two phases may take; what was done until then is what counts.
    pub limit: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { bytes: 256 << 20, limit: Duration::from_secs(20) }
    }
}

/// What a test is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It writes.
    Writing,
    /// It reads what was written.
    Reading,
}

/// How far a test is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What it does.
    pub phase: Phase,
    /// Bytes done in this phase.
    pub done: u64,
    /// Bytes this phase is about, if its time suffices.
    pub total: u64,
}

/// What a test found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// MB/s (10^6 bytes) written, syncing included.
    pub write_mb_per_s: f64,
    /// MB/s (10^6 bytes) read.
    pub read_mb_per_s: f64,
    /// Bytes written in time.
    pub written_bytes: u64,
    /// Bytes read in time.
    pub read_bytes: u64,
    /// Both went past the cache (`O_DIRECT`). Otherwise what was written was synced and dropped from the cache before it was
    /// read, which a file system may decline to do: the reading may then be too fast.
    pub past_cache: bool,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum SpeedError {
    /// Nothing can be written there.
    #[error("the file system is read-only")]
    ReadOnly,
    /// The disk is nearly full.
    #[error("the disk is nearly full: {available} bytes are free and {floor} of them have to stay free")]
    NearlyFull {
        /// Bytes that are free.
        available: u64,
        /// Bytes that have to stay so.
        floor: u64,
    },
    /// The callback said so.
    #[error("the test was cancelled")]
    Cancelled,
    /// Not what was written came back: the disk is broken, or smaller than it says.
    #[error("the disk does not give back what was written to it, at byte {0}")]
    Differs(u64),
    /// The folder or the disk cannot be used.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Measures the disk of a folder. `progress` is told after each block, and ends the test by [`ControlFlow::Break`]; the file
/// is without a name and gone with the end of the test, or of the process. Blocks, for up to twice the limit and as
/// long as the disk takes for one block.
///
/// # Errors
/// [`SpeedError`].
pub fn measure(
    folder: &Path,
    options: Options,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Speed, SpeedError> {
    let folder =
        rustix::fs::open(folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let folder = folder.map_err(io::Error::from)?;
    let stat = rustix::fs::fstatvfs(&folder).map_err(io::Error::from)?;
    if stat.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Err(SpeedError::ReadOnly);
    }
    let total = stat.f_blocks.saturating_mul(stat.f_frsize);
    let bytes = room(total, stat.f_bavail.saturating_mul(stat.f_frsize), options.bytes)?;
    let (file, past_cache) = nameless_file(&folder)?;
    let mut test = Test { file, past_cache, buffer: Buffer::new(), limit: options.limit, progress };
    let (written_bytes, write_time) = test.write(bytes)?;
    let (read_bytes, read_time) = test.read(written_bytes)?;
    Ok(Speed {
        write_mb_per_s: mb_per_s(written_bytes, write_time),
        read_mb_per_s: mb_per_s(read_bytes, read_time),
        written_bytes,
        read_bytes,
        past_cache: test.past_cache,
    })
}

/// How much may be written, in bytes, to a file system of so many bytes of which so many are available: what is wanted, or
/// less so that enough stays free.
///
/// # Errors
/// [`SpeedError::NearlyFull`].
pub fn room(total: u64, available: u64, wanted: u64) -> Result<u64, SpeedError> {
    let floor = MIN_FREE.max(total / 100 * MIN_FREE_PERCENT);
    let free = available.saturating_sub(floor);
    if free < LEAST {
        return Err(SpeedError::NearlyFull { available, floor });
    }
    let bytes = wanted.clamp(LEAST, free);
    Ok(bytes - bytes % BLOCK as u64)
}

/// MB/s (10^6 bytes).
fn mb_per_s(bytes: u64, time: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a speed is not known to 53 bits")]
    let megabytes = bytes as f64 / 1e6;
    // A clock that did not move would make it infinite, which JSON cannot say.
    megabytes / time.as_secs_f64().max(1e-6)
}

/// A new file without a name, and whether it goes past the cache. Where the file system makes none without, it has lost it
/// already.
fn nameless_file(folder: &OwnedFd) -> Result<(File, bool), SpeedError> {
    type Make = fn(&OwnedFd, OFlags) -> Result<OwnedFd, Errno>;
    let ways: [(Make, OFlags); 4] = [
        (unnamed, OFlags::DIRECT),
        (unnamed, OFlags::empty()),
        (unlinked, OFlags::DIRECT),
        (unlinked, OFlags::empty()),
    ];
    let mut refused = Errno::OPNOTSUPP;
    for (make, flags) in ways {
        match make(folder, flags | OFlags::RDWR | OFlags::CLOEXEC) {
            Ok(file) => return Ok((File::from(file), flags.contains(OFlags::DIRECT))),
            // Not that way: no such files here (older kernels take it for a folder), or no way past the cache.
            Err(errno @ (Errno::INVAL | Errno::OPNOTSUPP | Errno::ISDIR)) => refused = errno,
            Err(errno) => return Err(explain(errno)),
        }
    }
    Err(explain(refused))
}

/// A file that never had a name.
fn unnamed(folder: &OwnedFd, flags: OFlags) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(folder, ".", flags | OFlags::TMPFILE, Mode::RUSR | Mode::WUSR)
}

/// A file that loses its name as soon as it is there.
fn unlinked(folder: &OwnedFd, flags: OFlags) -> Result<OwnedFd, Errno> {
    let name = format!("{PREFIX}{}", Uuid::new_v4().simple());
    let flags = flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
    let file = rustix::fs::openat(folder, &name, flags, Mode::RUSR | Mode::WUSR);
    // Some file systems make the file before they find that they cannot open it so. Whoever tidies up may be faster.
    match (file, rustix::fs::unlinkat(folder, &name, AtFlags::empty())) {
        (Ok(file), Ok(()) | Err(Errno::NOENT)) => Ok(file),
        (Ok(_), Err(errno)) | (Err(errno), _) => Err(errno),
    }
}

/// Removes files of tests whose process died in the moment when they had a name, and says how many there were.
///
/// # Errors
/// When the folder cannot be listed; one of them that cannot be removed stays.
pub fn remove_leftovers(folder: &Path) -> io::Result<usize> {
    let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let mut removed = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let digits = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let is_ours = digits.is_some_and(|digits| digits.len() == 32 && digits.chars().all(is_digit));
        if is_ours
            && entry.file_type().is_ok_and(|kind| kind.is_file())
            && std::fs::remove_file(entry.path()).is_ok()
        {
            removed += 1;
        }
    }
    Ok(removed)
}

fn explain(errno: Errno) -> SpeedError {
    if errno == Errno::ROFS { SpeedError::ReadOnly } else { SpeedError::Io(errno.into()) }
}

struct Test<'a> {
    file: File,
    past_cache: bool,
    buffer: Buffer,
    limit: Duration,
    progress: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
}

impl Test<'_> {
    fn write(&mut self, total: u64) -> Result<(u64, Duration), SpeedError> {
        let mut done = 0;
        let mut synced = 0;
        self.tell(Phase::Writing, 0, total)?;
        let mut time = Duration::ZERO;
        while done < total && (done == 0 || time < self.limit) {
            self.buffer.mark(done);
            // Neither making the block nor whoever is told of it is the disk's doing.
            let start = Instant::now();
            self.write_block(done)?;
            done += BLOCK as u64;
            if !self.past_cache && done - synced >= SYNC_EVERY {
                self.file.sync_data()?;
                synced = done;
            }
            time += start.elapsed();
            self.tell(Phase::Writing, done, total)?;
        }
        // Past the cache of the system there is still that of the disk.
        let start = Instant::now();
        self.file.sync_data()?;
        Ok((done, time + start.elapsed()))
    }

    fn write_block(&mut self, offset: u64) -> Result<(), SpeedError> {
        match self.file.write_all_at(self.buffer.block(), offset) {
            // It could be opened that way and cannot be written that way.
            Err(e) if self.past_cache && e.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                self.use_cache()?;
                Ok(self.file.write_all_at(self.buffer.block(), offset)?)
            }
            Err(e) if e.kind() == io::ErrorKind::ReadOnlyFilesystem => Err(SpeedError::ReadOnly),
            written => Ok(written?),
        }
    }

    fn read(&mut self, total: u64) -> Result<(u64, Duration), SpeedError> {
        let mut done = 0;
        if !self.past_cache {
            let all = NonZeroU64::new(total);
            rustix::fs::fadvise(self.file.as_fd(), 0, all, Advice::DontNeed).map_err(io::Error::from)?;
        }
        self.tell(Phase::Reading, 0, total)?;
        let mut time = Duration::ZERO;
        while done < total && (done == 0 || time < self.limit) {
            let start = Instant::now();
            self.read_block(done)?;
            // Looking at what came back is not reading.
            time += start.elapsed();
            if !self.buffer.is_marked(done) {
                return Err(SpeedError::Differs(done));
            }
            done += BLOCK as u64;
            self.tell(Phase::Reading, done, total)?;
        }
        Ok((done, time))
    }

    fn read_block(&mut self, offset: u64) -> Result<(), SpeedError> {
        match self.file.read_exact_at(self.buffer.block_mut(), offset) {
            Err(e) if self.past_cache && e.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                self.use_cache()?;
                Ok(self.file.read_exact_at(self.buffer.block_mut(), offset)?)
            }
            read => Ok(read?),
        }
    }

    fn use_cache(&mut self) -> io::Result<()> {
        let flags = rustix::fs::fcntl_getfl(&self.file)?;
        rustix::fs::fcntl_setfl(&self.file, flags - OFlags::DIRECT)?;
        self.past_cache = false;
        Ok(())
    }

    fn tell(&mut self, phase: Phase, done: u64, total: u64) -> Result<(), SpeedError> {
        match (self.progress)(Progress { phase, done, total }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(SpeedError::Cancelled),
        }
    }
}

/// A block in memory that begins where the disk wants it, full of what no file system makes smaller.
struct Buffer {
    memory: Vec<u8>,
    begin: usize,
}

impl Buffer {
    fn new() -> Self {
        let mut memory = vec![0; BLOCK + ALIGN];
        // It is never resized, so that it stays where it is. An offset beyond a page would mean that alignment cannot be
        // told; then the disk may refuse the block, and the cache is used.
        let begin = memory.as_ptr().align_offset(ALIGN).min(ALIGN);
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for word in memory[begin..begin + BLOCK].chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        Self { memory, begin }
    }

    fn block(&self) -> &[u8] {
        &self.memory[self.begin..self.begin + BLOCK]
    }

    fn block_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.begin..self.begin + BLOCK]
    }

    /// Makes every page another than in all other blocks, so that none is stored once for many.
    fn mark(&mut self, offset: u64) {
        for (page, number) in self.block_mut().chunks_exact_mut(ALIGN).zip(0_u64..) {
            page[..8].copy_from_slice(&(offset + number + 1).to_le_bytes());
        }
    }

    fn is_marked(&self, offset: u64) -> bool {
        let mut pages = self.block().chunks_exact(ALIGN).zip(0_u64..);
        pages.all(|(page, number)| page[..8] == (offset + number + 1).to_le_bytes())
    }
}

#[cfg(test)]
#[path = "speed_tests.rs"]
mod tests;
