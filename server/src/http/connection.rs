//! One connection, served to its end: HTTP/1.1 on a plain one, HTTP/1.1 or HTTP/2 (RFC 9113) over TLS.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::HeaderValue;
use axum::http::header::HOST;
use axum::response::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tower::Service as _;

use super::fragment::{HasFragment, Suspect, Watched};

/// Patience with a client of HTTP/1.1 that is about to send a request: between two of them, and until its head is whole.
const HEAD_WITHIN: Duration = Duration::from_secs(75);
/// Patience with a connection of HTTP/2 on which nothing is asked.
const IDLE: Duration = Duration::from_secs(180);
/// What such a connection gets to close after it was told.
const FAREWELL: Duration = Duration::from_secs(10);
/// Requests at once on one connection of HTTP/2.
const STREAMS: u32 = 128;
/// Largest head of a request of HTTP/2 in bytes, unpacked.
const HEAD: u32 = 64 * 1024;
/// Bytes of each answer that wait for a client that reads slowly.
const SEND_AHEAD: usize = 128 * 1024;
/// Requests that a client took back before they were begun; beyond, the connection is closed (CVE-2023-44487).
const TAKEN_BACK: usize = 32;
/// Frames against the rules that are answered one by one; beyond, the connection is closed.
const RESETS: usize = 256;
/// How often the other end of HTTP/2 is asked whether it is still there, and how long it has to answer.
const PING_EVERY: Duration = Duration::from_secs(30);
const PONG_WITHIN: Duration = Duration::from_secs(20);

/// Who comes, how, and who answers.
#[derive(Clone)]
pub struct Visit {
    /// The connection's other end.
    pub peer: SocketAddr,
    /// Whether it is TLS.
    pub secure: bool,
    /// Answers.
    pub router: Router,
}

/// Marks a request that came over TLS.
#[derive(Debug, Clone, Copy)]
pub struct Secure;

/// Becomes true when no further request is to be taken.
type Ended = watch::Receiver<bool>;

/// Waits until no further request is to be taken.
pub async fn over(ended: &mut Ended) {
    // Whoever could say so being gone means the same.
    let _ = ended.wait_for(|ended| *ended).await;
}

impl Visit {
    fn answer(
        &self,
        mut request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response, Infallible>> + Send + use<> {
        request.extensions_mut().insert(ConnectInfo(self.peer));
        if self.secure {
            request.extensions_mut().insert(Secure);
        }
        self.router.clone().call(request.map(Body::new))
    }
}

/// Serves HTTP/1.1.
///
/// # Errors
/// When the connection breaks off.
pub async fn http1<S>(stream: S, visit: Visit, ended: Ended) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let suspect = Suspect::default();
    let watched = Watched::new(stream, suspect.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        if suspect.is(&request) {
            request.extensions_mut().insert(HasFragment);
        }
        visit.answer(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .serve_connection(TokioIo::new(watched), service);
    until(connection, ended, std::future::pending()).await
}

/// Serves HTTP/2.
///
/// # Errors
/// When the connection breaks off.
pub async fn http2<S>(stream: S, visit: Visit, ended: Ended) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let busy = watch::Sender::new(0_usize);
    let watching = busy.subscribe();
    let service = service_fn(move |mut request: Request<Incoming>| {
        name_host(&mut request);
        let under_way = UnderWay::begin(&busy);
        let answer = visit.answer(request);
        async move {
            let response = answer.await?;
            Ok::<_, Infallible>(response.map(|body| Body::new(Held { body, _under_way: under_way })))
        }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD)
        .max_pending_accept_reset_streams(TAKEN_BACK)
        .max_local_error_reset_streams(RESETS)
        .max_send_buf_size(SEND_AHEAD)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PONG_WITHIN)
        .serve_connection(TokioIo::new(stream), service);
    until(connection, ended, idle(watching, IDLE)).await
}

/// Serves to the connection's end; at the server's, or when it has been idle for too long, it is told to take its leave.
async fn until<C: GracefulConnection>(
    connection: C,
    mut ended: Ended,
    idle: impl Future<Output = ()>,
) -> Result<(), C::Error> {
    tokio::pin!(connection);
    tokio::select! {
        done = connection.as_mut() => return done,
        () = over(&mut ended) => {
            connection.as_mut().graceful_shutdown();
            return connection.await;
        }
        () = idle => connection.as_mut().graceful_shutdown(),
    }
    tokio::time::timeout(FAREWELL, connection).await.unwrap_or(Ok(()))
}

/// Ends once nothing has been asked for so long.
async fn idle(mut busy: watch::Receiver<usize>, patience: Duration) {
    loop {
        if busy.wait_for(|requests| *requests == 0).await.is_err() {
            return std::future::pending().await;
        }
        if tokio::time::timeout(patience, busy.changed()).await.is_err() {
            return;
        }
    }
}

/// HTTP/2 names the host in `:authority`; everything behind here reads the header `Host` (RFC 9113, section 8.3.1, asks the
/// same of whoever translates).
fn name_host<B>(request: &mut Request<B>) {
    let named = request.uri().authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    if let Some(host) = named {
        request.headers_mut().insert(HOST, host);
    }
}

/// A request that counts as under way for as long as this is there.
struct UnderWay(watch::Sender<usize>);

impl UnderWay {
    fn begin(busy: &watch::Sender<usize>) -> Self {
        busy.send_modify(|requests| *requests += 1);
        Self(busy.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|requests| *requests -= 1);
    }
}

/// The body of an answer; its request is under way until it was sent.
struct Held {
    body: Body,
    _under_way: UnderWay,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use super::*;

    #[test]
    fn the_host_of_http2_is_read_where_http1_has_it() {
        let mut request =
            Request::builder().uri("https://nas:8443/dav/").header(HOST, "evil").body(()).unwrap();
        name_host(&mut request);
        assert_eq!(request.headers()[HOST], "nas:8443");
        let mut request = Request::builder().uri("/dav/").header(HOST, "nas").body(()).unwrap();
        name_host(&mut request);
        assert_eq!(request.headers()[HOST], "nas");
    }

    #[tokio::test]
    async fn a_connection_is_idle_only_while_no_request_is_under_way() {
        const SHORT: Duration = Duration::from_millis(20);
        let busy = watch::Sender::new(0);
        let request = UnderWay::begin(&busy);
        let watching = idle(busy.subscribe(), SHORT);
        tokio::pin!(watching);
        assert!(tokio::time::timeout(SHORT * 10, watching.as_mut()).await.is_err());
        drop(request);
        watching.await;
    }
}
