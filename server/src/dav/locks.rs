//! Locks, kept in memory: they end with the process, and with their time.
//!
//! They are held by drive and path in it, so that two names of one drive share them and two drives of one name do not.

use std::time::{Duration, SystemTime};

use dav_server::davpath::DavPath;
use dav_server::ls::{DavLock, DavLockSystem, LsFuture};
use dav_server::memls::MemLs;
use holdfast_protocol::DrivePath;
use uuid::Uuid;
use xmltree::Element;

use super::PREFIX;
use super::address::{Place, encoded};

/// How long a lock holds when nobody says, or says "for ever".
const USUAL: Duration = Duration::from_secs(600);
/// Longest time that a lock holds without being refreshed.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Every lock of this process; clones are the same.
#[derive(Debug, Clone)]
pub struct Locks(Box<MemLs>);

impl Default for Locks {
    fn default() -> Self {
        Self(MemLs::new())
    }
}

impl Locks {
    /// Whether a lock forbids a write: one that covers the path (or, `deep`, anything beneath) and whose token was not sent
    /// by the one who holds it.
    pub async fn in_the_way(
        &self,
        drive: Uuid,
        path: &DrivePath,
        principal: &str,
        deep: bool,
        tokens: &[String],
    ) -> bool {
        let Some(key) = key(drive, path) else { return false };
        self.check(&key, Some(principal), false, deep, tokens).await.is_err()
    }

    /// Whether a path is covered by the lock with this token.
    pub async fn is_locked_by(&self, drive: Uuid, path: &DrivePath, token: &str) -> bool {
        let Some(key) = key(drive, path) else { return false };
        self.covering(&key).await.iter().any(|lock| lock.token == token)
    }

    /// Ends every lock at or beneath a path: what was there has been deleted or moved away.
    pub async fn forget(&self, drive: Uuid, path: &DrivePath) {
        if let Some(key) = key(drive, path) {
            // Without a lock there is nothing to end.
            let _ = self.0.delete(&key).await;
        }
    }

    async fn covering(&self, key: &DavPath) -> Vec<DavLock> {
        let mut live = Vec::new();
        for lock in self.0.discover(key).await {
            if is_over(&lock) {
                let _ = self.0.unlock(&lock.path, &lock.token).await;
            } else if lock.deep || *lock.path == *key {
                live.push(lock);
            }
        }
        live
    }

    async fn check(
        &self,
        key: &DavPath,
        principal: Option<&str>,
        ignore_principal: bool,
        deep: bool,
        tokens: &[String],
    ) -> Result<(), DavLock> {
        loop {
            match self.0.check(key, principal, ignore_principal, deep, tokens).await {
                Err(lock) if is_over(&lock) && self.0.unlock(&lock.path, &lock.token).await.is_ok() => {}
                answer => return answer,
            }
        }
    }
}

fn is_over(lock: &DavLock) -> bool {
    lock.timeout_at.is_some_and(|end| end < SystemTime::now())
}

fn key(drive: Uuid, path: &DrivePath) -> Option<DavPath> {
    DavPath::new(&format!("/{drive}/{}", encoded(path))).ok()
}

/// The locks as one request sees them: under the address by which it named its drive.
#[derive(Debug, Clone)]
pub struct Seen {
    locks: Locks,
    /// The drive; `None` above all drives, where nothing can be locked.
    drive: Option<(Uuid, Place)>,
}

impl Seen {
    /// The locks of a drive under the address of a request.
    pub fn new(locks: &Locks, drive: Option<(Uuid, Place)>) -> Self {
        Self { locks: locks.clone(), drive }
    }

    fn key(&self, path: &DavPath) -> Option<DavPath> {
        let (drive, place) = self.drive.as_ref()?;
        let there = Place::parse(&format!("{PREFIX}{}", path.as_url_string())).ok()?;
        match &there {
            Place::Inside { path, .. } if there.same_drive(place) => key(*drive, path),
            _ => None,
        }
    }

