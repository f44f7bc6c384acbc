//! Whether the server runs and whether it can do its work; for health checks, without a credential.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::extract::Json;
use crate::http::problem::Problem;

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz))
}

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`.
    pub status: &'static str,
}

/// The process runs.
#[utoipa::path(get, path = "/healthz", tag = "server", security(()), responses((status = 200, body = Health)))]
pub async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// The server can do its work: the catalogue answers and the server is not stopping.
#[utoipa::path(get, path = "/readyz", tag = "server", security(()), responses((status = 200, body = Health)))]
pub async fn readyz(State(app): State<App>) -> Result<Json<Health>, Problem> {
    app.ready().await?;
    Ok(Json(Health { status: "ok" }))
}
