//! What this server is and what it takes.

use axum::extract::State;
use holdfast_protocol::batch;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::extract::Json;
use crate::http::time::Timestamp;
use crate::service::caller::Caller;

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(about))
}

/// What this server is.
#[derive(Debug, Serialize, ToSchema)]
pub struct About {
    /// `holdfastd`.
    pub name: &'static str,
    /// The program's version.
    pub version: &'static str,
    /// This installation's own id.
    pub id: String,
    /// The server's clock.
    pub time: Timestamp,
    /// What it refuses beyond.
    pub limits: Limits,
    /// What clients may count on, by name.
    pub features: &'static [&'static str],
}

/// What the server refuses beyond.
#[derive(Debug, Serialize, ToSchema)]
pub struct Limits {
    /// Largest JSON body in bytes, manifests apart.
    pub json_body: u64,
    /// Largest manifest body in bytes.
    pub manifest_body: u64,
    /// Most entries of one manifest.
    pub manifest_entries: u64,
    /// Largest file in bytes; null: as large as the disk.
    pub upload_size: Option<u64>,
    /// Most acts of one batch, and most contents that are asked for at once.
    pub batch_acts: u64,
    /// Largest content in a batch in bytes.
    pub batch_content: u64,
    /// Largest batch in bytes.
    pub batch_body: u64,
}

/// What clients may count on. Only grows.
const FEATURES: &[&str] = &[
    "accounts",
    "app-passwords",
    "devices",
    "events",
    "files",
    "sync",
    "conflicts",
    "history",
    "trash",
    "webdav",
    "connect",
    "feed",
    "event-stream",
    "batch",
    "contents",
    "tus",
];

/// Tells the name, version, limits and features of this server.
#[utoipa::path(get, path = "/api/server", tag = "server", responses((status = 200, body = About)))]
pub async fn about(State(app): State<App>, _: Caller) -> Json<About> {
    let limits = app.config.limits;
    Json(About {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        id: app.server_id.clone(),
        time: Timestamp(app.clock.now()),
        limits: Limits {
            json_body: limits.json_body,
            manifest_body: limits.manifest_body,
            manifest_entries: limits.manifest_entries,
            upload_size: limits.upload_size,
            batch_acts: batch::MOST_RECORDS as u64,
            batch_content: batch::MOST_EACH,
            batch_body: batch::MOST_BYTES,
        },
        features: FEATURES,
    })
}
