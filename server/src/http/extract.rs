//! axum's extractors with our problems in place of its rejections. Named as axum's, so that the API document is
//! generated from the same signatures.

use axum::body::Body;
use std::time::Duration;

use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::error::{Error, Kind};

/// How long a JSON body, which is small, may take to arrive.
const WHOLE_WITHIN: Duration = Duration::from_secs(60);

/// A JSON body, in and out. The content type is asked for: a page of another origin cannot send it unasked.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        is_json(request.headers())?;
        let body = tokio::time::timeout(WHOLE_WITHIN, Bytes::from_request(request, state)).await;
        let body = body.map_err(|_| Error::malformed("the body did not come to its end in time"))?;
        let body = body.map_err(body_problem)?;
        parse(&body).map(Self)
    }
}

/// A JSON body that is read while it arrives, with a limit of its own.
#[derive(Debug)]
pub struct JsonStream(pub Body);

impl<S: Send + Sync> FromRequest<S> for JsonStream {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        is_json(request.headers())?;
        Ok(Self(request.into_body()))
    }
}

fn is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").trim();
    let essence = text(CONTENT_TYPE).split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if essence != "application/json" && !(essence.starts_with("application/") && essence.ends_with("+json")) {
        return Err(Error::new(Kind::UnsupportedMedia, "the body must be application/json").into());
    }
    if !matches!(text(CONTENT_ENCODING).to_ascii_lowercase().as_str(), "" | "identity") {
        return Err(Error::new(Kind::UnsupportedMedia, "the body must not be encoded").into());
    }
    Ok(())
}

/// JSON, or why it is not what was asked for: 400 for broken JSON, 422 for JSON of another shape.
///
/// # Errors
/// Those two.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    use serde_json::error::Category;
    // A number in the place of an enum's name counts as a fault of syntax, too.
    let is_json = || serde_json::from_slice::<serde_json::Value>(body).is_ok();
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        Category::Data => Error::invalid(format!("the body does not fit: {error}")).into(),
        Category::Syntax if is_json() => Error::invalid(format!("the body does not fit: {error}")).into(),
        Category::Syntax | Category::Eof | Category::Io => {
            Error::malformed(format!("the body is not JSON: {error}")).into()
        }
    })
}

fn body_problem(rejection: BytesRejection) -> Problem {
    let status = rejection.status();
    let error = if status == http::StatusCode::PAYLOAD_TOO_LARGE {
        Error::new(Kind::TooLarge, "the body is larger than this server takes")
    } else {
        Error::malformed("the body could not be read to its end").because(rejection)
    };
    error.into()
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// The query, or 400 with what is wrong about it.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        query
            .map(|query| Self(query.0))
            .map_err(|rejection: QueryRejection| Error::malformed(rejection.body_text()).into())
    }
}

/// The parameters in the path; one that cannot be (a UUID that is none) names nothing: 404.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0))
            .map_err(|rejection: PathRejection| Error::not_found("nothing is here").because(rejection).into())
    }
}
