//! REPORT: sync-collection (RFC 6578), and no other.

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use futures_util::stream;
use uuid::Uuid;

use super::multistatus::{BEGIN, END, precondition, write_status, xml};
use super::propfind::{Answering, Asked as Named, PIECE, prefers_minimal, say_minimal};
use super::props::href;
use super::xml::{DAV, Element, escape};
use super::{DEPTH, Inside, body};
use crate::error::{Error, Result};
use crate::service::since::{self, Asked, Different, NO_FOLDER, OTHER_TOKEN, Walk};

/// In front of the change that a token names.
const TOKEN: &str = "urn:holdfast:sync:";
/// Behind the token of a first answer's part: the next part of it is asked for with that.
const IN_PARTS: &str = "+";
/// More than so many are not told at once to those who set a limit: their answer is put together before it is sent.
const MOST: usize = 10_000;

/// The token of a change, as clients see it.
pub fn token(change: Uuid) -> String {
    format!("{TOKEN}{}", change.simple())
}

/// What a client asks for.
struct Report {
    since: Option<Uuid>,
    deep: bool,
    limit: Option<usize>,
    /// It is the first answer, or goes on with that: only this one is given in parts. Later ones tell where things are no
    /// longer, since the token: of something that changed twice, a token from between would not know where it had been.
    first: bool,
}

/// Answers a REPORT.
pub(super) async fn handle(inside: &Inside, parts: &Parts, body: Body) -> Result<Response> {
    let asked = body::read(body).await?.ok_or_else(|| Error::malformed("a report needs a body"))?;
    let unsupported = || precondition(StatusCode::FORBIDDEN, "<D:supported-report/>");
    let other_token = || precondition(StatusCode::FORBIDDEN, "<D:valid-sync-token/>");
    if !asked.name.is(DAV, "sync-collection") {
        return Ok(unsupported());
    }
    // RFC 6578, section 3.2.
    if parts.headers.get(DEPTH).is_some_and(|depth| depth.as_bytes() != b"0") {
        return Err(Error::malformed(
            "the header Depth of this report is 0; how deep it goes is its sync-level",
        ));
    }
    let Some(report) = read(&asked)? else { return Ok(other_token()) };
    let named = Named::of_prop(asked.dav("prop"), prefers_minimal(&parts.headers))?;
    let answering = Answering::new(inside, named).await?;
    let wanted = answering.wanted();
    let asked = Asked { folder: inside.path.clone(), since: report.since, deep: report.deep, wanted };
    let walk = match since::begin(&inside.mounted, asked).await {
        Ok(walk) => walk,
        Err(error) if error.problem_code() == Some(NO_FOLDER) => return Ok(unsupported()),
        Err(error) if error.problem_code() == Some(OTHER_TOKEN) => return Ok(other_token()),
        Err(error) => return Err(error),
    };
    let minimal = answering.is_minimal();
    let mut response = match report.limit {
        None => xml(StatusCode::MULTI_STATUS, stream_of(answering, walk)),
        Some(limit) => limited(inside, &answering, walk, limit.min(MOST), report.first).await?,
    };
    if minimal {
        say_minimal(&mut response);
    }
    Ok(response)
}

/// `None`: the token is none of ours.
fn read(asked: &Element) -> Result<Option<Report>> {
    let deep = match asked.dav("sync-level").map(|level| level.text()).as_deref().map(str::trim) {
        Some("1") => false,
        Some("infinite") => true,
        _ => return Err(Error::malformed("the sync-level is neither 1 nor infinite")),
    };
    let limit = match asked.dav("limit").and_then(|limit| limit.dav("nresults")) {
        None => None,
        Some(count) => {
            let count = count.text().trim().parse::<usize>();
            Some(count.map_err(|_| Error::malformed("the limit is no number"))?)
        }
    };
    let token = asked.dav("sync-token").ok_or_else(|| Error::malformed("the sync-token is missing"))?.text();
    let (since, first) = match token.trim() {
        "" => (None, true),
        text => {
            let change = text.strip_suffix(IN_PARTS).unwrap_or(text).strip_prefix(TOKEN);
            let Some(change) = change.and_then(|change| Uuid::try_parse(change).ok()) else {
                return Ok(None);
            };
            (Some(change), text.ends_with(IN_PARTS))
        }
    };
    Ok(Some(Report { since, deep, limit, first }))
}

