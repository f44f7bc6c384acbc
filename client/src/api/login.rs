//! Logging in and out, and renewing what proves it.

use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::Api;
use super::error::ApiError;
use super::send::Ask;
use super::tokens::Tokens;

/// What an account logs in with.
#[derive(Clone, Serialize)]
pub struct Credentials {
    /// Its name.
    pub username: String,
    /// Its password.
    pub password: String,
    /// The device that the login is to belong to; it ends with the device, and speaks for that one alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    refresh_token: String,
    expires_in: u64,
}

impl From<Answer> for Tokens {
    fn from(answer: Answer) -> Self {
        Self::new(answer.access_token, answer.refresh_token, answer.expires_in)
    }
}

impl Api {
    /// Logs in; the tokens are kept and used from then on.
    ///
    /// # Errors
    /// 401 `wrong-credentials`, 429 after too many attempts, [`ApiError::Store`], and the server's.
    pub async fn login(&self, credentials: &Credentials) -> Result<(), ApiError> {
        let url = self.address.at(&["api", "auth", "login"]);
        // Two logins are two sessions, but nothing else: one whose answer was lost simply runs out.
        let ask = Ask::new(Method::POST, url).anonymous().repeatable().json(credentials)?;
        let answer: Answer = self.ask_json(ask).await?;
        self.tokens.keep(Some(answer.into()))
    }

    /// Ends the login on the server and forgets it here.
    ///
    /// # Errors
    /// The server's; then it is not forgotten.
    pub async fn logout(&self) -> Result<(), ApiError> {
        let ask = Ask::new(Method::POST, self.address.at(&["api", "auth", "logout"]));
        match self.ask_nothing(ask).await {
            // It had ended already.
            Ok(()) | Err(ApiError::NotLoggedIn) => self.tokens.keep(None),
            Err(error) => Err(error),
        }
    }

    /// An access token other than the one that does not count any more.
    pub(super) async fn renewed(&self, used: &str) -> Result<String, ApiError> {
        self.tokens.renew(used, |refresh_token| self.exchange(refresh_token)).await
    }

    async fn exchange(&self, refresh_token: String) -> Result<Tokens, ApiError> {
        #[derive(Serialize)]
        struct Refresh {
            refresh_token: String,
        }
        // A refresh token that comes a second time ends its login, so this is repeated only if it was certainly not heard.
        let ask = Ask::new(Method::POST, self.address.at(&["api", "auth", "refresh"])).anonymous();
        let answer: Result<Answer, _> = Box::pin(self.ask_json(ask.json(&Refresh { refresh_token })?)).await;
        match answer {
            Ok(answer) => Ok(answer.into()),
            Err(ApiError::Problem(problem)) if problem.status == 401 => Err(ApiError::NotLoggedIn),
            Err(error) => Err(error),
        }
    }
}
