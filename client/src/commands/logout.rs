//! `holdfast logout`

use super::{Context, Failure};
use crate::api::TokenStore as _;

/// End this device's login
#[derive(clap::Args)]
pub struct Args {
    /// Only forget it here, without telling the server; revoke the device from another one then
    #[arg(long)]
    local: bool,
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let account = context.account()?;
    if args.local {
        context.state.tokens().save(None).map_err(crate::api::ApiError::Store)?;
    } else {
        context.api()?.logout().await.map_err(|error| {
            let failure = Failure::from(error);
            failure
                .about("you are still logged in")
                .hint("forget the login here alone with `holdfast logout --local`")
        })?;
    }
    Ok(context.out.note(&format!("logged out at {}", account.server))?)
}
