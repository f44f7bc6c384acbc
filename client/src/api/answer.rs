//! Reading answers: bounded in time and size, and distrustful.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;

use super::address::Address;
use super::error::{ApiError, Problem};

/// Largest JSON answer that is read; the largest page of a listing has less.
const LARGEST: usize = 64 * 1024 * 1024;
/// Most of a refusal that is read.
const LARGEST_PROBLEM: usize = 1024 * 1024;

/// The answer if it is a success; else what the server had against it.
pub(super) async fn success(
    response: Response,
    address: &Address,
    stall: Duration,
) -> Result<Response, ApiError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    if status.is_redirection() {
        let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("nowhere");
        return Err(ApiError::Redirected { to: shortened(to) });
    }
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let is_problem = media_type(&response).is_some_and(|kind| kind == "application/problem+json");
    let problem = if is_problem {
        let bytes = whole(response, LARGEST_PROBLEM, address, stall).await?;
        // The answer to a HEAD has no words.
        let text = if bytes.is_empty() { b"{\"type\": \"\"}" } else { &bytes[..] };
        serde_json::from_slice::<Problem>(text).ok()
    } else {
        None
    };
    match problem {
        Some(problem) => Err(ApiError::Problem(Box::new(Problem {
            status: status.as_u16(),
            retry_after: retry_after.map(Duration::from_secs),
            ..problem
        }))),
        // A proxy in between that cannot reach the server answers in its own words; they mean the same everywhere.
        None if is_of_proxy(status) => Err(ApiError::Problem(Box::new(Problem {
            status: status.as_u16(),
            kind: String::new(),
            title: String::new(),
            detail: format!("something in between answered {status}"),
            more: serde_json::Map::new(),
            retry_after: retry_after.map(Duration::from_secs),
        }))),
        None => Err(ApiError::nonsense(format!(
            "the status is {status} without an explanation; is there a Holdfast server at this address?"
        ))),
    }
}

fn is_of_proxy(status: StatusCode) -> bool {
    matches!(status.as_u16(), 413 | 429 | 502..=504)
}

/// The body of a success as what it should be.
pub(super) async fn json<T: DeserializeOwned>(
    response: Response,
    address: &Address,
    stall: Duration,
) -> Result<T, ApiError> {
    let kind = media_type(&response);
    if kind.as_deref() != Some("application/json") {
        let kind = kind.map_or_else(|| "nothing that is named".to_owned(), |kind| shortened(&kind));
        return Err(ApiError::nonsense(format!(
            "expected JSON, got {kind}; is there a Holdfast server at this address?"
        )));
    }
    let bytes = whole(response, LARGEST, address, stall).await?;
    serde_json::from_slice(&bytes)
        .map_err(|error| ApiError::nonsense(format!("not what was asked for: {error}")))
}

/// All of a body, as far as any answer may go.
pub(super) async fn whole_of(
    response: Response,
    address: &Address,
    stall: Duration,
) -> Result<Vec<u8>, ApiError> {
    whole(response, LARGEST, address, stall).await
}

async fn whole(
    mut response: Response,
    most: usize,
    address: &Address,
    stall: Duration,
) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    while let Some(bytes) = chunk(&mut response, address, stall).await? {
        if body.len() + bytes.len() > most {
            return Err(ApiError::nonsense("it is larger than any answer of a server"));
        }
        body.extend_from_slice(&bytes);
    }
    Ok(body)
}

/// The next bytes of a body, unless the server is silent.
pub(super) async fn chunk(
    response: &mut Response,
    address: &Address,
    stall: Duration,
) -> Result<Option<Bytes>, ApiError> {
    match tokio::time::timeout(stall, response.chunk()).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(match ApiError::of_http(&error, address) {
            // A body that ends before its end is told as one that cannot be decoded.
            ApiError::Nonsense { detail } => ApiError::Broken { detail },
            other => other,
        }),
        Err(_) => Err(ApiError::Timeout),
    }
}

/// Without its parameters, in lower case.
fn media_type(response: &Response) -> Option<String> {
    let told = response.headers().get(CONTENT_TYPE)?.to_str().ok()?;
    told.split(';').next().map(|kind| kind.trim().to_ascii_lowercase())
}

fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}
