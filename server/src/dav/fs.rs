//! The drives as `dav-server` sees them: every call is one of the use cases that REST has, too.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use dav_server::davpath::DavPath;
use dav_server::fs::{
    DavDirEntry, DavFile, DavMetaData, FsError, FsFuture, FsResult, FsStream, GuardedFileSystem, OpenOptions,
    ReadDirMeta,
};
use futures_util::{StreamExt as _, stream};
use holdfast_protocol::{DrivePath, fold_key};

use super::address::Place;
use crate::app::App;
use crate::error::{Error, Kind};
use crate::service::files::{self, Expect, Put, Who};
use crate::service::listing::{self, Entry, Wanted};
use crate::service::placement::Mounted;
use crate::service::upload::{self, Declared, Upload};
use crate::store::{FinishHints, Phys};

/// Entries of a folder that are read at once.
const PAGE: usize = 1000;

/// On whose behalf a call is made.
#[derive(Clone)]
pub struct Context {
    /// The server.
    pub app: App,
    /// Who asks.
    pub who: Who,
    /// Whether entity tags are wanted with their quotes.
    pub quoted: bool,
    /// The drive of the request, if it is about one.
    pub mounted: Option<Arc<Mounted>>,
}

/// All drives of whoever asks.
#[derive(Debug, Clone, Copy)]
pub struct Drives;

/// What a listing tells of a file, folder or drive.
#[derive(Debug, Clone)]
struct Meta {
    folder: bool,
    size: u64,
    mtime_ns: i64,
    tag: Option<String>,
}

impl Meta {
    fn folder() -> Self {
        Self { folder: true, size: 0, mtime_ns: 0, tag: None }
    }

    fn of(entry: &Entry, quoted: bool) -> Self {
        let tag = entry.node.content_hash();
        Self {
            folder: entry.node.is_folder(),
            size: entry.node.size.cast_unsigned(),
            mtime_ns: entry.node.mtime_ns,
            tag: tag.map(|hash| if quoted { format!("\"{hash}\"") } else { hash.to_string() }),
        }
    }
}

impl DavMetaData for Meta {
    fn len(&self) -> u64 {
        self.size
    }

    fn modified(&self) -> FsResult<SystemTime> {
        let distance = Duration::from_nanos(self.mtime_ns.unsigned_abs());
        let time = if self.mtime_ns < 0 {
            SystemTime::UNIX_EPOCH.checked_sub(distance)
        } else {
            SystemTime::UNIX_EPOCH.checked_add(distance)
        };
        time.ok_or(FsError::NotImplemented)
    }

    fn is_dir(&self) -> bool {
        self.folder
    }

    fn etag(&self) -> Option<String> {
        self.tag.clone()
    }
}

struct Member {
    name: String,
    meta: Meta,
}

impl DavDirEntry for Member {
    fn name(&self) -> Vec<u8> {
        self.name.clone().into_bytes()
    }

