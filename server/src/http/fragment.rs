//! A `#` in a request line.
//!
//! A client must not send the fragment of an address (RFC 9112, section 3.2), but some do, and `http::Uri` drops it without
//! a word: `DELETE /a#b` would then delete `/a`. So the first line of what arrives is looked at on its way.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::http::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::problem::Problem;
use crate::error::Error;

/// Longest request line that is looked at; hyper takes none that is longer.
const LONGEST: usize = 64 * 1024;

/// The last line that looked like a request's and had a `#`.
#[derive(Debug, Clone, Default)]
pub struct Suspect(Arc<Mutex<Option<Vec<u8>>>>);

impl Suspect {
    /// Whether that line is this request's. It is forgotten then.
    pub fn is<B>(&self, request: &Request<B>) -> bool {
        let Some(line) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() else { return false };
        let begin = format!("{} ", request.method());
        let Some(target) = line.strip_prefix(begin.as_bytes()) else { return false };
        let before = target.split(|byte| *byte == b'#').next().unwrap_or_default();
        let asked = request.uri().path_and_query().map_or("", |path| path.as_str());
        before.ends_with(asked.as_bytes())
    }

    /// A request begins where a read does, unless the client sends several without waiting; that is good enough for those
    /// that send a `#` by mistake.
    fn look(&self, arrived: &[u8]) {
        let method = arrived.iter().take(20).take_while(|byte| byte.is_ascii_uppercase()).count();
        if method < 3 || arrived.get(method) != Some(&b' ') {
            return;
        }
        let line = &arrived[..arrived.len().min(LONGEST)];
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
        if line.contains(&b'#') {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(line.to_vec());
        }
    }
}

/// Marks a request whose line had a `#`.
#[derive(Debug, Clone, Copy)]
pub struct HasFragment;

/// A layer: such a request is refused, for nobody can tell what it means.
pub async fn refuse(request: axum::extract::Request, next: Next) -> Response {
    if request.extensions().get::<HasFragment>().is_some() {
        let error = Error::malformed("the address has a fragment; write # as %23 where it belongs to a name");
        return Problem::from(error).into_response();
    }
    next.run(request).await
}

/// A connection whose request lines are looked at.
#[derive(Debug)]
pub struct Watched<S> {
    stream: S,
    suspect: Suspect,
}

impl<S> Watched<S> {
    /// Looks at what arrives on a connection.
    pub fn new(stream: S, suspect: Suspect) -> Self {
        Self { stream, suspect }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Some(arrived) = buffer.filled().get(before..).filter(|arrived| !arrived.is_empty()) {
            self.suspect.look(arrived);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use super::*;

    fn caught(arrived: &str, method: &str, uri: &str) -> bool {
        let suspect = Suspect::default();
        suspect.look(arrived.as_bytes());
        suspect.is(&Request::builder().method(method).uri(uri).body(()).unwrap())
    }

    #[test]
    fn a_fragment_is_seen_in_the_request_line_alone() {
        assert!(caught("DELETE /a#b HTTP/1.1\r\nHost: x\r\n\r\n", "DELETE", "/a"));
        assert!(caught("GET http://nas/a?q=1#b HTTP/1.1\r\n", "GET", "http://nas/a?q=1"));
        assert!(!caught("DELETE /a HTTP/1.1\r\nX: #\r\n\r\n", "DELETE", "/a"));
        assert!(!caught("DELETE /a%23b HTTP/1.1\r\n", "DELETE", "/a%23b"));
    }

    #[test]
    fn what_only_looks_like_one_in_a_body_harms_no_other_request() {
        assert!(!caught("GET /other#b HTTP/1.1\r\n", "GET", "/mine"));
        assert!(!caught("NOTE the #1 thing\n", "PUT", "/note"));
    }
}
