//! `DELETE /api/uploads/{upload}`

use axum::extract::State;
use axum::http::StatusCode;
use uuid::Uuid;

use crate::app::App;
use crate::http::auth::CallerOn;
use crate::http::extract::Path;
use crate::http::problem::Problem;
use crate::http::tus::Spoken;
use crate::service::uploads;

/// Gives an upload up; what has arrived is removed. A file that it has become stays.
#[utoipa::path(delete, path = "/api/uploads/{upload}", tag = "uploads",
    params(
        ("upload" = Uuid, Path, description = "Its id"),
        ("Tus-Resumable" = String, Header, description = "1.0.0"),
    ),
    responses((status = 204, description = "It is gone")))]
pub async fn terminate(
    State(app): State<App>,
    caller: CallerOn,
    _: Spoken,
    Path(upload): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    app.act(uploads::remove(app.clone(), caller.who(), upload)).await?;
    Ok(StatusCode::NO_CONTENT)
}
