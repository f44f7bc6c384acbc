//! Adding a part to an upload.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use holdfast_disk::{Hasher, Summer};
use uuid::Uuid;

use super::{Found, Held, Standing, complete, expires, find};
use crate::app::App;
use crate::catalog::uploads as rows;
use crate::domain::checksums::Checksum;
use crate::error::{Error, Kind, Result};
use crate::service::files::{Who, disk_error};

/// After so many bytes of a part they are made durable, and that is noted: so much at most is sent again after the server
/// was killed. More often would cost a fast sender, who gets the same from a slow disk anyway.
const DURABLE_EVERY: u64 = 8 * 1024 * 1024;
/// Whoever is ended by a newer request has sent what is already here: it is taken as long as there is no gap of so much.
const GAP: Duration = Duration::from_millis(500);
/// And at most so much of it.
const MOST_AFTER: u64 = 16 * 1024 * 1024;

/// A part of an upload.
#[derive(Debug)]
pub struct Part {
    /// Where it begins, as its sender has it.
    pub offset: u64,
    /// Bytes, where they are declared.
    pub length: Option<u64>,
    /// Its checksum: then it counts as a whole or not at all.
    pub checksum: Option<Checksum>,
}

/// Adds a part. What arrived before it breaks off is kept and durable. The last part makes the upload a file, by the same
/// act as a PUT. To be run apart from the request that brings it.
///
/// # Errors
/// 404 for none of the caller's; 409 `other-offset` where it does not begin at the end, `taken-over` when a newer request
/// came; 413 for more than the upload's size, of which nothing is kept; 460; 400 when it breaks off; 503, 507; and those
/// of the commit.
pub async fn append(
    app: App,
    who: Who,
    id: Uuid,
    part: Part,
    bytes: impl Stream<Item = Result<Bytes>> + Send + Unpin,
) -> Result<Standing> {
    let mut held = match find(&app, &who, id).await? {
        // The answer to the last part was lost, and its sender comes with nothing more.
        Found::Done(standing) if part.offset == standing.size && part.length == Some(0) => {
            return Ok(standing);
        }
        Found::Done(standing) => return Err(other_offset(standing.size)),
        Found::UnderWay(held) => *held,
    };
    let size = held.row.size.cast_unsigned();
    if part.offset != held.partial.size() {
        let stands = held.partial.size();
        held.turn.keep(held.partial.mark().await.map_err(disk_error)?);
        return Err(other_offset(stands));
    }
    if part.length.is_some_and(|length| length > size - part.offset) {
        held.turn.keep(held.partial.mark().await.map_err(disk_error)?);
        return Err(too_long(size));
    }
    let received = receive(&app, &mut held, &part, bytes).await;
    // Also after what went wrong: what arrived is kept as far as the disk took it.
    if let Err(error) = held.stand(&app).await {
        return Err(received.err().unwrap_or(error));
    }
    received?;
    if held.partial.size() == size {
        return complete::complete(&app, who, held).await;
    }
    Standing::of(&held.row, held.partial.size())
}

async fn receive(
    app: &App,
    held: &mut Held,
    part: &Part,
    mut bytes: impl Stream<Item = Result<Bytes>> + Send + Unpin,
) -> Result<()> {
    let size = held.row.size.cast_unsigned();
    let start = held.partial.mark().await.map_err(disk_error)?;
    let mut check = part.checksum.as_ref().map(Check::new);
    let mut durable = start.size();
    let mut wanted_at = None;
    // This runs apart from its request: nobody else ends it when the server stops.
    let mut stopped = std::pin::pin!(async {
        app.drained().await;
        tokio::time::sleep(app.config.shutdown_grace).await;
    });
    let ended = loop {
        let next = match wanted_at {
            None => tokio::select! {
                next = bytes.next() => next,
                () = held.turn.is_wanted() => {
                    wanted_at = Some(held.partial.size());
                    continue;
                }
                () = &mut stopped => break Err(Error::unavailable("the server is stopping", 5)),
            },
            Some(at) if held.partial.size() - at > MOST_AFTER => break Err(taken_over()),
            Some(_) => match tokio::time::timeout(GAP, bytes.next()).await {
                Ok(next) => next,
                Err(_) => break Err(taken_over()),
            },
        };
        let bytes = match next {
            None => break Ok(()),
            Some(Err(error)) => break Err(error),
            Some(Ok(bytes)) => bytes,
        };
        if bytes.len() as u64 > size - held.partial.size() {
            // A sender who has more than it said is not to be believed about what came before.
            held.partial.cut(start).await.map_err(disk_error)?;
            return Err(too_long(size));
        }
        if let Some(check) = &mut check {
            check.update(&bytes);
        }
        held.partial.write(&bytes).await.map_err(disk_error)?;
        if check.is_none() && held.partial.size() - durable >= DURABLE_EVERY {
            durable = held.partial.size();
            held.stand(app).await?;
        }
    };
    let Some(check) = check else { return ended };
    let refused = match ended {
        Ok(()) if check.holds() => return Ok(()),
        Ok(()) => {
            Error::new(Kind::OtherChecksum, "the part is not what its checksum says").code("other-checksum")
        }
        Err(error) => error,
    };
    held.partial.cut(start).await.map_err(disk_error)?;
    Err(refused)
}

impl Held {
    /// Makes what has arrived durable, notes that, and remembers where the upload stands.
    async fn stand(&mut self, app: &App) -> Result<()> {
        let durable = self.partial.sync().await.map_err(disk_error)?;
        let (id, expires_at) = (self.row.id, expires(app));
        self.row.expires_at = expires_at;
        app.db
            .write(move |tx| {
                Box::pin(async move { rows::stands(tx, id, durable.cast_signed(), expires_at).await })
            })
            .await?;
        self.turn.keep(self.partial.mark().await.map_err(disk_error)?);
        Ok(())
    }
}

/// A part's checksum in the making.
struct Check {
    expected: Checksum,
    sha256: Option<Hasher>,
    others: Summer,
}

impl Check {
    fn new(expected: &Checksum) -> Self {
        let sha256 = matches!(expected, Checksum::Sha256(_)).then(Hasher::new);
        Self { expected: *expected, sha256, others: Summer::default() }
    }

    fn update(&mut self, bytes: &[u8]) {
        match &mut self.sha256 {
            Some(hasher) => hasher.update(bytes),
            None => self.others.update(bytes),
        }
    }

    fn holds(self) -> bool {
        let sums = self.others.finish();
        match self.expected {
            Checksum::Sha256(hash) => self.sha256.is_some_and(|hasher| hasher.finish() == hash),
            Checksum::Sha1(sha1) => sums.sha1 == sha1,
            Checksum::Md5(md5) => sums.md5 == md5,
            Checksum::Adler32(adler32) => sums.adler32 == adler32,
        }
    }
}

fn other_offset(stands: u64) -> Error {
    Error::conflict("the upload stands at another offset").code("other-offset").with("offset", stands)
}

fn taken_over() -> Error {
    Error::conflict("a newer request goes on with this upload").code("taken-over")
}

fn too_long(size: u64) -> Error {
    Error::new(Kind::TooLarge, "this is more than the upload's length").code("too-long").with("length", size)
}
