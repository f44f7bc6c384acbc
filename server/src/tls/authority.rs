//! The server's own authority: it vouches for the names of this machine towards a household's devices.
//!
//! `tls/ca.key` and `tls/ca.crt` are made once; `tls/server.pem` is made anew before it ends, or when the machine has a name
//! or an address that it does not bear.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime};

use super::pair::{self, Pair};
use super::{Fault, keep};
use crate::domain::hosts::Host;

/// How long the authority itself holds: a household installs it on its devices once.
const AUTHORITY_FOR: Duration = Duration::days(3650);
/// How long a server certificate holds. Apple's systems take none for longer than 825 days, and 398 from public authorities.
const SERVER_FOR: Duration = Duration::days(365);
/// What must be left of it; then it is made anew.
const RENEW_BEFORE: Duration = Duration::days(30);
/// Both begin a little earlier, for devices whose clock is behind.
const EARLIER: Duration = Duration::days(1);

const KEY: &str = "ca.key";
const CERTIFICATE: &str = "ca.crt";
const SERVER: &str = "server.pem";

/// The authority. Its key stays on the disk and is read only to sign.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    certificate: CertificateDer<'static>,
    /// The certificate as it is handed out.
    pub public: Public,
}

/// What anybody may have of the authority.
#[derive(Debug, Clone)]
pub struct Public {
    /// Its certificate in PEM.
    pub pem: String,
    /// Its certificate in DER.
    pub der: Vec<u8>,
    /// SHA-256 of the latter, as programs show it: pairs of hex digits with colons.
    pub fingerprint: String,
}

impl Authority {
    /// Reads the authority in `folder`, or makes it. `host` goes into its name, `now` is seconds since 1970.
    ///
    /// # Errors
    /// When it cannot be read or written, or what lies there is not whole: it is refused rather than replaced, for devices
    /// trust it.
    pub fn open(folder: &Path, host: &str, now: i64) -> Result<Self, Fault> {
        keep::folder(folder).map_err(|error| Fault(format!("cannot make {}: {error}", folder.display())))?;
        if !folder.join(CERTIFICATE).exists() {
            make(folder, host, now)?;
        }
        let path = folder.join(CERTIFICATE);
        let told = |what: &str| Fault(format!("{}: {what}", path.display()));
        let pem = std::fs::read_to_string(&path).map_err(|error| told(&error.to_string()))?;
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| told("is not a certificate in PEM"))?;
        let about = pair::about(&certificate).map_err(|fault| told(&fault.0))?;
        if about.until < now {
            return Err(told("has ended; remove the folder, and the next start makes another authority"));
        }
        let public = Public { der: certificate.to_vec(), fingerprint: fingerprint(&certificate), pem };
        let authority = Self { folder: folder.to_owned(), certificate, public };
        authority.signer()?;
        Ok(authority)
    }

    /// The certificate for these names: the one that is kept, as long as it will do, else a new one.
    ///
    /// # Errors
    /// When a new one is needed and cannot be made.
    pub fn server(&self, hosts: &BTreeSet<Host>, now: i64, provider: &CryptoProvider) -> Result<Pair, Fault> {
        let path = self.folder.join(SERVER);
        match Pair::read_one(&path, provider) {
            Ok(pair) if self.will_do(&pair, hosts, now) => return Ok(pair),
            Ok(_) => {}
            Err(fault) if path.exists() => tracing::warn!(%fault, "{} is made anew", path.display()),
            Err(_) => {}
        }
        self.issue(hosts, now)?;
        Pair::read_one(&path, provider)
    }

    fn will_do(&self, pair: &Pair, hosts: &BTreeSet<Host>, now: i64) -> bool {
        let about = &pair.about;
        // A name that the machine has no more does no harm until the next time.
        about.from <= now
            && about.until - now > RENEW_BEFORE.whole_seconds()
            && hosts.is_subset(&about.hosts)
            && pair.is_signed_by(&self.certificate)
    }

    fn issue(&self, hosts: &BTreeSet<Host>, now: i64) -> Result<(), Fault> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = hosts.iter().filter_map(alternative).collect();
        let first = hosts.iter().find_map(|host| match host {
            Host::Name(name) if name != "localhost" => Some(name.as_str()),
            _ => None,
        });
        params.distinguished_name.remove(DnType::CommonName);
        // RFC 5280, appendix A.1: a common name has at most 64 characters.
        params
            .distinguished_name
            .push(DnType::CommonName, first.filter(|name| name.len() <= 64).unwrap_or("Holdfast"));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let begin = at(now)? - EARLIER;
        params.not_before = begin;
        params.not_after = (begin + SERVER_FOR).min(at(pair::about(&self.certificate)?.until)?);
        let key = new_key()?;
        let certificate = params.signed_by(&key, &self.signer()?).map_err(made)?;
        let text = format!("{}{}", key.serialize_pem(), certificate.pem());
        keep::write(&self.folder, SERVER, &text, 0o600)
            .map_err(|error| Fault(format!("cannot write {}: {error}", self.folder.join(SERVER).display())))
    }

    fn signer(&self) -> Result<Issuer<'static, KeyPair>, Fault> {
        let path = self.folder.join(KEY);
        let told = |what: &str| Fault(format!("{}: {what}", path.display()));
        let pem = std::fs::read_to_string(&path).map_err(|error| told(&error.to_string()))?;
        let key = KeyPair::from_pem(&pem).map_err(|_| told("is not a private key in PEM"))?;
        let bytes = key.public_key_raw();
        // The certificate holds the public key as it is; another's would sign what no device believes.
        if !self.certificate.windows(bytes.len()).any(|window| window == bytes) {
            return Err(told("is not the key of the certificate beside it"));
        }
        Issuer::from_ca_cert_der(&self.certificate, key).map_err(made)
    }
}

