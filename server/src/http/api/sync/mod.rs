//! Document 003's five endpoints, word for word, with additions.

mod changes;
mod history;
mod register;
mod resolve;
mod status;

use axum::http::Uri;
use holdfast_protocol::DrivePath;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::error::{Error, Result};
use crate::http::target::{decoded, path_in};

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(register::register))
        .routes(routes!(status::status))
        .routes(routes!(changes::changes))
        .routes(routes!(resolve::resolve))
        .routes(routes!(history::history))
}

/// The path of a file or folder between a prefix and a suffix of the address; its slashes raw or as `%2F`.
///
/// # Errors
/// 404 without the suffix, 400 when it is not UTF-8, 422 when it cannot be a path.
fn entry_in(uri: &Uri, prefix: &str, suffix: &str) -> Result<DrivePath> {
    let inner = uri.path().strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix));
    let path = path_in(&decoded(inner.ok_or_else(|| Error::not_found("nothing is here"))?)?)?;
    if path.is_root() { Err(Error::invalid("the path names the drive itself")) } else { Ok(path) }
}

/// Which drive.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OfDrive {
    /// A UUID or a name of the caller's; the home drive when absent.
    drive: Option<String>,
}
