//! Looks into the history for many paths at once: which nodes ever lived at each, and whether one of them had a content.
//! Level by level from the root, so that a list of new files in new folders costs next to nothing.

use std::collections::{HashMap, HashSet};

use holdfast_protocol::ContentHash;

use super::db::Tx;
use super::sql::{self, Builder, portions, row};
use crate::error::{Error, Result};

/// A path and a content that is looked for in its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Path without a leading slash.
    pub path: String,
    /// The content.
    pub hash: ContentHash,
}

/// What was found of one [`Wanted`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lived {
    /// Its bytes are kept as a version of a node that once was there, or of the path itself.
    pub kept: bool,
    /// Every node that ever was there.
    pub nodes: Vec<Dweller>,
}

/// A node that once was, or is, at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dweller {
    /// Its internal key.
    pub id: i64,
    /// It is a file and has had no other path since: it lives there or has died there.
    pub last_path: bool,
}

/// A node at a path during some of the drive's changes.
#[derive(Debug, Clone, Copy)]
struct Stay {
    node: i64,
    from_seq: i64,
    to_seq: i64,
    /// Neither it nor a folder above it has had another name since.
    last_name: bool,
    is_folder: bool,
}

struct StayRow {
    i: i64,
    node_id: i64,
    from_seq: i64,
    to_seq: i64,
    /// 0: a name it has no longer; 1: the name of a folder; 2: of a file.
    current: i64,
}

row!(StayRow { i, node_id, from_seq, to_seq, current });

/// Looks up all of them; answers are in the order of the questions.
///
/// # Errors
/// The catalogue's.
pub async fn lived(tx: &mut Tx, drive: i64, root: i64, wanted: &[Wanted]) -> Result<Vec<Lived>> {
    let mut answers: Vec<Lived> = Vec::with_capacity(wanted.len());
    let stays = stays(tx, root, wanted).await?;
    for question in wanted {
        let mut nodes: Vec<Dweller> = Vec::new();
        for stay in stays.get(question.path.as_str()).into_iter().flatten() {
            let last_path = stay.last_name && !stay.is_folder;
            match nodes.iter_mut().find(|node| node.id == stay.node) {
                Some(node) => node.last_path |= last_path,
                None => nodes.push(Dweller { id: stay.node, last_path }),
            }
        }
        answers.push(Lived { kept: false, nodes });
    }
    for kept in kept_by_node(tx, wanted, &answers).await? {
        answers[kept].kept = true;
    }
    for kept in kept_by_path(tx, drive, wanted).await? {
        answers[kept].kept = true;
    }
    Ok(answers)
}

/// Who ever stayed at each of the paths.
async fn stays<'w>(tx: &mut Tx, root: i64, wanted: &'w [Wanted]) -> Result<HashMap<&'w str, Vec<Stay>>> {
    let whole = Stay { node: root, from_seq: 0, to_seq: i64::MAX, last_name: true, is_folder: true };
    let mut found: HashMap<&str, Vec<Stay>> = HashMap::new();
    // Each round goes one name down: folders of the level above, and the paths that still lead further down.
    let mut above: HashMap<&str, Vec<Stay>> = HashMap::from([("", vec![whole])]);
    let mut open: Vec<&str> = wanted.iter().map(|question| question.path.as_str()).collect();
    let mut depth = 0;
    while !open.is_empty() {
        let mut seen: HashSet<&str> = HashSet::new();
        let mut below: HashMap<&str, Vec<Stay>> = HashMap::new();
        let mut steps: Vec<(&str, &str, Stay)> = Vec::new();
        for path in &open {
            let (folder, here) = split_at_depth(path, depth);
            let Some(parents) = above.get(folder) else { continue };
            if seen.insert(here) {
                let name = here.rsplit('/').next().unwrap_or(here);
                steps.extend(parents.iter().map(|parent| (here, name, *parent)));
            }
        }
        for (at, stay) in step(tx, &steps).await? {
            below.entry(steps[at].0).or_default().push(stay);
        }
        depth += 1;
        open.retain(|path| {
            let (folder, _) = split_at_depth(path, depth);
            below.contains_key(folder) && folder.len() < path.len()
        });
        for (path, stays) in &below {
            found.insert(path, stays.clone());
        }
        above = below;
    }
    Ok(found)
}

/// The first `depth` names of a path, and the first `depth + 1`.
fn split_at_depth(path: &str, depth: usize) -> (&str, &str) {
    let end = |names: usize| match names {
        0 => 0,
        _ => path.match_indices('/').nth(names - 1).map_or(path.len(), |(at, _)| at),
    };
    (&path[..end(depth)], &path[..end(depth + 1)])
}

