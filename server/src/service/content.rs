//! Reading: finds where a content lies now, opens it by identity, and streams it without ever mixing two contents
//! (promise P2; algorithms A, Reads).

use std::fs::File;
use std::io::{ErrorKind, Read, Seek};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, stream};
use holdfast_disk::hash::BUFFER;
use holdfast_disk::{Hasher, Summer, Sums};
use holdfast_protocol::delta::Chunk;
use holdfast_protocol::{ContentHash, DrivePath};

use super::lent::Buffers;
use super::placement::{Mounted, lies_at};
use crate::catalog::db::Tx;
use crate::catalog::nodes::{self, Node};
use crate::catalog::versions::{self, Version};
use crate::catalog::{ops, tree};
use crate::domain::stat::{Ident, Stat};
use crate::error::{Error, Result};
use crate::store::{OpenError, Phys};

/// Bytes read in one step that waits for the disk: one step for most files, few for large ones.
const STEP: u64 = 256 * 1024;
/// Bytes read in one step from memory: as many as stay in a processor's cache until they are sent.
const AT_ONCE: usize = 128 * 1024;
/// The code of the error of reading a folder like a file.
pub const IS_A_FOLDER: &str = "is-a-folder";
/// How often a name is resolved anew when what lies there is not what the catalogue said.
const TRIES: usize = 4;

/// A content opened for reading.
#[derive(Debug)]
pub struct Opened {
    file: File,
    stat: Stat,
    places: Vec<Phys>,
    /// Its hash; `None` when another program has changed the file and the catalogue has not adopted that yet.
    pub hash: Option<ContentHash>,
}

impl Opened {
    /// Bytes.
    pub fn size(&self) -> u64 {
        self.stat.size
    }

    /// Nanoseconds since 1970.
    pub fn mtime_ns(&self) -> i64 {
        self.stat.mtime_ns
    }

    /// The entity tag: strong and equal to the content's hash, or weak and made of what `stat` says.
    pub fn etag(&self) -> String {
        match &self.hash {
            Some(hash) => format!("\"{hash}\""),
            None => format!("W/\"{:x}-{:x}-{:x}\"", self.stat.ident.ino, self.stat.size, self.stat.mtime_ns),
        }
    }

    /// The bytes of a range (which must lie within the size), if it is short and no disk has to be waited for.
    pub fn at_once(&self, range: Range<u64>) -> Option<Bytes> {
        let short = usize::try_from(range.end.checked_sub(range.start)?).ok().filter(|n| *n <= AT_ONCE)?;
        let mut buffer = vec![0; short];
        let filled =
            short == 0 || holdfast_disk::read::fill_at_once(&self.file, &mut buffer, range.start).ok()?;
        (filled && self.still_the_same().is_ok()).then(|| Bytes::from(buffer))
    }

    /// As [`Opened::at_once`], one step of a stream. Its last one only counts while the file is still the same.
    fn next_at_once(&self, range: Range<u64>, last: bool, buffers: &Buffers) -> Option<Bytes> {
        let length = usize::try_from(range.end - range.start).ok()?;
        let mut buffer = buffers.take(length);
        let filled = holdfast_disk::read::fill_at_once(&self.file, &mut buffer[..length], range.start);
        let good = matches!(filled, Ok(true)) && !(last && self.still_the_same().is_err());
        if good {
            return Some(buffers.lend(buffer, length));
        }
        buffers.give_back(buffer);
        None
    }

    /// The bytes of a range (which must lie within the size). Ends with an error, never with other bytes, when the file
    /// changes meanwhile.
    pub fn stream(self, range: Range<u64>) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static {
        Arc::new(self).shared(range)
    }