    /// A lock with its path as an address again.
    fn shown(&self, mut lock: DavLock) -> DavLock {
        let inside = lock.path.as_url_string();
        let rest = inside.trim_start_matches('/').split_once('/').map_or("", |(_, rest)| rest);
        let shown = self.drive.as_ref().and_then(|(_, place)| {
            let root = place.address_of(&DrivePath::root());
            let mut address = DavPath::new(&format!("{PREFIX}{root}{rest}")).ok()?;
            address.set_prefix(PREFIX).ok()?;
            Some(address)
        });
        if let Some(address) = shown {
            lock.path = Box::new(address);
        }
        lock
    }
}

/// What answers where nothing can be locked. Nobody gets this far: such a request was refused before.
fn nowhere(path: &DavPath) -> DavLock {
    DavLock {
        token: String::new(),
        path: Box::new(path.clone()),
        principal: None,
        owner: None,
        timeout_at: None,
        timeout: None,
        shared: false,
        deep: false,
    }
}

fn bounded(timeout: Option<Duration>) -> Option<Duration> {
    Some(timeout.unwrap_or(USUAL).min(LONGEST))
}

impl DavLockSystem for Seen {
    fn lock(
        &'_ self,
        path: &DavPath,
        principal: Option<&str>,
        owner: Option<&Element>,
        timeout: Option<Duration>,
        shared: bool,
        deep: bool,
    ) -> LsFuture<'_, Result<DavLock, DavLock>> {
        let (key, refused) = (self.key(path), nowhere(path));
        let (principal, owner) = (principal.map(str::to_owned), owner.cloned());
        Box::pin(async move {
            let Some(key) = key else { return Err(refused) };
            loop {
                let locked = self.locks.0.lock(
                    &key,
                    principal.as_deref(),
                    owner.as_ref(),
                    bounded(timeout),
                    shared,
                    deep,
                );
                match locked.await {
                    Ok(lock) => return Ok(self.shown(lock)),
                    Err(other)
                        if is_over(&other)
                            && self.locks.0.unlock(&other.path, &other.token).await.is_ok() => {}
                    Err(other) => return Err(self.shown(other)),
                }
            }
        })
    }

    fn unlock(&'_ self, path: &DavPath, token: &str) -> LsFuture<'_, Result<(), ()>> {
        let (key, token) = (self.key(path), token.to_owned());
        Box::pin(async move { self.locks.0.unlock(&key.ok_or(())?, &token).await })
    }

    fn refresh(
        &'_ self,
        path: &DavPath,
        token: &str,
        timeout: Option<Duration>,
    ) -> LsFuture<'_, Result<DavLock, ()>> {
        let (key, token) = (self.key(path), token.to_owned());
        Box::pin(async move {
            let key = key.ok_or(())?;
            // One whose time is over is gone, however much its holder would like to go on.
            self.locks.covering(&key).await;
            self.locks.0.refresh(&key, &token, bounded(timeout)).await.map(|lock| self.shown(lock))
        })
    }

    fn check(
        &'_ self,
        path: &DavPath,
        principal: Option<&str>,
        ignore_principal: bool,
        deep: bool,
        submitted_tokens: &[String],
    ) -> LsFuture<'_, Result<(), DavLock>> {
        let (key, principal) = (self.key(path), principal.map(str::to_owned));
        let tokens = submitted_tokens.to_vec();
        Box::pin(async move {
            let Some(key) = key else { return Ok(()) };
            self.locks
                .check(&key, principal.as_deref(), ignore_principal, deep, &tokens)
                .await
                .map_err(|lock| self.shown(lock))
        })
    }

    fn discover(&'_ self, path: &DavPath) -> LsFuture<'_, Vec<DavLock>> {
        let key = self.key(path);
        Box::pin(async move {
            let Some(key) = key else { return Vec::new() };
            self.locks.covering(&key).await.into_iter().map(|lock| self.shown(lock)).collect()
        })
    }

    fn delete(&'_ self, path: &DavPath) -> LsFuture<'_, Result<(), ()>> {
        let key = self.key(path);
        Box::pin(async move { self.locks.0.delete(&key.ok_or(())?).await })
    }
}
