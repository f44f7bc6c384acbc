//! What files held before.

use holdfast_protocol::{ContentHash, DrivePath};
use reqwest::Method;
use reqwest::header::IF_MATCH;
use uuid::Uuid;

use super::error::ApiError;
use super::send::Ask;
use super::types::{FileHistory, Items, RestoredFile, Version};
use super::{Api, tag};

impl Api {
    /// A page of the versions of every file that ever was at a path, the newest first.
    ///
    /// # Errors
    /// 404, and the server's.
    pub async fn history(
        &self,
        drive: &str,
        path: &DrivePath,
        cursor: Option<&str>,
    ) -> Result<FileHistory, ApiError> {
        let ask = Ask::get(self.address.at(&["api", "sync", "history", path.as_str()])).query("drive", drive);
        let page: FileHistory = self.ask_json(ask.maybe("cursor", cursor)).await?;
        super::types::leads_on(page.next.as_deref(), cursor)?;
        Ok(page)
    }

    /// A page of the versions of one file, wherever it was, the newest first.
    ///
    /// # Errors
    /// 404, and the server's.
    pub async fn versions(
        &self,
        drive: &str,
        node: Uuid,
        cursor: Option<&str>,
    ) -> Result<Items<Version>, ApiError> {
        let ask =
            Ask::get(self.address.at(&["api", "drives", drive, "nodes", &node.to_string(), "versions"]));
        self.ask_json::<Items<Version>>(ask.maybe("cursor", cursor)).await?.after(cursor)
    }

    /// Makes a version's content the newest of its file, where that is now, or where it was when it was deleted. With
    /// `expect` only if the file holds that now.
    ///
    /// # Errors
    /// 404, 409 when something else is there now, 412, and the server's.
    pub async fn restore_version(
        &self,
        drive: &str,
        version: Uuid,
        expect: Option<&ContentHash>,
    ) -> Result<RestoredFile, ApiError> {
        let url = self.address.at(&["api", "drives", drive, "versions", &version.to_string(), "restore"]);
        let ask = Ask::new(Method::POST, url);
        let ask = match expect {
            Some(hash) => ask.header(IF_MATCH, &tag(hash))?,
            None => ask,
        };
        self.ask_json(ask).await
    }
}
