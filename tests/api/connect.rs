//! The lines by which people mount their drives, pasted.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use reqwest::Method;
use serde_json::{Value, json};
use support::{Answer, Client, Engine, Server, block_on, both_engines, home_of, plain, random_hex};

/// A name that a shell, an address and a file of settings each read in their own way.
const ODD: &str = "o'neil \"x\" $HOME 50% é #1";

fn way<'a>(connect: &'a Value, client: &str) -> &'a Value {
    connect["drives"][0]["ways"].as_array().unwrap().iter().find(|way| way["client"] == client).unwrap()
}

fn line(way: &Value, number: usize) -> &str {
    way["lines"][number]["text"].as_str().unwrap()
}

/// Runs a line as if it were pasted into a shell in that folder, and types the password when it is asked for.
fn paste(folder: &Path, line: &str, password: &str) -> String {
    // Without a terminal, from which programs would read the password past their input.
    let mut child = Command::new("setsid")
        .args(["-w", "bash", "-c", line])
        .current_dir(folder)
        .env("HOME", folder)
        .env("RCLONE_CONFIG", folder.join("rclone.conf"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that asks nothing may be gone already.
    let _ = writeln!(child.stdin.take().unwrap(), "{password}");
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn there_is(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap();
    found.status.success()
}

/// Pastes what is told for curl and rclone, and looks at the disk.
async fn pasted_lines_work(server: &Server, url: &str) {
    let password = random_hex(12);
    server.admin().await.post("/api/users", json!({"username": ODD, "password": password})).await.expect(201);
    let member = server.client().login(ODD, &password).await;
    let home = home_of(server, &member).await;
    let careless = reqwest::Client::builder().danger_accept_invalid_certs(true).build().unwrap();
    let client = Client::using(careless, url).basic(ODD, &password);
    let connect = client.get("/api/connect").await.expect(200);
    assert_eq!((connect["username"].as_str(), connect["address"].as_str()), (Some(ODD), Some(url)));
    assert_eq!(connect["drives"][0]["url"], format!("{url}/dav/home/"));

    let folder = server.scratch().join("pasted");
    std::fs::create_dir_all(folder.join("FOLDER")).unwrap();
    std::fs::write(folder.join("FILE"), "milk").unwrap();
    std::fs::write(folder.join("FOLDER/in it"), "eggs").unwrap();
    if !connect["certificate"].is_null() {
        paste(&folder, line(&connect["certificate"], 0), "");
        let shown = paste(&folder, line(&connect["certificate"], 1), "");
        assert!(shown.contains(connect["certificate"]["sha256"].as_str().unwrap()), "{shown}");
    }

    let curl = way(&connect, "curl");
    paste(&folder, line(curl, 1), &password);
    assert_eq!(plain(&home)["/FILE"].as_deref(), Some(&b"milk"[..]));
    assert!(paste(&folder, line(curl, 0), &password).contains("/dav/home/FILE"));
    std::fs::remove_file(folder.join("FILE")).unwrap();
    paste(&folder, line(curl, 2), &password);
    assert_eq!(std::fs::read(folder.join("FILE")).unwrap(), b"milk");

    // The line for /etc/fstab has six fields, and is read as what it should be.
    let fstab = line(way(&connect, "davfs2"), way(&connect, "davfs2")["lines"].as_array().unwrap().len() - 1);
    std::fs::write(folder.join("fstab"), format!("{fstab}\n")).unwrap();
    let read = paste(&folder, "findmnt -F fstab -n -r -o SOURCE,TARGET,FSTYPE", "");
    assert_eq!(read.trim(), format!("{url}/dav/home/ /mnt/holdfast-home davfs"));

    if !there_is("rclone") {
        return support::skip("pasted_lines_work", "rclone is missing");
    }
    let rclone = way(&connect, "rclone");
    paste(&folder, line(rclone, 0), &password);
    assert_eq!(paste(&folder, line(rclone, 1), "").trim(), "FILE");
    paste(&folder, line(rclone, 2), "");
    assert_eq!(plain(&home)["/FOLDER/in it"].as_deref(), Some(&b"eggs"[..]));
}

async fn asked(client: &Client, headers: &[(&str, &str)]) -> Answer {
    let mut request = client.request(Method::GET, "/api/connect");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.send(request).await
}

both_engines! {
    async fn the_lines_work_when_they_are_pasted(server: Server) {
        pasted_lines_work(&server, server.url()).await;
    }

    async fn the_lines_work_over_tls_with_the_servers_own_authority(builder: Builder) {
        let server = builder.env("HOLDFAST_TLS_LISTEN", "127.0.0.1:0").start().await;
        pasted_lines_work(&server, server.secure_url()).await;
    }
}

#[test]
fn who_asks_over_http_is_told_where_https_is_and_what_to_trust() {
    block_on(async {
        let server = Server::builder(Engine::Sqlite).env("HOLDFAST_TLS_LISTEN", "127.0.0.1:0").start().await;
        let admin = server.admin().await;
        let connect = admin.get("/api/connect").await.expect(200);
        assert_eq!(connect["secure_address"], server.secure_url());
        assert_eq!(connect["certificate"]["url"], format!("{}/ca.crt", server.url()));
        let windows = way(&connect, "windows").to_string();
        assert!(windows.contains("no password over plain http"), "{windows}");
    });
}

#[test]
fn it_is_text_for_people_and_for_nobody_without_a_credential() {
    block_on(async {
        let server = Server::start(Engine::Sqlite).await;
        server.client().get("/api/connect").await.expect_problem(401);
        let admin = server.admin().await;
        let answer = asked(&admin, &[("Accept", "text/plain")]).await;
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        let text = answer.text();
        assert!(text.starts_with(&format!("Holdfast at {}, for admin", server.url())), "{text}");
        for program in [
            "Windows Explorer",
            "macOS Finder",
            "GNOME Files",
            "KDE Dolphin",
            "davfs2",
            "rclone",
            "Phones",
            "curl",
        ] {
            assert!(text.contains(program), "{program} in {text}");
        }
        let both = asked(&admin, &[("Accept", "application/json, text/plain")]).await;
        assert!(both.header("content-type").unwrap().starts_with("application/json"));
    });
}

#[test]
fn the_address_is_the_one_the_client_knows_and_only_a_trusted_proxy_may_say_another() {
    block_on(async {
        let forwarded = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "cloud.example.org")];
        let server = Server::start(Engine::Sqlite).await;
        let admin = server.admin().await;
        let connect = asked(&admin, &forwarded).await.expect(200);
        assert_eq!(connect["address"], server.url());
        for bad in ["nas'", "$(id)", "a b", "ada@nas"] {
            asked(&admin, &[("Host", bad)]).await.expect_problem(400);
        }
        assert_eq!(
            asked(&admin, &[("Host", "NAS.local:8000")]).await.expect(200)["address"],
            "http://nas.local:8000"
        );

        let server = Server::builder(Engine::Sqlite)
            .env("HOLDFAST_TRUSTED_PROXIES", "127.0.0.1")
            .env("HOLDFAST_TLS_LISTEN", "127.0.0.1:0")
            .start()
            .await;
        let connect = asked(&server.admin().await, &forwarded).await.expect(200);
        assert_eq!(connect["address"], "https://cloud.example.org");
        assert!(connect["certificate"].is_null() && connect["secure_address"].is_null(), "{connect}");
        assert!(!connect["drives"].to_string().contains("holdfast-ca.crt"));
        assert_eq!(line(way(&connect, "gnome"), 0), "davs://admin@cloud.example.org/dav/home/");
    });
}
