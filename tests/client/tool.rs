//! The program under test, with a state and a working folder of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use support::{Client, Engine, Server, binary, block_on};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// `holdfast`: `HOLDFAST_BIN`, else beside `holdfastd`.
fn program() -> PathBuf {
    match std::env::var_os("HOLDFAST_BIN") {
        Some(path) => path.into(),
        None => binary().with_file_name("holdfast"),
    }
}

/// One device.
pub struct Tool {
    folder: tempfile::TempDir,
}

/// How a command ended.
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
    asked: String,
}

impl Tool {
    /// A device where nobody has logged in.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("holdfast-client-").tempdir().unwrap();
        std::fs::create_dir(folder.path().join("here")).unwrap();
        Self { folder }
    }

    /// A device that is logged in as a server's first account.
    pub async fn logged_in(server: &Server) -> Self {
        let tool = Self::new();
        tool.login(server).await.ok();
        tool
    }

    /// Logs in without a terminal.
    pub async fn login(&self, server: &Server) -> Done {
        let password = format!("{}\n", server.password());
        self.run_with(
            &["login", server.url(), "--username", server.username(), "--password-stdin"],
            &password,
        )
        .await
    }

    /// The working folder.
    pub fn here(&self) -> PathBuf {
        self.folder.path().join("here")
    }

    /// The folder of the login and the settings.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// A file in the working folder.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.here().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The content of a file in the working folder.
    pub fn read(&self, name: &str) -> String {
        String::from_utf8(std::fs::read(self.here().join(name)).unwrap()).unwrap()
    }

    /// The names in the working folder, also the hidden ones.
    pub fn names(&self) -> Vec<String> {
        names_in(&self.here())
    }

    /// The command with these arguments.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HOLDFAST")) {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .current_dir(self.here())
            .env("HOLDFAST_STATE", self.state())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str]) -> Done {
        self.run_with(arguments, "").await
    }

    /// Runs a command that reads this.
    pub async fn run_with(&self, arguments: &[&str], input: &str) -> Done {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // Not every command reads it.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        finished(child, arguments).await
    }

    /// Runs a command and reads its result as JSON.
    pub async fn json(&self, arguments: &[&str]) -> Value {
        let mut with = arguments.to_vec();
        with.push("--json");
        self.run(&with).await.ok().json()
    }
}

/// Waits for the end of a command.
pub async fn finished(child: tokio::process::Child, arguments: &[&str]) -> Done {
    let output = child.wait_with_output().await.unwrap();
    Done {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
        asked: arguments.join(" "),
    }
}

impl Done {
    /// It succeeded, and complained of nothing.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "holdfast {}: {}", self.asked, self.out);
        self
    }

    /// It failed with this code, and a sentence about it that has all of this in it.
    #[track_caller]
    pub fn failed(self, code: i32, words: &[&str]) -> Self {
        let told = format!("holdfast {}: {} {}", self.asked, self.code, self.err);
        assert_eq!(self.code, code, "{told}");
        for word in words {
            assert!(self.err.contains(word), "no {word:?} in {told}");
        }
        for machine in ["panicked", "Error {", "error sending request", "Os {"] {
            assert!(!self.err.contains(machine), "that is for machines: {told}");
        }
        self
    }

    /// What it wrote, as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_str(&self.out) {
            Ok(value) => value,
            Err(error) => panic!("holdfast {}: {error}: {}", self.asked, self.out),
        }
    }
}

/// The names in a folder, sorted.
pub fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// A test with a server and a device that is logged in there. The engines differ in nothing that a client can see; SQLite
/// needs nothing else.
pub fn with_server(test: impl AsyncFnOnce(Server, Tool)) {
    block_on(async {
        let server = Server::start(Engine::Sqlite).await;
        let tool = Tool::logged_in(&server).await;
        test(server, tool).await;
    });
}

/// A client of another kind, to look from the other side.
pub async fn other_side(server: &Server) -> Client {
    server.admin().await
}
