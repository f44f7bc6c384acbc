//! What this machine is called, what it runs, where programs keep their data, and how it asks them to stop.

use std::io;
use std::path::PathBuf;

use etcetera::BaseStrategy as _;

/// The operating system, as a device tells the server: it decides which names the device cannot hold.
pub fn system() -> &'static str {
    std::env::consts::OS
}

/// What people call this machine; `device` where it does not say.
pub fn host_name() -> String {
    #[cfg(unix)]
    let told = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let told = std::env::var("COMPUTERNAME").unwrap_or_default();
    let name = told.trim();
    if name.is_empty() { "device".to_owned() } else { name.to_owned() }
}

/// Where this system has a user's programs keep their data; `None` for a user without a home.
pub fn data_folder() -> Option<PathBuf> {
    etcetera::base_strategy::choose_native_strategy().ok().map(|strategy| strategy.data_dir())
}

/// Where people have drives: their home, and what is mounted where disks that are plugged in are.
pub fn search_roots() -> Vec<PathBuf> {
    let mut roots: Vec<PathBuf> = etcetera::home_dir().into_iter().collect();
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::ffi::OsStringExt as _;
        let above = ["/media", "/mnt", "/run/media"].map(PathBuf::from);
        let table = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
        let (mounts, _) = holdfast_disk::volumes::mountinfo::parse(&table);
        let places =
            mounts.into_iter().map(|mount| PathBuf::from(std::ffi::OsString::from_vec(mount.mount_point)));
        let below = places.filter(|place| above.iter().any(|above| place.starts_with(above)));
        let below: Vec<_> = below.collect();
        roots.extend(above.iter().filter(|folder| folder.is_dir()).cloned().chain(below));
    }
    roots
}

/// Standard output as a file, for bytes that are written without waiting on this thread.
///
/// # Errors
/// What the system says.
pub fn standard_output() -> io::Result<std::fs::File> {
    #[cfg(unix)]
    let own = std::os::fd::AsFd::as_fd(&io::stdout()).try_clone_to_owned()?;
    #[cfg(windows)]
    let own = std::os::windows::io::AsHandle::as_handle(&io::stdout()).try_clone_to_owned()?;
    Ok(own.into())
}

/// Waits until somebody asks this program to stop: Ctrl-C, and where there are signals, SIGTERM.
///
/// # Errors
/// When the system gives no notice of it.
pub async fn interrupted() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut asked = signal(SignalKind::terminate())?;
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => pressed,
            _ = asked.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
