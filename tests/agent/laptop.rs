//! A device with one folder that is kept in sync with the user's home drive.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use support::{Builder, Engine, Server, eventually};

/// What is in a folder, by path; `None` for a folder.
pub type Tree = BTreeMap<String, Option<String>>;

/// The program under test: `HOLDFAST_BIN`, else `holdfast` beside `holdfastd`.
fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("HOLDFAST_BIN") {
        return path.into();
    }
    let beside = support::binary().with_file_name("holdfast");
    assert!(
        beside.exists(),
        "holdfast is not built: run `cargo build -p holdfast`, or name it in HOLDFAST_BIN"
    );
    beside
}

/// A server that has the same address each time it is started.
pub async fn a_server() -> Server {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let builder: Builder = Server::builder(Engine::Sqlite);
    builder.env("HOLDFAST_LISTEN", format!("127.0.0.1:{port}")).start().await
}

/// A device.
pub struct Laptop {
    dir: tempfile::TempDir,
    running: Option<Child>,
}

impl Laptop {
    /// Logged in, its folder added and not synced yet.
    pub fn new(server: &Server, name: &str) -> Self {
        Self::logged_in_at(server.url(), server, name)
    }

    fn logged_in_at(url: &str, server: &Server, name: &str) -> Self {
        let laptop = Self { dir: tempfile::tempdir().unwrap(), running: None };
        laptop.log_in_at(url, server, name);
        laptop
    }

    pub fn log_in(&self, server: &Server, name: &str) {
        self.log_in_at(server.url(), server, name);
    }

    fn log_in_at(&self, url: &str, server: &Server, name: &str) {
        let mut login = self.command(&["login", url, "-u", server.username(), "--device-name", name]);
        let done = login.env("HOLDFAST_PASSWORD", server.password()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// With its folder added.
    pub fn with_folder(server: &Server, name: &str) -> Self {
        Self::with_folder_at(server.url(), server, name)
    }

    /// The same, where the server is reached at another address.
    pub fn with_folder_at(url: &str, server: &Server, name: &str) -> Self {
        let laptop = Self::logged_in_at(url, server, name);
        laptop.done(&["sync", "add", laptop.folder().to_str().unwrap(), "home"]);
        laptop
    }

    pub fn folder(&self) -> PathBuf {
        self.dir.path().join("folder")
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.folder().join(path)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(arguments).arg("--state").arg(self.dir.path().join("state"));
        command.env_remove("HOLDFAST_STATE").stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that succeeds.
    pub fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {} {told}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Syncs once; what it says for scripts.
    pub fn sync(&self) -> Value {
        let said: Value = serde_json::from_str(&self.done(&["sync", "now", "--json"])).unwrap();
        said[0].clone()
    }

    /// Begins to keep its folder in sync.
    pub fn start(&mut self) {
        assert!(self.running.is_none());
        let log = std::fs::File::create(self.dir.path().join("log")).unwrap();
        let mut command = self.command(&["sync", "run"]);
        command.stdout(log.try_clone().unwrap()).stderr(log);
        self.running = Some(command.spawn().unwrap());
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Ends it at once, in the middle of whatever it does.
    pub fn kill(&mut self) {
        let mut child = self.running.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// The number of the process that keeps its folder in sync.
    pub fn process(&self) -> u32 {
        self.running.as_ref().unwrap().id()
    }

    /// Asks it to stop, and tells how it ended.
    pub fn stop(&mut self) -> std::process::ExitStatus {
        let mut child = self.running.take().unwrap();
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        child.wait().unwrap()
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// What is in its folder, but for what is the agent's own.
    pub fn tree(&self) -> Tree {
        tree_of(&self.folder(), ".holdfast-sync")
    }
}

impl Drop for Laptop {
    fn drop(&mut self) {
        if let Some(mut child) = self.running.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What is in a folder while others are at work in it, but for what has this name at its top.
pub fn tree_of(root: &Path, own: &str) -> Tree {
    let mut tree = Tree::new();
    read(root, "", own, &mut tree);
    tree
}

fn read(folder: &Path, above: &str, own: &str, tree: &mut Tree) {
    // What is looked at may be on its way elsewhere.
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if above.is_empty() && name == own {
            continue;
        }
        let path = if above.is_empty() { name } else { format!("{above}/{name}") };
        if entry.path().is_dir() {
            tree.insert(path.clone(), None);
            read(&entry.path(), &path, own, tree);
        } else {
            tree.insert(path, Some(std::fs::read_to_string(entry.path()).unwrap_or_default()));
        }
    }
}

/// Waits until devices hold the same, and that is as it should be.
pub async fn all_hold(laptops: &[&Laptop], what: &str, is_right: impl Fn(&Tree) -> bool) {
    eventually(what, || async {
        let first = laptops[0].tree();
        (is_right(&first) && laptops.iter().all(|laptop| laptop.tree() == first)).then_some(())
    })
    .await;
}
