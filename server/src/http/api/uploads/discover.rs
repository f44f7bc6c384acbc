//! `OPTIONS /api/uploads`

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::app::App;
use crate::domain::uploads::ALGORITHMS;
use crate::service::caller::Caller;

/// Tells what of tus is spoken here, and how large an upload may be.
#[utoipa::path(options, path = "/api/uploads", tag = "uploads",
    responses((status = 204, description = "What is spoken", headers(
        ("Tus-Version" = String, description = "1.0.0"),
        ("Tus-Extension" = String, description = "The extensions, comma-separated"),
        ("Tus-Checksum-Algorithm" = String, description = "The checksums that a part may have"),
        ("Tus-Max-Size" = Option<u64>, description = "Most bytes; absent: as large as the disk")))))]
pub async fn discover(State(app): State<App>, _: Caller) -> (StatusCode, HeaderMap) {
    let mut headers = HeaderMap::new();
    let mut say = |name, value| headers.insert(HeaderName::from_static(name), value);
    say(
        "tus-extension",
        HeaderValue::from_static("creation,creation-with-upload,checksum,expiration,termination"),
    );
    say("tus-checksum-algorithm", HeaderValue::from_static(ALGORITHMS));
    if let Some(limit) = app.config.limits.upload_size {
        say("tus-max-size", limit.into());
    }
    (StatusCode::NO_CONTENT, headers)
}