/// The key first: a certificate without one would be refused at the next start, a key without one is written over.
fn make(folder: &Path, host: &str, now: i64) -> Result<(), Fault> {
    let told = |error: std::io::Error| Fault(format!("cannot write into {}: {error}", folder.display()));
    let mut params = CertificateParams::default();
    let name: String = host.chars().filter(|c| !c.is_control()).take(40).collect();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, format!("Holdfast {name}").trim_end());
    params.distinguished_name.push(DnType::OrganizationName, "Holdfast");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = at(now)? - EARLIER;
    params.not_after = at(now)? + AUTHORITY_FOR;
    let key = new_key()?;
    let certificate = params.self_signed(&key).map_err(made)?;
    keep::write(folder, KEY, &key.serialize_pem(), 0o600).map_err(told)?;
    keep::write(folder, CERTIFICATE, &certificate.pem(), 0o644).map_err(told)
}

/// NIST P-256: the one that every system's own certificate store takes.
fn new_key() -> Result<KeyPair, Fault> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(made)
}

fn alternative(host: &Host) -> Option<SanType> {
    match host {
        Host::Name(name) => name.as_str().try_into().ok().map(SanType::DnsName),
        Host::Address(address) => Some(SanType::IpAddress(*address)),
    }
}

fn at(seconds: i64) -> Result<OffsetDateTime, Fault> {
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| Fault::new("the clock is far from any time"))
}

fn made(error: rcgen::Error) -> Fault {
    Fault(format!("no certificate could be made: {error}"))
}