    /// As [`Opened::stream`], where several ranges are sent.
    pub fn shared(
        self: Arc<Self>,
        range: Range<u64>,
    ) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static {
        let state = Some((self, range, Buffers::default()));
        stream::unfold(state, |state| async move {
            let (opened, range, buffers) = state?;
            if range.is_empty() {
                return None;
            }
            let next = range.start..range.end.min(range.start + AT_ONCE as u64);
            let last = next.end == range.end;
            let read = match opened.next_at_once(next, last, &buffers) {
                Some(bytes) => Ok(Ok(bytes)),
                None => {
                    let (reader, asked) = (Arc::clone(&opened), range.clone());
                    tokio::task::spawn_blocking(move || reader.step(asked)).await
                }
            };
            match read {
                Ok(Ok(bytes)) => {
                    let next = range.start + bytes.len() as u64..range.end;
                    Some((Ok(bytes), Some((opened, next, buffers))))
                }
                Ok(Err(error)) => Some((Err(error), None)),
                Err(error) => Some((Err(std::io::Error::other(error)), None)),
            }
        })
    }

    fn step(&self, range: Range<u64>) -> std::io::Result<Bytes> {
        let wanted = usize::try_from((range.end - range.start).min(STEP)).unwrap_or(0);
        let mut buffer = vec![0; wanted];
        self.file.read_exact_at(&mut buffer, range.start)?;
        if range.start + wanted as u64 == range.end {
            self.still_the_same()?;
        }
        Ok(Bytes::from(buffer))
    }

    /// Another program may have written into the file while it was read: then the answer must break off.
    fn still_the_same(&self) -> std::io::Result<()> {
        let now = holdfast_disk::stat::stat_of(&self.file)?;
        if (now.size, now.mtime_ns) == (self.stat.size, self.stat.mtime_ns) {
            Ok(())
        } else {
            Err(std::io::Error::other("the file was changed by another program while it was read"))
        }
    }

    /// Its hash and checksums, read from the file as it is now.
    ///
    /// # Errors
    /// What reading says; also when the file is changed meanwhile.
    pub fn sums(&self) -> std::io::Result<(ContentHash, Sums)> {
        let (mut hasher, mut summer) = (Hasher::new(), Summer::default());
        let mut buffer = vec![0; BUFFER];
        let mut at = 0;
        while at < self.stat.size {
            let wanted = usize::try_from(self.stat.size - at).unwrap_or(BUFFER).min(BUFFER);
            self.file.read_exact_at(&mut buffer[..wanted], at)?;
            hasher.update(&buffer[..wanted]);
            summer.update(&buffer[..wanted]);
            at += wanted as u64;
        }
        self.still_the_same()?;
        Ok((hasher.finish(), summer.finish()))
    }

    /// Its chunks, as it is now.
    ///
    /// # Errors
    /// What reading says; also when the file is changed meanwhile.
    pub(super) fn chunks(&self) -> std::io::Result<Vec<Chunk>> {
        let chunks = holdfast_disk::chunks_of(FromStart { file: &self.file, at: 0 })?;
        self.still_the_same()?;
        Ok(chunks)
    }

    /// The open file, for those who change what it carries besides its bytes.
    pub(super) fn into_file(self) -> File {
        self.file
    }

    /// Where it may lie, and which inode it is, for a copy.
    pub fn source(&self) -> (&[Phys], Ident) {
        (&self.places, self.stat.ident)
    }
}

/// Reads a file from its start, whatever others do with the same descriptor.
struct FromStart<'f> {
    file: &'f File,
    at: u64,
}

impl Read for FromStart<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// Everything needed to find a file's current content.
#[derive(Debug)]
pub(super) struct Wanted {
    node: Node,
    version: Version,
    path: DrivePath,
    seq: i64,
    places: Vec<Phys>,
}

/// Opens the current content of the file at a path.
///
/// # Errors
/// Not found when there is no file; conflict when it is a folder; 503 when its bytes cannot be reached now.
pub async fn open(mounted: &Arc<Mounted>, path: &DrivePath) -> Result<(Opened, Node)> {
    for attempt in 0..TRIES {
        let (root, asked, state) = (mounted.root_node, path.clone(), mounted.db().commits());
        let (recent, now) = (&mounted.recent.contents, mounted.clock().now());
        let wanted = match recent.get(path, state, now).filter(|_| attempt == 0) {
            Some(wanted) => wanted,
            None => {
                let wanted = mounted.db().glance(move |tx| Box::pin(current(tx, root, asked))).await?;
                let wanted = Arc::new(wanted);
                recent.put(path.clone(), state, now, Arc::clone(&wanted));
                wanted
            }
        };
        let last = attempt + 1 == TRIES;
        match try_open(mounted, &wanted, last).await? {
            Some(opened) => return Ok((opened, wanted.node.clone())),
            None => {
                // Its placement, or that of a folder above, may still be under way.
                mounted.placed(wanted.seq).await;
            }
        }
    }
    Err(missing(mounted, path))
}

