//! Contents as they arrive from a server: the small ones many in an answer, large ones by themselves, as a difference where the
//! device has something to make them of; what is cut goes on.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use holdfast_protocol::batch::{self, ContentWanted, ContentsWanted};
use holdfast_protocol::{ContentHash, DrivePath};

use super::{Drive, trouble};
use crate::agent::contract::{Arriving, Trouble, Wanted};
use crate::api::{self, ApiError, Content, Contents, Source};

/// Contents up to this many bytes arrive many at a time.
pub const SMALL: u64 = batch::MOST_EACH;
/// Most contents that are asked for at once, and most bytes.
const MOST: usize = 500;
const MOST_BYTES: u64 = 16 * 1024 * 1024;
/// So often something goes on where it was cut, if each time something came.
const RESUMES: u32 = 5;

/// What is called for each content.
type Take<'t> = &'t mut dyn FnMut(usize, Result<Arriving, Trouble>) -> Result<(), Trouble>;

/// Small contents, by their places in `wanted`.
pub fn many(drive: &Drive, wanted: &[Wanted], mut rest: &[usize], take: Take<'_>) -> Result<(), Trouble> {
    let mut failed = 0;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fitting = rest.iter().take(MOST).take_while(|&&index| {
            bytes += wanted[index].size;
            bytes <= MOST_BYTES
        });
        let count = fitting.count().max(1);
        let files = rest[..count].iter().map(|&index| ContentWanted {
            id: None,
            path: Some(wanted[index].path.to_string()),
            hash: Some(wanted[index].hash),
        });
        let asked = ContentsWanted { files: files.collect() };
        let mut came = 0;
        let ended = match drive.handle.block_on(drive.api.contents(&drive.drive, &asked)) {
            Ok(mut contents) => portion(drive, &mut contents, &rest[..count], &mut came, take)?,
            Err(error) => Some(error),
        };
        failed = if came > 0 { 0 } else { failed + 1 };
        if let Some(error) = ended
            && (error.trouble() != api::Trouble::Unreachable || failed > RESUMES)
        {
            return Err(match trouble(&error) {
                Trouble::Item(why) | Trouble::Changed(why) | Trouble::Side(why) => Trouble::Side(why),
            });
        }
        rest = &rest[came..];
    }
    Ok(())
}

/// One answer; why it ended early, if it did.
fn portion(
    drive: &Drive,
    contents: &mut Contents,
    asked: &[usize],
    came: &mut usize,
    take: Take<'_>,
) -> Result<Option<ApiError>, Trouble> {
    for &index in asked {
        let one = match drive.handle.block_on(contents.next()) {
            Ok(Some(one)) => one,
            Ok(None) => {
                return Ok(Some(ApiError::Nonsense { detail: "fewer contents than asked for".to_owned() }));
            }
            Err(error) => return Ok(Some(error)),
        };
        let arriving = one.map(|bytes| Arriving::Whole(Box::new(io::Cursor::new(bytes))));
        *came += 1;
        take(index, arriving.map_err(|error| of_one(&error)))?;
    }
    Ok(None)
}

/// Why one of many cannot be had: whatever it is, the others were sent.
fn of_one(error: &ApiError) -> Trouble {
    match trouble(error) {
        Trouble::Side(why) => Trouble::Item(why),
        other => other,
    }
}

/// A content by itself.
pub fn one(drive: &Drive, wanted: &Wanted) -> Result<Arriving, Trouble> {
    let Wanted { path, hash, base, .. } = wanted;
    if let Some(base) = base {
        let source = Source::File { drive: &drive.drive, path };
        let (content, is_delta) = drive.wait(drive.api.content_from(&source, hash, base))?;
        if is_delta {
            return Ok(Arriving::Delta(Box::new(Body::of(drive, path, *hash, content, 0))));
        }
        return Ok(Arriving::Whole(Box::new(Body::of(drive, path, *hash, content, RESUMES))));
    }
    let source = Source::File { drive: &drive.drive, path };
    let content = drive.wait(drive.api.content(&source, 0, Some(hash)))?;
    Ok(Arriving::Whole(Box::new(Body::of(drive, path, *hash, content, RESUMES))))
}

/// A content as it arrives; goes on where it was cut.
struct Body {
    server: Drive,
    path: DrivePath,
    hash: ContentHash,
    content: Option<Content>,
    piece: Bytes,
    at: u64,
    /// So often it may go on; a delta, which is made anew each time, never does.
    resumes: u32,
}

impl Body {
    fn of(server: &Drive, path: &DrivePath, hash: ContentHash, content: Content, resumes: u32) -> Self {
        let (server, path) = (server.clone(), path.clone());
        Self { server, path, hash, content: Some(content), piece: Bytes::new(), at: 0, resumes }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            if self.content.is_none() {
                let source = Source::File { drive: &self.server.drive, path: &self.path };
                self.content = Some(self.server.api.content(&source, self.at, Some(&self.hash)).await?);
            }
            let Some(content) = self.content.as_mut() else { return Ok(None) };
            match content.next().await {
                Err(error) if error.trouble() == api::Trouble::Unreachable && self.resumes > 0 => {
                    self.resumes -= 1;
                    self.content = None;
                }
                other => return other,
            }
        }
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            let handle = self.server.handle.clone();
            match handle.block_on(self.next()).map_err(io::Error::other)? {
                Some(piece) => {
                    self.at += piece.len() as u64;
                    self.piece = piece;
                }
                None => return Ok(0),
            }
        }
        let n = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buffer[..n]);
        Ok(n)
    }
}
