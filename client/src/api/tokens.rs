//! What proves a login, and how it is renewed: once for all requests that find it has ended, and by one program at a time.

use std::any::Any;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::error::ApiError;

/// The tokens of a login.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Proves a request.
    pub access: String,
    /// Is exchanged for new tokens, once.
    pub refresh: String,
    /// When the access token ends by this device's clock, in seconds since 1970. Only a hint that saves a request: the
    /// server's word counts.
    pub ends_at: i64,
}

// Tokens never get into a log by way of a struct that somebody prints.
impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("ends_at", &self.ends_at).finish_non_exhaustive()
    }
}

impl Tokens {
    pub(super) fn new(access: String, refresh: String, lifetime: u64) -> Self {
        let lifetime = i64::try_from(lifetime).unwrap_or(i64::MAX);
        Self { access, refresh, ends_at: now().saturating_add(lifetime) }
    }

    /// Whether it is about to end, as far as this device knows.
    fn is_ending(&self) -> bool {
        self.ends_at <= now().saturating_add(10)
    }
}

/// Seconds since 1970 by this device's clock.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Where tokens are kept. Several programs may share one place (a command beside the agent), and a refresh token that is
/// used twice ends its login: so who renews holds the lock, and looks first whether another has done it.
pub trait TokenStore: Send + Sync {
    /// Nobody else renews until the value is dropped. May block.
    ///
    /// # Errors
    /// What the system says.
    fn lock(&self) -> io::Result<Box<dyn Any + Send>>;

    /// What is kept now.
    ///
    /// # Errors
    /// What the system says.
    fn load(&self) -> io::Result<Option<Tokens>>;

    /// Keeps these instead, durably.
    ///
    /// # Errors
    /// What the system says.
    fn save(&self, tokens: Option<&Tokens>) -> io::Result<()>;
}

/// Keeps tokens as long as the program runs.
#[derive(Debug, Default)]
pub struct InMemory(Mutex<Option<Tokens>>);

impl TokenStore for InMemory {
    fn lock(&self) -> io::Result<Box<dyn Any + Send>> {
        Ok(Box::new(()))
    }

    fn load(&self) -> io::Result<Option<Tokens>> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn save(&self, tokens: Option<&Tokens>) -> io::Result<()> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = tokens.cloned();
        Ok(())
    }
}

/// The tokens in use, in front of where they are kept.
pub(super) struct Keyring {
    store: Arc<dyn TokenStore>,
    known: Mutex<Option<Tokens>>,
    renewing: tokio::sync::Mutex<()>,
}

impl Keyring {
    pub(super) fn new(store: Arc<dyn TokenStore>) -> Self {
        Self { store, known: Mutex::new(None), renewing: tokio::sync::Mutex::new(()) }
    }

    /// The access token to use, and whether it had better be renewed before.
    pub(super) fn access(&self) -> Result<(String, bool), ApiError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            *known = self.store.load().map_err(ApiError::Store)?;
        }
        let tokens = known.as_ref().ok_or(ApiError::NotLoggedIn)?;
        Ok((tokens.access.clone(), tokens.is_ending()))
    }

    /// Takes these as the ones in use and keeps them.
    pub(super) fn keep(&self, tokens: Option<Tokens>) -> Result<(), ApiError> {
        // In use even if they cannot be kept: the ones before count no more.
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = tokens.clone();
        self.store.save(tokens.as_ref()).map_err(ApiError::Store)
    }

    /// Another access token than the one that was used. `exchange` is called with the refresh token, at most once at a time.
    pub(super) async fn renew<F>(
        &self,
        used: &str,
        exchange: impl FnOnce(String) -> F,
    ) -> Result<String, ApiError>
    where
        F: Future<Output = Result<Tokens, ApiError>>,
    {
        let _alone = self.renewing.lock().await;
        let (access, _) = self.access()?;
        if access != used {
            return Ok(access);
        }
        let store = Arc::clone(&self.store);
        let locked = tokio::task::spawn_blocking(move || store.lock()).await;
        let _alone_here = locked.map_err(io::Error::other).flatten().map_err(ApiError::Store)?;
        let stored = self.store.load().map_err(ApiError::Store)?.ok_or(ApiError::NotLoggedIn)?;
        if stored.access != used {
            let access = stored.access.clone();
            *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(stored);
            return Ok(access);
        }
        let fresh = exchange(stored.refresh).await?;
        let access = fresh.access.clone();
        self.keep(Some(fresh))?;
        Ok(access)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn tokens(n: u32) -> Tokens {
        Tokens::new(format!("access {n}"), format!("refresh {n}"), 900)
    }

    fn keyring() -> (Arc<InMemory>, Arc<Keyring>) {
        let store = Arc::new(InMemory::default());
        store.save(Some(&tokens(0))).unwrap();
        (Arc::clone(&store), Arc::new(Keyring::new(store)))
    }

    #[tokio::test]
    async fn many_requests_that_find_a_login_ended_renew_it_once() {
        let (store, keyring) = keyring();
        let exchanged = Arc::new(AtomicU32::new(0));
        let all: Vec<_> = (0..20)
            .map(|_| {
                let (keyring, exchanged) = (Arc::clone(&keyring), Arc::clone(&exchanged));
                tokio::spawn(async move {
                    let exchange = |refresh: String| async move {
                        assert_eq!(refresh, "refresh 0");
                        tokio::task::yield_now().await;
                        Ok(tokens(exchanged.fetch_add(1, Ordering::Relaxed) + 1))
                    };
                    keyring.renew("access 0", exchange).await.unwrap()
                })
            })
            .collect();
        for renewed in all {
            assert_eq!(renewed.await.unwrap(), "access 1");
        }
        assert_eq!(store.load().unwrap(), Some(tokens(1)));
    }

    #[tokio::test]
    async fn what_another_program_has_renewed_is_taken_and_not_renewed_again() {
        let (store, keyring) = keyring();
        assert_eq!(keyring.access().unwrap().0, "access 0");
        store.save(Some(&tokens(7))).unwrap();
        let renewed = keyring.renew("access 0", |_| async { Err(ApiError::NotLoggedIn) }).await.unwrap();
        assert_eq!(renewed, "access 7");
        assert_eq!(keyring.access().unwrap().0, "access 7");
    }

    #[test]
    fn tokens_do_not_get_into_a_log() {
        let shown = format!("{:?}", tokens(0));
        assert!(!shown.contains("access 0") && !shown.contains("refresh 0"), "{shown}");
    }
}