fn write(answering: &Answering, out: &mut String, different: &Different) {
    match &different.now {
        Some(described) => answering.write(out, &different.path, described),
        None => {
            out.push_str("<D:response><D:href>");
            escape(out, &href(answering.place(), &different.path, different.is_folder));
            out.push_str("</D:href>");
            write_status(out, StatusCode::NOT_FOUND);
            out.push_str("</D:response>");
        }
    }
}

fn end(out: &mut String, change: Uuid, whole: bool) {
    out.push_str("<D:sync-token>");
    out.push_str(&token(change));
    if !whole {
        out.push_str(IN_PARTS);
    }
    out.push_str("</D:sync-token>");
    out.push_str(END);
}

struct Standing {
    answering: Answering,
    walk: Walk,
    begun: bool,
}

fn stream_of(answering: Answering, walk: Walk) -> Body {
    let standing = Standing { answering, walk, begun: false };
    Body::from_stream(stream::unfold(Some(standing), |standing| async move {
        let mut standing = standing?;
        let mut out = String::with_capacity(PIECE + 4096);
        if !standing.begun {
            standing.begun = true;
            out.push_str(BEGIN);
        }
        loop {
            match standing.walk.next().await {
                Ok(Some(page)) => page.iter().for_each(|one| write(&standing.answering, &mut out, one)),
                Ok(None) => {
                    end(&mut out, standing.walk.head, true);
                    return Some((std::io::Result::Ok(Bytes::from(out)), None));
                }
                // What was sent cannot be taken back: the answer breaks off, so that nobody takes it for whole.
                Err(error) => return Some((Err(std::io::Error::other(error.to_string())), None)),
            }
            if out.len() >= PIECE {
                return Some((Ok(Bytes::from(out)), Some(standing)));
            }
        }
    }))
}

/// An answer with no more than `limit` responses. A first one that has more ends between two changes, with a token to go on
/// from there (RFC 6578, section 3.6); any other that has, and a first one of which already one change makes more, is refused.
async fn limited(
    inside: &Inside,
    answering: &Answering,
    mut walk: Walk,
    limit: usize,
    first: bool,
) -> Result<Response> {
    let mut out = String::from(BEGIN);
    let mut count = 0;
    // The change that is being told, where its responses begin in the text, and the one before it.
    let (mut telling, mut begins, mut before) = (0, out.len(), None);
    while let Some(page) = walk.next().await? {
        for one in &page {
            if one.seq != telling {
                before = (telling > 0).then_some(telling);
                (telling, begins) = (one.seq, out.len());
            }
            if count == limit {
                let Some(before) = before.filter(|_| first) else {
                    let refused = "<D:number-of-matches-within-limits/>";
                    return Ok(precondition(StatusCode::INSUFFICIENT_STORAGE, refused));
                };
                out.truncate(begins);
                out.push_str("<D:response><D:href>");
                escape(&mut out, &href(&inside.place, &inside.path, true));
                out.push_str("</D:href>");
                write_status(&mut out, StatusCode::INSUFFICIENT_STORAGE);
                out.push_str("<D:error><D:number-of-matches-within-limits/></D:error></D:response>");
                end(&mut out, since::token_of(&inside.mounted, before).await?, false);
                return Ok(xml(StatusCode::MULTI_STATUS, out));
            }
            write(answering, &mut out, one);
            count += 1;
        }
    }
    end(&mut out, walk.head, true);
    Ok(xml(StatusCode::MULTI_STATUS, out))
}
