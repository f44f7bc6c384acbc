//! What becomes of a request's body that nobody reads to its end.
//!
//! A request that is refused before its body was read would otherwise be answered into a connection that is closed with
//! data unread, and the reset that follows may take the answer with it. So the rest is read and dropped for a while.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::EXPECT;
use axum::middleware::Next;
use axum::response::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;

/// Most bytes that are read only to be dropped.
const MOST: usize = 16 * 1024 * 1024;
/// Longest time for that.
const LONGEST: Duration = Duration::from_secs(10);

/// A layer: bodies are read on for a while after nobody wants them.
pub async fn layer(request: Request, next: Next) -> Response {
    // Whoever waits for "100 Continue" (RFC 9110, section 10.1.1) has sent nothing yet; reading would ask for it.
    let waits = request.headers().contains_key(EXPECT);
    let wrapped = request.map(|body| {
        if body.is_end_stream() { body } else { Body::new(Lingering { body: Some(body), waits }) }
    });
    next.run(wrapped).await
}

struct Lingering {
    body: Option<Body>,
    waits: bool,
}

impl HttpBody for Lingering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.waits = false;
        let Some(body) = self.body.as_mut() else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let rest = self.body.take().filter(|body| !self.waits && !body.is_end_stream());
        if let (Some(body), Ok(runtime)) = (rest, tokio::runtime::Handle::try_current()) {
            runtime.spawn(tokio::time::timeout(LONGEST, drain(body)));
        }
    }
}

async fn drain(mut body: Body) {
    let mut left = MOST;
    while let Some(Ok(frame)) = body.frame().await {
        let read = frame.data_ref().map_or(0, Bytes::len);
        left = left.saturating_sub(read);
        if left == 0 {
            return;
        }
    }
}
