//! Conflicts that the server keeps.

use holdfast_protocol::ContentHash;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::Api;
use super::error::ApiError;
use super::send::Ask;
use super::types::{Conflicts, Resolved, StoredConflict, leads_on};

/// How a conflict is to be settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The device's content wins; the server's stays in history.
    KeepLocal,
    /// The server's file stays; the device's content is given up by the next sync.
    KeepServer,
    /// The server's file stays; the device's content becomes a version in its history.
    CreateVersion,
    /// The server's file stays; the device's content becomes a file of its own beside it.
    KeepBoth,
}

/// What became of a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictState {
    /// Still to be settled.
    Open,
    /// Somebody settled it.
    Resolved,
    /// It settled itself.
    Obsolete,
}

impl ConflictState {
    /// The word for it in requests.
    fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resolved => "resolved",
            Self::Obsolete => "obsolete",
        }
    }
}

impl Api {
    /// A page of conflicts in the order in which they were opened.
    ///
    /// # Errors
    /// The server's.
    pub async fn conflicts(&self, state: ConflictState, cursor: Option<&str>) -> Result<Conflicts, ApiError> {
        let ask = Ask::get(self.address.at(&["api", "conflicts"])).query("state", state.word());
        let page: Conflicts = self.ask_json(ask.maybe("cursor", cursor)).await?;
        leads_on(page.next.as_deref(), cursor)?;
        Ok(page)
    }

    /// A conflict by its id.
    ///
    /// # Errors
    /// 404, and the server's.
    pub async fn conflict(&self, id: Uuid) -> Result<StoredConflict, ApiError> {
        self.ask_json(Ask::get(self.address.at(&["api", "conflicts", &id.to_string()]))).await
    }

    /// Settles a conflict. `seen` is what the person saw on the server; another content there is 409.
    ///
    /// # Errors
    /// 404, 409, and the server's.
    pub async fn resolve(
        &self,
        id: Uuid,
        way: Way,
        seen: Option<&ContentHash>,
    ) -> Result<Resolved, ApiError> {
        let mut body = json!({"resolution": way});
        if let Some(seen) = seen {
            body["server_hash"] = json!(seen);
        }
        let url = self.address.at(&["api", "conflicts", &id.to_string(), "resolve"]);
        self.ask_json(Ask::new(Method::POST, url).json(&body)?).await
    }
}