    fn metadata(&'_ self) -> FsFuture<'_, Box<dyn DavMetaData>> {
        let meta: Box<dyn DavMetaData> = Box::new(self.meta.clone());
        Box::pin(async move { Ok(meta) })
    }
}

/// An empty file, just made: all that LOCK on a name without a file needs (RFC 4918, section 7.3).
#[derive(Debug)]
struct Made;

impl DavFile for Made {
    fn metadata(&'_ mut self) -> FsFuture<'_, Box<dyn DavMetaData>> {
        Box::pin(async { Err(FsError::NotImplemented) })
    }

    fn write_buf(&'_ mut self, _: Box<dyn bytes::Buf + Send>) -> FsFuture<'_, ()> {
        Box::pin(async { Err(FsError::NotImplemented) })
    }

    fn write_bytes(&'_ mut self, _: bytes::Bytes) -> FsFuture<'_, ()> {
        Box::pin(async { Err(FsError::NotImplemented) })
    }

    fn read_bytes(&'_ mut self, _: usize) -> FsFuture<'_, bytes::Bytes> {
        Box::pin(async { Err(FsError::NotImplemented) })
    }

    fn seek(&'_ mut self, _: std::io::SeekFrom) -> FsFuture<'_, u64> {
        Box::pin(async { Err(FsError::NotImplemented) })
    }

    fn flush(&'_ mut self) -> FsFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

fn told(error: Error) -> FsError {
    match error.kind() {
        Kind::NotFound => FsError::NotFound,
        Kind::Forbidden => FsError::Forbidden,
        Kind::NoSpace => FsError::InsufficientStorage,
        Kind::TooLarge => FsError::TooLarge,
        Kind::Conflict if error.problem_code() == Some("exists") => FsError::Exists,
        // A folder above is missing, or a file is in its place.
        Kind::Conflict => FsError::NotFound,
        Kind::PreconditionFailed => FsError::Exists,
        _ => {
            tracing::warn!(?error, "a request of the network drive failed");
            FsError::GeneralFailure
        }
    }
}

fn place(path: &DavPath) -> FsResult<Place> {
    let text = std::str::from_utf8(path.as_bytes()).map_err(|_| FsError::NotFound)?;
    let names: Vec<String> = text.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    Place::of(&names).map_err(|_| FsError::NotFound)
}

async fn inside(path: &DavPath, context: &Context) -> FsResult<(Arc<Mounted>, DrivePath)> {
    let Place::Inside { drive, path, .. } = place(path)? else { return Err(FsError::Forbidden) };
    let (_, mounted) = context.app.drives.reach(context.who.user_id, Some(&drive)).await.map_err(told)?;
    Ok((mounted, path))
}

impl GuardedFileSystem<Context> for Drives {
    fn open<'a>(
        &'a self,
        path: &'a DavPath,
        options: OpenOptions,
        context: &'a Context,
    ) -> FsFuture<'a, Box<dyn DavFile>> {
        Box::pin(async move {
            if !options.create {
                return Err(FsError::NotFound);
            }
            let (mounted, path) = inside(path, context).await?;
            let who = context.who;
            let made = context.app.act(async move { make_empty(&mounted, who, path).await });
            made.await.map_err(told)?;
            Ok(Box::new(Made) as Box<dyn DavFile>)
        })
    }

    fn read_dir<'a>(
        &'a self,
        path: &'a DavPath,
        _: ReadDirMeta,
        context: &'a Context,
    ) -> FsFuture<'a, FsStream<Box<dyn DavDirEntry>>> {
        Box::pin(async move {
            let place = place(path)?;
            let Place::Inside { drive, path, .. } = &place else {
                return drives(context, place == Place::ById).await;
            };
            let reached = context.app.drives.reach(context.who.user_id, Some(drive)).await;
            let (_, mounted) = reached.map_err(told)?;
            Ok(members(mounted, path.clone(), context.quoted))
        })
    }

    fn metadata<'a>(&'a self, path: &'a DavPath, context: &'a Context) -> FsFuture<'a, Box<dyn DavMetaData>> {
        Box::pin(async move {
            let meta = match place(path)? {
                Place::Top | Place::ById => Meta::folder(),
                Place::Inside { .. } => {
                    let (mounted, path) = inside(path, context).await?;
                    Meta::of(&listing::entry(&mounted, &path).await.map_err(told)?, context.quoted)
                }
            };
            Ok(Box::new(meta) as Box<dyn DavMetaData>)
        })
    }

    fn create_dir<'a>(&'a self, path: &'a DavPath, context: &'a Context) -> FsFuture<'a, ()> {
        Box::pin(async move {
            let (mounted, path) = inside(path, context).await?;
            let who = context.who;
            let made =
                context.app.act(async move { files::make_folder(&mounted, who, path, false, false).await });
            made.await.map(drop).map_err(told)
        })
    }

    fn get_quota<'a>(&'a self, context: &'a Context) -> FsFuture<'a, (u64, Option<u64>)> {
        Box::pin(async move {
            let mounted = context.mounted.as_ref().ok_or(FsError::NotImplemented)?;
            let (free, total) = mounted.store.free_space().map_err(|_| FsError::GeneralFailure)?;
            Ok((total.saturating_sub(free), Some(total)))
        })
    }
}

async fn make_empty(mounted: &Arc<Mounted>, who: Who, path: DrivePath) -> crate::error::Result<()> {
    let upload = Upload::begin(mounted, Declared::default()).await?;
    let blob = upload.finish(FinishHints { mtime_ns: None, at: Some(Phys::from(&path)) }).await?;
    let put = Put { path, blob, expect: Expect::Nothing, parents: false, reason: "webdav" };
    upload::commit(mounted, who, put).await.map(drop)
}

async fn drives(context: &Context, by_id: bool) -> FsResult<FsStream<Box<dyn DavDirEntry>>> {
    let shown = context.app.drives.shown(context.who.user_id).await.map_err(told)?;
    let mut names: Vec<String> = Vec::new();
    for one in shown {
        let name = if by_id { one.visible.drive.uuid.to_string() } else { one.visible.drive.name };
        // Own drives come first: of two with one name only the first is reached by it.
        if !names.iter().any(|other| fold_key(other) == fold_key(&name)) {
            names.push(name);
        }
    }
    let members = names.into_iter().map(|name| {
        let member: Box<dyn DavDirEntry> = Box::new(Member { name, meta: Meta::folder() });
        Ok(member)
    });
    Ok(stream::iter(members.collect::<Vec<_>>()).boxed())
}

/// What is in a folder, page by page.
fn members(mounted: Arc<Mounted>, folder: DrivePath, quoted: bool) -> FsStream<Box<dyn DavDirEntry>> {
    let first = Wanted { path: folder, recursive: false, after: None, limit: PAGE };
    let pages = stream::unfold(Some(first), move |wanted| {
        let mounted = Arc::clone(&mounted);
        async move {
            let wanted = wanted?;
            let page = match listing::list(&mounted, wanted.clone()).await {
                Ok(listed) => {
                    let next = listed.next.map(|after| Wanted { after: Some(after), ..wanted });
                    return Some((
                        listed.entries.iter().map(|entry| Ok(member(entry, quoted))).collect(),
                        next,
                    ));
                }
                Err(error) => vec![Err(told(error))],
            };
            Some((page, None))
        }
    });
    pages.flat_map(|page: Vec<FsResult<Box<dyn DavDirEntry>>>| stream::iter(page)).boxed()
}

fn member(entry: &Entry, quoted: bool) -> Box<dyn DavDirEntry> {
    Box::new(Member { name: entry.node.name.clone(), meta: Meta::of(entry, quoted) })
}
