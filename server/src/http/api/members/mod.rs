//! With whom a drive is shared.

mod list;
mod share;
mod unshare;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::catalog::drive_writes::Sharer;
use crate::http::time::Timestamp;
use crate::service::drives::members;

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list::list)).routes(routes!(share::share, unshare::unshare))
}

/// What somebody may do with a drive that is shared with them.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MemberRole)]
pub enum Role {
    /// Look, read, and change.
    Editor,
    /// Look and read.
    Viewer,
}

impl From<Role> for members::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Editor => Self::Editor,
            Role::Viewer => Self::Viewer,
        }
    }
}

/// Somebody with whom a drive is shared.
#[derive(Debug, Serialize, ToSchema)]
pub struct Member {
    /// The account.
    user_id: Uuid,
    /// Its user name.
    username: String,
    /// What people read.
    display_name: String,
    /// `editor` or `viewer`.
    role: String,
    /// Since when.
    created_at: Timestamp,
}

/// Everybody with whom a drive is shared, but for its owner.
#[derive(Debug, Serialize, ToSchema)]
pub struct Members {
    /// By user name.
    items: Vec<Member>,
    /// Always null: one page has them all.
    next: Option<String>,
}

impl From<Vec<Sharer>> for Members {
    fn from(sharers: Vec<Sharer>) -> Self {
        let member = |sharer: Sharer| Member {
            user_id: sharer.uuid,
            username: sharer.username,
            display_name: sharer.display_name,
            role: sharer.role,
            created_at: Timestamp(sharer.created_at),
        };
        Self { items: sharers.into_iter().map(member).collect(), next: None }
    }
}
