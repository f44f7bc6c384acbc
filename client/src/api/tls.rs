//! Whom a secure connection trusts.

use reqwest::Certificate;

use super::error::ApiError;

/// The system's authorities, and one more in PEM. A file of the system's that cannot be read is passed over: whom it would
/// have vouched for is then simply not trusted.
pub(super) fn roots(authority: Option<&[u8]>) -> Result<Vec<Certificate>, ApiError> {
    let mut roots = match authority {
        Some(pem) => authorities_in(pem)?,
        None => Vec::new(),
    };
    let system = rustls_native_certs::load_native_certs().certs;
    roots.extend(system.iter().filter_map(|der| Certificate::from_der(der).ok()));
    Ok(roots)
}

/// The certificates in a PEM file.
///
/// # Errors
/// [`ApiError::Tls`] when there are none.
pub fn authorities_in(pem: &[u8]) -> Result<Vec<Certificate>, ApiError> {
    match Certificate::from_pem_bundle(pem) {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(ApiError::Tls { detail: "the file holds no certificate in PEM".to_owned() }),
    }
}
