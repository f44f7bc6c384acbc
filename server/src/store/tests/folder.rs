//! A drive on a real folder.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use holdfast_disk::{Hasher, Signature};
use holdfast_protocol::ContentHash;
use tempfile::TempDir;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::stat::{EntryKind, Ident};
use crate::store::{
    Blob, Done, FinishHints, FolderDrive, Health, How, Judgement, LogEntry, Op, OpKind, OpenError, Outcome,
    Phys, Refusal, Seen,
};

struct Drive {
    dir: TempDir,
    drive: FolderDrive,
    id: Uuid,
}

fn signature(id: Uuid) -> Signature {
    Signature::new(id, "Fotos", OffsetDateTime::UNIX_EPOCH)
}

impl Drive {
    fn new() -> Self {
        let (dir, id) = (tempfile::tempdir().unwrap(), Uuid::new_v4());
        fs::create_dir(dir.path().join("root")).unwrap();
        let drive = FolderDrive::create(&dir.path().join("root"), &signature(id)).unwrap();
        Self { dir, drive, id }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.drive.path().join(path)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    async fn stage(&self, content: impl Into<Bytes>, hints: FinishHints) -> Blob {
        let mut staged = self.drive.stage(false);
        staged.write(content.into()).await.unwrap();
        staged.finish(hints).await.unwrap()
    }

    async fn put(&self, path: &str, content: &'static str) -> Blob {
        let blob = self.stage(content, FinishHints { mtime_ns: None, at: Some(phys(path)) }).await;
        self.drive.make_durable(&[blob.slot]).unwrap();
        assert_eq!(self.place(&op(OpKind::Put, blob.slot, path, blob.stat.ident)).how, How::InPlace);
        blob
    }

    fn place(&self, op: &Op) -> Done {
        match self.drive.place(op) {
            Outcome::Done(done) => done,
            other => panic!("{other:?}"),
        }
    }

    fn slots(&self) -> Vec<Uuid> {
        self.drive.slots().map(|slot| slot.unwrap().0).collect()
    }

    fn ident(&self, path: &str) -> Ident {
        self.drive.lstat(&phys(path)).unwrap().unwrap().ident
    }
}

fn phys(path: &str) -> Phys {
    Phys::parse(path).unwrap()
}

fn op(kind: OpKind, slot: Uuid, path: &str, ident: Ident) -> Op {
    Op { seq: 1, slot, kind, path: phys(path), dst: None, ident, displaced: None }
}

fn hash(content: &[u8]) -> ContentHash {
    let mut hasher = Hasher::new();
    hasher.update(content);
    hasher.finish()
}

#[test]
fn a_folder_with_files_becomes_a_drive_and_keeps_them() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("old"), "old").unwrap();
    let id = Uuid::new_v4();
    let drive = FolderDrive::create(dir.path(), &signature(id)).unwrap();
    assert!(drive.caps().exchange && drive.caps().stable_ino);
    assert_eq!(drive.signature().unwrap(), signature(id));
    assert_eq!(fs::metadata(dir.path().join(".holdfast/versions")).unwrap().mode() & 0o777, 0o700);
    let names: Vec<_> =
        drive.list_dir(&Phys::root()).unwrap().entries.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["old"], "the reserved folder is not the user's");
    drop(drive);
    assert!(FolderDrive::open(dir.path(), id, None).is_ok());
}

#[test]
fn a_root_is_refused_unless_it_is_that_drive_and_nobody_else_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let (root, id) = (dir.path().join("root"), Uuid::new_v4());
    assert!(matches!(FolderDrive::open(&root, id, None), Err(Refusal::Missing(_))));
    fs::create_dir(&root).unwrap();
    assert!(matches!(FolderDrive::open(&root, id, None), Err(Refusal::Empty(_))));
    fs::write(root.join("x"), "").unwrap();
    assert!(matches!(FolderDrive::open(&root, id, None), Err(Refusal::WrongSignature { found: None, .. })));
    let drive = FolderDrive::create(&root, &signature(id)).unwrap();
    assert!(matches!(FolderDrive::open(&root, id, None), Err(Refusal::InUse(_))));
    drop(drive);
    let other = Uuid::new_v4();
    assert!(
        matches!(FolderDrive::open(&root, other, None), Err(Refusal::WrongSignature { found, .. }) if found == Some(id))
    );
    assert!(
        matches!(FolderDrive::create(&root, &signature(other)), Err(Refusal::AlreadyADrive { found, .. }) if found == id)
    );
    fs::write(root.join(".holdfast/drive.json"), "{").unwrap();
    assert!(matches!(FolderDrive::open(&root, id, None), Err(Refusal::BadSignature { .. })));
}

