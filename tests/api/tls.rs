//! https: by the server's own authority, and by a certificate that its owner brings.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use reqwest::{Method, Version};
use support::{
    Client, Engine, Server, block_on, both_engines, eventually, home_of, plain, random_hex, slots,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const ANYWHERE: &str = "127.0.0.1:0";

fn over_tls(engine: Engine) -> support::Builder {
    Server::builder(engine).env("HOLDFAST_TLS_LISTEN", ANYWHERE)
}

/// A client that trusts this certificate and nothing else.
fn trusting(pem: &str) -> reqwest::ClientBuilder {
    reqwest::Client::builder().add_root_certificate(reqwest::Certificate::from_pem(pem.as_bytes()).unwrap())
}

async fn authority_of(server: &Server) -> String {
    let careless = reqwest::Client::builder().danger_accept_invalid_certs(true).build().unwrap();
    let answer = Client::using(careless, server.url()).get("/ca.crt").await;
    assert_eq!(answer.status, 200);
    answer.text()
}

/// The certificate that whoever comes now is shown.
async fn served(url: &str) -> Vec<u8> {
    let client = reqwest::Client::builder().danger_accept_invalid_certs(true).tls_info(true).build().unwrap();
    let response = client.get(format!("{url}/healthz")).send().await.unwrap();
    let shown = response.extensions().get::<reqwest::tls::TlsInfo>().unwrap();
    shown.peer_certificate().unwrap().to_vec()
}

fn host() -> String {
    let output = std::process::Command::new("uname").arg("-n").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A certificate of one's own for `localhost`, written into two files.
struct Own {
    cert: PathBuf,
    key: PathBuf,
}

impl Own {
    fn beside(folder: &Path) -> Self {
        Self { cert: folder.join("own.crt"), key: folder.join("own.key") }
    }

    /// Makes a fresh pair and gives the certificate.
    fn renew(&self) -> Vec<u8> {
        let fresh = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&self.key, fresh.signing_key.serialize_pem()).unwrap();
        std::fs::write(&self.cert, fresh.cert.pem()).unwrap();
        fresh.cert.der().to_vec()
    }

    async fn prepare() -> (Server, Self) {
        let mut server = over_tls(Engine::Sqlite).prepare().await;
        let own = Self::beside(server.scratch());
        server.set_env("HOLDFAST_TLS_CERT", own.cert.to_string_lossy());
        server.set_env("HOLDFAST_TLS_KEY", own.key.to_string_lossy());
        (server, own)
    }
}

#[test]
fn a_device_that_trusts_the_authority_reaches_the_server_by_all_its_names_and_no_other_does() {
    block_on(async {
        let server = over_tls(Engine::Sqlite).env("HOLDFAST_TLS_NAMES", "cloud.example.org").start().await;
        let answer = server.client().get("/ca.crt").await;
        assert_eq!(answer.header("content-type"), Some("application/x-x509-ca-cert"));
        let ca = answer.text();
        let der = server.client().get("/ca.der").await;
        assert_eq!((der.status, der.bytes[0]), (200, 0x30));
        let secure: SocketAddr = server.secure_url().trim_start_matches("https://").parse().unwrap();
        let host = host();
        let reach = |name: &str, pem: &str| {
            let client = trusting(pem).resolve(name, secure).build().unwrap();
            let url = format!("https://{name}:{}/healthz", secure.port());
            async move { client.get(url).send().await.map(|response| response.status().as_u16()) }
        };
        for name in ["localhost", "cloud.example.org", &host, &format!("{host}.local")] {
            assert_eq!(reach(name, &ca).await.unwrap(), 200, "{name}");
        }
        assert!(reach("other.example.org", &ca).await.is_err(), "a name that is not the server's");
        let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
        assert!(reach("localhost", &stranger).await.is_err(), "an authority that is not the server's");
        assert!(server.log().contains(&format!("{}/docs", server.secure_url())), "{}", server.log());
        assert!(server.log().contains("/ca.crt"), "{}", server.log());
    });
}

#[test]
fn the_authority_outlives_a_restart_and_signs_again_when_the_server_gets_a_name() {
    block_on(async {
        let mut server = over_tls(Engine::Sqlite).start().await;
        let (ca, first) = (authority_of(&server).await, served(server.secure_url()).await);
        let folder = server.data_dir().join("tls");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join("ca.key")), 0o600);
        assert_eq!(mode(&folder.join("server.pem")), 0o600);
        server.restart().await;
        assert_eq!(authority_of(&server).await, ca);
        assert_eq!(served(server.secure_url()).await, first);
        server.set_env("HOLDFAST_TLS_NAMES", "cloud.example.org, 192.0.2.7");
        server.restart().await;
        assert_eq!(authority_of(&server).await, ca);
        assert_ne!(served(server.secure_url()).await, first);
        let client = Client::using(trusting(&ca).build().unwrap(), server.secure_url());
        client.get("/healthz").await.expect(200);
    });
}

