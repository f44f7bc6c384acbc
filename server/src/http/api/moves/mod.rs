//! Moves: a file or folder gets another name or folder.

mod create;

use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use holdfast_protocol::{ContentHash, DrivePath};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::error::{Error, Result};
use crate::http::entry::{Entry, placement};
use crate::http::extract::Json;
use crate::http::once::{self, Fingerprint};
use crate::service::files::{Done, Expect, PutDone, Transfer, Who};

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create::create))
}

/// From where to where.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
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

/// The body of that, for whoever asks the same again.
///
/// # Errors
/// None that could happen.
pub fn told(transfer: &Transfer, done: &PutDone) -> Result<String> {
    let (from, to) = (transfer.from.clone(), transfer.to.clone());
    let entry = Entry::new(to.clone(), &done.node);
    serde_json::to_string(&Transferred { from, to, entry }).map_err(Error::internal)
}

/// What a move or copy is carried out with, or the answer of then.
///
/// # Errors
/// 400, 409 and 422 for its `Idempotency-Key`, 422 for what is no transfer.
pub async fn begin(
    app: &App,
    (act, drive, status): (&str, Uuid, StatusCode),
    who: Who,
    headers: &HeaderMap,
    new: NewTransfer,
) -> Result<std::result::Result<(Who, Transfer), Response>> {
    let mut print = Fingerprint::of(act, drive, &who)?;
    print.add(&new)?;
    match once::asked(app, &who, once::key(headers)?, print, told).await? {
        Ok(once) => {
            let transfer = new.read(&who)?;
            Ok(Ok((Who { once, ..who }, transfer)))
        }
        Err(body) => Ok(Err(once::again(status, "application/json", body))),
    }
}
