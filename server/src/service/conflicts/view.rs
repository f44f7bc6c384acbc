//! A conflict as answers tell it (003-09, and as a field of problems).

use holdfast_protocol::{ContentHash, DrivePath, Kind};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::catalog::conflicts::Conflict as Row;
use crate::error::{Error, Result};

/// Both sides changed a file since they agreed.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = StoredConflict)]
pub struct View {
    /// Its id.
    pub id: Uuid,
    /// The drive's id.
    pub drive: Uuid,
    /// Where.
    pub path: DrivePath,
    /// The device whose content it is; null: another program on the drive's disk.
    pub device_id: Option<String>,
    /// What the client holds.
    pub client_hash: ContentHash,
    /// What the server held when this was last looked at; null when it was deleted there, or a folder.
    pub server_hash: Option<ContentHash>,
    /// What both held last; null when there was nothing.
    pub base_hash: Option<ContentHash>,
    /// What the server had at the path; `file` when nothing was there.
    pub server_kind: Kind,
    /// When the server's side was last changed; null when it was deleted.
    #[serde(with = "time::serde::rfc3339::option")]
    pub server_modified_at: Option<OffsetDateTime>,
    /// A file on the server that stands where the client has a folder above the path.
    pub blocked_by: Option<DrivePath>,
    /// The client's content is here.
    pub candidate_present: bool,
    /// Whether it is still to be settled.
    pub state: State,
    /// How it was settled: `keep_local`, `keep_server`, `create_version` or `keep_both`.
    pub resolution: Option<String>,
    /// When it was opened.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// When it was closed.
    #[serde(with = "time::serde::rfc3339::option")]
    pub resolved_at: Option<OffsetDateTime>,
}

/// What became of a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// To be settled.
    Open,
    /// Settled by a resolution.
    Resolved,
    /// Gone by itself: the device and the server came to agree, or the device no longer has its content.
    Obsolete,
}

impl TryFrom<&Row> for View {
    type Error = Error;

    fn try_from(row: &Row) -> Result<Self> {
        let client_hash = row.client().ok_or_else(|| Error::internal("a conflict without its content"))?;
        let server = row.server();
        Ok(Self {
            id: row.uuid,
            drive: row.drive,
            path: DrivePath::from_checked(row.path.clone()),
            device_id: row.device.clone(),
            client_hash,
            server_hash: server.hash,
            base_hash: row.base(),
            server_kind: server.kind.unwrap_or(Kind::File),
            server_modified_at: server.modified_at.map(time).transpose()?,
            blocked_by: row.blocked_by.clone().map(DrivePath::from_checked),
            candidate_present: row.candidate() == Some(client_hash),
            state: match row.state.as_str() {
                "open" => State::Open,
                "resolved" => State::Resolved,
                _ => State::Obsolete,
            },
            resolution: row.resolution.clone(),
            created_at: time(row.created_at)?,
            updated_at: time(row.updated_at)?,
            resolved_at: row.resolved_at.map(time).transpose()?,
        })
    }
}

/// A conflict as a field of a problem.
///
/// # Errors
/// A row that this program did not write.
pub(in crate::service) fn told(row: &Row) -> Result<serde_json::Value> {
    serde_json::to_value(View::try_from(row)?).map_err(Error::internal)
}

fn time(micros: i64) -> Result<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).map_err(Error::internal)
}