#[test]
fn a_damaged_authority_stops_the_start_with_a_clear_word() {
    block_on(async {
        let mut server = over_tls(Engine::Sqlite).start().await;
        assert!(server.stop().await.success());
        std::fs::write(server.data_dir().join("tls/ca.key"), "half a").unwrap();
        assert!(!server.try_launch().await.unwrap().success());
        assert!(server.log().contains("tls/ca.key: is not a private key"), "{}", server.log());
    });
}

#[test]
fn a_certificate_that_is_replaced_is_served_without_a_restart_and_connections_stay() {
    block_on(async {
        let (mut server, own) = Own::prepare().await;
        let first = own.renew();
        server.launch().await;
        let url = server.secure_url().to_owned();
        assert_eq!(served(&url).await, first);
        server.client().get("/ca.crt").await.expect_problem_named(404, "no-authority");
        server.client().get("/ca.der").await.expect_problem_named(404, "no-authority");
        assert!(!server.data_dir().join("tls").exists(), "no authority is made that nobody asked for");

        let before = reqwest::Client::builder()
            .danger_accept_invalid_certs(true)
            .tls_info(true)
            .pool_max_idle_per_host(1)
            .build()
            .unwrap();
        let seen = || async {
            let response = before.get(format!("{url}/healthz")).send().await.unwrap();
            let shown = response.extensions().get::<reqwest::tls::TlsInfo>().unwrap();
            let shown = shown.peer_certificate().unwrap().to_vec();
            response.bytes().await.unwrap();
            shown
        };
        assert_eq!(seen().await, first);

        let second = own.renew();
        eventually("the new certificate", || async { (served(&url).await == second).then_some(()) }).await;
        assert_eq!(seen().await, first, "the connection from before was kept");

        std::fs::write(&own.cert, "nonsense").unwrap();
        eventually("a word about the broken file", || async {
            server.log().contains("the certificate stays as it was").then_some(())
        })
        .await;
        assert_eq!(served(&url).await, second);
        std::fs::remove_file(&own.key).unwrap();
        assert_eq!(served(&url).await, second);

        let third = own.renew();
        eventually("the third certificate", || async { (served(&url).await == third).then_some(()) }).await;
        assert_eq!(seen().await, first);
    });
}

