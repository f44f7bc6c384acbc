//! The tree: listing it, and the acts that move no bytes.

use holdfast_protocol::{ContentHash, DrivePath};
use reqwest::Method;
use reqwest::header::{HeaderName, IF_MATCH};
use serde_json::json;
use uuid::Uuid;

use super::error::ApiError;
use super::send::Ask;
use super::types::{Deleted, Entry, Items, Node, Transferred, Tree};
use super::{Api, tag};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What is to be moved or copied, and how.
#[derive(Debug, Clone, Default)]
pub struct Transfer {
    /// From here.
    pub from: DrivePath,
    /// To here.
    pub to: DrivePath,
    /// The content that must be there for it to be right.
    pub expect: Option<ContentHash>,
    /// Whether what is at the target may be replaced; it goes to the trash.
    pub overwrite: bool,
    /// Whether missing folders above the target are made.
    pub parents: bool,
}

impl Api {
    /// A page of a folder's listing; of a file, the file alone. `recursive`: all beneath it.
    ///
    /// # Errors
    /// 404, and the server's.
    pub async fn tree(
        &self,
        drive: &str,
        path: &DrivePath,
        recursive: bool,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Tree, ApiError> {
        let parts = ["api", "drives", drive, "tree", path.as_str()];
        let url = self.address.at(if path.is_root() { &parts[..4] } else { &parts });
        let limit = limit.map(|limit| limit.to_string());
        let ask = Ask::get(url).maybe("recursive", recursive.then_some("true"));
        let tree: Tree = self.ask_json(ask.maybe("limit", limit.as_deref()).maybe("cursor", cursor)).await?;
        match &tree.next {
            Some(next) if Some(next.as_str()) == cursor => {
                Err(ApiError::nonsense("a page of a listing leads to itself"))
            }
            _ => Ok(tree),
        }
    }

    /// The file at a path; `None` when it is a folder.
    ///
    /// # Errors
    /// 404, and the server's.
    pub async fn file_at(&self, drive: &str, path: &DrivePath) -> Result<Option<Entry>, ApiError> {
        if path.is_root() {
            return Ok(None);
        }
        let listed = self.tree(drive, path, false, None, Some(1)).await?;
        Ok(listed.entries.into_iter().find(|entry| entry.path == *path))
    }

    /// A file or folder by its id, live or deleted.
    ///
    /// # Errors
    /// 404, and the server's.
    pub async fn node(&self, drive: &str, id: Uuid) -> Result<Node, ApiError> {
        self.ask_json(Ask::get(self.address.at(&["api", "drives", drive, "nodes", &id.to_string()]))).await
    }

    /// Deletes a file, or a folder with all that is in it, into the trash. With `expect` only that content.
    ///
    /// # Errors
    /// 404, 412, and the server's.
    pub async fn delete(
        &self,
        drive: &str,
        path: &DrivePath,
        expect: Option<&ContentHash>,
    ) -> Result<(), ApiError> {
        let url = self.address.at(&["api", "drives", drive, "files", path.as_str()]);
        let ask = Ask::new(Method::DELETE, url);
        let ask = match expect {
            Some(hash) => ask.header(IF_MATCH, &tag(hash))?,
            None => ask,
        };
        self.ask_nothing(ask).await
    }

    /// Makes a folder; one that is there already is fine.
    ///
    /// # Errors
    /// 409 where a file is, or a parent is missing and not to be made; and the server's.
    pub async fn make_folder(&self, drive: &str, path: &DrivePath, parents: bool) -> Result<Entry, ApiError> {
        let url = self.address.at(&["api", "drives", drive, "folders"]);
        let ask = Ask::new(Method::POST, url).repeatable();
        self.ask_json(ask.json(&json!({"path": path, "parents": parents}))?).await
    }

    /// Moves or renames within a drive, in one step.
    ///
    /// # Errors
    /// 404, 409 when something is at the target, 412, and the server's.
    pub async fn move_within(&self, drive: &str, transfer: &Transfer) -> Result<Transferred, ApiError> {
        self.transfer("moves", drive, transfer).await
    }

    /// Copies within a drive, in one step.
    ///
    /// # Errors
    /// As [`Api::move_within`].
    pub async fn copy_within(&self, drive: &str, transfer: &Transfer) -> Result<Transferred, ApiError> {
        self.transfer("copies", drive, transfer).await
    }

    async fn transfer(&self, noun: &str, drive: &str, transfer: &Transfer) -> Result<Transferred, ApiError> {
        let body = json!({
            "from": transfer.from, "to": transfer.to, "expect": transfer.expect,
            "overwrite": transfer.overwrite, "parents": transfer.parents,
        });
        let ask = Ask::new(Method::POST, self.address.at(&["api", "drives", drive, noun])).json(&body)?;
        // By its key the server knows it again, and tells what became of it the first time.
        let ask = ask.header(IDEMPOTENCY_KEY, &Uuid::new_v4().to_string())?.repeatable();
        self.ask_json(ask).await
    }

    /// A page of what was deleted from a drive; a folder stands for all that was in it.
    ///
    /// # Errors
    /// The server's.
    pub async fn trash(&self, drive: &str, cursor: Option<&str>) -> Result<Items<Deleted>, ApiError> {
        let ask = Ask::get(self.address.at(&["api", "drives", drive, "trash"]));
        self.ask_json::<Items<Deleted>>(ask.maybe("cursor", cursor)).await?.after(cursor)
    }

    /// Brings something deleted back, where it was or elsewhere. Missing folders above are made.
    ///
    /// # Errors
    /// 404, 409 when something else is there now or it is not deleted, and the server's.
    pub async fn restore_deleted(
        &self,
        drive: &str,
        id: Uuid,
        to: Option<&DrivePath>,
    ) -> Result<Entry, ApiError> {
        let url = self.address.at(&["api", "drives", drive, "trash", &id.to_string(), "restore"]);
        self.ask_json(Ask::new(Method::POST, url).json(&json!({"to": to}))?).await
    }
}
