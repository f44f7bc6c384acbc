//! Sending a request: with the login, again where that is safe, and never waiting for a server that is silent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use holdfast_protocol::delta::MEDIA_TYPE;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Method, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::delta::OutgoingDelta;
use super::error::ApiError;
use super::retry::Repeat;
use super::upload::Outgoing;
use super::{Api, answer};

const JSON: &str = "application/json";

/// A request that can be made more than once.
pub(super) struct Ask {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Payload,
    repeat: Repeat,
    anonymous: bool,
}

enum Payload {
    Nothing,
    Bytes(&'static str, Bytes),
    Content(Outgoing),
    Delta(OutgoingDelta),
}

impl Payload {
    /// Bytes that a server has yet to make durable when it has them.
    fn size(&self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Bytes(kind, _) if *kind == JSON => 0,
            Self::Bytes(_, bytes) => bytes.len() as u64,
            Self::Content(content) => content.size(),
            Self::Delta(delta) => delta.size(),
        }
    }
}

impl Ask {
    /// By default repeated only while the server has certainly done nothing, unless the method says that twice is once.
    pub(super) fn new(method: Method, url: Url) -> Self {
        let repeat = if method.is_idempotent() { Repeat::Freely } else { Repeat::Undone };
        Self { method, url, headers: HeaderMap::new(), body: Payload::Nothing, repeat, anonymous: false }
    }

    pub(super) fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// Making it twice is the same as making it once, whatever its method.
    pub(super) fn repeatable(mut self) -> Self {
        self.repeat = Repeat::Freely;
        self
    }

    /// Without the login.
    pub(super) fn anonymous(mut self) -> Self {
        self.anonymous = true;
        self
    }

    pub(super) fn query(mut self, name: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(name, value);
        self
    }

    pub(super) fn maybe(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    pub(super) fn header(mut self, name: HeaderName, value: &str) -> Result<Self, ApiError> {
        let value = HeaderValue::try_from(value)
            .map_err(|_| ApiError::nonsense(format!("{name} cannot carry such a value")))?;
        self.headers.insert(name, value);
        Ok(self)
    }

    pub(super) fn json(self, body: &impl Serialize) -> Result<Self, ApiError> {
        let body = serde_json::to_vec(body).map_err(|error| ApiError::nonsense(error.to_string()))?;
        Ok(self.bytes(JSON, Bytes::from(body)))
    }

    pub(super) fn bytes(mut self, kind: &'static str, body: Bytes) -> Self {
        self.body = Payload::Bytes(kind, body);
        self
    }

    pub(super) fn delta(mut self, delta: OutgoingDelta) -> Self {
        self.body = Payload::Delta(delta);
        self
    }

    pub(super) fn content(mut self, content: Outgoing) -> Self {
        self.body = Payload::Content(content);
        self
    }
}

impl Api {
    /// Makes a request until it succeeds, is refused, or there is no sense in asking again.
    pub(super) async fn ask(&self, ask: Ask) -> Result<Response, ApiError> {
        let mut made = 0;
        let mut may_be_done = false;
        loop {
            made += 1;
            let error = match self.ask_once(&ask).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            // It is away, and an earlier attempt whose answer was lost may well have been what did it.
            let is_gone = error.problem().is_some_and(|problem| problem.status == 404);
            if ask.method == Method::DELETE && may_be_done && is_gone {
                return Ok(Response::from(http_no_content()));
            }
            may_be_done |= matches!(error, ApiError::Broken { .. } | ApiError::Timeout);
            match self.patience.before_next(made, &error, ask.repeat) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(error),
            }
        }
    }

    /// Makes a request whose answer is JSON.
    pub(super) async fn ask_json<T: DeserializeOwned>(&self, ask: Ask) -> Result<T, ApiError> {
        let response = self.ask(ask).await?;
        answer::json(response, &self.address, self.patience.stall).await
    }

    /// Makes a request whose answer has nothing to say.
    pub(super) async fn ask_nothing(&self, ask: Ask) -> Result<(), ApiError> {
        self.ask(ask).await.map(|_| ())
    }

