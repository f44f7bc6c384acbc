//! Account passwords: Argon2id, off the async threads, a few at a time.

use std::sync::{Arc, LazyLock};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;

use crate::config::Secret;
use crate::error::{Error, Result};

/// Most that wait for their turn; each holds a request open.
const WAITING: usize = 64;

/// Of a password nobody has: an unknown user costs as much time as a known one. Argon2id with the crate's defaults
/// (19 MiB, two passes: OWASP's first choice).
static NOBODY: LazyLock<String> = LazyLock::new(|| {
    let password = uuid::Uuid::new_v4();
    Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string()).unwrap_or_default()
});

/// Hashes and verifies passwords.
#[derive(Debug)]
pub struct Passwords {
    running: Arc<Semaphore>,
    line: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { running: Arc::new(Semaphore::new(cores.clamp(1, 4))), line: Arc::new(Semaphore::new(WAITING)) }
    }
}

impl Passwords {
    /// A PHC string of a password, salted anew.
    ///
    /// # Errors
    /// When too many wait, or the system has no randomness.
    pub async fn hash(&self, password: Secret) -> Result<String> {
        self.run(move || {
            Argon2::default()
                .hash_password(password.reveal().as_bytes())
                .map(|hash| hash.to_string())
                .map_err(|error| Error::internal(error.to_string()))
        })
        .await
    }

    /// Whether a password is the one of a PHC string; without one it is not, and takes as long.
    ///
    /// # Errors
    /// When too many wait.
    pub async fn verify(&self, password: Secret, stored: Option<String>) -> Result<bool> {
        self.run(move || {
            let known = stored.is_some();
            let stored = stored.unwrap_or_else(|| NOBODY.clone());
            let right = PasswordHash::new(&stored).is_ok_and(|hash| {
                Argon2::default().verify_password(password.reveal().as_bytes(), &hash).is_ok()
            });
            Ok(right && known)
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let stopping = || Error::unavailable("the server is stopping", 5);
        let place = Arc::clone(&self.line)
            .try_acquire_owned()
            .map_err(|_| Error::unavailable("too many are signing in at once", 2))?;
        let turn = Arc::clone(&self.running).acquire_owned().await.map_err(|_| stopping())?;
        let result = tokio::task::spawn_blocking(move || {
            let result = work();
            drop((turn, place));
            result
        });
        result.await.map_err(Error::internal)?
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

    use super::*;

    #[tokio::test]
    async fn only_the_right_password_is_right() {
        let passwords = Passwords::default();
        let stored = passwords.hash(Secret::new("correct horse")).await.unwrap();
        assert!(stored.starts_with("$argon2id$"));
        assert!(passwords.verify(Secret::new("correct horse"), Some(stored.clone())).await.unwrap());
        assert!(!passwords.verify(Secret::new("correct hors"), Some(stored)).await.unwrap());
    }

    #[tokio::test]
    async fn nobody_has_no_password() {
        let passwords = Passwords::default();
        assert!(!passwords.verify(Secret::new(""), None).await.unwrap());
        assert!(PasswordHash::new(&NOBODY).is_ok(), "an unknown user is compared with a real hash");
    }
}
