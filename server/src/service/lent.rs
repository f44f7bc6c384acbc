//! Buffers that are lent to an answer on its way and come back when it was sent: a long content goes through a few of them,
//! where new memory for each step would cost as much as reading into it.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Most that wait to be used again: what a connection holds of an answer at once.
const KEPT: usize = 4;

/// The buffers of one content.
#[derive(Debug, Clone, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

/// One of them, with so many bytes that mean something.
struct Lent {
    buffer: Vec<u8>,
    length: usize,
    home: Buffers,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.home.give_back(std::mem::take(&mut self.buffer));
    }
}

impl Buffers {
    /// One of at least so many bytes; what is in it means nothing.
    pub(super) fn take(&self, length: usize) -> Vec<u8> {
        let mut buffer = self.waiting().pop().unwrap_or_default();
        if buffer.len() < length {
            buffer = vec![0; length];
        }
        buffer
    }

    /// Takes one back that was not sent.
    pub(super) fn give_back(&self, buffer: Vec<u8>) {
        let mut waiting = self.waiting();
        if waiting.len() < KEPT {
            waiting.push(buffer);
        }
    }

    /// Its first bytes, to be sent; it comes back by itself.
    pub(super) fn lend(&self, buffer: Vec<u8>, length: usize) -> Bytes {
        let length = length.min(buffer.len());
        Bytes::from_owner(Lent { buffer, length, home: self.clone() })
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_nobody_holds_its_bytes_any_more() {
        let buffers = Buffers::default();
        let mut buffer = buffers.take(10);
        buffer[..3].copy_from_slice(b"abc");
        let sent = buffers.lend(buffer, 3);
        assert_eq!(&sent[..], b"abc");
        let part = sent.slice(1..);
        drop(sent);
        assert!(buffers.waiting().is_empty());
        drop(part);
        assert_eq!(buffers.waiting().len(), 1);
        assert_eq!(buffers.take(5).len(), 10);
        assert!(buffers.waiting().is_empty());
    }
}