    /// Makes a request once; a login that has ended is renewed.
    pub(super) async fn ask_once(&self, ask: &Ask) -> Result<Response, ApiError> {
        if ask.anonymous {
            return self.send(ask, None).await;
        }
        let (mut access, is_ending) = self.tokens.access()?;
        if is_ending {
            access = self.renewed(&access).await?;
        }
        match self.send(ask, Some(&access)).await {
            Err(ApiError::Problem(problem)) if problem.status == 401 => {
                let access = self.renewed(&access).await?;
                self.send(ask, Some(&access)).await.map_err(|error| match error.problem() {
                    Some(problem) if problem.status == 401 => ApiError::NotLoggedIn,
                    _ => error,
                })
            }
            other => other,
        }
    }

    async fn send(&self, ask: &Ask, access: Option<&str>) -> Result<Response, ApiError> {
        let mut request = self.http.request(ask.method.clone(), ask.url.clone()).headers(ask.headers.clone());
        if let Some(access) = access {
            let mut bearer = HeaderValue::try_from(format!("Bearer {access}"))
                .map_err(|_| ApiError::nonsense("the access token is no text"))?;
            bearer.set_sensitive(true);
            request = request.header(AUTHORIZATION, bearer);
        }
        let moved = Arc::new(AtomicU64::new(0));
        match &ask.body {
            Payload::Nothing => {}
            Payload::Bytes(kind, bytes) => {
                moved.store(ask.body.size(), Ordering::Relaxed);
                request = request.header(CONTENT_TYPE, *kind);
                request = if *kind == JSON || !self.limits.are_set_up() {
                    request.body(bytes.clone())
                } else {
                    let whole = futures_util::stream::iter([Ok(bytes.clone())]);
                    let body = Body::wrap_stream(self.limits.sending(whole));
                    request.header(CONTENT_LENGTH, bytes.len()).body(body)
                };
            }
            Payload::Delta(delta) => {
                let stream = delta.open(Arc::clone(&moved)).await?;
                request = request
                    .header(CONTENT_TYPE, MEDIA_TYPE)
                    .header(CONTENT_LENGTH, delta.size())
                    .body(Body::wrap_stream(self.limits.sending(stream)));
            }
            Payload::Content(content) => {
                let stream = content.open(Arc::clone(&moved)).await?;
                if !ask.headers.contains_key(CONTENT_TYPE) {
                    request = request.header(CONTENT_TYPE, "application/octet-stream");
                }
                request = request
                    .header(CONTENT_LENGTH, content.size())
                    .body(Body::wrap_stream(self.limits.sending(stream)));
            }
        }
        let sent = self.unless_silent(request.send(), &moved, ask.body.size()).await;
        let response = match sent {
            Some(Ok(response)) => response,
            Some(Err(error)) => {
                if let Payload::Content(content) = &ask.body {
                    content.fault()?;
                }
                return Err(ApiError::of_http(&error, &self.address));
            }
            None => return Err(ApiError::Timeout),
        };
        answer::success(response, &self.address, self.patience.stall).await
    }

    /// Waits for an answer as long as something moves; `None` when nothing has for too long. Once all of `size` bytes are
    /// on their way, the server is given some time more: it has yet to make them durable.
    async fn unless_silent<T>(
        &self,
        sent: impl Future<Output = T>,
        moved: &AtomicU64,
        size: u64,
    ) -> Option<T> {
        const AFTER_A_CONTENT: u32 = 5;
        let mut sent = std::pin::pin!(sent);
        let (mut before, mut silent) = (0, 0);
        loop {
            if let Ok(answer) = tokio::time::timeout(self.patience.stall, &mut sent).await {
                return Some(answer);
            }
            let now = moved.load(Ordering::Relaxed);
            silent = if now == before { silent + 1 } else { 0 };
            before = now;
            let most = if size > 0 && now == size { AFTER_A_CONTENT } else { 1 };
            if silent >= most {
                return None;
            }
        }
    }
}

/// What a deletion would have been answered.
fn http_no_content() -> http::Response<Body> {
    let mut response = http::Response::new(Body::default());
    *response.status_mut() = http::StatusCode::NO_CONTENT;
    response
}