#[test]
fn a_root_that_went_away_is_offline_and_one_that_was_swapped_is_wrong() {
    let drive = Drive::new();
    let (root, away) = (drive.drive.path().to_owned(), drive.dir.path().join("away"));
    assert_eq!(drive.drive.verify(), Health::Online);
    fs::rename(&root, &away).unwrap();
    assert!(matches!(drive.drive.verify(), Health::Offline(_)));
    fs::create_dir(&root).unwrap();
    assert!(matches!(drive.drive.verify(), Health::Offline(_)), "an empty mount point");
    drop(FolderDrive::create(&root, &signature(Uuid::new_v4())).unwrap());
    assert!(matches!(drive.drive.verify(), Health::Wrong(_)));
    fs::remove_dir_all(&root).unwrap();
    fs::rename(&away, &root).unwrap();
    assert_eq!(drive.drive.verify(), Health::Online);
    fs::remove_file(root.join(".holdfast/drive.json")).unwrap();
    assert!(matches!(drive.drive.verify(), Health::Wrong(_)));
}

#[tokio::test]
async fn content_is_hashed_while_it_arrives_and_keeps_its_time() {
    let drive = Drive::new();
    let content: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 253) as u8).collect();
    let mut staged = drive.drive.stage(false);
    for piece in content.chunks(70_001) {
        staged.write(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    let hints = FinishHints { mtime_ns: Some(-1_234_567_891), at: None };
    let blob = staged.finish(hints).await.unwrap();
    assert_eq!((blob.hash, blob.size, blob.stat.mtime_ns), (hash(&content), 3_000_000, -1_234_567_891));
    assert_eq!(fs::read(drive.at(Phys::slot(blob.slot).as_str())).unwrap(), content);
    let empty = drive.stage("", FinishHints::default()).await;
    assert_eq!((empty.hash, empty.size), (ContentHash::EMPTY, 0));
}

#[tokio::test]
async fn content_that_is_let_go_leaves_nothing_behind() {
    let drive = Drive::new();
    let mut begun = drive.drive.stage(false);
    begun.write(Bytes::from(vec![1; 700_000])).await.unwrap();
    let mut untouched = drive.drive.stage(false);
    untouched.begin();
    let slots = async |count: usize| {
        while drive.slots().len() != count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), slots(2)).await.unwrap();
    drop((begun, untouched));
    tokio::time::timeout(Duration::from_secs(30), slots(0)).await.unwrap();
    let finished = drive.stage("x", FinishHints::default()).await;
    drive.drive.discard(finished.slot);
    let (folder, _) = drive.drive.stage_folder(None).unwrap();
    drive.drive.discard(folder);
    assert!(drive.slots().is_empty());
}

#[tokio::test]
async fn a_put_keeps_what_it_replaces_with_all_that_the_file_carried() {
    let drive = Drive::new();
    drive.put("a", "one").await;
    fs::set_permissions(drive.at("a"), fs::Permissions::from_mode(0o640)).unwrap();
    let old = drive.ident("a");
    let blob = drive.put("a", "two").await;
    assert_eq!(
        (drive.read("a"), drive.read(Phys::slot(blob.slot).as_str())),
        ("two".to_owned(), "one".to_owned())
    );
    assert_eq!(drive.drive.lstat(&Phys::slot(blob.slot)).unwrap().unwrap().ident, old);
    assert_eq!(fs::metadata(drive.at("a")).unwrap().mode() & 0o777, 0o640);
    drive.drive.flush().unwrap();
}

#[tokio::test]
async fn many_contents_are_made_durable_together() {
    let drive = Drive::new();
    let mut slots = Vec::new();
    for _ in 0..40 {
        slots.push(drive.stage("x", FinishHints::default()).await.slot);
    }
    slots.push(drive.drive.stage_folder(None).unwrap().0);
    drive.drive.make_durable(&slots).unwrap();
    let mut listed = drive.slots();
    listed.sort_unstable();
    slots.sort_unstable();
    assert_eq!(listed, slots);
}

#[tokio::test]
async fn contents_that_come_at_the_same_time_each_become_durable_once() {
    let drive = Drive::new();
    let mut slots = Vec::new();
    for _ in 0..40 {
        slots.push(drive.stage("x", FinishHints::default()).await.slot);
    }
    let Drive { dir: _dir, drive, .. } = drive;
    let drive = Arc::new(drive);
    let mut waiting = tokio::task::JoinSet::new();
    for slot in slots {
        let drive = Arc::clone(&drive);
        waiting.spawn(async move { drive.make_durable_together(slot).await });
    }
    let done = tokio::time::timeout(Duration::from_secs(30), waiting.join_all()).await.unwrap();
    assert!(done.len() == 40 && done.iter().all(io::Result::is_ok));
    assert!(drive.shared.unsynced.is_empty(), "each was synced");
}

