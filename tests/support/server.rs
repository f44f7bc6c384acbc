//! A real `holdfastd`, started for one test.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::postgres::Database;
use crate::{Engine, eventually, random_hex};

/// The program under test: `HOLDFASTD_BIN`, else `holdfastd` beside the folder of this test executable.
///
/// # Panics
/// When it has not been built.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("HOLDFASTD_BIN") {
        return path.into();
    }
    let beside = std::env::current_exe()
        .ok()
        .and_then(|test| test.parent().and_then(Path::parent).map(|target| target.join("holdfastd")));
    match beside {
        Some(path) if path.exists() => path,
        _ => panic!("holdfastd is not built: run `cargo build -p holdfastd`, or name it in HOLDFASTD_BIN"),
    }
}

/// What a server is started with.
#[derive(Debug)]
pub struct Builder {
    engine: Engine,
    environment: BTreeMap<String, String>,
    admin: bool,
}

impl Builder {
    /// Adds or replaces an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    /// Without the first account that tests otherwise get.
    #[must_use]
    pub fn without_admin(mut self) -> Self {
        self.admin = false;
        self
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// When it does not start; its output is shown.
    pub async fn start(self) -> Server {
        let mut server = self.prepare().await;
        server.launch().await;
        server
    }

    /// Everything but the start: for tests that start it more than once or with other verbs.
    ///
    /// # Panics
    /// When there is no room for its data.
    pub async fn prepare(mut self) -> Server {
        let folder = tempfile::Builder::new().prefix("holdfast-test-").tempdir().expect("a temporary folder");
        let database = match self.engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(Database::create().await),
        };
        let (username, password) = ("admin".to_owned(), random_hex(12));
        let mut environment = BTreeMap::from([
            ("HOLDFAST_LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
            ("HOLDFAST_DATA_DIR".to_owned(), folder.path().join("data").to_string_lossy().into_owned()),
            ("HOLDFAST_LOG".to_owned(), "debug,sqlx=info,hyper=info".to_owned()),
            // Looking at the machine's disks takes time, and few tests are about them.
            ("HOLDFAST_VOLUMES_SOURCE".to_owned(), "none".to_owned()),
        ]);
        if let Some(database) = &database {
            environment.insert("HOLDFAST_DATABASE_URL".to_owned(), database.url.clone());
        }
        if self.admin {
            environment.insert("HOLDFAST_ADMIN_USERNAME".to_owned(), username.clone());
            environment.insert("HOLDFAST_ADMIN_PASSWORD".to_owned(), password.clone());
        }
        environment.append(&mut self.environment);
        Server {
            folder,
            database,
            environment,
            username,
            password,
            child: None,
            url: String::new(),
            secure_url: String::new(),
        }
    }
}

/// A running `holdfastd` with a data directory and a catalogue of its own. It dies with this value; when the test
/// fails, what the server wrote is shown.
#[derive(Debug)]
pub struct Server {
    folder: tempfile::TempDir,
    database: Option<Database>,
    environment: BTreeMap<String, String>,
    username: String,
    password: String,
    child: Option<Child>,
    url: String,
    secure_url: String,
}

impl Server {
    /// A fresh one, ready, with an admin account.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(engine: Engine) -> Self {
        Self::builder(engine).start().await
    }

    /// A fresh one, with choices.
    pub fn builder(engine: Engine) -> Builder {
        Builder { engine, environment: BTreeMap::new(), admin: true }
    }

    /// `https://127.0.0.1:PORT`, where it serves TLS; nothing where it does not.
    pub fn secure_url(&self) -> &str {
        &self.secure_url
    }

