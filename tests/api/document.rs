//! The API document, and what answers without a credential.

use std::collections::BTreeSet;
use std::process::Stdio;

use reqwest::Method;
use serde_json::Value;
use support::{Engine, Server, block_on};

/// Everything that may answer to nobody. A new line here is a decision, not a formality.
const OPEN: &[&str] = &[
    "GET /ca.crt",
    "GET /ca.der",
    "GET /docs",
    "GET /healthz",
    "GET /openapi.json",
    "GET /readyz",
    "POST /api/auth/login",
    "POST /api/auth/refresh",
    "POST /api/setup",
];

const METHODS: [Method; 6] =
    [Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::PATCH, Method::HEAD];

/// `/api/users/{user}` with something in place of each parameter.
fn filled(path: &str) -> String {
    let parts = path
        .split('/')
        .map(|part| if part.starts_with('{') { "00000000-0000-0000-0000-000000000000" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// Asked without a credential; what is not 401 answers to nobody.
#[test]
fn only_the_golden_list_answers_without_a_credential() {
    block_on(async {
        // Over TLS by its own authority: then there is a certificate to be had.
        let server = Server::builder(Engine::Sqlite).env("HOLDFAST_TLS_LISTEN", "127.0.0.1:0").start().await;
        let client = server.client();
        let document = client.get("/openapi.json").await.expect(200);
        let mut paths: BTreeSet<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
        paths.extend(["/docs", "/openapi.json", "/dav/", "/dav/home/file"].map(str::to_owned));
        let mut open = BTreeSet::new();
        for path in &paths {
            for method in METHODS {
                let answer = client.send(client.request(method.clone(), &filled(path))).await;
                // HEAD is GET without its body; a method that a path does not have is refused by the path alone.
                let nothing = matches!(answer.status, 401 | 404 | 405);
                if !nothing && method != Method::HEAD {
                    open.insert(format!("{method} {path}"));
                }
            }
        }
        assert_eq!(open.iter().map(String::as_str).collect::<Vec<_>>(), OPEN);
    });
}

/// Every operation of the document says what it needs, and needs what it says.
#[test]
fn the_document_says_of_each_operation_whether_it_needs_a_credential() {
    block_on(async {
        let server = Server::start(Engine::Sqlite).await;
        let client = server.client();
        let document = client.get("/openapi.json").await.expect(200);
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
                let says_open = operation["security"] == serde_json::json!([{}]);
                let answer = client.send(client.request(method.clone(), &filled(path))).await;
                assert_eq!(answer.status != 401, says_open, "{method} {path} answered {}", answer.status);
            }
        }
    });
}

#[test]
fn the_committed_document_is_current() {
    let committed = include_str!("../../openapi/openapi.json");
    let output = std::process::Command::new(support::binary())
        .arg("openapi")
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(
        String::from_utf8_lossy(&output.stdout) == committed,
        "openapi/openapi.json is stale: run `cargo run -p holdfastd -- openapi > openapi/openapi.json`"
    );
}

#[test]
fn the_document_is_whole() {
    let document: Value = serde_json::from_str(include_str!("../../openapi/openapi.json")).unwrap();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        assert!(!path.contains('*'), "{path}");
        for (method, operation) in item.as_object().unwrap() {
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
            assert!(
                operation["summary"].is_string() || operation["description"].is_string(),
                "{method} {path}"
            );
            let named: Vec<&str> =
                path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            for name in named {
                assert!(
                    parameters.iter().any(|parameter| parameter["name"] == name && parameter["in"] == "path"),
                    "{method} {path}: {name}"
                );
            }
        }
    }
}

#[test]
fn the_documentation_is_shown_without_any_outside_address() {
    block_on(async {
        let server = Server::start(Engine::Sqlite).await;
        let client = server.client();
        let page = client.get("/docs/").await;
        assert!(page.header("content-type").unwrap().starts_with("text/html"));
        let html = page.text();
        for file in ["swagger-initializer.js", "swagger-ui.css", "swagger-ui-bundle.js"] {
            assert!(html.contains(file));
            assert_eq!(client.get(&format!("/docs/{file}")).await.status, 200, "{file}");
        }
        assert!(!html.contains("http://") && !html.contains("https://"), "{html}");
        let start = client.get("/docs/swagger-initializer.js").await.text();
        assert!(start.contains("/openapi.json") && !start.contains("://"), "{start}");
        assert!(!page_policy(&client.get("/docs/").await).contains("http"));
    });
}

fn page_policy(answer: &support::Answer) -> String {
    answer.header("content-security-policy").unwrap_or_default().to_owned()
}
