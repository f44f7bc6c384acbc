//! Being told when something happens in a folder. A hint only: whoever is told looks for itself, and looks from time to time
//! without being told.

use std::io;
use std::path::{Path, PathBuf};

/// Tells as long as it lives, and for a moment longer.
#[derive(Debug)]
pub struct Watch {
    root: PathBuf,
}

impl Watch {
    /// Watches a folder and all in it, but for what is called `skip` at its top.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] where this system cannot tell; what the system says.
    pub fn start(root: &Path, skip: &str, tell: impl Fn() + Send + 'static) -> io::Result<Self> {
        start(root.to_owned(), skip.to_owned(), tell)?;
        Ok(Self { root: root.to_owned() })
    }

    /// What is watched.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

#[cfg(not(target_os = "linux"))]
fn start(_root: PathBuf, _skip: String, _tell: impl Fn() + Send + 'static) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "linux")]
fn start(root: PathBuf, skip: String, tell: impl Fn() + Send + 'static) -> io::Result<()> {
    let mut watching = linux::Watching::new(root, skip)?;
    std::thread::Builder::new().name("watch".to_owned()).spawn(move || {
        while watching.wait() {
            tell();
        }
    })?;
    Ok(())
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

    use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
    use rustix::io::Errno;

    pub struct Watching {
        queue: OwnedFd,
        folders: HashMap<i32, PathBuf>,
        root: PathBuf,
        skip: String,
    }

    impl Watching {
        pub fn new(root: PathBuf, skip: String) -> io::Result<Self> {
            let queue = inotify::init(CreateFlags::CLOEXEC)?;
            let mut watching = Self { queue, folders: HashMap::new(), root: root.clone(), skip };
            watching.add(&root)?;
            Ok(watching)
        }

        fn add(&mut self, folder: &Path) -> io::Result<()> {
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
                Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) if folder != self.root => return Ok(()),
                Err(errno) => return Err(errno.into()),
            };
            self.folders.insert(watch, folder.to_owned());
            let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
            for entry in entries.flatten() {
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_folder && !(folder == self.root && entry.file_name() == *self.skip) {
                    self.add(&entry.path())?;
                }
            }
            Ok(())
        }

        /// Waits for something to happen; false when nothing more can be heard.
        pub fn wait(&mut self) -> bool {
            let mut buffer = [const { MaybeUninit::uninit() }; 16 * 1024];
            let mut new = Vec::new();
            let mut is_news = false;
            {
                let mut reader = Reader::new(&self.queue, &mut buffer);
                loop {
                    match reader.next() {
                        Ok(event) => {
                            let name =
                                event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()).to_owned());
                            let folder = self.folders.get(&event.wd());
                            let is_own = folder == Some(&self.root)
                                && name.as_ref().is_some_and(|name| *name == *self.skip);
                            is_news |= !is_own;
                            let made = event.events().intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO);
                            if made
                                && event.events().contains(ReadFlags::ISDIR)
                                && !is_own
                                && let (Some(folder), Some(name)) = (folder, name)
                            {
                                new.push(folder.join(name));
                            }
                        }
                        Err(Errno::INTR) => {}
                        Err(_) => return false,
                    }
                    if reader.is_buffer_empty() {
                        break;
                    }
                }
            }
            for folder in new {
                if self.add(&folder).is_err() {
                    // No more watches to be had: what is in there is found when all is looked at.
                    break;
                }
            }
            is_news || self.wait()
        }
    }
}
