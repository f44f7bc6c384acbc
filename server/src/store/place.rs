//! `place()`: the step from a committed op to the tree (algorithms A), the same at first run and at redo after a crash.
//!
//! A step is never repeated because it "was not done": repeating a finished exchange would put the old content back.
//! What is the case is told by identity: whose inode lies in the slot, at the source, at the target.

use std::io::{self, ErrorKind};

use holdfast_protocol::fold_key;
use rustix::io::Errno;

use super::Phys;
use super::names::{Names, TRIES};
use super::op::{Done, How, Op, OpKind, Outcome, Parked, Why};
use super::seam::Seam;
use crate::domain::stat::{EntryKind, Ident, Stat};

/// Places one op. Ops of a drive are placed one after the other in the order of `seq`; before some, [`super::Barriers`]
/// asks for a mark.
pub fn place<S: Seam>(fs: &S, op: &Op) -> Outcome {
    let names = Names::new(fs, op);
    let done = names.tidy(op).and_then(|()| match op.kind {
        OpKind::Put => put(&names, op).and_then(|()| names.bring_home()),
        OpKind::Mkdir => make_folder(&names, op).and_then(|()| names.bring_home()),
        OpKind::Del => delete(&names, op),
        OpKind::Mv => relocate(&names, op, op.target()),
        OpKind::MvOver if names.in_steps() => relocate_over_in_steps(&names, op, op.target()),
        OpKind::MvOver => relocate_over(&names, op, op.target()),
    });
    match done.and_then(|()| look(&names, op)) {
        Ok(done) => Outcome::Done(done),
        Err(e) => judge(fs, op, e),
    }
}

/// Slot and path change places. Once that is done the slot holds something else, or nothing.
fn put<S: Seam>(fs: &Names<'_, S>, op: &Op) -> io::Result<()> {
    for _ in 0..TRIES {
        if !fs.is(&fs.slot, op.ident)? {
            return Ok(());
        }
        if fs.in_steps() && fs.is(&op.path, op.ident)? {
            return fs.drop_slot();
        }
        match swap(fs, &op.path) {
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            done => return done,
        }
        match fs.rename(&fs.slot, &op.path) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            done => return done,
        }
    }
    Err(Errno::BUSY.into())
}

/// Slot and path change places.
fn swap<S: Seam>(fs: &Names<'_, S>, path: &Phys) -> io::Result<()> {
    if fs.in_steps() { fs.swap_in(path) } else { fs.exchange(&fs.slot, path) }
}

fn make_folder<S: Seam>(fs: &Names<'_, S>, op: &Op) -> io::Result<()> {
    for _ in 0..TRIES {
        if !fs.is(&fs.slot, op.ident)? {
            return Ok(());
        }
        match fs.rename(&fs.slot, &op.path) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            done => return done,
        }
        match fs.stat(&op.path)? {
            None => continue,
            Some(there) if there.kind == EntryKind::Folder => match fs.remove_folder(&fs.slot) {
                // What was put into our folder before a power cut moved it back is not given up for a newcomer.
                Err(e) if e.kind() == ErrorKind::DirectoryNotEmpty => {}
                done => return done,
            },
            Some(_) => {}
        }
        match swap(fs, &op.path) {
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            done => return done,
        }
    }
    Err(Errno::BUSY.into())
}

/// What the user deleted goes to the slot; what another program has put in its place stays.
fn delete<S: Seam>(fs: &Names<'_, S>, op: &Op) -> io::Result<()> {
    if fs.stat(&fs.slot)?.is_some() || !fs.is(&op.path, op.ident)? {
        return Ok(());
    }
    match fs.rename(&op.path, &fs.slot) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
        Ok(()) => put_back_another(fs, op.ident, &fs.slot, &op.path),
    }
}

