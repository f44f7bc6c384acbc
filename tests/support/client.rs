//! A small HTTP client that says what it sees.

use reqwest::{Method, RequestBuilder};
use serde_json::Value;

/// Talks to one server, with one credential or none.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    credential: Credential,
    device: Option<String>,
}

#[derive(Debug, Clone)]
enum Credential {
    None,
    Bearer { access: String, refresh: String },
    Basic { username: String, password: String },
}

/// What came back, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The version of HTTP it came over.
    pub version: reqwest::Version,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body.
    pub bytes: Vec<u8>,
    /// What was asked, for messages.
    asked: String,
}

impl Client {
    /// Without a credential.
    pub fn new(url: &str) -> Self {
        Self::using(reqwest::Client::new(), url)
    }

    /// Without a credential, over connections of one's own making: what they trust, which HTTP they speak.
    pub fn using(http: reqwest::Client, url: &str) -> Self {
        Self { http, url: url.to_owned(), credential: Credential::None, device: None }
    }

    /// Signed in with an account's password.
    ///
    /// # Panics
    /// When that is refused.
    pub async fn login(&self, username: &str, password: &str) -> Self {
        let body = serde_json::json!({"username": username, "password": password});
        self.with_tokens(&self.post("/api/auth/login", body).await.expect(200))
    }

    /// With the tokens of a login's or a refresh's answer.
    ///
    /// # Panics
    /// When they are not in it.
    pub fn with_tokens(&self, tokens: &Value) -> Self {
        let text = |key: &str| match &tokens[key] {
            Value::String(text) => text.clone(),
            other => panic!("no {key} in the tokens: {other}"),
        };
        let credential = Credential::Bearer { access: text("access_token"), refresh: text("refresh_token") };
        Self { credential, ..self.clone() }
    }

    /// With this access token and no refresh token.
    pub fn with_access_token(&self, access: &str) -> Self {
        let credential = Credential::Bearer { access: access.to_owned(), refresh: String::new() };
        Self { credential, ..self.clone() }
    }

    /// With Basic.
    pub fn basic(&self, username: &str, password: &str) -> Self {
        let credential = Credential::Basic { username: username.to_owned(), password: password.to_owned() };
        Self { credential, ..self.clone() }
    }

    /// Without any credential.
    pub fn anonymous(&self) -> Self {
        Self { credential: Credential::None, ..self.clone() }
    }

    /// Naming a device with each request (`Holdfast-Device`).
    pub fn on_device(&self, device_id: &str) -> Self {
        Self { device: Some(device_id.to_owned()), ..self.clone() }
    }

    /// The same credential at a server's new address.
    pub fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// The access token, or nothing.
    pub fn access_token(&self) -> &str {
        match &self.credential {
            Credential::Bearer { access, .. } => access,
            _ => "",
        }
    }

    /// The refresh token, or nothing.
    pub fn refresh_token(&self) -> &str {
        match &self.credential {
            Credential::Bearer { refresh, .. } => refresh,
            _ => "",
        }
    }

    /// A request with the credential and device, to be added to. `path` begins with a slash and is sent as it is.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        let request = match &self.credential {
            Credential::None => request,
            Credential::Bearer { access, .. } => request.bearer_auth(access),
            Credential::Basic { username, password } => request.basic_auth(username, Some(password)),
        };
        match &self.device {
            Some(device) => request.header("Holdfast-Device", device),
            None => request,
        }
    }

    /// Sends a request that was built with [`Client::request`].
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        match self.try_send(request).await {
            Ok(answer) => answer,
            Err(error) => panic!("no answer: {error:?}"),
        }
    }

    /// Sends a request; the server may be gone.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub async fn try_send(&self, request: RequestBuilder) -> Result<Answer, reqwest::Error> {
        let request = request.build()?;
        let asked = format!("{} {}", request.method(), request.url().path());
        let response = self.http.execute(request).await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let version = response.version();
        Ok(Answer { status, version, headers, bytes: response.bytes().await?.to_vec(), asked })
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// POST with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    /// PATCH with a JSON body.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PATCH, path).json(&body)).await
    }

    /// PUT with any body.
    pub async fn put(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.send(self.request(Method::PUT, path).body(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }
}

impl Answer {
    /// The body as text, as far as it is text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as JSON, if the status is this one.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{} answered {}: {}", self.asked, self.status, self.text());
        self.json()
    }

    /// The body as problem+json of this status, whole and consistent.
    ///
    /// # Panics
    /// When it is anything else.
    #[track_caller]
    pub fn expect_problem(self, status: u16) -> Value {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{}: {}",
            self.asked,
            self.text()
        );
        let asked = self.asked.clone();
        let problem = self.expect(status);
        assert_eq!(problem["status"], status, "{asked}: {problem}");
        for field in ["type", "title", "detail", "instance"] {
            assert!(
                problem[field].as_str().is_some_and(|text| !text.is_empty()),
                "{asked}: no {field}: {problem}"
            );
        }
        problem
    }

    /// A problem with this name (the end of its `type`).
    ///
    /// # Panics
    /// When it is anything else.
    #[track_caller]
    pub fn expect_problem_named(self, status: u16, name: &str) -> Value {
        let problem = self.expect_problem(status);
        assert_eq!(problem["type"], format!("urn:holdfast:problem:{name}"), "{problem}");
        problem
    }
}
