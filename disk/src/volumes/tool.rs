//! Running a tool of the system: no shell, a deadline, a bounded output, words that do not depend on the language.

use std::io::{self, Read};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

/// Output beyond so many bytes is a failure: half an answer is none.
const MAX_OUTPUT: u64 = 4 << 20;
/// Of what a tool complains, so many bytes are passed on.
const MAX_COMPLAINT: u64 = 300;
/// A tool that cannot be killed, because a disk does not answer, stays behind; no more than so many do.
const MAX_BEHIND: usize = 4;
/// Where tools are besides `PATH`: services often lack the second half of it.
const FOLDERS: &[&str] =
    &["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin", "/run/current-system/sw/bin"];

static BEHIND: AtomicUsize = AtomicUsize::new(0);

/// Why a tool said nothing of use.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// It is not installed.
    #[error("{0} is not installed")]
    Missing(String),
    /// It did not finish in time.
    #[error("{tool} did not finish within {} s", .limit.as_secs_f32())]
    TimedOut {
        /// Which.
        tool: String,
        /// How long it had.
        limit: Duration,
    },
    /// It said more than is read.
    #[error("{0} said more than {MAX_OUTPUT} bytes")]
    TooLong(String),
    /// Earlier runs are still waiting for a disk.
    #[error("{0} was not asked: earlier tools still wait for a disk that does not answer")]
    Busy(String),
    /// It could not be run.
    #[error("{tool} could not be run: {source}")]
    Io {
        /// Which.
        tool: String,
        /// Why.
        source: io::Error,
    },
}

/// What a tool said before it ended.
#[derive(Debug)]
pub struct Said {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub output: Vec<u8>,
    /// The beginning of its complaints.
    pub complaint: String,
}

/// Runs a tool, by its name among the system's folders or by an absolute path, for at most `limit`.
///
/// # Errors
/// [`ToolError`]; a tool that ends with a failure is none, its code says so.
pub fn run(tool: &str, arguments: &[&str], limit: Duration) -> Result<Said, ToolError> {
    let until = Instant::now() + limit;
    let name = || tool.to_owned();
    let failed = |source| ToolError::Io { tool: tool.to_owned(), source };
    let path = find(tool).ok_or_else(|| ToolError::Missing(name()))?;
    if BEHIND.load(Ordering::Relaxed) >= MAX_BEHIND {
        return Err(ToolError::Busy(name()));
    }
    let mut command = Command::new(path);
    command.args(arguments).env("LC_ALL", "C").current_dir("/");
    // A group of its own, so that what it starts ends with it.
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(failed)?;
    let (tell, told) = mpsc::channel();
    let readers = [
        child.stdout.take().map(|pipe| read_on_a_thread(pipe, MAX_OUTPUT + 1, true, tell.clone())),
        child.stderr.take().map(|pipe| read_on_a_thread(pipe, MAX_COMPLAINT, false, tell)),
    ];
    if let Some(e) = readers.into_iter().flatten().find_map(Result::err) {
        end(child);
        return Err(failed(e));
    }
    let (mut output, mut complaint) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        match told.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok((true, text)) if text.len() as u64 > MAX_OUTPUT => {
                end(child);
                return Err(ToolError::TooLong(name()));
            }
            Ok((true, text)) => output = text,
            Ok((false, text)) => complaint = text,
            Err(_) => {
                end(child);
                return Err(ToolError::TimedOut { tool: name(), limit });
            }
        }
    }
    loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                let complaint = String::from_utf8_lossy(&complaint).trim().to_owned();
                return Ok(Said { code: status.code(), output, complaint });
            }
            Ok(None) if Instant::now() < until => thread::sleep(Duration::from_millis(2)),
            Ok(None) => {
                end(child);
                return Err(ToolError::TimedOut { tool: name(), limit });
            }
            Err(e) => return Err(failed(e)),
        }
    }
}

fn find(tool: &str) -> Option<PathBuf> {
    if tool.starts_with('/') {
        return Path::new(tool).is_file().then(|| tool.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    // A relative folder in PATH would let whoever owns the working directory choose the tool.
    let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    folders
        .chain(FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join(tool))
        .find(|path| path.is_file())
}

fn read_on_a_thread(
    pipe: impl Read + Send + 'static,
    limit: u64,
    is_output: bool,
    tell: mpsc::Sender<(bool, Vec<u8>)>,
) -> io::Result<()> {
    let read = move || {
        let mut text = Vec::new();
        let mut pipe = pipe;
        // What was read before a failure is kept: the exit code tells whether it is all.
        let _ = pipe.by_ref().take(limit).read_to_end(&mut text);
        // Nobody may listen any more.
        let _ = tell.send((is_output, text));
        if !is_output {
            // The rest of the complaints is passed over, so that the tool does not wait for a reader.
            let _ = io::copy(&mut pipe, &mut io::sink());
        }
    };
    thread::Builder::new().name("tool-output".into()).spawn(read).map(drop)
}

/// Kills a tool with all it started. One that waits for a disk cannot be killed yet: a thread waits for it then.
fn end(mut child: Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It may have ended by now.
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
    BEHIND.fetch_add(1, Ordering::Relaxed);
    let wait = move || {
        let _ = child.wait();
        BEHIND.fetch_sub(1, Ordering::Relaxed);
    };
    if thread::Builder::new().name("tool-end".into()).spawn(wait).is_err() {
        BEHIND.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_tool_is_heard_with_its_code_and_its_complaint() {
        let said = run("sh", &["-c", "echo out; echo \"$LC_ALL\"; echo oh >&2; exit 3"], LONG).unwrap();
        assert_eq!(said.code, Some(3));
        assert_eq!(said.output, b"out\nC\n");
        assert_eq!(said.complaint, "oh");
    }

    #[test]
    fn a_tool_that_hangs_is_ended_with_what_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("started");
        let script = format!("sleep 1000 & echo $! > {0}.new; mv {0}.new {0}; sleep 1000", file.display());
        let limit = Duration::from_secs(2);
        let hangs = run("sh", &["-c", &script], limit);
        assert!(matches!(hangs, Err(ToolError::TimedOut { .. })), "{hangs:?}");
        let Ok(started) = std::fs::read_to_string(&file) else {
            return crate::skipped("a_tool_that_hangs_is_ended", "this machine is too busy to start a shell");
        };
        // It is ended in its own time; a zombie that nobody took leave of has no command line any more.
        let command = format!("/proc/{}/cmdline", started.trim());
        let is_gone = || std::fs::read(&command).map_or(true, |line| line.is_empty());
        let was_ended = (0..10_000).any(|_| {
            thread::sleep(Duration::from_millis(5));
            is_gone()
        });
        assert!(was_ended, "what it started goes on");
    }

    #[test]
    fn a_tool_that_never_stops_talking_is_cut_off() {
        let endless = run("cat", &["/dev/zero"], LONG);
        assert!(matches!(endless, Err(ToolError::TooLong(_))));
        let complains = run("sh", &["-c", "head -c 1000000 /dev/zero >&2; echo done"], LONG).unwrap();
        assert_eq!(complains.output, b"done\n");
    }

    #[test]
    fn a_tool_that_is_not_installed_is_told_apart() {
        assert!(matches!(run("no-such-tool", &[], LONG), Err(ToolError::Missing(_))));
        assert!(matches!(run("/no/such/tool", &[], LONG), Err(ToolError::Missing(_))));
    }
}
