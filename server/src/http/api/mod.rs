//! The REST surface: one folder per noun, one file per operation. A noun joins by its `routes()` below; what is not
//! written with `routes!` cannot be served, so nothing is served undocumented.

pub mod app_passwords;
pub mod auth;
pub mod batch;
pub mod certificate;
pub mod changes;
pub mod conflicts;
pub mod connect;
pub mod contents;
pub mod copies;
pub mod devices;
pub mod drives;
pub mod events;
pub mod files;
pub mod folders;
pub mod health;
pub mod jobs;
pub mod locks;
pub mod me;
pub mod members;
pub mod mounts;
pub mod moves;
pub mod reports;
pub mod server;
pub mod setup;
pub mod sync;
pub mod trash;
pub mod tree;
pub mod uploads;
pub mod users;
pub mod versions;
pub mod volumes;

use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// Every noun.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(health::routes())
        .merge(server::routes())
        .merge(certificate::routes())
        .merge(setup::routes())
        .merge(auth::routes())
        .merge(me::routes())
        .merge(users::routes())
        .merge(app_passwords::routes())
        .merge(devices::routes())
        .merge(events::routes())
        .merge(drives::routes())
        .merge(members::routes())
        .merge(mounts::routes())
        .merge(reports::routes())
        .merge(connect::routes())
        .merge(files::routes())
        .merge(tree::routes())
        .merge(changes::routes())
        .merge(batch::routes())
        .merge(contents::routes())
        .merge(folders::routes())
        .merge(locks::routes())
        .merge(moves::routes())
        .merge(copies::routes())
        .merge(trash::routes())
        .merge(sync::routes())
        .merge(conflicts::routes())
        .merge(versions::routes())
        .merge(volumes::routes())
        .merge(jobs::routes())
        .merge(uploads::routes())
}

/// What the API document says about itself.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Holdfast",
        description = "A household's drives: files, versions, sync. Errors are RFC 9457 problem+json.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    components(schemas(crate::http::problem::Body)),
    security(("bearer" = []), ("basic" = [])),
    modifiers(&Schemes)
)]
struct Document;

struct Schemes;

impl utoipa::Modify for Schemes {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        for (name, scheme) in [("bearer", HttpAuthScheme::Bearer), ("basic", HttpAuthScheme::Basic)] {
            components.add_security_scheme(name, SecurityScheme::Http(Http::new(scheme)));
        }
    }
}
