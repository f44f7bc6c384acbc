//! The account's devices.

use reqwest::Method;
use serde_json::json;

use super::Api;
use super::error::ApiError;
use super::send::Ask;
use super::types::{Device, Items};

impl Api {
    /// A page of the account's devices in the order they were registered.
    ///
    /// # Errors
    /// The server's.
    pub async fn devices(&self, revoked_too: bool, cursor: Option<&str>) -> Result<Items<Device>, ApiError> {
        let ask = Ask::get(self.address.at(&["api", "devices"]));
        let ask = ask.maybe("revoked", revoked_too.then_some("true")).maybe("cursor", cursor);
        self.ask_json::<Items<Device>>(ask).await?.after(cursor)
    }

    /// A device by what it calls itself.
    ///
    /// # Errors
    /// 404, and the server's.
    pub async fn device(&self, device_id: &str) -> Result<Device, ApiError> {
        self.ask_json(Ask::get(self.address.at(&["api", "devices", device_id]))).await
    }

    /// Makes a device known under a name for people; one that is known already is renamed.
    ///
    /// # Errors
    /// 403 when the login belongs to another device, 422, and the server's.
    pub async fn register(&self, device_id: &str, name: &str, platform: &str) -> Result<(), ApiError> {
        let body = json!({"device_id": device_id, "device_name": name, "platform": platform});
        let ask = Ask::new(Method::POST, self.address.at(&["api", "sync", "register"])).repeatable();
        self.ask_nothing(ask.json(&body)?).await
    }

    /// Gives a device another name for people.
    ///
    /// # Errors
    /// 403 when the login belongs to another device, 404, 422, and the server's.
    pub async fn rename_device(&self, device_id: &str, name: &str) -> Result<Device, ApiError> {
        let ask = Ask::new(Method::PATCH, self.address.at(&["api", "devices", device_id])).repeatable();
        self.ask_json(ask.json(&json!({"device_name": name}))?).await
    }

    /// Ends a device: its logins and app passwords stop at once. What it stored stays.
    ///
    /// # Errors
    /// 404, and the server's.
    pub async fn revoke_device(&self, device_id: &str) -> Result<(), ApiError> {
        let ask = Ask::new(Method::DELETE, self.address.at(&["api", "devices", device_id]));
        self.ask_nothing(ask).await
    }
}
