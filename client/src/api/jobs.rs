//! Long work that the server does.

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::Api;
use super::error::ApiError;
use super::send::Ask;
use super::types::{Items, Job};

impl Api {
    /// A page of jobs, the newest first.
    ///
    /// # Errors
    /// 422 for a state that jobs do not have, and the server's.
    pub async fn jobs(
        &self,
        state: Option<&str>,
        kind: Option<&str>,
        cursor: Option<&str>,
    ) -> Result<Items<Job>, ApiError> {
        let ask = Ask::get(self.address.at(&["api", "jobs"]));
        let ask = ask.maybe("state", state).maybe("kind", kind).maybe("cursor", cursor);
        self.ask_json::<Items<Job>>(ask).await?.after(cursor)
    }

    /// How a job stands.
    ///
    /// # Errors
    /// 404, and the server's.
    pub async fn job(&self, id: Uuid) -> Result<Job, ApiError> {
        self.ask_json(Ask::get(self.address.at(&["api", "jobs", &id.to_string()]))).await
    }

    /// Asks for a job to be ended.
    ///
    /// # Errors
    /// 404, 409 when it has ended, and the server's.
    pub async fn cancel_job(&self, id: Uuid) -> Result<Job, ApiError> {
        let url = self.address.at(&["api", "jobs", &id.to_string(), "cancel"]);
        self.ask_json(Ask::new(Method::POST, url)).await
    }

    /// Goes on with a job that was interrupted.
    ///
    /// # Errors
    /// 403, 404, 409, and the server's.
    pub async fn resume_job(&self, id: Uuid) -> Result<Job, ApiError> {
        let url = self.address.at(&["api", "jobs", &id.to_string(), "resume"]);
        self.ask_json(Ask::new(Method::POST, url)).await
    }

    /// Has a volume of the server's machine measured, by its id or fingerprint. Without `bytes` and `seconds` the server
    /// chooses.
    ///
    /// # Errors
    /// 403 when not an admin's, 404, 409, 422, and the server's.
    pub async fn speed_test(
        &self,
        volume: &str,
        bytes: Option<u64>,
        seconds: Option<u64>,
    ) -> Result<Job, ApiError> {
        let url = self.address.at(&["api", "volumes", volume, "speed-test"]);
        let body = json!({"bytes": bytes, "seconds": seconds});
        self.ask_json(Ask::new(Method::POST, url).json(&body)?).await
    }
}
