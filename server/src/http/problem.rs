//! From a domain error to RFC 9457 problem+json, for every answer that is not what was asked for.

use std::any::Any;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::error::{Error, Kind};

/// A domain error on its way out. The body is written by [`render`], which knows the request.
#[derive(Debug)]
pub struct Problem(Error);

/// What a problem+json body holds (RFC 9457, section 3); more fields may follow that help a program.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Body {
    /// `about:blank`, or `urn:holdfast:problem:` and the problem's name.
    #[serde(rename = "type")]
    pub kind: String,
    /// What kind of problem it is.
    pub title: String,
    /// The status of the answer.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What went wrong this time.
    pub detail: String,
    /// The path that was asked for.
    pub instance: String,
    /// More that helps a program, for instance `actual_hash`.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A problem of one part of a request that was answered as a whole.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProblemSummary)]
pub struct Summary {
    /// `about:blank`, or `urn:holdfast:problem:` and the problem's name.
    #[serde(rename = "type")]
    kind: String,
    /// The status that a request of its own would have got.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What went wrong.
    detail: String,
}

impl From<&Error> for Summary {
    fn from(error: &Error) -> Self {
        if error.kind() == Kind::Internal {
            tracing::error!(causes = causes(error), "the server is at fault");
        }
        Self {
            kind: type_of(error),
            status: status(error.kind()).as_u16(),
            detail: error.public().to_owned(),
        }
    }
}

fn type_of(error: &Error) -> String {
    error.problem_code().map_or_else(|| "about:blank".to_owned(), |code| format!("{TYPE}{code}"))
}

/// Begins the `type` of a named problem.
const TYPE: &str = "urn:holdfast:problem:";

/// Carried by an answer until [`render`] gives it a body.
#[derive(Clone)]
struct Unrendered(Arc<Error>);

impl<E: Into<Error>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl Problem {
    /// The error that it was made of.
    pub fn into_error(self) -> Error {
        self.0
    }

    /// The error behind it.
    pub fn error(&self) -> &Error {
        &self.0
    }
}

/// The status of a kind of error.
pub fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::Malformed => StatusCode::BAD_REQUEST,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::NotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Kind::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
        Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        // No name in HTTP; `from_u16` takes every number of three digits.
        Kind::OtherChecksum => StatusCode::from_u16(460).unwrap_or(StatusCode::BAD_REQUEST),
        Kind::Locked => StatusCode::LOCKED,
        Kind::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Elsewhere => StatusCode::BAD_GATEWAY,
        Kind::NoSpace => StatusCode::INSUFFICIENT_STORAGE,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = status(self.0.kind()).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.0.retry_after_seconds() {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if self.0.kind() == Kind::Unauthenticated {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"Holdfast\""));
            headers.append(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"Holdfast\", charset=\"UTF-8\""),
            );
        }
        response.extensions_mut().insert(Unrendered(Arc::new(self.0)));
        response
    }
}

/// The answer where nothing is served.
pub async fn nothing_here() -> Problem {
    Error::not_found("nothing is here").into()
}

/// The answer to a method that a route does not have; axum adds `Allow`.
pub async fn method_not_allowed(request: Request) -> Problem {
    Error::new(Kind::NotAllowed, format!("{} is not possible here", request.method())).into()
}

/// The answer when a handler panicked.
pub fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_default();
    Problem(Error::internal(format!("a handler panicked: {text}"))).into_response()
}

/// What a layer below that knows no problems refused without a word, in words.
fn unspoken(response: &Response) -> Option<Unrendered> {
    if response.headers().contains_key(CONTENT_TYPE) {
        return None;
    }
    let error = match response.status() {
        StatusCode::NOT_FOUND => Error::not_found("nothing is here"),
        StatusCode::METHOD_NOT_ALLOWED => Error::new(Kind::NotAllowed, "this method is not possible here"),
        StatusCode::PAYLOAD_TOO_LARGE => {
            Error::new(Kind::TooLarge, "the body is larger than this server takes")
        }
        status if status.is_client_error() => {
            Error::malformed(status.canonical_reason().unwrap_or("refused"))
        }
        status if status.is_server_error() => Error::internal(format!("a layer answered {status}")),
        _ => return None,
    };
    Some(Unrendered(Arc::new(error)))
}

/// Writes the body of a problem, and the log line where the server is at fault.
pub fn render(method: &Method, path: &str, request_id: &str, response: Response) -> Response {
    let known = response.extensions().get::<Unrendered>().cloned();
    let Some(Unrendered(error)) = known.or_else(|| unspoken(&response)) else { return response };
    let (mut parts, _) = response.into_parts();
    let mut more = error.fields().clone();
    if parts.status.is_server_error() {
        more.insert("request_id".to_owned(), request_id.into());
    }
    if error.kind() == Kind::Internal {
        let chain = causes(&error);
        tracing::error!(%method, path, causes = chain, "the server is at fault");
    } else if let Some(private) = error.private() {
        tracing::debug!(%method, path, cause = %private, "{error}");
    }
    let body = Body {
        kind: type_of(&error),
        title: parts.status.canonical_reason().unwrap_or("Error").to_owned(),
        status: parts.status.as_u16(),
        detail: error.public().to_owned(),
        instance: path.to_owned(),
        more,
    };
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    let text = serde_json::to_vec(&body).unwrap_or_default();
    if *method == Method::HEAD {
        return Response::from_parts(parts, axum::body::Body::empty());
    }
    Response::from_parts(parts, text.into())
}

/// What a problem+json of its own would say, for a part of a request that is answered as a whole.
pub fn as_fields(error: &Error, path: &str) -> Map<String, Value> {
    if error.kind() == Kind::Internal {
        tracing::error!(path, causes = causes(error), "the server is at fault");
    }
    let status = status(error.kind());
    let body = Body {
        kind: type_of(error),
        title: status.canonical_reason().unwrap_or("Error").to_owned(),
        status: status.as_u16(),
        detail: error.public().to_owned(),
        instance: path.to_owned(),
        more: error.fields().clone(),
    };
    match serde_json::to_value(&body) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// An error and what caused it, for the log.
fn causes(error: &Error) -> String {
    let mut chain = Vec::new();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        chain.push(cause.to_string());
        next = cause.source();
    }
    chain.join(": ")
}
