//! Resumable uploads (tus 1.0).

mod append;
mod create;
mod discover;
mod list;
mod look;
mod overridden;
mod terminate;

use axum::middleware;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::tus;

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(discover::discover, list::list, create::create))
        .routes(routes!(look::look, append::append, terminate::terminate, overridden::overridden))
        .layer(middleware::from_fn(tus::layer))
}
