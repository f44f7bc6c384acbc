//! Accounts, for admins.

mod change;
mod create;
mod get;
mod list;
mod password;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::catalog::users;
use crate::domain::accounts;
use crate::http::time::Timestamp;

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(get::get, change::change))
        .routes(routes!(password::set))
}

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub struct User {
    /// Its id.
    pub id: Uuid,
    /// What it signs in with.
    pub username: String,
    /// What people read.
    pub display_name: String,
    /// What it may do.
    pub role: Role,
    /// Whether it may not sign in.
    pub disabled: bool,
    /// Since when it exists.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl From<users::User> for User {
    fn from(user: users::User) -> Self {
        Self {
            id: user.uuid,
            username: user.username,
            display_name: user.display_name,
            role: user.role.into(),
            disabled: user.disabled_at.is_some(),
            created_at: Timestamp(user.created_at),
            updated_at: Timestamp(user.updated_at),
        }
    }
}

/// What an account may do.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Also manages accounts and the server.
    Admin,
    /// Uses their own drives and those shared with them.
    Member,
}

impl From<accounts::Role> for Role {
    fn from(role: accounts::Role) -> Self {
        match role {
            accounts::Role::Admin => Self::Admin,
            accounts::Role::Member => Self::Member,
        }
    }
}

impl From<Role> for accounts::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Admin => Self::Admin,
            Role::Member => Self::Member,
        }
    }
}
