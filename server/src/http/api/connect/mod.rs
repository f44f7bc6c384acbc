//! How to mount one's drives.

mod get;

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::domain::connect::{Line, Way};

/// This noun's routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get::get))
}

/// How the caller reaches their drives.
#[derive(Debug, Serialize, ToSchema)]
pub struct Connect {
    /// The server's address as the request reached it; through a trusted proxy, the proxy's.
    address: String,
    /// The server's https address, if that is another.
    secure_address: Option<String>,
    /// Whom the lines are for.
    username: String,
    /// The certificate of the server's own authority, where it has one.
    certificate: Option<Certificate>,
    /// The drives that the caller may see.
    drives: Vec<Reach>,
}

/// The certificate that devices have to trust.
#[derive(Debug, Serialize, ToSchema)]
pub struct Certificate {
    /// Where it is, in PEM; with `.der` at its end in DER.
    url: String,
    /// SHA-256 of it, as the server prints it at its start.
    sha256: String,
    /// What fetches it and has a system trust it.
    lines: Vec<Text>,
}

/// How to reach a drive.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reach {
    /// The drive's id.
    id: Uuid,
    /// Its name.
    name: String,
    /// Its address for WebDAV.
    url: String,
    /// One for each program.
    ways: Vec<With>,
}

/// How to reach a drive with one program.
#[derive(Debug, Serialize, ToSchema)]
pub struct With {
    /// `windows`, `macos`, `gnome`, `kde`, `davfs2`, `rclone`, `phone` or `curl`; others may follow.
    client: &'static str,
    /// The program, for people.
    title: &'static str,
    /// What goes where, in this order.
    lines: Vec<Text>,
    /// What else to know.
    notes: Vec<&'static str>,
}

/// Something to type or paste.
#[derive(Debug, Serialize, ToSchema)]
pub struct Text {
    /// Where it goes.
    place: &'static str,
    /// The line itself.
    text: String,
}

impl From<Line> for Text {
    fn from(line: Line) -> Self {
        Self { place: line.place, text: line.text }
    }
}

impl From<Way> for With {
    fn from(way: Way) -> Self {
        let lines = way.lines.into_iter().map(Text::from).collect();
        Self { client: way.client, title: way.title, lines, notes: way.notes }
    }
}
