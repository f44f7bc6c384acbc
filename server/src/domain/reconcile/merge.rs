//! Walks claims, nodes and rows side by side, in path order.

use std::iter::Peekable;

use holdfast_protocol::manifest::Claim;

use super::input::{Input, Row, ServerNode};

/// One path with all that is known of it.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) path: &'a str,
    pub(super) claim: Option<Claim>,
    pub(super) node: Option<&'a ServerNode>,
    pub(super) row: Option<&'a Row>,
}

/// Every path that is claimed, live on the server or known from before.
pub(super) fn cases<'a>(input: &Input<'a>) -> impl Iterator<Item = Case<'a>> + use<'a> {
    let mut claims = input.claims.iter().peekable();
    let mut nodes = input.nodes.iter().peekable();
    let mut rows = input.rows.iter().peekable();
    std::iter::from_fn(move || {
        let next = [claims.peek().map(path), nodes.peek().map(path), rows.peek().map(path)];
        let path = next.into_iter().flatten().min()?;
        Some(Case {
            path,
            claim: take(&mut claims, path).copied(),
            node: take(&mut nodes, path),
            row: take(&mut rows, path),
        })
    })
}

fn path<'a, T>(entry: &(&'a str, T)) -> &'a str {
    entry.0
}

fn take<'a, T>(entries: &mut Peekable<impl Iterator<Item = (&'a str, &'a T)>>, path: &str) -> Option<&'a T> {
    entries.next_if(|(at, _)| *at == path).map(|(_, value)| value)
}
