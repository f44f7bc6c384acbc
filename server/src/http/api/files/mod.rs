//! Files by path: their content.

mod delete;
mod get;
mod head;
mod patch;
mod put;

use holdfast_protocol::{ContentHash, DrivePath};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get::get, head::head, put::put, patch::patch, delete::delete))
}

/// How to write.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct How {
    /// Make missing folders above. When absent: yes for a device's explicit sync act, no for others.
    pub parents: Option<bool>,
}

/// What to delete.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// A folder only if it holds nothing, and no file in its place unless `If-Match` tells which.
    #[serde(default)]
    pub empty: bool,
}

/// A file as it was written.
#[derive(Debug, Serialize, ToSchema)]
pub struct Written {
    /// Where.
    pub path: DrivePath,
    /// SHA-256 of its content.
    pub hash: Option<ContentHash>,
    /// Bytes.
    pub size: u64,
    /// Its id; stays when it is renamed or moved.
    pub id: Uuid,
    /// Number of this version in its history.
    pub version: Option<i64>,
    /// When it was last written, to the nanosecond.
    #[serde(with = "time::serde::rfc3339")]
    pub modified_at: OffsetDateTime,
    /// The same in nanoseconds since 1970.
    pub mtime_ns: i64,
}
