//! A server that answers whatever a test wants, bytes as they are.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::tool::Tool;

/// What is done with a request.
pub enum Answer {
    /// These bytes, then the connection is closed.
    Bytes(Vec<u8>),
    /// These bytes, then nothing more for ever.
    Stall(Vec<u8>),
}

/// A request as it arrived: its head, in one text.
pub type Heads = Arc<Mutex<Vec<String>>>;

/// A running one.
pub struct Fake {
    pub url: String,
    pub heads: Heads,
}

impl Fake {
    /// Answers each request by its head; what has to do with logging in is answered as a real one would.
    pub async fn start(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heads = Heads::default();
        let (answer, noted) = (Arc::new(answer), Arc::clone(&heads));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, noted) = (Arc::clone(&answer), Arc::clone(&noted));
                tokio::spawn(async move { serve(stream, &*answer, &noted).await });
            }
        });
        Self { url, heads }
    }

    /// A device that is logged in here.
    pub async fn device(&self) -> Tool {
        let tool = Tool::new();
        tool.run_with(&["login", &self.url, "-u", "ada", "--password-stdin"], "secret\n").await.ok();
        // Nobody wants to wait for a minute in a test.
        tool.run(&["config", "set", "silence", "1"]).await.ok();
        tool.run(&["config", "set", "attempts", "2"]).await.ok();
        tool
    }

    /// The heads of the requests for something.
    pub fn asked(&self, what: &str) -> Vec<String> {
        self.heads.lock().unwrap().iter().filter(|head| head.contains(what)).cloned().collect()
    }
}

async fn serve(mut stream: TcpStream, answer: &(impl Fn(&str) -> Answer + Sync), noted: &Mutex<Vec<String>>) {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length = header(&head, "content-length").and_then(|length| length.parse::<usize>().ok()).unwrap_or(0);
    while bytes.len() < end + 4 + length {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    }
    noted.lock().unwrap().push(head.clone());
    let of_login = if head.contains("/api/auth/login") {
        Some(
            r#"{"access_token": "access", "refresh_token": "refresh", "token_type": "bearer", "expires_in": 900}"#,
        )
    } else if head.contains("/api/sync/register") {
        Some("{}")
    } else if head.contains("/api/me ") {
        Some(r#"{"id": "01a217c2-890f-7498-b024-290fe2a74347", "username": "ada"}"#)
    } else {
        None
    };
    let answer = of_login.map_or_else(|| answer(&head), |body| json(200, body));
    match answer {
        Answer::Bytes(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Answer::Stall(bytes) => {
            let _ = stream.write_all(&bytes).await;
            std::future::pending::<()>().await;
        }
    }
}

/// A header of a request.
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// An answer with headers and a body.
pub fn answer(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Status\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    [head.as_bytes(), body.as_ref()].concat()
}

/// An answer in JSON.
pub fn json(status: u16, body: &str) -> Answer {
    let length = body.len().to_string();
    Answer::Bytes(answer(status, &[("Content-Type", "application/json"), ("Content-Length", &length)], body))
}
