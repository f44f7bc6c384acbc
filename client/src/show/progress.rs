//! How far a long transfer is: one line on a terminal, gone when it is done.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{size, visible};
use crate::api::Progress;

/// Between two looks at the line.
const PAUSE: Duration = Duration::from_millis(100);
/// A transfer that is done by then shows nothing.
const BEFORE_FIRST: Duration = Duration::from_millis(700);
const WIDTH: usize = 24;

/// A line on standard error. It vanishes with this value.
pub struct Bar {
    line: Arc<Mutex<Line>>,
}

struct Line {
    what: String,
    total: Option<u64>,
    /// When the first byte moved; a file is hashed before.
    began: Option<Instant>,
    next: Instant,
    /// Characters of the line that stands there now.
    shown: usize,
}

impl Bar {
    /// A line about a transfer of so many bytes; `None` where nobody watches.
    pub fn new(is_wanted: bool, what: &str, total: Option<u64>) -> Option<Self> {
        if !is_wanted || !io::stderr().is_terminal() {
            return None;
        }
        let what: String = visible(what).chars().take(32).collect();
        let line = Line { what, total, began: None, next: Instant::now() + BEFORE_FIRST, shown: 0 };
        Some(Self { line: Arc::new(Mutex::new(line)) })
    }

    /// What the transfer is to tell.
    pub fn progress(&self) -> Progress {
        let line = Arc::clone(&self.line);
        Arc::new(move |bytes| line.lock().unwrap_or_else(PoisonError::into_inner).tell(bytes))
    }
}

impl Line {
    fn tell(&mut self, bytes: u64) {
        let now = Instant::now();
        let began = *self.began.get_or_insert(now);
        if now < self.next {
            return;
        }
        self.next = now + PAUSE;
        let text = self.text(bytes, now - began);
        let length = text.chars().count();
        // What stood there longer is overwritten by spaces: no terminal has to know escape sequences.
        let rest = self.shown.saturating_sub(length);
        self.shown = length;
        let mut stderr = io::stderr();
        let _ = write!(stderr, "\r{text}{:rest$}", "");
        let _ = stderr.flush();
    }

    fn text(&self, bytes: u64, since: Duration) -> String {
        let millis = since.as_millis().max(1);
        let speed = u64::try_from(u128::from(bytes) * 1000 / millis).unwrap_or(u64::MAX);
        let (what, done, speed) = (&self.what, size(bytes), size(speed));
        match self.total.filter(|total| *total > 0) {
            Some(total) => {
                let share = u128::from(bytes.min(total)) * WIDTH as u128 / u128::from(total);
                let full = usize::try_from(share).unwrap_or(WIDTH);
                let (full, rest) = ("#".repeat(full), "-".repeat(WIDTH - full));
                format!("{what} [{full}{rest}] {done} of {}, {speed}/s", size(total))
            }
            None => format!("{what} {done}, {speed}/s"),
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        if line.shown > 0 {
            let mut stderr = io::stderr();
            let _ = write!(stderr, "\r{:1$}\r", "", line.shown);
            let _ = stderr.flush();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_how_much_of_what_and_how_fast() {
        let line =
            Line { what: "a.iso".into(), total: Some(4096), began: None, next: Instant::now(), shown: 0 };
        let text = line.text(1024, Duration::from_secs(1));
        assert_eq!(text, "a.iso [######------------------] 1.0 KiB of 4.0 KiB, 1.0 KiB/s");
        assert!(line.text(u64::MAX, Duration::ZERO).contains("########################"));
    }
}
