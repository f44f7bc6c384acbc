//! `DELETE /api/app-passwords/{app_password}`

use axum::extract::State;
use axum::http::StatusCode;
use uuid::Uuid;

use crate::app::App;
use crate::http::extract::Path;
use crate::http::problem::Problem;
use crate::service::app_passwords;
use crate::service::caller::Caller;

/// Ends an app password at once.
#[utoipa::path(delete, path = "/api/app-passwords/{app_password}", tag = "app-passwords",
    params(("app_password" = Uuid, Path, description = "Its id")), responses((status = 204)))]
pub async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path(app_password): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    app_passwords::revoke(&app, &caller, app_password).await?;
    Ok(StatusCode::NO_CONTENT)
}