#[test]
fn a_certificate_that_cannot_be_used_stops_the_start_and_names_the_setting() {
    block_on(async {
        let (mut server, own) = Own::prepare().await;
        let mut refused = async |says: &[&str]| {
            let before = server.log().len();
            assert_eq!(server.try_launch().await.unwrap().code(), Some(1));
            let log = server.log()[before..].to_owned();
            assert!(says.iter().all(|word| log.contains(word)), "{says:?} in {log}");
            assert!(!log.contains("panicked") && !log.contains("PRIVATE KEY"), "{log}");
        };
        refused(&["tls_cert", "own.crt", "cannot be read"]).await;
        own.renew();
        let key = std::fs::read(&own.key).unwrap();
        std::fs::write(&own.key, "nonsense").unwrap();
        refused(&["tls_key", "own.key", "no private key"]).await;
        own.renew();
        std::fs::write(&own.key, key).unwrap();
        refused(&["tls_cert and tls_key", "the key is not the certificate's"]).await;
        std::fs::write(&own.cert, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        refused(&["tls_cert", "is not a certificate"]).await;
    });
}

#[test]
fn who_connects_and_says_nothing_keeps_nobody_waiting_and_is_shown_out() {
    block_on(async {
        let server = over_tls(Engine::Sqlite).start().await;
        let ca = authority_of(&server).await;
        let secure = server.secure_url().trim_start_matches("https://").to_owned();
        let mut silent = Vec::new();
        for _ in 0..600 {
            silent.push(TcpStream::connect(&secure).await.unwrap());
        }
        let mut rude = TcpStream::connect(&secure).await.unwrap();
        rude.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let client = Client::using(trusting(&ca).build().unwrap(), server.secure_url());
        client.get("/healthz").await.expect(200);
        for stream in &mut silent {
            let mut nothing = [0; 1];
            assert!(matches!(stream.read(&mut nothing).await, Ok(0) | Err(_)));
        }
        client.get("/healthz").await.expect(200);
    });
}

#[test]
fn with_https_alone_nothing_is_plain_and_the_health_check_still_asks_rightly() {
    block_on(async {
        let mut server = over_tls(Engine::Sqlite).env("HOLDFAST_LISTEN", "none").start().await;
        assert_eq!(server.url(), server.secure_url());
        let healthcheck =
            |server: &Server| server.command().arg("healthcheck").output().unwrap().status.success();
        assert!(healthcheck(&server));
        let ca = authority_of(&server).await;
        let client = Client::using(trusting(&ca).build().unwrap(), server.secure_url());
        client.login(server.username(), server.password()).await.get("/api/me").await.expect(200);
        let plain = format!("http://{}/healthz", server.address());
        assert!(reqwest::get(plain).await.is_err());
        assert!(server.stop().await.success());
        assert!(!healthcheck(&server));
    });
}

#[test]
fn an_address_of_https_in_use_is_a_clear_word() {
    block_on(async {
        let taken = TcpListener::bind(ANYWHERE).unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let mut server = Server::builder(Engine::Sqlite).env("HOLDFAST_TLS_LISTEN", &address).prepare().await;
        assert!(!server.try_launch().await.unwrap().success());
        assert!(server.log().contains(&format!("cannot listen on {address}")), "{}", server.log());
    });
}

both_engines! {
    async fn both_versions_of_http_are_spoken_over_tls(builder: Builder) {
        let server = builder.env("HOLDFAST_TLS_LISTEN", ANYWHERE).start().await;
        let ca = authority_of(&server).await;
        for (http, version) in [(trusting(&ca), Version::HTTP_2), (trusting(&ca).http1_only(), Version::HTTP_11)] {
            let client = Client::using(http.build().unwrap(), server.secure_url());
            let client = client.login(server.username(), server.password()).await;
            let answer = client.get("/api/me").await;
            assert_eq!(answer.version, version);
            // A household's names are not public ones; a browser that was told so could never go back to http.
            assert_eq!(answer.header("strict-transport-security"), None);
            answer.expect(200);
            let body = vec![7_u8; 3_000_000];
            let sent = client.request(Method::PUT, "/api/drives/home/files/large.bin").body(body.clone());
            assert!(client.send(sent).await.status < 300);
            assert_eq!(client.get("/api/drives/home/files/large.bin").await.bytes, body);
            let clients = (0..40).map(|_| client.get("/api/drives/home/files/large.bin"));
            for answer in futures_util::future::join_all(clients).await {
                assert!(answer.bytes == body);
            }
        }
        let stranger = Client::using(reqwest::Client::new(), server.secure_url());
        assert!(stranger.try_send(stranger.request(Method::GET, "/healthz")).await.is_err());
    }

    async fn the_network_drive_works_over_tls_with_addresses_of_https(builder: Builder) {
        let server = builder.env("HOLDFAST_TLS_LISTEN", ANYWHERE).start().await;
        let ca = authority_of(&server).await;
        let home = home_of(&server, &server.admin().await).await;
        for http in [trusting(&ca), trusting(&ca).http1_only()] {
            let name = random_hex(4);
            let client = Client::using(http.build().unwrap(), server.secure_url());
            let client = client.basic(server.username(), server.password());
            let method = |name: &str| Method::from_bytes(name.as_bytes()).unwrap();
            assert_eq!(client.put(&format!("/dav/home/{name}%20a"), "milk").await.status, 201);
            let listed = client.request(method("PROPFIND"), "/dav/home/").header("Depth", "1");
            let listed = client.send(listed).await;
            assert_eq!(listed.status, 207);
            assert!(listed.text().contains(&format!("{name}%20a")), "{}", listed.text());
            let moved = async |destination: String| {
                let request = client.request(method("MOVE"), &format!("/dav/home/{name}%20a"));
                client.send(request.header("Destination", destination)).await.status
            };
            assert_eq!(moved(format!("https://elsewhere.example/dav/home/{name}b")).await, 502);
            assert_eq!(moved(format!("{}/dav/home/{name}%20%23b", server.secure_url())).await, 201);
            assert_eq!(plain(&home)[&format!("/{name} #b")].as_deref(), Some(&b"milk"[..]));
        }
    }

    async fn wrong_passwords_are_counted_by_address_over_tls_too(builder: Builder) {
        let server = builder
            .env("HOLDFAST_TLS_LISTEN", ANYWHERE)
            .env("HOLDFAST_LIMITS_LOGIN_ATTEMPTS_PER_ADDRESS", "3")
            .start()
            .await;
        let ca = authority_of(&server).await;
        let client = Client::using(trusting(&ca).build().unwrap(), server.secure_url());
        for n in 0..3 {
            let nobody = client.basic(&random_hex(4), &random_hex(8));
            // Nobody made this server believe what a client says about its address.
            let asked = nobody.request(Method::GET, "/api/me").header("X-Forwarded-For", format!("192.0.2.{n}"));
            nobody.send(asked).await.expect_problem(401);
        }
        client.basic("x", "y").get("/api/me").await.expect_problem_named(429, "too-many-attempts");
        server.client().basic("x", "y").get("/api/me").await.expect_problem_named(429, "too-many-attempts");
    }

    async fn a_request_of_http2_under_way_is_finished_before_the_end(builder: Builder) {
        let mut server = builder.env("HOLDFAST_TLS_LISTEN", ANYWHERE).start().await;
        let ca = authority_of(&server).await;
        let url = server.secure_url().to_owned();
        let client = Client::using(trusting(&ca).build().unwrap(), &url);
        let client = client.basic(server.username(), server.password());
        let home = home_of(&server, &server.admin().await).await;
        let (send, receive) = tokio::sync::mpsc::channel::<Vec<u8>>(1);
        let pieces = futures_util::stream::unfold(receive, |mut receive| async move {
            receive.recv().await.map(|piece| (Ok::<_, std::io::Error>(piece), receive))
        });
        let upload = tokio::spawn(async move {
            client.put("/dav/home/late.txt", reqwest::Body::wrap_stream(pieces)).await
        });
        send.send(b"first ".to_vec()).await.unwrap();
        eventually("the upload to begin", || async { (!slots(&home).is_empty()).then_some(()) }).await;
        server.signal("TERM");
        eventually("the server to take no more connections", || async {
            TcpStream::connect(url.trim_start_matches("https://")).await.is_err().then_some(())
        })
        .await;
        send.send(b"and last".to_vec()).await.unwrap();
        drop(send);
        let answer = upload.await.unwrap();
        assert_eq!((answer.status, answer.version), (201, Version::HTTP_2));
        assert!(server.ended().await.success());
        assert_eq!(plain(&home)["/late.txt"].as_deref(), Some(&b"first and last"[..]));
    }
}
