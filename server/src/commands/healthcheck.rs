//! `holdfastd healthcheck`: asks the server that runs over the same data directory whether it is ready.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Failure;
use super::serve::listen_file;
use crate::config::Config;

/// Bounds the whole question; a server that takes longer is not ready.
const PATIENCE: Duration = Duration::from_secs(5);
const HTTPS: &str = "https://";

pub(super) async fn run(config: &Config) -> Result<(), Failure> {
    // What the server wrote down is where it really listens; the setting may say port 0 or every address.
    let told = std::fs::read_to_string(listen_file(config)).ok();
    // The first line: http, unless only https is served.
    let told = told.as_deref().and_then(|lines| lines.lines().next()).map(str::to_owned);
    let address = told.or_else(|| from_settings(config)).unwrap_or_default();
    let address = address.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:");
    let answer = tokio::time::timeout(PATIENCE, ask(&address)).await;
    let answer = answer.map_err(|_| Failure(format!("{address} did not answer in time")))?;
    let status = answer.map_err(|error| Failure(format!("{address} does not answer: {error}")))?;
    if status.contains(" 200 ") { Ok(()) } else { Err(Failure(format!("{address} is not ready: {status}"))) }
}

fn from_settings(config: &Config) -> Option<String> {
    let secure = || config.tls.as_ref().map(|tls| format!("{HTTPS}{}", tls.listen));
    config.listen.clone().or_else(secure)
}

/// One request by hand: an HTTP client would be a large thing to carry for this.
async fn ask(address: &str) -> std::io::Result<String> {
    let Some(address) = address.strip_prefix(HTTPS) else {
        return ask_over(TcpStream::connect(address).await?, address).await;
    };
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(WhoeverAnswers(Arc::clone(&provider)));
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
    let stream = TcpStream::connect(address).await?;
    ask_over(TlsConnector::from(Arc::new(config)).connect(name, stream).await?, address).await
}

async fn ask_over(mut stream: impl AsyncRead + AsyncWrite + Unpin, host: &str) -> std::io::Result<String> {
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(16 * 1024).read_to_string(&mut answer).await?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

/// Asks for no certificate in particular: the question goes to this machine, carries no secret, and is about whether there
/// is an answer. A certificate for another name, or one that has ended, is no reason to restart a server.
#[derive(Debug)]
struct WhoeverAnswers(Arc<CryptoProvider>);

impl ServerCertVerifier for WhoeverAnswers {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            cert,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            cert,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
