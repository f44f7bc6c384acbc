//! Being told when something happens in a folder. A hint only: whoever is told looks for itself, and looks from time to time
//! without being told.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// In which folders something happened, by their paths below what is watched; `None`: it may have been anywhere.
pub type Noticed = Option<BTreeSet<String>>;

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
    pub fn start(root: &Path, skip: Skip, tell: impl Fn(Noticed) + Send + 'static) -> io::Result<Self> {
        let (mut watching, end) = linux::Watching::new(root.to_owned(), skip)?;
        std::thread::Builder::new().name("watch".to_owned()).spawn(move || {
            while let Some(noticed) = watching.wait() {
                tell(noticed);
            }
        })?;
        Ok(Self { root: root.to_owned(), _end: end })
    }

    /// The same where this system cannot tell.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`].
    #[cfg(not(target_os = "linux"))]
    pub fn start(_root: &Path, _skip: Skip, _tell: impl Fn(Noticed) + Send + 'static) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// What is watched.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::{BTreeSet, HashMap};
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

    use super::{Noticed, Skip};

    pub struct Watching {
        queue: Arc<OwnedFd>,
        folders: HashMap<i32, PathBuf>,
        root: PathBuf,
        skip: Skip,
        is_over: Arc<AtomicBool>,
        /// There were no more watches to be had: what happens may be where nobody listens.
        is_deaf: bool,
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
            let mut watching =
                Self { queue, folders: HashMap::new(), root: root.clone(), skip, is_over, is_deaf: false };
            let own = watching.add(&root, &mut Vec::new())?.ok_or(io::ErrorKind::NotFound)?;
            let (queue, is_over) = (Arc::clone(&watching.queue), Arc::clone(&watching.is_over));
            Ok((watching, End { queue, root: own, is_over }))
        }

        fn is_skipped(&self, path: &Path, is_folder: bool) -> bool {
            path.strip_prefix(&self.root).is_ok_and(|below| (self.skip)(below, is_folder))
        }

        /// Listens to a folder and those in it, which are told.
        fn add(&mut self, folder: &Path, added: &mut Vec<PathBuf>) -> io::Result<Option<i32>> {
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
            added.push(folder.to_owned());
            let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Some(watch)) };
            for entry in entries.flatten() {
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_folder && !self.is_skipped(&entry.path(), true) {
                    self.add(&entry.path(), added)?;
                }
            }
            Ok(Some(watch))
        }

        /// Waits for something to happen; `None` when nothing more can be heard.
        pub fn wait(&mut self) -> Option<Noticed> {
            loop {
                match self.read()? {
                    // Nothing that anybody wants to hear of.
                    Some(folders) if folders.is_empty() => {}
                    noticed => return Some(noticed.filter(|_| !self.is_deaf)),
                }
            }
        }

        /// Waits for something to happen, and where it is news; `None` when nothing more can be heard.
        fn read(&mut self) -> Option<Noticed> {
            let mut buffer = [const { MaybeUninit::uninit() }; 16 * 1024];
            let mut new = Vec::new();
            let mut folders = BTreeSet::new();
            let mut is_lost = false;
            {
                let mut reader = Reader::new(&self.queue, &mut buffer);
                loop {
                    match reader.next() {
                        Ok(event) => {
                            let kind = event.events();
                            let folder = self.folders.get(&event.wd());
                            is_lost |= kind.contains(ReadFlags::QUEUE_OVERFLOW);
                            let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
                            if let (Some(folder), Some(name)) = (folder, name) {
                                let path = folder.join(name);
                                let is_folder = kind.contains(ReadFlags::ISDIR);
                                if !self.is_skipped(&path, is_folder) {
                                    folders.extend(self.below(folder));
                                    let made = kind.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO);
                                    new.extend((made && is_folder).then_some(path));
                                }
                            } else if kind.contains(ReadFlags::IGNORED) {
                                self.folders.remove(&event.wd());
                            }
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
            // What happened in a new folder before it was listened to is seen by whoever looks at it from now on.
            if is_lost {
                // Of new folders nothing may have been told: all are listened to anew.
                new = vec![self.root.clone()];
            }
            let mut added = Vec::new();
            for folder in new {
                if self.add(&folder, &mut added).is_err() {
                    self.is_deaf = true;
                }
            }
            folders.extend(added.iter().filter_map(|folder| self.below(folder)));
            Some((!is_lost).then_some(folders))
        }

        /// A folder's path below the root; `None` where it is not UTF-8, and nobody could be told of it.
        fn below(&self, folder: &Path) -> Option<String> {
            folder.strip_prefix(&self.root).ok()?.to_str().map(str::to_owned)
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
        let tell = move |noticed| tell.send(noticed).unwrap_or(());
        let watch = Watch::start(folder.path(), Box::new(skip), tell).unwrap();
        std::fs::write(folder.path().join("build/deep/a"), "a").unwrap();
        std::fs::write(folder.path().join("build/b"), "b").unwrap();
        std::fs::write(folder.path().join("later.tmp"), "c").unwrap();
        // All of that happened before this.
        std::fs::create_dir(folder.path().join("new")).unwrap();
        assert!(told.recv_timeout(PATIENCE).unwrap().unwrap().contains(""));
        assert!(told.try_recv().is_err(), "one is news");
        drop(watch);
        // Whoever told is no more.
        assert_eq!(told.recv_timeout(PATIENCE), Err(mpsc::RecvTimeoutError::Disconnected));
    }

    #[test]
    fn after_more_happened_than_could_be_remembered_folders_made_meanwhile_are_listened_to() {
        let most = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
        let most: usize = most.trim().parse().unwrap();
        let folder = tempfile::tempdir().unwrap();
        // Whoever tells waits until it is heard, and listens to nothing meanwhile.
        let (tell, told) = mpsc::sync_channel(0);
        let tell = move |noticed| tell.send(noticed).unwrap_or(());
        let _watch = Watch::start(folder.path(), Box::new(|_, _| false), tell).unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        std::fs::write(&one, "").unwrap();
        for _ in 0..=most / 2 {
            std::fs::rename(&one, &two).unwrap();
            std::fs::rename(&two, &one).unwrap();
        }
        std::fs::create_dir(folder.path().join("late")).unwrap();
        while told.recv_timeout(PATIENCE).unwrap().is_some() {}
        std::fs::write(folder.path().join("late/file"), "").unwrap();
        assert!(told.recv_timeout(PATIENCE).unwrap().unwrap().contains("late"));
    }

    #[test]
    fn it_is_told_in_which_folder_something_happened_also_where_that_was_renamed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        std::fs::create_dir_all(at("a/b")).unwrap();
        std::fs::create_dir(at("c")).unwrap();
        let (tell, told) = mpsc::channel();
        let tell = move |noticed| tell.send(noticed).unwrap_or(());
        let _watch = Watch::start(folder.path(), Box::new(|_, _| false), tell).unwrap();
        let until = |wanted: &str| {
            let deadline = std::time::Instant::now() + PATIENCE;
            let mut all: Vec<String> = Vec::new();
            while !all.iter().any(|one| one == wanted) {
                let left = deadline.saturating_duration_since(std::time::Instant::now());
                all.extend(told.recv_timeout(left).unwrap().unwrap());
            }
            all
        };
        std::fs::write(at("a/b/file"), "1").unwrap();
        assert!(!until("a/b").contains(&"c".to_owned()));
        std::fs::rename(at("a"), at("c/moved")).unwrap();
        until("c/moved/b");
        std::fs::write(at("c/moved/b/file"), "2").unwrap();
        until("c/moved/b");
        std::fs::create_dir_all(at("new/deep")).unwrap();
        until("new/deep");
        std::fs::write(at("new/deep/file"), "3").unwrap();
        until("new/deep");
    }
}
