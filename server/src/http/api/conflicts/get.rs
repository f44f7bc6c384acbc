//! `GET /api/conflicts/{id}`

use axum::extract::State;
use uuid::Uuid;

use crate::app::App;
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::conflicts::{self, View};

/// Shows a conflict, also one that is closed.
#[utoipa::path(get, path = "/api/conflicts/{id}", tag = "conflicts",
    params(("id" = Uuid, Path, description = "The conflict's id")),
    responses((status = 200, body = View)))]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Json<View>, Problem> {
    let conflict = conflicts::by_id(&app, &caller, id).await?;
    Ok(Json(View::try_from(&conflict)?))
}
