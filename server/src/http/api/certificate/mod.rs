//! The certificate of the server's own authority, for devices that shall trust it. Without a credential: it is public by
//! its nature, and a device that does not trust the server yet has nothing to show.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::error::Error;
use crate::http::problem::Problem;
use crate::tls::authority::Public;

/// What browsers and phones offer to install.
const CERTIFICATE: &str = "application/x-x509-ca-cert";

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(pem)).routes(routes!(der))
}

/// Gives the certificate of the server's own authority in PEM. 404 `no-authority` where it has none.
#[utoipa::path(get, path = "/ca.crt", tag = "server", security(()),
    responses((status = 200, body = String, content_type = "application/x-x509-ca-cert")))]
pub async fn pem(State(app): State<App>) -> Result<Response, Problem> {
    let public = authority(&app)?;
    Ok(download("holdfast-ca.crt", public.pem.clone().into_bytes()))
}

/// Gives the same certificate in DER, which some phones want. 404 `no-authority` where there is none.
#[utoipa::path(get, path = "/ca.der", tag = "server", security(()),
    responses((status = 200, body = Vec<u8>, content_type = "application/x-x509-ca-cert")))]
pub async fn der(State(app): State<App>) -> Result<Response, Problem> {
    let public = authority(&app)?;
    Ok(download("holdfast-ca.der", public.der.clone()))
}

fn authority(app: &App) -> Result<&Public, Error> {
    let own = app.over_tls().and_then(|served| served.tls.authority());
    own.ok_or_else(|| Error::not_found("this server has no authority of its own").code("no-authority"))
}

fn download(name: &str, bytes: Vec<u8>) -> Response {
    let headers = [
        (CONTENT_TYPE, CERTIFICATE.to_owned()),
        (CONTENT_DISPOSITION, format!("inline; filename=\"{name}\"")),
        (CACHE_CONTROL, "no-cache".to_owned()),
    ];
    (headers, bytes).into_response()
}
