//! Moves: a file or folder gets another name or folder.

mod create;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use holdfast_protocol::{ContentHash, DrivePath};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::error::{Error, Result};
use crate::http::entry::{Entry, placement};
use crate::http::extract::Json;
use crate::service::files::{Done, Expect, PutDone, Transfer, Who};

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create::create))
}

/// From where to where.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewTransfer {
    /// From here.
    from: DrivePath,
    /// To here.
    to: DrivePath,
    /// The content that `from` must have, or `*` for any file.
    expect: Option<String>,
    /// Replace what is at `to`; it goes to the trash. A device's explicit sync act never does.
    #[serde(default)]
    overwrite: bool,
    /// Make missing folders above `to`. When absent: yes for a device's explicit sync act, no for others.
    parents: Option<bool>,
}

impl NewTransfer {
    /// As the use case wants it.
    ///
    /// # Errors
    /// 422 for an `expect` that is no content hash.
    pub fn read(self, who: &Who) -> Result<Transfer> {
        let expect = match self.expect.as_deref() {
            None => Expect::Anything,
            Some("*") => Expect::Something,
            Some(hash) => {
                let hash: ContentHash = hash
                    .trim_matches('"')
                    .parse()
                    .map_err(|_| Error::invalid("expect is no content hash"))?;
                Expect::Content(hash)
            }
        };
        let syncing = who.syncing.is_some();
        Ok(Transfer {
            from: self.from,
            to: self.to,
            expect,
            overwrite: self.overwrite && !syncing,
            parents: self.parents.unwrap_or(syncing),
            shallow: false,
        })
    }
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Transferred {
    /// From here.
    from: DrivePath,
    /// To here.
    to: DrivePath,
    /// What is there now.
    entry: Entry,
}

/// The answer to a move or copy.
pub fn answer(status: StatusCode, from: DrivePath, to: DrivePath, done: &Done<PutDone>) -> Response {
    let entry = Entry::new(to.clone(), &done.value.node);
    (status, placement(done.placed), Json(Transferred { from, to, entry })).into_response()
}
