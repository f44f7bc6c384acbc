//! What WebDAV clients have locked in a drive.

mod break_one;
mod list;

use holdfast_protocol::DrivePath;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::domain::locks::token;
use crate::http::time::Timestamp;
use crate::service::locks::Placed;

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list::list)).routes(routes!(break_one::break_one))
}

/// A lock.
#[derive(Debug, Serialize, ToSchema)]
pub struct Lock {
    /// Its id.
    id: Uuid,
    /// What a request shows to write all the same: in `If` over WebDAV, in `Lock-Token` over REST.
    token: String,
    /// What is locked.
    path: DrivePath,
    /// `exclusive` or `shared`.
    scope: &'static str,
    /// `0`, or `infinity`: all beneath, too.
    depth: &'static str,
    /// Who holds it.
    username: String,
    /// What the client said about who holds it: a fragment of XML.
    owner: Option<String>,
    /// Since when.
    created_at: Timestamp,
    /// Until when, unless it is refreshed.
    expires_at: Timestamp,
}

impl From<Placed> for Lock {
    fn from(placed: Placed) -> Self {
        let lock = placed.lock;
        Self {
            id: lock.uuid,
            token: token(lock.uuid),
            path: placed.path,
            scope: if lock.shared { "shared" } else { "exclusive" },
            depth: if lock.deep { "infinity" } else { "0" },
            username: lock.username,
            owner: lock.owner,
            created_at: Timestamp(lock.created_at),
            expires_at: Timestamp(lock.expires_at),
        }
    }
}
