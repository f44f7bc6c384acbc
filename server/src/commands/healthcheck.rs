//! `holdfastd healthcheck`: asks the server that runs over the same data directory whether it is ready.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Failure;
use super::serve::listen_file;
use crate::config::Config;

/// Bounds the whole question; a server that takes longer is not ready.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn run(config: &Config) -> Result<(), Failure> {
    // What the server wrote down is where it really listens; the setting may say port 0 or every address.
    let address = match std::fs::read_to_string(listen_file(config)) {
        Ok(address) => address.trim().to_owned(),
        Err(_) => config.listen.clone(),
    };
    let address = address.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:");
    let answer = tokio::time::timeout(PATIENCE, ask(&address)).await;
    let answer = answer.map_err(|_| Failure(format!("{address} did not answer in time")))?;
    let status = answer.map_err(|error| Failure(format!("{address} does not answer: {error}")))?;
    if status.contains(" 200 ") { Ok(()) } else { Err(Failure(format!("{address} is not ready: {status}"))) }
}

/// One request by hand: an HTTP client would be a large thing to carry for this.
async fn ask(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(16 * 1024).read_to_string(&mut answer).await?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}
