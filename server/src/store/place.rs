//! `place()`: the step from a committed op to the tree (algorithms A), the same at first run and at redo after a crash.
//!
//! A step is never repeated because it "was not done": repeating a finished exchange would put the old content back.
//! What is the case is told by identity: whose inode lies in the slot, at the source, at the target.

use std::io::{self, ErrorKind};

use rustix::io::Errno;

use super::Phys;
use super::op::{Done, How, Op, OpKind, Outcome, Parked, Why};
use super::seam::Seam;
use crate::domain::stat::{EntryKind, Ident, Stat};

/// How often a step is tried anew while another program takes and frees the same name.
const TRIES: u32 = 4;

/// Places one op. Ops of a drive are placed one after the other in the order of `seq`; before some, [`super::Barriers`]
/// asks for a mark.
pub fn place<S: Seam>(fs: &S, op: &Op) -> Outcome {
    let slot = Phys::slot(op.slot);
    let done = match op.kind {
        OpKind::Put => put(fs, op, &slot),
        OpKind::Mkdir => make_folder(fs, op, &slot),
        OpKind::Del => delete(fs, op, &slot),
        OpKind::Mv => relocate(fs, op, op.target(), &slot),
        OpKind::MvOver => relocate_over(fs, op, op.target(), &slot),
    };
    match done.and_then(|()| look(fs, op, &slot)) {
        Ok(done) => Outcome::Done(done),
        Err(e) => judge(fs, op, e),
    }
}

/// Slot and path change places. Once that is done the slot holds something else, or nothing.
fn put<S: Seam>(fs: &S, op: &Op, slot: &Phys) -> io::Result<()> {
    for _ in 0..TRIES {
        if !is(fs.stat(slot)?, op.ident) {
            return Ok(());
        }
        match fs.exchange(slot, &op.path) {
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            done => return done,
        }
        match fs.rename(slot, &op.path) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            done => return done,
        }
    }
    Err(Errno::BUSY.into())
}

fn make_folder<S: Seam>(fs: &S, op: &Op, slot: &Phys) -> io::Result<()> {
    for _ in 0..TRIES {
        if !is(fs.stat(slot)?, op.ident) {
            return Ok(());
        }
        match fs.rename(slot, &op.path) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            done => return done,
        }
        match fs.stat(&op.path)? {
            None => continue,
            Some(there) if there.kind == EntryKind::Folder => match fs.remove_folder(slot) {
                // What was put into our folder before a power cut moved it back is not given up for a newcomer.
                Err(e) if e.kind() == ErrorKind::DirectoryNotEmpty => {}
                done => return done,
            },
            Some(_) => {}
        }
        match fs.exchange(slot, &op.path) {
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            done => return done,
        }
    }
    Err(Errno::BUSY.into())
}

/// What the user deleted goes to the slot; what another program has put in its place stays.
fn delete<S: Seam>(fs: &S, op: &Op, slot: &Phys) -> io::Result<()> {
    if fs.stat(slot)?.is_some() || !is(fs.stat(&op.path)?, op.ident) {
        return Ok(());
    }
    match fs.rename(&op.path, slot) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
        Ok(()) => put_back_another(fs, op.ident, slot, &op.path),
    }
}

