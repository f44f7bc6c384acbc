//! Who asks, and what that alone permits.

use uuid::Uuid;

use crate::catalog::sessions::{BoundDevice, Identity};
use crate::domain::accounts::Role;
use crate::error::{Error, Result};

/// Whoever proved themselves with a request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The account (internal id).
    pub user_id: i64,
    /// The account's public id.
    pub user_uuid: Uuid,
    /// The account's name.
    pub username: String,
    /// What the account may do.
    pub role: Role,
    /// The device the credential is bound to. That alone is no sync act: those name their device (design section 6).
    pub device: Option<DeviceRef>,
    /// What they proved themselves with.
    pub credential: Credential,
}

/// What a caller proved themselves with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// An access token of this login.
    Session(Uuid),
    /// This app password.
    AppPassword(Uuid),
    /// The account's own password.
    Password,
}

/// What a request shows to prove who sends it, in the form it may be remembered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Proof {
    /// A valid access token of this login.
    Session(Uuid),
    /// A name and a password, by a keyed hash of both.
    Secret([u8; 32]),
}

/// A device of the caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRef {
    /// Its key inside the catalogue.
    pub id: i64,
    /// Its public id.
    pub uuid: Uuid,
    /// What it calls itself.
    pub device_id: String,
    /// What its owner calls it.
    pub name: String,
}

impl From<BoundDevice> for DeviceRef {
    fn from(device: BoundDevice) -> Self {
        Self { id: device.id, uuid: device.uuid, device_id: device.device_id, name: device.name }
    }
}

impl Caller {
    /// The caller behind a session or app password.
    pub fn new(identity: Identity, credential: Credential) -> Self {
        Self {
            user_id: identity.user_id,
            user_uuid: identity.user_uuid,
            username: identity.username,
            role: identity.role,
            device: identity.device.map(DeviceRef::from),
            credential,
        }
    }

    /// The login this request came with, if it came with one.
    pub fn session(&self) -> Option<Uuid> {
        match self.credential {
            Credential::Session(session) => Some(session),
            Credential::AppPassword(_) | Credential::Password => None,
        }
    }

    /// Accounts and credentials are managed by their person, not by a program that was given an app password: one
    /// that leaks must not be able to make others.
    ///
    /// # Errors
    /// `needs-login` for an app password.
    pub fn require_person(&self) -> Result<()> {
        match self.credential {
            Credential::AppPassword(_) => {
                Err(Error::forbidden("an app password cannot do this; sign in with the account's password")
                    .code("needs-login"))
            }
            Credential::Session(_) | Credential::Password => Ok(()),
        }
    }

    /// What outlives a device's revocation is not made with the device's own credential: whoever holds a lost laptop
    /// could make it before that.
    ///
    /// # Errors
    /// `needs-login` for an app password and for a login that names a device.
    pub fn require_unbound(&self) -> Result<()> {
        self.require_person()?;
        match &self.device {
            Some(_) => Err(Error::forbidden(
                "this login belongs to a device and cannot manage accounts; sign in without device_id",
            )
            .code("needs-login")),
            None => Ok(()),
        }
    }

    /// An admin, in person.
    ///
    /// # Errors
    /// For members and for app passwords.
    pub fn require_admin(&self) -> Result<()> {
        if self.role != Role::Admin {
            return Err(Error::forbidden("only an admin may do this").code("needs-admin"));
        }
        self.require_person()
    }

    /// An admin, in person and not by a device's credential.
    ///
    /// # Errors
    /// For members, app passwords and logins that name a device.
    pub fn require_unbound_admin(&self) -> Result<()> {
        self.require_admin()?;
        self.require_unbound()
    }
}
