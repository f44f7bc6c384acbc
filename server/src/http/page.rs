//! Lists page by cursor: `limit`, `cursor`, `next`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::{Error, Result};

/// Entries of a page when nobody says.
pub const DEFAULT_LIMIT: u32 = 100;
/// Most entries of a page; a larger `limit` counts as this.
pub const MAX_LIMIT: u32 = 1000;

/// Which page is asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Most entries to return: 1 to 1000, 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub cursor: Option<String>,
}

impl PageQuery {
    /// Entries that are wanted.
    pub fn limit(&self) -> i64 {
        i64::from(self.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT))
    }

    /// Where a list that is ordered by an internal id goes on; 0 at its start.
    ///
    /// # Errors
    /// 400 for a cursor that this server did not make.
    pub fn after_id(&self) -> Result<i64> {
        let Some(cursor) = self.cursor.as_deref().filter(|cursor| !cursor.is_empty()) else { return Ok(0) };
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
        bytes
            .map(i64::from_be_bytes)
            .filter(|id| *id >= 0)
            .ok_or_else(|| Error::malformed("the cursor is not valid"))
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The entries, in order.
    pub items: Vec<T>,
    /// The cursor of the next page; null at the end.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A page of a list that was asked for `limit` rows ordered by internal id; a full one may have a next.
    pub fn by_id<R>(rows: Vec<R>, limit: i64, id: impl Fn(&R) -> i64, item: impl Fn(R) -> T) -> Self {
        let full = i64::try_from(rows.len()).is_ok_and(|count| count >= limit);
        let next = rows.last().filter(|_| full).map(|row| URL_SAFE_NO_PAD.encode(id(row).to_be_bytes()));
        Self { items: rows.into_iter().map(item).collect(), next }
    }
}
