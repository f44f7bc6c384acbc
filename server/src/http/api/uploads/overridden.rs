//! `POST /api/uploads/{upload}` with `X-HTTP-Method-Override`

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use uuid::Uuid;

use super::{append, terminate};
use crate::app::App;
use crate::error::{Error, Kind};
use crate::http::auth::CallerOn;
use crate::http::extract::Path;
use crate::http::problem::Problem;
use crate::http::tus::Spoken;

/// PATCH or DELETE, for clients that can send only POST (tus 1.0, X-HTTP-Method-Override).
#[utoipa::path(post, path = "/api/uploads/{upload}", tag = "uploads",
    params(
        ("upload" = Uuid, Path, description = "Its id"),
        ("Tus-Resumable" = String, Header, description = "1.0.0"),
        ("X-HTTP-Method-Override" = String, Header, description = "PATCH or DELETE; the other fields are those of that"),
    ),
    request_body(content_type = "application/offset+octet-stream", description = "That of a PATCH", content = Option<String>),
    responses((status = 204, description = "As the answer of that")))]
pub async fn overridden(
    State(app): State<App>,
    caller: CallerOn,
    spoken: Spoken,
    upload: Path<Uuid>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, HeaderMap), Problem> {
    match headers.get("x-http-method-override").map(|method| method.as_bytes()) {
        Some(b"PATCH") => append::append(State(app), caller, spoken, upload, headers, body).await,
        Some(b"DELETE") => {
            let status = terminate::terminate(State(app), caller, spoken, upload).await?;
            Ok((status, HeaderMap::new()))
        }
        _ => Err(Error::new(Kind::NotAllowed, "X-HTTP-Method-Override must be PATCH or DELETE").into()),
    }
}