/// The refusal of reading a folder like a file.
pub fn folder(path: &DrivePath) -> Error {
    Error::conflict("this is a folder").code(IS_A_FOLDER).with("path", path.to_string())
}

async fn current(tx: &mut Tx, root: i64, path: DrivePath) -> Result<Wanted> {
    let found = nodes::resolve(tx, root, &path).await?;
    let absent = || Error::not_found("there is no such file").with("path", path.to_string());
    let node = found.node.clone().ok_or_else(absent)?;
    if node.is_folder() {
        return Err(folder(&path));
    }
    let version = versions::by_id(tx, node.current_version_id.ok_or_else(absent)?).await?;
    let seq = found.above.iter().map(|n| n.seq).max().unwrap_or(0).max(node.seq);
    let mut places = vec![Phys::from(&path)];
    places.extend([node.slot, version.origin].into_iter().flatten().map(Phys::slot));
    if node.state == "unplaced" || found.above.iter().any(|above| above.state == "unplaced") {
        let lineage: Vec<Node> = found.above.iter().cloned().chain([node.clone()]).collect();
        places.push(lies_at(tx, &lineage).await?);
    }
    Ok(Wanted { node, version, path, seq, places })
}

/// Opens what lies at one of some places, without a step aside where no disk has to be waited for.
async fn open_at(
    mounted: &Arc<Mounted>,
    places: &[Phys],
    expect: Option<Ident>,
) -> std::result::Result<(File, Stat, usize), OpenError> {
    if let Some(opened) = mounted.store.open_file_at_once(places, expect) {
        return opened;
    }
    let (store, places) = (Arc::clone(&mounted.store), places.to_vec());
    let opened = tokio::task::spawn_blocking(move || store.open_file(&places, expect)).await;
    opened.unwrap_or_else(|failed| Err(OpenError::Io(std::io::Error::other(failed))))
}

async fn try_open(mounted: &Arc<Mounted>, wanted: &Wanted, last: bool) -> Result<Option<Opened>> {
    match open_at(mounted, &wanted.places, Some(wanted.version.ident())).await {
        Ok((file, stat, _)) => {
            let same = stat.size == wanted.node.size.cast_unsigned() && stat.mtime_ns == wanted.node.mtime_ns;
            if !same {
                mounted.look_at(&wanted.path);
            }
            let hash = if same { wanted.node.content_hash() } else { None };
            Ok(Some(Opened { file, stat, hash, places: wanted.places.clone() }))
        }
        // It is hidden, and not gone (P8).
        Err(OpenError::Io(source)) if source.kind() == ErrorKind::CrossesDevices => {
            let why = "something else is mounted over the folder of this file: it cannot be read now";
            Err(Error::unavailable(why, 30).code("other-file-system").because(source))
        }
        Err(OpenError::Io(source)) => {
            Err(Error::unavailable("the file cannot be read now", 30).because(source))
        }
        Err(OpenError::Absent | OpenError::Changed(_)) if !last => Ok(None),
        Err(OpenError::Absent) => Ok(None),
        // Another program has put its own file there: served as it is until it is adopted.
        Err(OpenError::Changed(_)) => {
            mounted.look_at(&wanted.path);
            let places = vec![Phys::from(&wanted.path)];
            let there = open_at(mounted, &places, None).await;
            Ok(there.ok().map(|(file, stat, _)| Opened { file, stat, hash: None, places }))
        }
    }
}

fn missing(mounted: &Arc<Mounted>, path: &DrivePath) -> Error {
    mounted.look_at(path);
    Error::unavailable("the file is not on its drive at the moment", 30).with("path", path.to_string())
}

