//! The first account: from the settings, or by a code that the server prints at its start.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use subtle::ConstantTimeEq as _;

use super::users::{self, Wanted, When};
use crate::app::App;
use crate::catalog;
use crate::catalog::users::User;
use crate::domain::accounts::Role;
use crate::error::{Error, Kind, Result};
use crate::keys;

/// The code that whoever reads the server's output may make the first account with. In memory alone: a restart makes
/// another, the first account ends it.
#[derive(Debug, Default)]
pub struct SetupCode(Mutex<Option<String>>);

impl SetupCode {
    fn arm(&self, code: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(code);
    }

    fn disarm(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn is(&self, given: &str) -> bool {
        let armed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        armed.as_deref().is_some_and(|code| code.as_bytes().ct_eq(given.trim().as_bytes()).into())
    }
}

/// How somebody gets in, to be told at start.
#[derive(Debug, PartialEq, Eq)]
pub enum FirstAccount {
    /// There are accounts.
    Exists,
    /// It was made just now, as the settings say.
    Made(String),
    /// Nobody can sign in until this code is used.
    Code(String),
}

/// Makes the first account when the settings name one and there is none, else a code when there is none.
///
/// # Errors
/// 422 when the settings name an account that cannot be, or the catalogue's.
pub async fn at_start(app: &App) -> Result<FirstAccount> {
    if app.db.read(|tx| Box::pin(catalog::users::any(tx))).await? {
        return Ok(FirstAccount::Exists);
    }
    if let Some(admin) = app.config.admin.clone() {
        let wanted = Wanted {
            username: admin.username,
            display_name: None,
            password: admin.password,
            role: Role::Admin,
        };
        return match make_first(app, wanted).await {
            Ok(user) => Ok(FirstAccount::Made(user.username)),
            Err(error) if error.kind() == Kind::Conflict => Ok(FirstAccount::Exists),
            Err(error) => Err(error),
        };
    }
    let code: [u8; 10] = keys::random().map_err(Error::internal)?;
    let code = hex::encode(code);
    app.setup.arm(code.clone());
    Ok(FirstAccount::Code(code))
}

/// Makes the first account, an admin, for whoever has the code.
///
/// # Errors
/// 409 `already-set-up`, 403 `wrong-code`, 422, 429, or the catalogue's.
pub async fn with_code(app: &App, address: IpAddr, code: &str, wanted: Wanted) -> Result<User> {
    if app.db.read(|tx| Box::pin(catalog::users::any(tx))).await? {
        return Err(users::already_set_up());
    }
    app.admit(address, "setup")?;
    if !app.setup.is(code) {
        return Err(
            Error::forbidden("the setup code is wrong; the server's output shows it").code("wrong-code")
        );
    }
    app.succeeded(address, "setup");
    make_first(app, Wanted { role: Role::Admin, ..wanted }).await
}

async fn make_first(app: &App, wanted: Wanted) -> Result<User> {
    let user = users::make(app, wanted, When::First, None).await?;
    app.setup.disarm();
    Ok(user)
}
