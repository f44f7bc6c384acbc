//! The REST client: one typed method for each thing that a server can be asked.
//!
//! What every method promises: tokens are renewed by themselves; what may be repeated is, a bounded number of times; a
//! server that is silent, cut off or talks nonsense is an [`ApiError`] and never half a result. Redirects are not followed,
//! so a credential is sent to the server that it is for and to no other.

mod account;
mod address;
mod answer;
mod batch;
mod conflicts;
mod content;
mod delta;
mod devices;
mod drives;
mod error;
mod feed;
mod files;
mod history;
mod jobs;
mod limit;
mod login;
mod parts;
mod retry;
mod send;
mod tls;
mod tokens;
pub mod types;
mod upload;

pub use address::{Address, AddressError};
pub use batch::{ActWith, Contents};
pub use conflicts::{ConflictState, Way};
pub use content::{Content, Fetched, Source};
pub use error::{ApiError, Problem, Trouble};
pub use feed::Heads;
pub use files::Transfer;
pub use limit::{Limits, SLOWEST, read_rate};
pub use login::Credentials;
pub use retry::Patience;
pub use tls::authorities_in;
pub use tokens::{InMemory, TokenStore, Tokens};
pub use upload::{Condition, Put, hash_of};

use std::sync::Arc;
use std::time::Duration;

use holdfast_protocol::ContentHash;

/// A place that is told how many bytes of a content have moved, counted from its beginning.
pub type Progress = Arc<dyn Fn(u64) + Send + Sync>;

/// A server, as one account reaches it. Cheap to clone; clones share connections and tokens.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    address: Address,
    tokens: Arc<tokens::Keyring>,
    patience: Patience,
    limits: Limits,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Api {
    /// A server at an address. `authority` is the certificate, in PEM, of an authority to be trusted besides the system's:
    /// a server can be its own. The tokens come from `store` and are written to it when they are renewed.
    ///
    /// # Errors
    /// [`ApiError::Tls`] for a certificate that is none.
    pub fn new(
        address: Address,
        authority: Option<&[u8]>,
        store: Arc<dyn TokenStore>,
    ) -> Result<Self, ApiError> {
        let patience = Patience::default();
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("holdfast/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(patience.connect)
            .tcp_keepalive(Duration::from_secs(30));
        if address.is_secure() {
            for root in tls::roots(authority)? {
                http = http.add_root_certificate(root);
            }
        }
        let http = http.build().map_err(|error| ApiError::Tls { detail: error::causes(&error) })?;
        Ok(Self {
            http,
            address,
            tokens: Arc::new(tokens::Keyring::new(store)),
            patience,
            limits: Limits::default(),
        })
    }

    /// With other bounds of waiting and repeating than the default ones.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// With a pace for contents that others may share.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.address
    }
}

/// A content hash as an entity tag.
fn tag(hash: &ContentHash) -> String {
    format!("\"{hash}\"")
}
