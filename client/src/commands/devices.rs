//! `holdfast devices`

use clap::Subcommand;

use super::{Context, Failure};
use crate::api::TokenStore as _;
use crate::show::{JsonList, Table};

/// Show, name and revoke the devices of your account
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// List them; `*` marks this one
    #[command(
        after_long_help = "--json: an array of {device_id, device_name, platform, created_at, last_seen_at, revoked_at}"
    )]
    List {
        /// Revoked ones, too
        #[arg(long)]
        all: bool,
    },
    /// Give this device another name
    #[command(
        after_long_help = "--json: {device_id, device_name, platform, created_at, last_seen_at, revoked_at}"
    )]
    Rename {
        /// What people call it from now on
        name: String,
        /// Another device, by its id; most logins speak for their own device alone
        #[arg(long, value_name = "ID")]
        device: Option<String>,
    },
    /// End a device: its logins and app passwords stop at once; what it stored stays
    #[command(after_long_help = "--json: {device_id, revoked}")]
    Revoke {
        /// Which, by its id
        #[arg(value_name = "ID")]
        device: String,
    },
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    match args.verb.unwrap_or(Verb::List { all: false }) {
        Verb::List { all } => list(context, all).await,
        Verb::Rename { name, device } => rename(context, &name, device).await,
        Verb::Revoke { device } => revoke(context, &device).await,
    }
}

async fn list(context: &Context, all: bool) -> Result<(), Failure> {
    let own = context.account()?.device_id;
    let (api, clock) = (context.api()?, context.clock()?);
    let mut list = JsonList::new(&context.out);
    let mut table = Table::new(&["", "SEEN", "SYSTEM", "ID", "NAME"]);
    let mut cursor = None;
    loop {
        let page = api.devices(all, cursor.as_deref()).await?;
        for device in page.items {
            if context.out.json {
                list.push(&device)?;
                continue;
            }
            let mark = if device.device_id == own { "*" } else { "" };
            let revoked = if device.revoked_at.is_some() { " (revoked)" } else { "" };
            table.row([
                mark.to_owned(),
                clock.maybe(device.last_seen_at),
                device.platform.unwrap_or_else(|| "-".to_owned()),
                device.device_id,
                format!("{}{revoked}", device.device_name),
            ]);
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    if context.out.json { Ok(list.end()?) } else { Ok(table.write(&context.out)?) }
}

async fn rename(context: &Context, name: &str, device: Option<String>) -> Result<(), Failure> {
    let account = context.account()?;
    let device_id = device.unwrap_or_else(|| account.device_id.clone());
    let renamed = context.api()?.rename_device(&device_id, name).await;
    let renamed = renamed.map_err(|error| Failure::from(error).about(&device_id))?;
    if device_id == account.device_id {
        context.state.change(|account| account.device_name.clone_from(&renamed.device_name))?;
    }
    if context.out.json {
        return Ok(context.out.value(&renamed)?);
    }
    Ok(context.out.note(&format!("{device_id} is called {:?}", renamed.device_name))?)
}

async fn revoke(context: &Context, device: &str) -> Result<(), Failure> {
    let account = context.account()?;
    let api = context.api()?;
    api.revoke_device(device).await.map_err(|error| Failure::from(error).about(device))?;
    let is_own = device == account.device_id;
    if is_own {
        context.state.tokens().save(None).map_err(crate::api::ApiError::Store)?;
    }
    if context.out.json {
        return Ok(context.out.value(&serde_json::json!({"device_id": device, "revoked": true}))?);
    }
    let also = if is_own { "; that was this one, which is now logged out" } else { "" };
    Ok(context.out.note(&format!("{device} is revoked{also}"))?)
}
