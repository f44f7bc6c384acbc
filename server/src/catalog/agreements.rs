//! Agreements of devices that keep no base: per path, the last claim and what device and server last both held
//! (algorithms B). By path, outliving nodes and tombstones.

use holdfast_protocol::{ContentHash, DrivePath};
use uuid::Uuid;

use super::db::Tx;
use super::sql::{self, Builder, portions, row};
use crate::error::Result;

/// A value as it is stored: 32 bytes a file's hash, else one letter.
pub const FOLDER: &[u8] = b"F";
/// A claim that could not be read.
pub const UNREADABLE: &[u8] = b"U";
/// An agreement that nothing is there.
pub const GONE: &[u8] = b"G";

/// What an agreement or claim is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// A file with a content.
    File(ContentHash),
    /// A folder.
    Folder,
    /// Nothing (agreements only).
    Gone,
    /// Something that could not be read (claims only).
    Unreadable,
}

impl Stored {
    /// Its stored form.
    pub fn bytes(self) -> Vec<u8> {
        match self {
            Self::File(hash) => hash.as_bytes().to_vec(),
            Self::Folder => FOLDER.to_vec(),
            Self::Gone => GONE.to_vec(),
            Self::Unreadable => UNREADABLE.to_vec(),
        }
    }

    /// From its stored form; `None` for what this program never wrote.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        match bytes {
            FOLDER => Some(Self::Folder),
            GONE => Some(Self::Gone),
            UNREADABLE => Some(Self::Unreadable),
            other => ContentHash::try_from(other).ok().map(Self::File),
        }
    }
}

/// Where a device stands with a drive (document 003's `sync_states`).
#[derive(Debug, Clone)]
pub struct State {
    /// Internal key.
    pub id: i64,
    /// Internal key of the drive.
    pub drive_id: i64,
    /// The last change token issued.
    pub token: String,
    /// The drive's head when that was issued; 0 before the first answer.
    pub token_seq: i64,
    /// Raised by whatever writes the device's rows, conflicts or token: a plan made from an earlier reading is void.
    pub revision: i64,
    /// When the device last told what it holds, in microseconds since 1970.
    pub last_sync: Option<i64>,
    /// Microseconds since 1970.
    pub created_at: i64,
    /// Microseconds since 1970.
    pub updated_at: i64,
}

row!(State {
    id, drive_id, token as "last_change_token", token_seq, revision, last_sync, created_at, updated_at,
});

const STATE_OF: &str = "SELECT id, drive_id, last_change_token, token_seq, revision, last_sync, created_at, updated_at \
     FROM sync_states WHERE device_id = $1 AND drive_id = $2";

/// Where a device stands with a drive, if it ever synced it.
///
/// # Errors
/// The catalogue's.
pub async fn state_of(tx: &mut Tx, device: i64, drive: i64) -> Result<Option<State>> {
    Ok(sql::query(STATE_OF).bind(device).bind(drive).fetch_optional(tx).await?)
}

const ENSURE: &str = "INSERT INTO sync_states (device_id, drive_id, last_change_token, token_seq, created_at, updated_at) \
     VALUES ($1, $2, $3, 0, $4, $4) ON CONFLICT (device_id, drive_id) \
     DO UPDATE SET updated_at = excluded.updated_at, revision = sync_states.revision + 1 RETURNING id";

/// Where a device stands with a drive, made with `token` as its first change token when it never synced it. To be
/// called before its rows or conflicts are written: it raises the revision.
///
/// # Errors
/// The catalogue's.
pub async fn ensure_state(tx: &mut Tx, device: i64, drive: i64, token: &str, now: i64) -> Result<i64> {
    Ok(sql::query(ENSURE).bind(device).bind(drive).bind(token).bind(now).fetch_one(tx).await?)
}

const ISSUE: &str = "UPDATE sync_states SET last_change_token = $2, token_seq = $3, last_sync = $4, updated_at = $4, \
     revision = revision + 1 WHERE id = $1";

/// Makes `token` the last one issued, for an answer that tells the drive as of its change `seq`.
///
/// # Errors
/// The catalogue's.
pub async fn issue_token(tx: &mut Tx, state: i64, token: &str, seq: i64, now: i64) -> Result<()> {
    sql::query(ISSUE).bind(state).bind(token).bind(seq).bind(now).execute(tx).await?;
    Ok(())
}

const STATES_OF_DEVICE: &str = "SELECT id FROM sync_states WHERE device_id = $1 ORDER BY id";
const EMPTY: &str = "DELETE FROM sync_metadata WHERE sync_state_id = $1";
const RENEW: &str = "UPDATE sync_states SET last_change_token = $2, token_seq = 0, last_sync = NULL, updated_at = $3, \
     revision = revision + 1 WHERE id = $1";

