//! The server itself, the account, and its drives.

use super::Api;
use super::error::ApiError;
use super::send::Ask;
use super::types::{About, Connect, Drive, Items, Me};

impl Api {
    /// What the server is; answered only with a login, like everything but health.
    ///
    /// # Errors
    /// The server's.
    pub async fn about(&self) -> Result<About, ApiError> {
        self.ask_json(Ask::get(self.address.at(&["api", "server"]))).await
    }

    /// Whose login this is.
    ///
    /// # Errors
    /// The server's.
    pub async fn me(&self) -> Result<Me, ApiError> {
        self.ask_json(Ask::get(self.address.at(&["api", "me"]))).await
    }

    /// How other programs reach the account's drives.
    ///
    /// # Errors
    /// The server's.
    pub async fn connect(&self) -> Result<Connect, ApiError> {
        self.ask_json(Ask::get(self.address.at(&["api", "connect"]))).await
    }

    /// The drives that the account may see.
    ///
    /// # Errors
    /// The server's.
    pub async fn drives(&self) -> Result<Vec<Drive>, ApiError> {
        let all: Items<Drive> = self.ask_json(Ask::get(self.address.at(&["api", "drives"]))).await?;
        Ok(all.items)
    }

    /// A drive by name or id.
    ///
    /// # Errors
    /// 404, 409 when a name means several, and the server's.
    pub async fn drive(&self, drive: &str) -> Result<Drive, ApiError> {
        self.ask_json(Ask::get(self.address.at(&["api", "drives", drive]))).await
    }
}
