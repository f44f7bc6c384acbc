//! `GET /api/drives/{drive}`

use axum::extract::State;

use super::Drive;
use crate::app::App;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::mounts;

/// Shows a drive with its mounts (000-06). A name that means several shared drives is 409 with the candidates.
#[utoipa::path(get, path = "/api/drives/{drive}", tag = "drives",
    params(("drive" = String, Path, description = "Its UUID or its name")),
    responses((status = 200, body = Drive)))]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(drive): Path<String>,
) -> Result<Json<Drive>, Problem> {
    let shown = app.drives.show(caller.user_id, &drive).await?;
    let id = shown.visible.drive.uuid.to_string();
    let mounts = mounts::of_drive(&app, &caller, id).await?;
    Ok(Json(Drive::from(shown).with(mounts)))
}