/// Opens a version's content, current or not, of a live file or a deleted one.
///
/// # Errors
/// Not found when its bytes are no longer kept; conflict when they are damaged.
pub async fn open_version(mounted: &Arc<Mounted>, version: &Version) -> Result<Opened> {
    for _ in 0..TRIES {
        let wanted = version.clone();
        let (places, seq) = mounted.db().glance(move |tx| Box::pin(places_of(tx, wanted))).await?;
        match open_at(mounted, &places, Some(version.ident())).await {
            Ok((file, stat, _)) => {
                let opened = Opened { file, stat, places, hash: Some(version.content_hash()?) };
                return verified(opened, version).await;
            }
            Err(OpenError::Io(source)) => {
                return Err(Error::unavailable("the version cannot be read now", 30).because(source));
            }
            Err(OpenError::Absent | OpenError::Changed(_)) => {
                mounted.placed(seq).await;
            }
        }
    }
    Err(Error::not_found("the bytes of this version are no longer kept").code("version-lost"))
}

async fn places_of(tx: &mut Tx, version: Version) -> Result<(Vec<Phys>, i64)> {
    // Read anew: what displaced it may have been committed since.
    let version = versions::by_id(tx, version.id).await?;
    let mut places: Vec<Phys> =
        [version.slot, version.origin].into_iter().flatten().map(Phys::slot).collect();
    let Some(node_id) = version.node_id else { return Ok((places, 0)) };
    let lineage = nodes::lineage(tx, node_id).await?;
    if let Some(node) = lineage.last() {
        places.extend(node.slot.map(Phys::slot));
        if node.current_version_id == Some(version.id) {
            places.insert(0, physical(&lineage)?);
            places.push(lies_at(tx, &lineage).await?);
        }
        // A deletion that could not be done yet left it where it was.
        let parked = ops::parked_of(tx, node_id).await?;
        places
            .extend(parked.iter().filter(|op| op.kind == "del").filter_map(|op| Phys::parse(&op.path).ok()));
    }
    Ok((places, lineage.iter().map(|n| n.seq).max().unwrap_or(0)))
}

/// Where a node lies in the tree, or beneath the slot of the deleted folder it is in.
///
/// # Errors
/// A name in the catalogue that is none.
pub fn physical(lineage: &[Node]) -> Result<Phys> {
    let base = lineage.iter().rposition(|node| node.is_dead());
    let (start, below) = match base.and_then(|at| lineage[at].slot.map(|slot| (at, slot))) {
        Some((at, slot)) => (Phys::slot(slot), &lineage[at + 1..]),
        None => (Phys::root(), lineage.get(1..).unwrap_or_default()),
    };
    below.iter().try_fold(start, |phys, node| phys.join(&node.name)).map_err(Error::internal)
}

/// A version that was not judged yet, or was touched since, is hashed before its first byte goes out.
async fn verified(opened: Opened, version: &Version) -> Result<Opened> {
    if version.vouches_for(&opened.stat) {
        return Ok(opened);
    }
    let expected = version.content_hash()?;
    let file = opened.file.try_clone().map_err(Error::internal)?;
    let (hash, _) = tokio::task::spawn_blocking(move || {
        let mut file = file;
        let hashed = holdfast_disk::hash_reader(&mut file)?;
        file.rewind()?;
        std::io::Result::Ok(hashed)
    })
    .await
    .map_err(Error::internal)?
    .map_err(|source| Error::unavailable("the version cannot be read now", 30).because(source))?;
    if hash == expected {
        Ok(opened)
    } else {
        Err(Error::conflict("the bytes of this version are damaged").code("version-damaged"))
    }
}

/// The path of a live node and whether it is live at all, for those who hold only its id.
///
/// # Errors
/// The catalogue's.
pub async fn where_is(tx: &mut Tx, node: i64) -> Result<(DrivePath, bool)> {
    let lineage = nodes::lineage(tx, node).await?;
    Ok((tree::path_of(&lineage).0, tree::is_live(&lineage)))
}
