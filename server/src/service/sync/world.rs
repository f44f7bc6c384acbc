//! Everything one manifest is judged against, read from one snapshot of the catalogue.

use std::sync::Arc;

use holdfast_protocol::manifest::{Claim, Claims, Manifest};
use holdfast_protocol::path_map::Full;
use holdfast_protocol::plan::Reason;
use holdfast_protocol::{DrivePath, Value};

use crate::catalog::agreements::{self, State};
use crate::catalog::db::{Db, Tx};
use crate::catalog::drives::{self, Drive};
use crate::catalog::lived::{self, Lived, Wanted};
use crate::catalog::sync;
use crate::domain::names::{self, Platform, Twins};
use crate::domain::reconcile::{
    self, Agreed, Answer, Decision, Guard, Input, Question, Row, Rows, Sent, ServerNodes, Token, patch,
};
use crate::error::{Error, Result};

/// Whose manifest it is, and of which drive.
#[derive(Debug, Clone, Copy)]
pub(super) struct About {
    /// Internal key of the device.
    pub(super) device: i64,
    /// Which names its system can hold.
    pub(super) platform: Platform,
    /// Internal key of the drive.
    pub(super) drive: i64,
}

/// What a device told and what is known, both as of the drive's change `head`.
pub(super) struct World {
    pub(super) head: i64,
    pub(super) root: i64,
    pub(super) state: State,
    manifest: Arc<Manifest>,
    /// The whole list a delta stands for, names in the server's spelling; `None`: the manifest's own.
    judged: Option<Claims>,
    token: Token,
    nodes: ServerNodes,
    rows: Rows,
    obstacles: Obstacles,
    wanted: Vec<Wanted>,
    lived: Vec<Lived>,
}

/// What a reading came to.
pub(super) enum Reading {
    /// All there is to know.
    World(Box<World>),
    /// The token is not the last one issued, and the list is a delta: nothing can be said (algorithms B, tokens). With
    /// the last token.
    ListRequired(String),
}

/// Reads what a manifest is judged against. The head is read before the nodes, from one snapshot.
///
/// # Errors
/// Not found when the drive is gone; the catalogue's.
pub(super) async fn read(db: &Db, about: About, manifest: Arc<Manifest>) -> Result<Reading> {
    db.read(move |tx| Box::pin(read_in(tx, about, manifest))).await
}

async fn read_in(tx: &mut Tx, about: About, manifest: Arc<Manifest>) -> Result<Reading> {
    let Drive { head_seq: head, root_node_id, .. } =
        drives::by_id(tx, about.drive).await?.ok_or_else(|| Error::not_found("there is no such drive"))?;
    let root = root_node_id.ok_or_else(|| Error::internal("a drive without a root node"))?;
    let state = agreements::state_of(tx, about.device, about.drive).await?;
    let state = state.ok_or_else(|| Error::internal("a device without its state"))?;
    let token = match manifest.change_token.as_deref() {
        None => Token::Absent,
        Some(sent) if sent == state.token => Token::Current,
        Some(_) => Token::Outdated,
    };
    if token == Token::Outdated && manifest.is_delta() {
        return Ok(Reading::ListRequired(state.token));
    }
    let nodes = sync::nodes(tx, about.drive).await?;
    let rows = sync::rows(tx, state.id, &nodes).await?;
    let mut world =
        blocking(move || World::new(head, root, state, manifest, token, nodes, rows, about.platform))
            .await?
            .map_err(sync::too_many)?;
    world.lived = lived::lived(tx, about.drive, root, &world.wanted).await?;
    Ok(Reading::World(Box::new(world)))
}

/// Runs what takes long and waits for nothing where it holds nobody up.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)
}

impl World {
    #[expect(clippy::too_many_arguments, reason = "it only gathers what was read")]
    fn new(
        head: i64,
        root: i64,
        state: State,
        manifest: Arc<Manifest>,
        token: Token,
        nodes: ServerNodes,
        rows: Rows,
        platform: Platform,
    ) -> std::result::Result<Self, Full> {
        // Spelled first: what was claimed before is kept in the server's spelling.
        let spelled = match platform.folds() {
            true => spelled(&manifest.claims, &nodes, &rows)?,
            false => None,
        };
        let judged = match manifest.is_delta() {
            true => Some(patch::patched(spelled.as_ref().unwrap_or(&manifest.claims), &rows)?),
            false => spelled,
        };
        let obstacles = Obstacles::new(platform, &nodes, judged.as_ref().unwrap_or(&manifest.claims));
        let (wanted, lived) = (Vec::new(), Vec::new());
        let mut world =
            Self { head, root, state, manifest, judged, token, nodes, rows, obstacles, wanted, lived };
        world.wanted = world.with_input(|input| {
            let asked = reconcile::ask(input);
            asked.iter().map(|q| Wanted { path: q.path.to_owned(), hash: q.hash }).collect()
        });
        Ok(world)
    }