fn relocate<S: Seam>(fs: &S, op: &Op, dst: &Phys, slot: &Phys) -> io::Result<()> {
    if *dst == op.path {
        return Ok(());
    }
    for _ in 0..TRIES {
        if is(fs.stat(dst)?, op.ident) {
            return set_aside(fs, op.ident, &op.path, slot);
        }
        if !is(fs.stat(&op.path)?, op.ident) {
            return Ok(());
        }
        match fs.rename(&op.path, dst) {
            Ok(()) => return put_back_another(fs, op.ident, dst, &op.path),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
        match fs.rename(dst, slot) {
            // The slot has taken one newcomer already; another one is not piled on top of it.
            Err(e) if e.kind() == ErrorKind::AlreadyExists => return Err(Errno::BUSY.into()),
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Err(Errno::BUSY.into())
}

fn relocate_over<S: Seam>(fs: &S, op: &Op, dst: &Phys, slot: &Phys) -> io::Result<()> {
    if *dst == op.path || fs.stat(slot)?.is_some() {
        return Ok(());
    }
    if !is(fs.stat(dst)?, op.ident) && is(fs.stat(&op.path)?, op.ident) {
        change_places(fs, &op.path, dst)?;
        if !is(fs.stat(dst)?, op.ident) {
            // Another program put its own file at the source in between: it has its name back.
            return change_places(fs, dst, &op.path);
        }
    }
    // Also when neither name holds what was moved: a power cut may have kept the exchange and a later op at the target, and
    // lost this.
    match op.displaced {
        Some(displaced) if is(fs.stat(&op.path)?, displaced) => set_aside(fs, displaced, &op.path, slot),
        _ if is(fs.stat(dst)?, op.ident) => set_aside(fs, op.ident, &op.path, slot),
        _ => Ok(()),
    }
}

/// Puts what still stands at a move's source into the slot, if it is that. Of two links to one inode the source would
/// stay otherwise (`rename` of one over the other does nothing), and a redo after a later op at the target would take the
/// move for not yet done.
fn set_aside<S: Seam>(fs: &S, ident: Ident, src: &Phys, slot: &Phys) -> io::Result<()> {
    if !is(fs.stat(src)?, ident) || src == slot {
        return Ok(());
    }
    match fs.rename(src, slot) {
        Ok(()) => put_back_another(fs, ident, slot, src),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Err(Errno::BUSY.into()),
        Err(e) => Err(e),
    }
}

/// An exchange, or a plain rename where nothing stands at `to`.
fn change_places<S: Seam>(fs: &S, from: &Phys, to: &Phys) -> io::Result<()> {
    for _ in 0..TRIES {
        match fs.exchange(from, to) {
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            done => return done,
        }
        match fs.rename(from, to) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            done => return done,
        }
    }
    Err(Errno::BUSY.into())
}

/// Between looking and renaming another program may have put its own file under the name: that goes back if it can.
fn put_back_another<S: Seam>(fs: &S, ours: Ident, now_at: &Phys, was_at: &Phys) -> io::Result<()> {
    if fs.stat(now_at)?.is_none_or(|stat| stat.ident == ours) {
        return Ok(());
    }
    match fs.rename(now_at, was_at) {
        Err(e) if !matches!(e.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => Err(e),
        _ => Ok(()),
    }
}

fn look<S: Seam>(fs: &S, op: &Op, slot: &Phys) -> io::Result<Done> {
    let (final_stat, in_slot) = (fs.stat(op.target())?, fs.stat(slot)?);
    let kept = op.kind == OpKind::Del && is(in_slot, op.ident);
    let how = match final_stat {
        _ if kept => How::InPlace,
        None => How::Absent,
        Some(there) if there.ident == op.ident && op.kind != OpKind::Del => How::InPlace,
        Some(there) if op.kind == OpKind::Mkdir && there.kind == EntryKind::Folder => {
            How::Adopted(there.ident)
        }
        Some(there) => How::Newcomer(there.ident),
    };
    Ok(Done { how, final_stat, in_slot })
}

/// One entry's trouble parks it; anything else is the drive's (algorithms A, "Errors").
fn judge<S: Seam>(fs: &S, op: &Op, error: io::Error) -> Outcome {
    let errno = Errno::from_io_error(&error);
    let why = match errno {
        // A link or a file where a folder should be is the same as no folder.
        Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Why::ParentMissing,
        // EINVAL: the target lies within what is moved, because another program moved it there.
        Some(Errno::INVAL) if matches!(op.kind, OpKind::Mv | OpKind::MvOver) => Why::ParentMissing,
        Some(Errno::BUSY | Errno::TXTBSY) => Why::Busy,
        Some(Errno::XDEV) => Why::OtherFileSystem,
        // A folder's name is refused like a file's: one user's long name must not stop a drive for all.
        Some(Errno::NAMETOOLONG | Errno::ILSEQ | Errno::MLINK) => Why::NameRefused,
        Some(Errno::ACCESS | Errno::PERM) if !about_a_folder(fs, op) => Why::Forbidden,
        _ => return Outcome::Degraded(error),
    };
    Outcome::Parked(Parked { why, error })
}

fn about_a_folder<S: Seam>(fs: &S, op: &Op) -> bool {
    op.kind == OpKind::Mkdir
        || [&op.path, op.target()].into_iter().any(|path| {
            matches!(fs.stat(path), Ok(Some(stat)) if stat.ident == op.ident && stat.kind == EntryKind::Folder)
        })
}

fn is(stat: Option<Stat>, ident: Ident) -> bool {
    stat.is_some_and(|stat| stat.ident == ident)
}
