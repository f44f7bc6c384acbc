//! The server's own secret, made at first start and kept beside the catalogue, and the keys derived from it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use sha2::Sha256;

/// Bytes of the secret and of each key.
pub const KEY_LEN: usize = 32;

/// The keys derived from `secret.key`. A copy of the catalogue without that file proves nothing to this server.
pub struct Keys {
    access: [u8; KEY_LEN],
    refresh: [u8; KEY_LEN],
    app_password: [u8; KEY_LEN],
    verdict: [u8; KEY_LEN],
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(hidden)")
    }
}

impl Keys {
    /// Reads `<data_dir>/secret.key`, or makes it.
    ///
    /// # Errors
    /// When it cannot be read or written, or is not a key.
    pub fn open(data_dir: &Path) -> io::Result<Self> {
        let path = data_dir.join("secret.key");
        let secret = match read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(data_dir, &path)?,
            other => other?,
        };
        Ok(Self::derive(&secret))
    }

    fn derive(secret: &[u8; KEY_LEN]) -> Self {
        Self {
            access: mac(secret, &[b"holdfast access token, 1"]),
            refresh: mac(secret, &[b"holdfast refresh token, 1"]),
            app_password: mac(secret, &[b"holdfast app password, 1"]),
            verdict: mac(secret, &[b"holdfast password verdict, 1"]),
        }
    }

    /// Signs access tokens (HS256).
    pub fn access(&self) -> &[u8; KEY_LEN] {
        &self.access
    }

    /// Proves a refresh token.
    pub fn refresh_proof(&self, token: &[u8]) -> [u8; KEY_LEN] {
        mac(&self.refresh, &[token])
    }

    /// What the catalogue keeps of an app password.
    pub fn app_password_hash(&self, secret: &str) -> [u8; KEY_LEN] {
        mac(&self.app_password, &[secret.as_bytes()])
    }

    /// What memory keeps of a name and password that were found right.
    pub fn verdict(&self, username_key: &str, password: &str) -> [u8; KEY_LEN] {
        let length = (username_key.len() as u64).to_be_bytes();
        mac(&self.verdict, &[&length, username_key.as_bytes(), password.as_bytes()])
    }
}

fn mac(key: &[u8; KEY_LEN], parts: &[&[u8]]) -> [u8; KEY_LEN] {
    // HMAC fills its key with zeros to the hash's block (RFC 2104, section 2); a key of that size cannot be refused.
    let mut block = [0; 64];
    block[..KEY_LEN].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// Random bytes from the operating system.
///
/// # Errors
/// When it has none to give.
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    OsRng.try_fill_bytes(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// Makes the data directory for its owner alone when it is absent; one that exists is left as it is, because a
/// household may share the drives in it on purpose.
///
/// # Errors
/// When it cannot be made.
pub fn make_data_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn read(path: &Path) -> io::Result<[u8; KEY_LEN]> {
    let mut text = String::new();
    File::open(path)?.take(1024).read_to_string(&mut text)?;
    let mut key = [0; KEY_LEN];
    hex::decode_to_slice(text.trim(), &mut key).map_err(|_| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{} is not a key", path.display()))
    })?;
    Ok(key)
}

/// Written whole and synced under another name, then linked: two processes that start at once end with one key.
fn make(data_dir: &Path, path: &Path) -> io::Result<[u8; KEY_LEN]> {
    let name: [u8; 8] = random()?;
    let fresh = data_dir.join(format!("secret.key.{}", hex::encode(name)));
    let secret: [u8; KEY_LEN] = random()?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    let linked = writeln!(file, "{}", hex::encode(secret))
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::hard_link(&fresh, path));
    std::fs::remove_file(&fresh)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => File::open(data_dir)?.sync_all()?,
    }
    read(path)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_is_made_once_for_its_owner_alone() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("data");
        make_data_dir(&dir).unwrap();
        let first = Keys::open(&dir).unwrap();
        let second = Keys::open(&dir).unwrap();
        assert_eq!(first.access(), second.access());
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir), 0o700);
        assert_eq!(mode(&dir.join("secret.key")), 0o600);
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1, "nothing else is left behind");
    }

    #[test]
    fn a_damaged_key_is_refused_rather_than_replaced() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("secret.key"), "not a key").unwrap();
        assert!(Keys::open(dir.path()).is_err());
    }

    #[test]
    fn where_the_name_ends_and_the_password_begins_matters() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::open(dir.path()).unwrap();
        assert_ne!(keys.verdict("ada", "xpass"), keys.verdict("adax", "pass"));
    }
}
