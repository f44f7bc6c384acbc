//! Where results go. A reader that has seen enough (`| head`) ends a command quietly.

use std::io::{self, BufWriter, Stdout, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::visible;

/// Standard output, for results alone; everything else goes to standard error.
#[derive(Debug, Clone)]
pub struct Out {
    to: Arc<Mutex<BufWriter<Stdout>>>,
    /// Results as JSON.
    pub json: bool,
    /// Nothing that was not asked for.
    pub quiet: bool,
}

impl Out {
    /// Standard output.
    pub fn new(json: bool, quiet: bool) -> Self {
        Self { to: Arc::new(Mutex::new(BufWriter::new(io::stdout()))), json, quiet }
    }

    /// A line that is part of what was asked for.
    ///
    /// # Errors
    /// When nobody reads it.
    pub fn line(&self, text: &str) -> io::Result<()> {
        self.write(text.as_bytes())?;
        self.write(b"\n")
    }

    /// A line that tells what was done; left out when it shall be quiet, or when a script reads.
    ///
    /// # Errors
    /// When nobody reads it.
    pub fn note(&self, text: &str) -> io::Result<()> {
        if self.quiet || self.json { Ok(()) } else { self.line(&visible(text)) }
    }

    /// A value for scripts, in place of everything else.
    ///
    /// # Errors
    /// When nobody reads it.
    pub fn value(&self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(value).map_err(io::Error::other)?;
        self.line(&text)
    }

    /// Bytes as they are.
    ///
    /// # Errors
    /// When nobody reads them.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.to.lock().unwrap_or_else(PoisonError::into_inner).write_all(bytes)
    }

    /// Everything written reaches its reader.
    ///
    /// # Errors
    /// When nobody reads it.
    pub fn flush(&self) -> io::Result<()> {
        self.to.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

/// A JSON array that is written entry by entry, so that a long listing needs no memory. An error in the middle leaves it
/// without its end, so that no reader takes a part for the whole.
#[derive(Debug)]
pub struct JsonList<'a> {
    out: &'a Out,
    is_empty: bool,
}

impl<'a> JsonList<'a> {
    /// An array to be written.
    pub fn new(out: &'a Out) -> Self {
        Self { out, is_empty: true }
    }

    /// The next entry.
    ///
    /// # Errors
    /// When nobody reads it.
    pub fn push(&mut self, value: &impl Serialize) -> io::Result<()> {
        self.out.write(if self.is_empty { b"[\n" } else { b",\n" })?;
        self.is_empty = false;
        self.out.write(&serde_json::to_vec(value).map_err(io::Error::other)?)
    }

    /// The end.
    ///
    /// # Errors
    /// When nobody reads it.
    pub fn end(self) -> io::Result<()> {
        self.out.write(if self.is_empty { b"[]\n" } else { b"\n]\n" })
    }
}