#[tokio::test]
async fn folders_files_moves_and_deletions_end_up_where_they_belong() {
    let drive = Drive::new();
    let (folder, stat) = drive.drive.stage_folder(Some(&phys("d"))).unwrap();
    drive.drive.make_durable(&[folder]).unwrap();
    drive.place(&op(OpKind::Mkdir, folder, "d", stat.ident));
    let (a, b) = (drive.put("d/a", "one").await, drive.put("b", "two").await);
    let over = Op {
        dst: Some(phys("b")),
        displaced: Some(b.stat.ident),
        ..op(OpKind::MvOver, Uuid::new_v4(), "d/a", a.stat.ident)
    };
    assert_eq!(drive.place(&over).how, How::InPlace);
    assert_eq!(
        (drive.read("b"), drive.read(Phys::slot(over.slot).as_str())),
        ("one".to_owned(), "two".to_owned())
    );
    let mv = Op { dst: Some(phys("d/c")), ..op(OpKind::Mv, Uuid::new_v4(), "b", a.stat.ident) };
    assert!(drive.drive.barrier_before(&mv).unwrap(), "it was moved since the last mark");
    drive.drive.flush().unwrap();
    drive.drive.marked();
    assert!(!drive.drive.barrier_before(&mv).unwrap());
    drive.place(&mv);
    let del = op(OpKind::Del, Uuid::new_v4(), "d", stat.ident);
    assert!(drive.drive.barrier_before(&del).unwrap(), "a folder with what was placed in it");
    assert_eq!(drive.place(&del).how, How::InPlace);
    assert!(drive.drive.list_dir(&Phys::root()).unwrap().entries.is_empty());
    let kept = Phys::slot(del.slot).join("c").unwrap();
    let (mut file, ..) = drive.drive.open_file(&[phys("d/c"), kept], Some(a.stat.ident)).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "one");
    drive.drive.flush().unwrap();
}

#[tokio::test]
async fn a_reader_sees_the_whole_old_or_the_whole_new_content() {
    let drive = Drive::new();
    drive.put("a", "aaaaaaaaaaaaaaaa").await;
    let (path, stop) = (drive.at("a"), Arc::new(AtomicBool::new(false)));
    let stopped = Arc::clone(&stop);
    let reader = std::thread::spawn(move || {
        let mut reads = 0_u32;
        while !stopped.load(Ordering::Relaxed) || reads == 0 {
            let text = fs::read_to_string(&path).unwrap();
            assert!(["a", "b"].iter().any(|c| text == c.repeat(16)), "{text}");
            reads += 1;
        }
    });
    for round in 0..100 {
        drive.put("a", if round % 2 == 0 { "bbbbbbbbbbbbbbbb" } else { "aaaaaaaaaaaaaaaa" }).await;
    }
    stop.store(true, Ordering::Relaxed);
    reader.join().unwrap();
}