/// Forgets all that a device ever claimed or agreed on, in every drive (algorithms B rule e). Its tokens are outdated.
///
/// # Errors
/// The catalogue's.
pub async fn reset(tx: &mut Tx, device: i64, now: i64) -> Result<()> {
    let states: Vec<i64> = sql::query(STATES_OF_DEVICE).bind(device).fetch_all(tx).await?;
    for state in states {
        sql::query(EMPTY).bind(state).execute(tx).await?;
        let token = Uuid::new_v4().to_string();
        sql::query(RENEW).bind(state).bind(token).bind(now).execute(tx).await?;
    }
    Ok(())
}

const VALUE_AT: &str = "SELECT agreed FROM sync_metadata WHERE sync_state_id = $1 AND path = $2";

/// What is agreed at a path.
///
/// # Errors
/// The catalogue's.
pub async fn value_at(tx: &mut Tx, state: i64, path: &DrivePath) -> Result<Option<Stored>> {
    let found: Option<Option<Vec<u8>>> =
        sql::query(VALUE_AT).bind(state).bind(path.as_str()).fetch_optional(tx).await?;
    Ok(found.flatten().as_deref().and_then(Stored::parse))
}

const AGREE: &str = "INSERT INTO sync_metadata (sync_state_id, path, agreed, agreed_seq) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (sync_state_id, path) DO UPDATE SET agreed = excluded.agreed, agreed_seq = excluded.agreed_seq, forced = NULL";

/// Writes the agreement of one path (rule b): the device has just done this itself.
///
/// # Errors
/// The catalogue's.
pub async fn agree(tx: &mut Tx, state: i64, path: &DrivePath, value: Stored, seq: Option<i64>) -> Result<()> {
    sql::query(AGREE).bind(state).bind(path.as_str()).bind(value.bytes()).bind(seq).execute(tx).await?;
    Ok(())
}

const RAISE: &str = "UPDATE sync_states SET revision = revision + $2 WHERE id = $1";

/// As [`agree`] for each of some paths that a device has just written, each once; [`ensure_state`] was called for the first.
///
/// # Errors
/// The catalogue's.
pub async fn agree_all(tx: &mut Tx, state: i64, agreed: &[(&DrivePath, Stored, i64)]) -> Result<()> {
    for (_, agreed) in portions(agreed) {
        let begin = "INSERT INTO sync_metadata (sync_state_id, path, agreed, agreed_seq) ";
        let mut query = Builder::new(tx.engine_name(), begin);
        query.rows(agreed.iter().map(|(path, value, seq)| {
            [state.into(), path.as_str().into(), value.bytes().into(), (*seq).into()]
        }));
        query.push(
            " ON CONFLICT (sync_state_id, path) \
             DO UPDATE SET agreed = excluded.agreed, agreed_seq = excluded.agreed_seq, forced = NULL",
        );
        query.build().execute(tx).await?;
    }
    let more = i64::try_from(agreed.len()).unwrap_or(i64::MAX) - 1;
    sql::query(RAISE).bind(state).bind(more).execute(tx).await?;
    Ok(())
}

const FORGET: &str = "UPDATE sync_metadata SET agreed = NULL, agreed_seq = NULL, forced = NULL WHERE sync_state_id = $1 AND path = $2";

/// Removes the agreement of a path; what was claimed there stays as last claimed.
///
/// # Errors
/// The catalogue's.
pub async fn forget(tx: &mut Tx, state: i64, path: &DrivePath) -> Result<()> {
    sql::query(FORGET).bind(state).bind(path.as_str()).execute(tx).await?;
    Ok(())
}

/// An agreement of one path.
#[derive(Debug, Clone)]
pub struct Row {
    /// Path without a leading slash.
    pub path: String,
    agreed: Option<Vec<u8>>,
    /// Sequence of the node when it was agreed.
    pub agreed_seq: Option<i64>,
}

row!(Row { path, agreed, agreed_seq });

impl Row {
    /// The agreed value.
    pub fn agreed(&self) -> Option<Stored> {
        self.agreed.as_deref().and_then(Stored::parse)
    }
}

const BENEATH: &str = "SELECT path, agreed, agreed_seq FROM sync_metadata WHERE sync_state_id = $1 AND agreed IS NOT NULL \
     AND path >= $2 AND path < $4 AND (path = $2 OR path > $3) ORDER BY path";

/// Agreements of a path and all beneath it.
///
/// # Errors
/// The catalogue's.
pub async fn beneath_path(tx: &mut Tx, state: i64, path: &DrivePath) -> Result<Vec<Row>> {
    let (low, high) = beneath(path);
    Ok(sql::query(BENEATH).bind(state).bind(path.as_str()).bind(&low).bind(&high).fetch_all(tx).await?)
}

/// Bounds of what lies beneath a path: '0' is the byte after '/'.
fn beneath(path: &DrivePath) -> (String, String) {
    (format!("{}/", path.as_str()), format!("{}0", path.as_str()))
}

/// Every SQL text of this file, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! {
    STATE_OF, ENSURE, ISSUE, STATES_OF_DEVICE, EMPTY, RENEW, VALUE_AT, AGREE, RAISE, FORGET, BENEATH
};
