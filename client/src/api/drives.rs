//! Where this device has drives.

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::Api;
use super::error::ApiError;
use super::send::Ask;
use super::types::{DriveReport, FoundPath, Items, Mount, Reported, SeenDrive, Volume};

impl Api {
    /// Reports all the drives that a device has now.
    ///
    /// # Errors
    /// 403 when the login belongs to another device, 404, 422, and the server's.
    pub async fn report_drives(&self, device: &str, seen: &[SeenDrive]) -> Result<Vec<Mount>, ApiError> {
        let ask = Ask::new(Method::PUT, self.address.at(&["api", "devices", device, "drives"])).repeatable();
        let mounts: Items<Mount> = self.ask_json(ask.json(&json!({"drives": seen}))?).await?;
        Ok(mounts.items)
    }

    /// Where a device has drives, and where it had them.
    ///
    /// # Errors
    /// 404, and the server's.
    pub async fn mounts_of(&self, device: &str) -> Result<Vec<Mount>, ApiError> {
        let mounts: Items<Mount> =
            self.ask_json(Ask::get(self.address.at(&["api", "devices", device, "drives"]))).await?;
        Ok(mounts.items)
    }

    /// Tells a part of what is on a drive. The same again changes nothing.
    ///
    /// # Errors
    /// 403, 404, 409 when the device has not reported that it has the drive there, 422, and the server's.
    pub async fn report_files(&self, drive: Uuid, report: &DriveReport) -> Result<Reported, ApiError> {
        let url = self.address.at(&["api", "drives", &drive.to_string(), "reports"]);
        self.ask_json(Ask::new(Method::POST, url).repeatable().json(report)?).await
    }

    /// Which drives paths of a device lie in, in the order that was asked for; at most 100.
    ///
    /// # Errors
    /// 404, 422, and the server's.
    pub async fn drives_for_paths(&self, device: &str, paths: &[String]) -> Result<Vec<FoundPath>, ApiError> {
        let url = self.address.at(&["api", "devices", device, "drives-for-paths"]);
        let ask = Ask::new(Method::POST, url).repeatable();
        let found: Items<FoundPath> = self.ask_json(ask.json(&json!({"paths": paths}))?).await?;
        Ok(found.items)
    }

    /// The volumes of the server's machine.
    ///
    /// # Errors
    /// 403 for `raw` when not an admin's, and the server's.
    pub async fn volumes(&self, tracked: bool, raw: bool) -> Result<Vec<Volume>, ApiError> {
        let ask = Ask::get(self.address.at(&["api", "volumes"]));
        let ask = ask.maybe("tracked", tracked.then_some("true")).maybe("raw", raw.then_some("true"));
        let volumes: Items<Volume> = self.ask_json(ask).await?;
        Ok(volumes.items)
    }
}