#[tokio::test]
async fn a_file_is_opened_by_identity_and_never_through_a_link() {
    let drive = Drive::new();
    drive.put("a", "one").await;
    fs::write(drive.dir.path().join("secret"), "s").unwrap();
    symlink(drive.dir.path().join("secret"), drive.at("link")).unwrap();
    symlink("..", drive.at("up")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        drive.at("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    for path in ["link", "up/secret", "pipe", "none", "a/none"] {
        assert!(matches!(drive.drive.open_file(&[phys(path)], None), Err(OpenError::Absent)), "{path}");
    }
    let one = drive.ident("a");
    let two = drive.put("a", "two").await;
    let places = [phys("a"), Phys::slot(two.slot)];
    assert_eq!(drive.drive.open_file(&places, Some(one)).unwrap().2, 1);
    assert_eq!(drive.drive.open_file(&places, Some(two.stat.ident)).unwrap().2, 0);
    let other = Ident { btime_ns: one.btime_ns + 1, ..one };
    assert!(
        matches!(drive.drive.open_file(&places, Some(other)), Err(OpenError::Changed(stat)) if stat.ident == two.stat.ident)
    );
    let kinds: Vec<_> =
        drive.drive.list_dir(&Phys::root()).unwrap().entries.into_iter().map(|(_, stat)| stat.kind).collect();
    assert_eq!(kinds, [EntryKind::File, EntryKind::Link, EntryKind::Other, EntryKind::Link]);
}

#[tokio::test]
async fn a_file_that_was_just_placed_is_opened_without_waiting_for_a_disk() {
    let drive = Drive::new();
    let blob = drive.put("a", "one").await;
    // The kernel cannot tell while something is renamed anywhere.
    let opened = (0..10_000).find_map(|_| drive.drive.open_file_at_once(&[phys("a")], Some(blob.stat.ident)));
    let (mut file, stat, _) = opened.unwrap().unwrap();
    let mut content = String::new();
    file.read_to_string(&mut content).unwrap();
    assert_eq!((content.as_str(), stat.ident), ("one", blob.stat.ident));
    let absent = (0..10_000).find_map(|_| drive.drive.open_file_at_once(&[phys("b")], None));
    assert!(absent.is_none_or(|absent| matches!(absent, Err(OpenError::Absent))));
}

#[tokio::test]
async fn a_copy_is_of_that_file_and_has_its_time() {
    let drive = Drive::new();
    let old = drive.put("a", "one").await;
    let new = drive.put("a", "two").await;
    let places = [phys("a"), Phys::slot(new.slot)];
    let copy = drive.drive.stage_copy(&places, old.stat.ident).unwrap();
    assert_eq!((copy.hash, copy.size, copy.stat.mtime_ns), (old.hash, 3, old.stat.mtime_ns));
    assert_ne!(copy.stat.ident, old.stat.ident);
    let gone = Ident { ino: 1, btime_ns: 1 };
    assert_eq!(drive.drive.stage_copy(&places, gone).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(drive.slots().len(), 2, "a refused copy leaves nothing behind");
}

#[tokio::test]
async fn a_displaced_file_is_sealed_when_it_is_what_was_known_and_kept_as_an_edit_when_not() {
    let drive = Drive::new();
    let old = drive.put("a", "one").await;
    let seen = Seen::from(&old.stat);
    let slot = drive.put("a", "two").await.slot;
    let judge_after =
        |quiet| drive.drive.seal_check_after(slot, &seen, &old.hash, Duration::from_secs(quiet)).unwrap();
    assert_eq!(judge_after(1_000_000), Judgement::Busy, "it was moved just now");
    let judge = || judge_after(0);
    assert_eq!(judge(), Judgement::Sealed);
    let in_slot = drive.at(Phys::slot(slot).as_str());
    fs::hard_link(&in_slot, drive.at("link")).unwrap();
    assert_eq!(judge(), Judgement::Busy, "it has another name");
    fs::remove_file(drive.at("link")).unwrap();
    fs::write(&in_slot, "edited").unwrap();
    assert!(matches!(judge(), Judgement::Changed { hash: found, .. } if found == hash(b"edited")));
    fs::remove_file(&in_slot).unwrap();
    assert_eq!(judge(), Judgement::Absent);
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_hashed_is_busy() {
    let drive = Drive::new();
    let file = File::create(drive.at("a")).unwrap();
    file.set_len(64 << 20).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut byte = 0_u8;
            while !stop.load(Ordering::Relaxed) {
                byte = byte.wrapping_add(1);
                std::os::unix::fs::FileExt::write_all_at(&file, &[byte], 0).unwrap();
            }
        });
        let hashed = drive.drive.hash_file(&phys("a"));
        stop.store(true, Ordering::Relaxed);
        assert_eq!(hashed.unwrap_err().kind(), io::ErrorKind::ResourceBusy);
    });
    assert_eq!(drive.drive.hash_file(&phys("a")).unwrap().1.size, 64 << 20);
}

#[tokio::test]
async fn what_is_not_a_slots_name_is_no_slot() {
    let drive = Drive::new();
    let blob = drive.stage("x", FinishHints::default()).await;
    let bucket = drive.at(Phys::slot(blob.slot).split().unwrap().0);
    let misplaced = if blob.slot.as_bytes()[0] == 0 { "ff" } else { "00" };
    fs::write(bucket.join("notes.txt"), "").unwrap();
    fs::write(bucket.join(blob.slot.to_string().to_uppercase() + "x"), "").unwrap();
    fs::write(drive.at(".holdfast/versions").join(misplaced).join(blob.slot.to_string()), "").unwrap();
    assert_eq!(drive.slots(), [blob.slot]);
}

#[test]
fn the_log_on_the_drive_outlives_the_process() {
    let Drive { dir, drive, id } = Drive::new();
    let entry =
        LogEntry { epoch: id, seq: 3, op: id, path: "a/b".into(), hash: Some(ContentHash::EMPTY), time: 7 };
    drive.log_append(std::slice::from_ref(&entry)).unwrap();
    drop(drive);
    let drive = FolderDrive::open(&dir.path().join("root"), id, None).unwrap();
    assert_eq!(drive.log_read().unwrap().collect::<io::Result<Vec<_>>>().unwrap(), [entry]);
    let (free, total) = drive.free_space().unwrap();
    assert!(free <= total && total > 0);
}
