//! Being told when something happens in a folder. A hint only: whoever is told looks for itself, and looks from time to time
//! without being told.

use std::io;
use std::path::{Path, PathBuf};

/// What is not to be told of: by its path below what is watched, and whether it is a folder.
pub type Skip = Box<dyn Fn(&Path, bool) -> bool + Send>;

/// Tells as long as it lives, and for a moment longer.
#[derive(Debug)]
pub struct Watch {
    root: PathBuf,
    #[cfg(target_os = "linux")]
    _end: linux::End,
}

impl Watch {
    /// Watches a folder and all in it, but for what is to be skipped.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] where this system cannot tell; what the system says.
    #[cfg(target_os = "linux")]
    pub fn start(root: &Path, skip: Skip, tell: impl Fn() + Send + 'static) -> io::Result<Self> {
        let (mut watching, end) = linux::Watching::new(root.to_owned(), skip)?;
        std::thread::Builder::new().name("watch".to_owned()).spawn(move || {
            while watching.wait() {
                tell();
            }
        })?;
        Ok(Self { root: root.to_owned(), _end: end })
    }

    /// The same where this system cannot tell.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`].
    #[cfg(not(target_os = "linux"))]
    pub fn start(_root: &Path, _skip: Skip, _tell: impl Fn() + Send + 'static) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// What is watched.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashMap;
    use std::ffi::OsStr;
    use std::io;
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
    use rustix::io::Errno;

    use super::Skip;

    pub struct Watching {
        queue: Arc<OwnedFd>,
        folders: HashMap<i32, PathBuf>,
        root: PathBuf,
        skip: Skip,
        is_over: Arc<AtomicBool>,
    }

    /// When it is dropped, whoever waits for something to happen learns that it is over.
    #[derive(Debug)]
    pub struct End {
        queue: Arc<OwnedFd>,
        root: i32,
        is_over: Arc<AtomicBool>,
    }

    impl Drop for End {
        fn drop(&mut self) {
            self.is_over.store(true, Ordering::Relaxed);
            // The kernel tells of that as well, which ends the waiting.
            let _ = inotify::remove_watch(&self.queue, self.root);
        }
    }

    impl Watching {
        pub fn new(root: PathBuf, skip: Skip) -> io::Result<(Self, End)> {
            let queue = Arc::new(inotify::init(CreateFlags::CLOEXEC)?);
            let is_over = Arc::new(AtomicBool::new(false));
            let mut watching = Self { queue, folders: HashMap::new(), root: root.clone(), skip, is_over };
            let own = watching.add(&root)?.ok_or(io::ErrorKind::NotFound)?;
            let (queue, is_over) = (Arc::clone(&watching.queue), Arc::clone(&watching.is_over));
            Ok((watching, End { queue, root: own, is_over }))
        }

        fn is_skipped(&self, path: &Path, is_folder: bool) -> bool {
            path.strip_prefix(&self.root).is_ok_and(|below| (self.skip)(below, is_folder))
        }

        fn add(&mut self, folder: &Path) -> io::Result<Option<i32>> {
            let flags = WatchFlags::CREATE
                | WatchFlags::DELETE
                | WatchFlags::MOVED_FROM
                | WatchFlags::MOVED_TO
                | WatchFlags::MODIFY
                | WatchFlags::CLOSE_WRITE
                | WatchFlags::ONLYDIR
                | WatchFlags::DONT_FOLLOW;
            let watch = match inotify::add_watch(&self.queue, folder, flags) {
                Ok(watch) => watch,
                // Gone by now, or not to be looked into.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) if folder != self.root => return Ok(None),
                Err(errno) => return Err(errno.into()),
            };
            self.folders.insert(watch, folder.to_owned());
            let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Some(watch)) };
            for entry in entries.flatten() {
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_folder && !self.is_skipped(&entry.path(), true) {
                    self.add(&entry.path())?;
                }
            }
            Ok(Some(watch))
        }

        /// Waits for something to happen; false when nothing more can be heard.
        pub fn wait(&mut self) -> bool {
            loop {
                match self.read() {
                    Some(true) => return true,
                    // Nothing that anybody wants to hear of.
                    Some(false) => {}
                    None => return false,
                }
            }
        }

        /// Waits for something to happen, and whether it is news; `None` when nothing more can be heard.
        fn read(&mut self) -> Option<bool> {
            let mut buffer = [const { MaybeUninit::uninit() }; 16 * 1024];
            let mut new = Vec::new();
            let mut is_news = false;
            {
                let mut reader = Reader::new(&self.queue, &mut buffer);
                loop {
                    match reader.next() {
                        Ok(event) => {
                            let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
                            let is_folder = event.events().contains(ReadFlags::ISDIR);
                            let path = self
                                .folders
                                .get(&event.wd())
                                .zip(name)
                                .map(|(folder, name)| folder.join(name));
                            let is_skipped =
                                path.as_ref().is_some_and(|path| self.is_skipped(path, is_folder));
                            is_news |= !is_skipped;
                            let made = event.events().intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO);
                            new.extend(path.filter(|_| made && is_folder && !is_skipped));
                        }
                        Err(Errno::INTR) => {}
                        Err(_) => return None,
                    }
                    if reader.is_buffer_empty() {
                        break;
                    }
                }
            }
            if self.is_over.load(Ordering::Relaxed) {
                return None;
            }
            for folder in new {
                if self.add(&folder).is_err() {
                    // No more watches to be had: what is in there is found when all is looked at.
                    break;
                }
            }
            Some(is_news)
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// Far longer than it takes.
    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn what_is_skipped_is_not_told_of_and_a_watch_that_is_dropped_ends() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("build/deep")).unwrap();
        let (tell, told) = mpsc::channel();
        let skip = |path: &Path, _: bool| path == Path::new("build") || path == Path::new("later.tmp");
        let watch = Watch::start(folder.path(), Box::new(skip), move || tell.send(()).unwrap_or(())).unwrap();
        std::fs::write(folder.path().join("build/deep/a"), "a").unwrap();
        std::fs::write(folder.path().join("build/b"), "b").unwrap();
        std::fs::write(folder.path().join("later.tmp"), "c").unwrap();
        // All of that happened before this.
        std::fs::create_dir(folder.path().join("new")).unwrap();
        told.recv_timeout(PATIENCE).unwrap();
        assert!(told.try_recv().is_err(), "one is news");
        drop(watch);
        // Whoever told is no more.
        assert_eq!(told.recv_timeout(PATIENCE), Err(mpsc::RecvTimeoutError::Disconnected));
    }
}