/// Who stayed under each name in each folder, while that folder itself was where it is looked for.
async fn step(tx: &mut Tx, steps: &[(&str, &str, Stay)]) -> Result<Vec<(usize, Stay)>> {
    let mut found = Vec::new();
    for (begin, steps) in portions(steps) {
        let mut query = Builder::new(tx.engine_name(), "WITH wanted (i, parent_id, name) AS (");
        query.rows(
            steps
                .iter()
                .enumerate()
                .map(|(i, (_, name, parent))| [index(i).into(), parent.node.into(), (*name).into()]),
        );
        // 'current' says 0 for a name that it has no longer, 1 for a folder's, 2 for a file's.
        query.push(
            ") SELECT w.i, n.id AS node_id, n.named_seq AS from_seq, \
             CASE WHEN n.state = 'dead' THEN n.seq ELSE 9223372036854775807 END AS to_seq, \
             CASE WHEN n.kind = 'folder' THEN CAST(1 AS BIGINT) ELSE 2 END AS current \
             FROM wanted w JOIN nodes n ON n.parent_id = w.parent_id AND n.name = w.name \
             UNION ALL SELECT w.i, m.node_id, m.from_seq, m.to_seq, CAST(0 AS BIGINT) \
             FROM wanted w JOIN node_names m ON m.parent_id = w.parent_id AND m.name = w.name",
        );
        let rows: Vec<StayRow> = query.build().fetch_all(tx).await?;
        for row in rows {
            let i = usize::try_from(row.i).map_err(Error::internal)?;
            let parent = steps[i].2;
            let stay = Stay {
                node: row.node_id,
                from_seq: row.from_seq.max(parent.from_seq),
                to_seq: row.to_seq.min(parent.to_seq),
                last_name: parent.last_name && row.current != 0,
                is_folder: row.current == 1,
            };
            if stay.from_seq <= stay.to_seq {
                found.push((begin + i, stay));
            }
        }
    }
    Ok(found)
}

async fn kept_by_node(tx: &mut Tx, wanted: &[Wanted], lived: &[Lived]) -> Result<Vec<usize>> {
    let pairs: Vec<(usize, i64)> = lived
        .iter()
        .enumerate()
        .flat_map(|(i, lived)| lived.nodes.iter().map(move |node| (i, node.id)))
        .collect();
    let mut kept = Vec::new();
    for (_, pairs) in portions(&pairs) {
        let mut query = Builder::new(tx.engine_name(), "WITH wanted (i, node_id, hash) AS (");
        query.rows(
            pairs
                .iter()
                .map(|(i, node)| [index(*i).into(), (*node).into(), wanted[*i].hash.as_bytes()[..].into()]),
        );
        query.push(
            ") SELECT DISTINCT w.i FROM wanted w \
             JOIN file_versions v ON v.node_id = w.node_id AND v.hash = w.hash \
             WHERE v.n IS NOT NULL AND NOT v.lost",
        );
        let found: Vec<i64> = query.build().fetch_all(tx).await?;
        for i in found {
            kept.push(usize::try_from(i).map_err(Error::internal)?);
        }
    }
    Ok(kept)
}

const ANY_BY_PATH: &str = "SELECT 1 WHERE EXISTS (SELECT 1 FROM file_versions WHERE drive_id = $1 AND path >= '' AND node_id IS NULL AND n IS NOT NULL)";

/// Contents that were kept for a path where no file ever was. There are hardly ever any.
async fn kept_by_path(tx: &mut Tx, drive: i64, wanted: &[Wanted]) -> Result<Vec<usize>> {
    let any: Option<i32> = sql::query(ANY_BY_PATH).bind(drive).fetch_optional(tx).await?;
    let mut kept = Vec::new();
    if any.is_none() {
        return Ok(kept);
    }
    for (begin, questions) in portions(wanted) {
        let mut query = Builder::new(tx.engine_name(), "WITH wanted (i, path, hash) AS (");
        query.rows(questions.iter().enumerate().map(|(i, question)| {
            [index(i).into(), question.path.as_str().into(), question.hash.as_bytes()[..].into()]
        }));
        query.push(
            ") SELECT DISTINCT w.i FROM wanted w \
             JOIN file_versions v ON v.path = w.path AND v.hash = w.hash \
             WHERE v.node_id IS NULL AND v.n IS NOT NULL AND NOT v.lost AND v.drive_id = ",
        );
        query.bind(drive);
        let found: Vec<i64> = query.build().fetch_all(tx).await?;
        for i in found {
            kept.push(begin + usize::try_from(i).map_err(Error::internal)?);
        }
    }
    Ok(kept)
}

/// A place in a list of at most some thousands.
fn index(i: usize) -> i64 {
    i64::try_from(i).unwrap_or(i64::MAX)
}

/// Every SQL text of this file that is not built at run time, to be prepared on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: super::testing::Statements = super::testing::statements! {
    ANY_BY_PATH
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_cut_after_so_many_names() {
        assert_eq!(split_at_depth("a/bc/d", 0), ("", "a"));
        assert_eq!(split_at_depth("a/bc/d", 1), ("a", "a/bc"));
        assert_eq!(split_at_depth("a/bc/d", 2), ("a/bc", "a/bc/d"));
        assert_eq!(split_at_depth("a/bc/d", 3), ("a/bc/d", "a/bc/d"));
    }
}
