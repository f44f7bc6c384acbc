//! `GET /api/drives/{drive}`

use axum::extract::State;

use super::Drive;
use crate::app::App;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;

/// Shows a drive. A name that means several shared drives is 409 with the candidates.
#[utoipa::path(get, path = "/api/drives/{drive}", tag = "drives",
    params(("drive" = String, Path, description = "Its UUID or its name")),
    responses((status = 200, body = Drive)))]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(drive): Path<String>,
) -> Result<Json<Drive>, Problem> {
    Ok(Json(app.drives.show(caller.user_id, &drive).await?.into()))
}