    /// `http://127.0.0.1:PORT`; another port after each start. The address of TLS where it serves nothing else.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        self.url.split_once("://").map_or("", |(_, address)| address)
    }

    /// The first account's name.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The first account's password.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Where it keeps everything.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The URL of its catalogue, for looking at it from outside.
    pub fn catalogue_url(&self) -> String {
        match self.environment.get("HOLDFAST_DATABASE_URL") {
            Some(url) => url.clone(),
            None => format!("sqlite:{}", self.data_dir().join("catalog.db").display()),
        }
    }

    /// A folder for the test itself, beside the data directory.
    pub fn scratch(&self) -> &Path {
        self.folder.path()
    }

    /// The plain folder of a user's home drive, by the user's id (`GET /api/me`).
    pub fn home_root(&self, user_id: &str) -> PathBuf {
        self.data_dir().join("drives").join(user_id).join("home")
    }

    /// A client without a credential.
    pub fn client(&self) -> Client {
        Client::new(&self.url)
    }

    /// A client signed in as the first account.
    ///
    /// # Panics
    /// When the login is refused.
    pub async fn admin(&self) -> Client {
        self.client().login(&self.username, &self.password).await
    }

    /// A new member's name and a client signed in as them.
    ///
    /// # Panics
    /// When the account cannot be made.
    pub async fn member(&self) -> (String, Client) {
        let (name, password) = (format!("member-{}", random_hex(4)), random_hex(12));
        let body = serde_json::json!({"username": name, "password": password});
        self.admin().await.post("/api/users", body).await.expect(201);
        let client = self.client().login(&name, &password).await;
        (name, client)
    }

    /// Ends the server's connections to Postgres, as a restart of Postgres would; SQLite has none to lose.
    ///
    /// # Panics
    /// When Postgres cannot be asked.
    pub async fn cut_database_connections(&self) {
        if let Some(database) = &self.database {
            database.cut_connections().await;
        }
    }

    /// Its process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Changes an environment variable for the next start.
    pub fn set_env(&mut self, name: &str, value: impl Into<String>) {
        self.environment.insert(name.to_owned(), value.into());
    }

    /// Removes an environment variable for the next start.
    pub fn unset_env(&mut self, name: &str) {
        self.environment.remove(name);
    }

    /// `holdfastd` with this server's environment and no other of its settings.
    pub fn command(&self) -> Command {
        let mut command = Command::new(binary());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HOLDFAST_")) {
            command.env_remove(name);
        }
        command.envs(&self.environment).stdin(Stdio::null());
        command
    }

    /// Starts it (again) and waits until it is ready.
    ///
    /// # Panics
    /// When it runs already or ends before it is ready.
    pub async fn launch(&mut self) {
        let status = self.try_launch().await;
        assert!(status.is_none(), "holdfastd ended at its start: {status:?}");
    }

    /// Starts it and waits until it is ready, or has ended; then says how.
    ///
    /// # Panics
    /// When it runs already, or does neither.
    pub async fn try_launch(&mut self) -> Option<ExitStatus> {
        assert!(self.child.is_none(), "it runs already");
        let told = self.data_dir().join("listen");
        // Of a run that was killed: it must not be taken for the new one's.
        let _ = std::fs::remove_file(&told);
        let log = File::options().create(true).append(true).open(self.log_path()).expect("a log file");
        let mut command = self.command();
        command.stdout(log.try_clone().expect("a log file")).stderr(log);
        let child = command.spawn().expect("holdfastd starts");
        let child = self.child.insert(child);
        let end = Instant::now() + Duration::from_secs(60);
        let address = loop {
            if let Some(status) = child.try_wait().expect("its state") {
                self.child = None;
                return Some(status);
            }
            if let Ok(address) = std::fs::read_to_string(&told) {
                break address;
            }
            assert!(Instant::now() < end, "holdfastd says nothing about where it listens");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let secure = address.lines().find(|line| line.starts_with("https://")).map(str::to_owned);
        let plain = address.lines().find(|line| !line.contains("://")).map(|line| format!("http://{line}"));
        self.secure_url = secure.unwrap_or_default();
        self.url = plain.unwrap_or_else(|| self.secure_url.clone());
        // Whether it is ready is asked whatever certificate it has; tests that are about that look themselves.
        let careless =
            reqwest::Client::builder().danger_accept_invalid_certs(true).build().expect("a client");
        let client = Client::using(careless, &self.url);
        eventually("the server to be ready", || async {
            client.get("/readyz").await.status.eq(&200).then_some(())
        })
        .await;
        None
    }

    /// Asks it to stop (SIGTERM) and waits for its end.
    ///
    /// # Panics
    /// When it does not end within a minute.
    pub async fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended().await
    }

    /// Sends it a signal by name.
    ///
    /// # Panics
    /// When it does not run.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().expect("a running server").to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status().expect("kill runs");
        assert!(sent.success(), "no signal could be sent");
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not run, or not end within a minute.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("a running server");
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = child.try_wait().expect("its state") {
                return status;
            }
            if Instant::now() > end {
                let _ = child.kill();
                panic!("holdfastd does not end");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Kills it (SIGKILL) as a crash would, and waits until it is gone.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill9(&mut self) {
        let mut child = self.child.take().expect("a running server");
        child.kill().expect("a kill");
        child.wait().expect("its end");
    }

    /// Stops it in order and starts it again.
    ///
    /// # Panics
    /// When it does not stop with success, or does not start.
    pub async fn restart(&mut self) {
        let status = self.stop().await;
        assert!(status.success(), "holdfastd did not stop in order: {status}");
        self.launch().await;
    }

    /// All it has written, from every start.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("holdfastd.log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- holdfastd wrote:\n{}---", self.log());
        }
    }
}
