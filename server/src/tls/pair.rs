//! A certificate and its key: read, checked against each other, and looked into.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;

use super::Fault;
use crate::domain::hosts::Host;

/// Largest file that is looked for certificates and keys.
const LARGEST: u64 = 1024 * 1024;

/// A certificate with its chain and its key, ready to be served.
#[derive(Debug, Clone)]
pub struct Pair {
    /// What rustls serves.
    pub key: Arc<CertifiedKey>,
    /// What the certificate says of itself.
    pub about: About,
}

/// What a certificate says of itself.
#[derive(Debug, Clone)]
pub struct About {
    /// Its serial number in hex.
    pub serial: String,
    /// From when it holds, in seconds since 1970.
    pub from: i64,
    /// Until when it holds, in seconds since 1970.
    pub until: i64,
    /// Whom it is for.
    pub hosts: BTreeSet<Host>,
}

impl Pair {
    /// Reads the files that the settings `tls_cert` and `tls_key` name.
    ///
    /// # Errors
    /// A sentence that names the setting and what is wrong with it.
    pub fn read(cert: &Path, key: &Path, provider: &CryptoProvider) -> Result<Self, Fault> {
        let chain = read(cert).and_then(|text| certificates(&text));
        let chain = chain.map_err(|fault| Fault(format!("tls_cert ({}): {fault}", cert.display())))?;
        let secret = read(key).and_then(|text| private_key(&text));
        let secret = secret.map_err(|fault| Fault(format!("tls_key ({}): {fault}", key.display())))?;
        Self::of(chain, secret, provider).map_err(|fault| Fault(format!("tls_cert and tls_key: {fault}")))
    }

    /// Reads key and certificate from one file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read_one(path: &Path, provider: &CryptoProvider) -> Result<Self, Fault> {
        let text = read(path)?;
        Self::of(certificates(&text)?, private_key(&text)?, provider)
    }

    fn of(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        provider: &CryptoProvider,
    ) -> Result<Self, Fault> {
        let about = about(chain.first().ok_or_else(|| Fault::new("there is no certificate"))?)?;
        let key = CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => Fault::new("the key is not the certificate's"),
            other => Fault(other.to_string()),
        })?;
        Ok(Self { key: Arc::new(key), about })
    }

    /// Whether a certificate's key signed this one.
    pub fn is_signed_by(&self, issuer: &CertificateDer<'_>) -> bool {
        let signed = || {
            let issuer = parsed(issuer).ok()?;
            let own = parsed(self.key.cert.first()?).ok()?;
            own.verify_signature(Some(issuer.public_key())).ok()
        };
        signed().is_some()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    let mut text = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| Fault(format!("cannot be read: {error}")))?;
    file.take(LARGEST).read_to_end(&mut text).map_err(|error| Fault(format!("cannot be read: {error}")))?;
    Ok(text)
}

fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let found = found.map_err(|error| Fault(format!("is not PEM: {error}")))?;
    if found.is_empty() { Err(Fault::new("has no certificate in PEM")) } else { Ok(found) }
}

fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, Fault> {
    // Not the parser's own words: they might repeat what it read.
    PrivateKeyDer::from_pem_slice(text)
        .map_err(|_| Fault::new("has no private key in PEM without a password"))
}

fn parsed<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Fault> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der.as_ref())
        .map_err(|error| Fault(format!("is not a certificate: {error}")))?;
    Ok(certificate)
}

/// What a certificate says of itself.
///
/// # Errors
/// When it is none.
pub fn about(der: &CertificateDer<'_>) -> Result<About, Fault> {
    let certificate = parsed(der)?;
    let validity = certificate.validity();
    let mut hosts = BTreeSet::new();
    if let Ok(Some(names)) = certificate.subject_alternative_name() {
        for name in &names.value.general_names {
            match name {
                GeneralName::DNSName(name) => hosts.extend(Host::parse(name)),
                GeneralName::IPAddress(bytes) => hosts.extend(address(bytes).map(Host::Address)),
                _ => {}
            }
        }
    }
    Ok(About {
        serial: hex::encode(certificate.raw_serial()),
        from: validity.not_before.timestamp(),
        until: validity.not_after.timestamp(),
        hosts,
    })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}
