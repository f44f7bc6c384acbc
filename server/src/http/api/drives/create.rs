//! `POST /api/drives`

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Drive;
use crate::app::App;
use crate::domain::drives::Kind;
use crate::error::Error;
use crate::http::extract::Json;
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::drives::{manage, roots};

/// A drive to be made.
#[derive(Deserialize, ToSchema)]
pub struct NewDrive {
    /// What it is called, unique among its owner's: 1 to 128 characters, no slash.
    name: String,
    /// `nas`, `usb`, `internal`, `network` or `cloud`; `nas` when absent and there is a root, else `usb`.
    #[serde(alias = "drive_type")]
    kind: Option<String>,
    /// Says it is the same drive wherever it is seen; made when absent.
    unique_identifier: Option<String>,
    /// Who provides it, for cloud drives.
    #[serde(alias = "cloud_provider")]
    provider: Option<String>,
    /// Absolute path of a folder on the server (admins only); without one the drive is known from what devices report.
    root: Option<String>,
    /// Whether that folder may hold something: its files become the drive's, where they are.
    #[serde(default)]
    adopt: bool,
}

/// Makes a drive of the caller's: of a folder on the server, which stays as it is, or of what devices will report.
#[utoipa::path(post, path = "/api/drives", tag = "drives", request_body = NewDrive,
    responses((status = 201, body = Drive)))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<NewDrive>,
) -> Result<(StatusCode, Json<Drive>), Problem> {
    let default = if body.root.is_some() { "nas" } else { "usb" };
    let kind = Kind::parse(body.kind.as_deref().unwrap_or(default)).map_err(Error::invalid)?;
    let (name, identifier, provider) = (body.name, body.unique_identifier, body.provider);
    let shown = match body.root {
        Some(root) => {
            let wanted = roots::Wanted { name, kind, identifier, provider, root, adopt: body.adopt };
            roots::create(&app, &caller, wanted).await?
        }
        None => manage::create_reported(&app, &caller, &name, kind, identifier, provider).await?,
    };
    Ok((StatusCode::CREATED, Json(shown.into())))
}