    fn claims(&self) -> &Claims {
        self.judged.as_ref().unwrap_or(&self.manifest.claims)
    }

    fn with_input<R>(&self, judge: impl FnOnce(&Input<'_>) -> R) -> R {
        let reason = |path: &str| self.obstacles.reason(path);
        judge(&Input {
            claims: self.claims(),
            nodes: &self.nodes,
            rows: &self.rows,
            alike: 0,
            sent: Sent::new(&self.manifest, self.token),
            guard: Guard::default(),
            unsyncable: self.obstacles.any().then_some(&reason),
        })
    }

    /// The plan and what changes by it.
    ///
    /// # Errors
    /// [`Full`].
    pub(super) fn decide(&self) -> std::result::Result<Decision, Full> {
        let answers = self.answers();
        self.with_input(|input| {
            let asked: Vec<Question<'_>> = self
                .wanted
                .iter()
                .zip(&answers)
                .map(|(wanted, answer)| Question {
                    path: &wanted.path,
                    hash: wanted.hash,
                    answer: answer.clone(),
                })
                .collect();
            reconcile::decide(input, &asked)
        })
    }

    fn answers(&self) -> Vec<Answer> {
        let mut alive: std::collections::HashMap<i64, Option<(&str, Value)>> =
            self.lived.iter().flat_map(|lived| lived.nodes.iter().map(|node| (node.id, None))).collect();
        if !alive.is_empty() {
            for (path, node) in self.nodes.iter() {
                if let Some(found) = alive.get_mut(&node.id) {
                    *found = Some((path, node.value));
                }
            }
        }
        let place = |id: i64| alive.get(&id).copied().flatten();
        self.wanted
            .iter()
            .zip(&self.lived)
            .map(|(wanted, lived)| Answer {
                kept: lived.kept,
                died: lived.nodes.iter().any(|node| node.last_path && place(node.id).is_none()),
                lives_at: lived
                    .nodes
                    .iter()
                    .filter_map(|node| place(node.id))
                    .find(|(_, value)| *value == Value::File(wanted.hash))
                    .map(|(path, _)| DrivePath::from_checked(path)),
            })
            .collect()
    }

    /// Internal key of the live file or folder at a path.
    pub(super) fn node_at(&self, path: &DrivePath) -> Option<i64> {
        self.nodes.get(path.as_str()).map(|node| node.id)
    }
}

/// The claims of a device that folds names, in the spelling of what the server has or device and server agreed on.
fn spelled(claims: &Claims, nodes: &ServerNodes, rows: &Rows) -> std::result::Result<Option<Claims>, Full> {
    let is_agreed = |row: &Row| matches!(row.agreed, Some(Agreed::Held(_)));
    let agreed = rows.iter().filter(|(_, row)| is_agreed(row)).map(|(path, _)| path);
    let known = nodes.iter().map(|(path, _)| path).chain(agreed);
    names::respell(claims, known, |path| nodes.get(path).is_some() || rows.get(path).is_some_and(is_agreed))
}

/// Names that the device cannot hold beside what it has.
struct Obstacles {
    platform: Platform,
    twins: Twins,
}

impl Obstacles {
    fn new(platform: Platform, nodes: &ServerNodes, claims: &Claims) -> Self {
        let is_held = |path: &str| matches!(claims.get(path), Some(Claim::Held(_)));
        let twins = match platform.folds() {
            true => Twins::among(nodes.iter().map(|(path, _)| path), is_held),
            false => Twins::default(),
        };
        Self { platform, twins }
    }

    fn any(&self) -> bool {
        self.platform != Platform::Posix
    }

    fn reason(&self, path: &str) -> Option<Reason> {
        self.platform.obstacle(path).or_else(|| self.twins.leaves_out(path).then_some(Reason::Twin))
    }
}
