//! `POST /api/drives/{drive}/versions/{id}/restore`

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::error::Error;
use crate::http::auth::CallerOn;
use crate::http::conditions::{self, Asked};
use crate::http::entry::{Entry, placement};
use crate::http::extract::{Json, Path};
use crate::http::problem::Problem;
use crate::service::files::Who;
use crate::service::history;

/// A file as a restore left it.
#[derive(Serialize, ToSchema)]
#[schema(as = RestoredFile)]
pub struct Restored {
    #[serde(flatten)]
    entry: Entry,
    /// The number of its newest version.
    version_number: i64,
}

/// Makes a version's content the newest of its file, where that is now, or where it was when it was deleted.
#[utoipa::path(post, path = "/api/drives/{drive}/versions/{id}/restore", tag = "versions",
    params(("drive" = String, Path, description = "A UUID or a name of the caller's"),
        ("id" = Uuid, Path, description = "The version's id"),
        ("If-Match" = Option<String>, Header, description = "What the file must hold now")),
    responses((status = 200, body = Restored)))]
pub async fn restore(
    State(app): State<App>,
    CallerOn(caller, device, guard): CallerOn,
    Path((drive, id)): Path<(String, Uuid)>,
    headers: HeaderMap,
) -> Result<(HeaderMap, Json<Restored>), Problem> {
    let device = device.or_else(|| caller.device.clone()).map(|device| device.id);
    let who = Who { user_id: caller.user_id, device_id: device, syncing: None, guard, once: None };
    let Asked::Expect(expect) = conditions::asked(&headers)? else {
        return Err(Error::malformed("a restore takes one entity tag in If-Match").into());
    };
    let done = history::restore(&app, &caller, who, drive, id, expect).await?;
    let file = done.value.file;
    let entry = Entry::new(done.value.path, &file);
    let restored = Restored { entry, version_number: file.last_version };
    Ok((placement(done.placed), Json(restored)))
}
