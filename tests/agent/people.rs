//! People who work in a folder that an agent keeps in sync, and remember what became of everything they wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// So many edits are made before a person looks again at what there is.
const LOOK_AGAIN: u32 = 300;

/// Somebody at one device.
pub struct Person {
    name: String,
    folder: PathBuf,
    rng: StdRng,
    files: Vec<String>,
    folders: Vec<String>,
    edits: u32,
    /// What was written here, each content once, and where.
    written: BTreeMap<String, String>,
    /// What was here when somebody overwrote or deleted it: they did not want it any more.
    given_up: BTreeSet<String>,
}

impl Person {
    pub fn at(folder: PathBuf, name: &str, seed: u64) -> Self {
        let rng = StdRng::seed_from_u64(seed);
        let (files, folders) = (Vec::new(), vec![String::new()]);
        let (written, given_up) = (BTreeMap::new(), BTreeSet::new());
        Self { name: name.to_owned(), folder, rng, files, folders, edits: 0, written, given_up }
    }

    /// Begins with a tree of so many files, a hundred to a folder.
    pub fn begin_with(&mut self, files: usize) {
        for number in 0..files {
            let folder = format!("{} {}/{}", self.name, number / 1_000, number / 100 % 10);
            if number % 100 == 0 {
                std::fs::create_dir_all(self.folder.join(&folder)).unwrap();
            }
            let path = self.folder.join(format!("{folder}/{number}.txt"));
            let text = self.text("begins with", &path);
            std::fs::write(path, text).unwrap();
        }
    }

    /// What they wrote and did not give up.
    pub fn wants(&self) -> impl Iterator<Item = (&String, &String)> {
        self.written.iter().filter(|(text, _)| !self.given_up.contains(*text))
    }

    /// How much they did.
    pub fn edits(&self) -> u32 {
        self.edits
    }

    fn text(&mut self, how: &str, path: &Path) -> String {
        let padding = "x".repeat(self.rng.random_range(0..2_000));
        let text = format!("{} wrote {}: {padding}", self.name, self.written.len());
        let path = path.strip_prefix(&self.folder).unwrap_or(path);
        self.written.insert(text.clone(), format!("{how} {}", path.display()));
        text
    }

    fn look(&mut self) {
        self.files.clear();
        self.folders = vec![String::new()];
        let mut at = 0;
        while let Some(folder) = self.folders.get(at).cloned() {
            for entry in std::fs::read_dir(self.folder.join(&folder)).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name == ".holdfast-sync" {
                    continue;
                }
                let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    self.folders.push(path);
                } else {
                    self.files.push(path);
                }
            }
            at += 1;
        }
    }

    fn one_of(&mut self, folders: bool) -> Option<PathBuf> {
        let list = if folders { &self.folders } else { &self.files };
        let path = (!list.is_empty()).then(|| list[self.rng.random_range(0..list.len())].clone())?;
        Some(self.folder.join(path))
    }

    fn new_name(&mut self, folders: bool) -> Option<PathBuf> {
        let above = self.one_of(true)?;
        let kind = if folders { "folder" } else { "txt" };
        Some(above.join(format!("{} {}.{kind}", self.name, self.rng.random_range(0..100_000))))
    }

    /// What is in a file, if it is one.
    fn give_up(&mut self, file: &Path) {
        if let Ok(text) = std::fs::read_to_string(file) {
            self.given_up.insert(text);
        }
    }

    /// Does one thing; whatever is in the way, they try something else next time.
    pub fn edit(&mut self) {
        if self.edits.is_multiple_of(LOOK_AGAIN) {
            self.look();
        }
        self.edits += 1;
        let _ = self.try_to();
    }

    fn try_to(&mut self) -> Option<()> {
        match self.rng.random_range(0..100) {
            0..30 => {
                let path = self.new_name(false)?;
                let text = self.text("makes", &path);
                // Not over what somebody else put there.
                let done = std::fs::File::create_new(&path)
                    .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
                if done.is_err() {
                    self.given_up.insert(text);
                }
            }
            30..60 => {
                let path = self.one_of(false)?;
                let text = self.text("writes into", &path);
                self.give_up(&path);
                let opened = std::fs::File::options().write(true).truncate(true).open(&path);
                if opened.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes())).is_err()
                {
                    self.given_up.insert(text);
                }
            }
            60..75 => {
                let path = self.one_of(false)?;
                let text = self.text("saves", &path);
                let beside = path.with_file_name(format!("{}.saving", self.name));
                self.give_up(&beside);
                if std::fs::write(&beside, &text).is_err() {
                    self.given_up.insert(text);
                    return None;
                }
                self.give_up(&path);
                std::fs::rename(&beside, &path).ok()?;
            }
            75..85 => {
                let (from, to) = (self.one_of(false)?, self.new_name(false)?);
                if !to.exists() {
                    std::fs::rename(from, to).ok()?;
                }
            }
            85..88 => {
                let (from, to) = (self.one_of(true)?, self.new_name(true)?);
                if from != self.folder && !to.exists() {
                    std::fs::rename(from, to).ok()?;
                }
            }
            88..96 => {
                let path = self.one_of(false)?;
                self.give_up(&path);
                std::fs::remove_file(path).ok()?;
            }
            _ => std::fs::create_dir(self.new_name(true)?).ok()?,
        }
        Some(())
    }
}
