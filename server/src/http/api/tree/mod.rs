//! What a drive holds, by folder.

mod list;

use axum::routing::get;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::http::entry::Entry;

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(list::list_root))
        // The root once more, as clients write it who put a slash before every path.
        .route("/api/drives/{drive}/tree/", get(list::list_root))
}

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Also what is in folders within.
    #[serde(default)]
    recursive: bool,
    /// Most entries to return: 1 to 10000, 1000 when absent.
    #[param(minimum = 1, maximum = 10000)]
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// A page of a listing.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tree {
    /// Every folder before what is in it; names within a folder in the order of their bytes.
    entries: Vec<Entry>,
    /// The cursor of the next page; null at the end.
    next: Option<String>,
}
