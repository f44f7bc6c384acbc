//! `holdfast login`

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;

use super::{Context, Failure};
use crate::api::{Address, Api, Credentials, InMemory, TokenStore as _, authorities_in};
use crate::platform;
use crate::state::Account;

/// Log in at a server, as a device of your account
#[derive(clap::Args)]
#[command(after_long_help = "\
The password comes from standard input (--password-stdin, its first line), from the variable HOLDFAST_PASSWORD, or it is asked \
for on the terminal without being shown. It is not kept; what is kept is a token that ends with `holdfast logout`, or when the \
device is revoked.

A server can be its own authority. Then get its certificate once (http://SERVER:8000/ca.crt), compare its SHA-256 with what the \
server printed at its start, and name the file with --ca.

--json: {server, username, user_id, device_id, device_name}")]
pub struct Args {
    #[arg(value_name = "URL", help = "Where the server is: http://nas.local:8000 or https://nas.local:8443")]
    url: String,
    /// The account's name; asked for when absent
    #[arg(short, long, value_name = "NAME")]
    username: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    /// What people call this device; its host name when absent
    #[arg(long, value_name = "NAME")]
    device_name: Option<String>,
    /// A certificate (PEM) of an authority to trust besides the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

/// Longest password and longest certificate file that are read.
const LARGEST: u64 = 1024 * 1024;

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let server: Address = args.url.parse().map_err(|error| Failure::usage(format!("{error}")))?;
    // What cannot be read any more is replaced; it is only a login.
    let before = context.state.account().unwrap_or_default();
    if let Some(before) = before.as_ref().filter(|before| before.tokens.is_some() && before.server != server)
    {
        return Err(Failure::conflict(format!(
            "you are logged in at {} as {}",
            before.server, before.username
        ))
        .hint("log out there first (`holdfast logout`), or keep two logins with --state DIR"));
    }
    let authority = match &args.ca {
        Some(file) => Some(certificate(file)?),
        None => before.as_ref().filter(|before| before.server == server).and_then(|b| b.authority.clone()),
    };
    let store = Arc::new(InMemory::default());
    let api = Api::new(server.clone(), authority.as_deref().map(str::as_bytes), store.clone())?
        .with_patience(context.patience()?);
    if !server.is_secure() && !is_this_machine(server.host()) && !context.out.quiet {
        let warning = "holdfast: over plain http the password can be read by anybody in between; use https where you can";
        let _ = writeln!(io::stderr(), "{warning}");
    }
    let username = match args.username {
        Some(username) => username,
        None => asked_name()?,
    };
    let password = password(args.password_stdin, &username)?;
    let device_id = match &before {
        Some(before) => before.device_id.clone(),
        None => Uuid::new_v4().to_string(),
    };
    let device_name = args.device_name.or(before.map(|before| before.device_name));
    let device_name = device_name.unwrap_or_else(platform::host_name);
    api.login(&Credentials { username, password, device_id: Some(device_id.clone()) }).await?;
    let account = match finish(&api, &device_id, &device_name).await {
        Ok(me) => Account {
            server,
            username: me.username,
            user_id: me.id,
            device_id,
            device_name,
            authority,
            tokens: store.load()?,
        },
        Err(failure) => {
            // A login that nothing keeps is of no use to anybody but a thief.
            let _ = api.logout().await;
            return Err(failure);
        }
    };
    context.state.keep(&account)?;
    if context.out.json {
        let Account { server, username, user_id, device_id, device_name, .. } = account;
        let server = server.to_string();
        return Ok(context.out.value(&json!({"server": server, "username": username, "user_id": user_id,
            "device_id": device_id, "device_name": device_name}))?);
    }
    let Account { server, username, device_name, .. } = &account;
    Ok(context.out.note(&format!("logged in at {server} as {username}, on the device {device_name:?}"))?)
}

async fn finish(api: &Api, device_id: &str, name: &str) -> Result<crate::api::types::Me, Failure> {
    api.register(device_id, name, platform::system()).await?;
    Ok(api.me().await?)
}

fn certificate(file: &Path) -> Result<String, Failure> {
    let read = || -> io::Result<String> {
        let mut text = String::new();
        std::fs::File::open(file)?.take(LARGEST).read_to_string(&mut text)?;
        Ok(text)
    };
    let text = read().map_err(|error| {
        Failure::usage(format!("the certificate cannot be read: {error}")).about(file.display())
    })?;
    authorities_in(text.as_bytes())
        .map_err(|_| Failure::usage("there is no certificate in PEM in it").about(file.display()))?;
    Ok(text)
}

fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

fn asked_name() -> Result<String, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage("there is no terminal to ask for the account's name on")
            .hint("name it with --username"));
    }
    let mut stderr = io::stderr();
    let _ = write!(stderr, "user name: ");
    let _ = stderr.flush();
    let mut line = String::new();
    io::stdin().lock().take(LARGEST).read_line(&mut line)?;
    let name = line.trim();
    if name.is_empty() { Err(Failure::usage("no user name was given")) } else { Ok(name.to_owned()) }
}

fn password(from_stdin: bool, username: &str) -> Result<String, Failure> {
    if from_stdin {
        let mut line = String::new();
        let read = io::stdin().lock().take(LARGEST).read_line(&mut line);
        read.map_err(|error| {
            Failure::usage(format!("no password can be read from standard input: {error}"))
        })?;
        let password = line.trim_end_matches(['\r', '\n']);
        return match password {
            "" => Err(Failure::usage("standard input has no password in its first line")),
            password => Ok(password.to_owned()),
        };
    }
    if let Ok(password) = std::env::var("HOLDFAST_PASSWORD")
        && !password.is_empty()
    {
        return Ok(password);
    }
    let asked = if io::stdin().is_terminal() {
        rpassword::prompt_password(format!("password of {username}: "))
    } else {
        Err(io::ErrorKind::NotConnected.into())
    };
    asked.map_err(|_| {
        Failure::usage("there is no terminal to ask for the password on")
            .hint("give it with --password-stdin, or in the variable HOLDFAST_PASSWORD")
    })
}