fn relocate<S: Seam>(fs: &Names<'_, S>, op: &Op, dst: &Phys) -> io::Result<()> {
    if *dst == op.path {
        return Ok(());
    }
    for _ in 0..TRIES {
        if is_one_name(fs, op, dst)? {
            return respell(fs, op, dst);
        }
        if fs.is(dst, op.ident)? {
            return match fs.by_links() && fs.is(&op.path, op.ident)? {
                true => fs.drop_name(&op.path, dst),
                false => set_aside(fs, op.ident, &op.path),
            };
        }
        if !fs.is(&op.path, op.ident)? {
            return Ok(());
        }
        match fs.rename(&op.path, dst) {
            Ok(()) => return put_back_another(fs, op.ident, dst, &op.path),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
        match fs.rename(dst, &fs.slot) {
            // The slot has taken one newcomer already; another one is not piled on top of it.
            Err(e) if e.kind() == ErrorKind::AlreadyExists => return Err(Errno::BUSY.into()),
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Err(Errno::BUSY.into())
}

/// Whether source and target are one for a file system that takes names that differ in case for the same: then what is
/// moved seems to be at its target already. Also when it was on its way between the two when the process died.
fn is_one_name<S: Seam>(fs: &Names<'_, S>, op: &Op, dst: &Phys) -> io::Result<bool> {
    if fold_key(op.path.as_str()) != fold_key(dst.as_str()) {
        return Ok(false);
    }
    let at_source = fs.stat(&op.path)?.filter(|stat| stat.ident == op.ident);
    let at_target = fs.is(dst, op.ident)?;
    // A file that has both names has two, also when one of them was put into the slot and the other displaced since; a folder has
    // one.
    let has_one = |stat: Stat| stat.kind == EntryKind::Folder || stat.nlink == 1;
    Ok(match at_source {
        Some(stat) => at_target && has_one(stat),
        None if at_target => false,
        None => fs.stat(&fs.slot)?.is_some_and(|stat| stat.ident == op.ident && has_one(stat)),
    })
}

/// Gives something the other spelling of its name. Renamed from one to the other it would keep the old: it goes by the slot.
fn respell<S: Seam>(fs: &Names<'_, S>, op: &Op, dst: &Phys) -> io::Result<()> {
    if !fs.is(&fs.slot, op.ident)? {
        fs.rename(&op.path, &fs.slot)?;
    }
    for _ in 0..TRIES {
        match fs.rename(&fs.slot, dst) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => fs.put_beside(dst, dst)?,
            Err(e) => {
                fs.give_back(&fs.slot, &op.path);
                return Err(e);
            }
            Ok(()) => return Ok(()),
        }
    }
    fs.give_back(&fs.slot, &op.path);
    Err(Errno::BUSY.into())
}

fn relocate_over<S: Seam>(fs: &Names<'_, S>, op: &Op, dst: &Phys) -> io::Result<()> {
    if *dst == op.path || fs.stat(&fs.slot)?.is_some() {
        return Ok(());
    }
    if !fs.is(dst, op.ident)? && fs.is(&op.path, op.ident)? {
        change_places(fs, &op.path, dst)?;
        if !fs.is(dst, op.ident)? {
            // Another program put its own file at the source in between: it has its name back.
            return change_places(fs, dst, &op.path);
        }
    }
    // Also when neither name holds what was moved: a power cut may have kept the exchange and a later op at the target, and
    // lost this.
    match op.displaced {
        Some(displaced) if fs.is(&op.path, displaced)? => set_aside(fs, displaced, &op.path),
        _ if fs.is(dst, op.ident)? => set_aside(fs, op.ident, &op.path),
        _ => Ok(()),
    }
}

/// First what stands at the target goes to the slot, then what is moved to the target, which is free for a moment.
fn relocate_over_in_steps<S: Seam>(fs: &Names<'_, S>, op: &Op, dst: &Phys) -> io::Result<()> {
    if *dst == op.path {
        return Ok(());
    }
    for _ in 0..TRIES {
        if fs.is(dst, op.ident)? {
            return match fs.stat(&fs.slot)? {
                _ if fs.by_links() && fs.is(&op.path, op.ident)? => fs.drop_name(&op.path, dst),
                Some(_) => Ok(()),
                None => set_aside(fs, op.ident, &op.path),
            };
        }
        if !fs.is(&op.path, op.ident)? {
            return Ok(());
        }
        if fs.stat(&fs.slot)?.is_none() {
            match fs.rename(dst, &fs.slot) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        match fs.rename(&op.path, dst) {
            Ok(()) => {
                put_back_another(fs, op.ident, dst, &op.path)?;
                if !fs.is(dst, op.ident)? {
                    fs.give_back(&fs.slot, dst);
                }
                return Ok(());
            }
            Err(e) if e.kind() == ErrorKind::AlreadyExists => fs.put_beside(dst, dst)?,
            Err(e) => {
                fs.give_back(&fs.slot, dst);
                return Err(e);
            }
        }
    }
    fs.give_back(&fs.slot, dst);
    Err(Errno::BUSY.into())
}

/// Puts what still stands at a move's source into the slot, if it is that. Of two links to one inode the source would
/// stay otherwise (`rename` of one over the other does nothing), and a redo after a later op at the target would take the
/// move for not yet done.
fn set_aside<S: Seam>(fs: &Names<'_, S>, ident: Ident, src: &Phys) -> io::Result<()> {
    if *src == fs.slot || !fs.is(src, ident)? {
        return Ok(());
    }
    match fs.rename(src, &fs.slot) {
        Ok(()) => put_back_another(fs, ident, &fs.slot, src),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Err(Errno::BUSY.into()),
        Err(e) => Err(e),
    }
}

/// An exchange, or a plain rename where nothing stands at `to`.
fn change_places<S: Seam>(fs: &Names<'_, S>, from: &Phys, to: &Phys) -> io::Result<()> {
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
fn put_back_another<S: Seam>(fs: &Names<'_, S>, ours: Ident, now_at: &Phys, was_at: &Phys) -> io::Result<()> {
    if fs.stat(now_at)?.is_none_or(|stat| stat.ident == ours) {
        return Ok(());
    }
    match fs.rename(now_at, was_at) {
        Err(e) if !matches!(e.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => Err(e),
        _ => Ok(()),
    }
}

fn look<S: Seam>(fs: &Names<'_, S>, op: &Op) -> io::Result<Done> {
    let (final_stat, in_slot) = (fs.stat(op.target())?, fs.stat(&fs.slot)?);
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
