//! The feed of a drive, and what an agent asks besides.

use holdfast_protocol::DrivePath;
use holdfast_protocol::feed::FeedPage;
use reqwest::Method;

use super::Api;
use super::error::ApiError;
use super::send::Ask;

impl Api {
    /// Nodes of a drive whose latest change comes after the one that a token names; without one, from the beginning.
    ///
    /// # Errors
    /// The server's.
    pub async fn changes(
        &self,
        drive: &str,
        since: Option<&str>,
        limit: Option<u32>,
    ) -> Result<FeedPage, ApiError> {
        let limit = limit.map(|limit| limit.to_string());
        let ask = Ask::get(self.address.at(&["api", "drives", drive, "changes"]));
        let page: FeedPage =
            self.ask_json(ask.maybe("since", since).maybe("limit", limit.as_deref())).await?;
        if page.more && since.is_some_and(|since| since == page.token.to_string()) {
            return Err(ApiError::nonsense("a page of the feed leads to itself"));
        }
        Ok(page)
    }

    /// Deletes a folder that holds nothing.
    ///
    /// # Errors
    /// 404, 409 when it holds something, and the server's.
    pub async fn delete_empty_folder(&self, drive: &str, path: &DrivePath) -> Result<(), ApiError> {
        let url = self.address.at(&["api", "drives", drive, "files", path.as_str()]);
        self.ask_nothing(Ask::new(Method::DELETE, url).query("empty", "true")).await
    }
}
