//! The caller's own account.

mod change;
mod get;
mod password;
mod sessions;

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::users::User;
use crate::app::App;
use crate::service::caller::{Caller, Credential};

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get::get, change::change))
        .routes(routes!(password::change))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::revoke))
}

/// The caller's account and what this request proved it with.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// The account.
    #[serde(flatten)]
    pub user: User,
    /// What this request came with.
    pub credential: CredentialKind,
    /// The device that the credential is bound to.
    pub device_id: Option<String>,
}

/// What a request came with.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// An access token.
    Session,
    /// An app password.
    AppPassword,
    /// The account's own password.
    Password,
}

impl Me {
    fn new(user: User, caller: Caller) -> Self {
        let credential = match caller.credential {
            Credential::Session(_) => CredentialKind::Session,
            Credential::AppPassword(_) => CredentialKind::AppPassword,
            Credential::Password => CredentialKind::Password,
        };
        Self { user, credential, device_id: caller.device.map(|device| device.device_id) }
    }
}
