//! What has changed in a drive, for agents that keep a tree of their own.

mod list;

use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list::list))
}

/// From where, and how much.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Since {
    /// `token` of the page before; from the beginning when absent.
    since: Option<String>,
    /// Most nodes to return: 1 to 50000, 5000 when absent.
    #[param(minimum = 1, maximum = 50000)]
    limit: Option<u32>,
}
