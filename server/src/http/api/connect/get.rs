//! `GET /api/connect`

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE, VARY};
use axum::response::{IntoResponse as _, Response};

use super::{Certificate, Connect, Reach, Text};
use crate::app::App;
use crate::domain::connect::{self, Drive, Server};
use crate::http::extract::Json;
use crate::http::origin::Origin;
use crate::http::problem::Problem;
use crate::service::caller::Caller;
use crate::service::drives::Addressed;

/// Tells the exact lines by which the caller mounts each of their drives from this address of the server, program by
/// program. As text with `Accept: text/plain`.
#[utoipa::path(get, path = "/api/connect", tag = "drives",
    responses((status = 200, content((Connect = "application/json"), (String = "text/plain")))))]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let drives = app.drives.addressed(caller.user_id).await?;
    let connect = told(&app, &caller.username, &origin, &drives);
    if wants_text(&headers) {
        let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (VARY, "accept")];
        return Ok((headers, as_text(&connect)).into_response());
    }
    Ok(([(VARY, "accept")], Json(connect)).into_response())
}

fn told(app: &App, username: &str, origin: &Origin, drives: &[Addressed]) -> Connect {
    let tls = app.over_tls();
    let own = tls.and_then(|served| served.tls.authority());
    // A proxy's https has the proxy's certificate.
    let own_authority = own.is_some() && origin.secure && !origin.forwarded;
    let server = Server { secure: origin.secure, host: &origin.host, port: origin.port, own_authority };
    let other = tls.filter(|_| !origin.secure && !origin.forwarded);
    let other = other.map(|served| Server { secure: true, port: Some(served.port), ..server }.url());
    let certificate = own.filter(|_| !origin.forwarded).map(|public| {
        let url = format!("{}/ca.crt", server.url());
        let lines = connect::trust(&url).into_iter().map(Text::from).collect();
        Certificate { url, sha256: public.fingerprint.clone(), lines }
    });
    let drives = drives.iter().map(|drive| {
        let at: Vec<&str> = drive.names.iter().map(String::as_str).collect();
        let asked = Drive { user: username, name: &drive.name, at: &at };
        Reach {
            id: drive.id,
            name: drive.name.clone(),
            url: connect::url(&server, &asked),
            ways: connect::ways(&server, &asked).into_iter().map(Into::into).collect(),
        }
    });
    Connect {
        address: server.url(),
        secure_address: other,
        username: username.to_owned(),
        certificate,
        drives: drives.collect(),
    }
}

fn wants_text(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let first =
        accepted.flat_map(|list| list.split(',')).map(|one| one.split(';').next().unwrap_or_default().trim());
    let mut first = first.filter(|kind| matches!(*kind, "text/plain" | "application/json"));
    first.next() == Some("text/plain")
}

fn as_text(connect: &Connect) -> String {
    let mut out = format!("Holdfast at {}, for {}\n", connect.address, connect.username);
    // Writing into a text cannot fail.
    if let Some(address) = &connect.secure_address {
        let _ = writeln!(out, "The same over TLS: {address}");
    }
    if let Some(certificate) = &connect.certificate {
        let _ = writeln!(out, "\nThe certificate that devices have to trust: {}", certificate.url);
        let _ = writeln!(out, "SHA-256 {}", certificate.sha256);
        lines(&mut out, &certificate.lines);
    }
    for drive in &connect.drives {
        let _ = writeln!(out, "\nDrive {}: {}", drive.name, drive.url);
        for way in &drive.ways {
            let _ = writeln!(out, "\n{}", way.title);
            lines(&mut out, &way.lines);
            for note in &way.notes {
                let _ = writeln!(out, "  ({note})");
            }
        }
    }
    out
}

fn lines(out: &mut String, lines: &[Text]) {
    for line in lines {
        let _ = writeln!(out, "  # {}\n  {}", line.place, line.text);
    }
}