fn fingerprint(certificate: &[u8]) -> String {
    let pairs: Vec<String> = Sha256::digest(certificate).iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const NOW: i64 = 1_800_000_000;
    const DAY: i64 = 86_400;

    fn hosts(names: &[&str]) -> BTreeSet<Host> {
        names.iter().map(|name| Host::parse(name).unwrap()).collect()
    }

    fn serial(authority: &Authority, names: &[&str], now: i64) -> String {
        let provider = rustls::crypto::ring::default_provider();
        let pair = authority.server(&hosts(names), now, &provider).unwrap();
        assert!(hosts(names).is_subset(&pair.about.hosts), "{:?}", pair.about);
        assert!(pair.is_signed_by(&authority.certificate));
        assert!(pair.about.until - pair.about.from <= 397 * DAY);
        assert!(pair.about.from < now && now < pair.about.until);
        pair.about.serial
    }

    #[test]
    fn it_is_made_once_and_its_keys_are_for_their_owner_alone() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join("tls");
        let first = Authority::open(&folder, "nas", NOW).unwrap();
        serial(&first, &["nas"], NOW);
        let second = Authority::open(&folder, "renamed", NOW + DAY).unwrap();
        assert_eq!(first.public.fingerprint, second.public.fingerprint);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join(KEY)), 0o600);
        assert_eq!(mode(&folder.join(SERVER)), 0o600);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 3, "nothing else is left behind");
    }

    #[test]
    fn a_certificate_is_kept_until_it_is_about_to_end_or_lacks_a_name() {
        let data = tempfile::tempdir().unwrap();
        let authority = Authority::open(&data.path().join("tls"), "nas", NOW).unwrap();
        let first = serial(&authority, &["nas", "192.168.1.2"], NOW);
        assert_eq!(serial(&authority, &["nas", "192.168.1.2"], NOW + 300 * DAY), first);
        assert_eq!(serial(&authority, &["nas"], NOW), first, "a name too many does no harm");
        let second = serial(&authority, &["nas", "192.168.1.3"], NOW);
        assert_ne!(second, first);
        assert_ne!(serial(&authority, &["nas"], NOW + 340 * DAY), second);
    }

    #[test]
    fn what_another_authority_signed_or_what_is_broken_is_made_anew() {
        let data = tempfile::tempdir().unwrap();
        let (one, other) = (data.path().join("one"), data.path().join("other"));
        let first = Authority::open(&one, "nas", NOW).unwrap();
        let foreign = serial(&first, &["nas"], NOW);
        let second = Authority::open(&other, "nas", NOW).unwrap();
        std::fs::copy(one.join(SERVER), other.join(SERVER)).unwrap();
        let own = serial(&second, &["nas"], NOW);
        assert_ne!(own, foreign);
        std::fs::write(other.join(SERVER), "half a").unwrap();
        assert_ne!(serial(&second, &["nas"], NOW), own);
    }

    #[test]
    fn an_authority_that_is_not_whole_is_refused_rather_than_replaced() {
        let data = tempfile::tempdir().unwrap();
        let (one, other) = (data.path().join("one"), data.path().join("other"));
        Authority::open(&one, "nas", NOW).unwrap();
        Authority::open(&other, "nas", NOW).unwrap();
        let told = |folder: &Path| Authority::open(folder, "nas", NOW).unwrap_err().to_string();
        std::fs::copy(other.join(KEY), one.join(KEY)).unwrap();
        assert!(told(&one).contains("ca.key"), "{}", told(&one));
        std::fs::remove_file(one.join(KEY)).unwrap();
        assert!(told(&one).contains("ca.key"), "{}", told(&one));
        std::fs::write(other.join(CERTIFICATE), "nonsense").unwrap();
        assert!(told(&other).contains("ca.crt"), "{}", told(&other));
    }

    #[test]
    fn a_crash_between_key_and_certificate_is_no_end() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join("tls");
        Authority::open(&folder, "nas", NOW).unwrap();
        std::fs::remove_file(folder.join(CERTIFICATE)).unwrap();
        serial(&Authority::open(&folder, "nas", NOW).unwrap(), &["nas"], NOW);
    }

    #[test]
    fn near_its_own_end_it_signs_nothing_beyond_it_and_after_it_nothing_at_all() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join("tls");
        let authority = Authority::open(&folder, "nas", NOW).unwrap();
        serial(&authority, &["nas"], NOW + 3600 * DAY);
        let text = Authority::open(&folder, "nas", NOW + 3651 * DAY).unwrap_err().to_string();
        assert!(text.contains("has ended"), "{text}");
    }
}
