//! `POST /api/drives`

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Drive, Survey};
use crate::app::App;
use crate::domain::drives::Kind;
use crate::error::Error;
use crate::http::extract::Json;
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::drives::{manage, roots, survey};

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
    /// Only tell what the folder would be as a drive, and leave it as it is.
    #[serde(default)]
    dry_run: bool,
}

/// Makes a drive of the caller's: of a folder on the server, which stays as it is, or of what devices will report. With `dry_run`
/// and a `root` the folder is looked at and nothing is made; refused is what would be refused.
#[utoipa::path(post, path = "/api/drives", tag = "drives", request_body = NewDrive,
    responses((status = 201, body = Drive), (status = 200, description = "What would be made, with `dry_run`", body = Survey)))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<NewDrive>,
) -> Result<Response, Problem> {
    let default = if body.root.is_some() { "nas" } else { "usb" };
    let kind = Kind::parse(body.kind.as_deref().unwrap_or(default)).map_err(Error::invalid)?;
    let (name, identifier, provider) = (body.name, body.unique_identifier, body.provider);
    let shown = match body.root {
        Some(root) => {
            let wanted = roots::Wanted { name, kind, identifier, provider, root, adopt: body.adopt };
            if body.dry_run {
                let found = survey::survey(&app, &caller, wanted).await?;
                return Ok(Json(Survey::from(found)).into_response());
            }
            roots::create(&app, &caller, wanted).await?
        }
        None if body.dry_run => return Err(Error::invalid("a dry run is about a `root`").into()),
        None => manage::create_reported(&app, &caller, &name, kind, identifier, provider).await?,
    };
    Ok((StatusCode::CREATED, Json(Drive::from(shown))).into_response())
}
