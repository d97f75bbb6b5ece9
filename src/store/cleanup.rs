//! Prepares a run folder of an earlier process: locks it, repairs the journal, and cleans up files that the journal
//! does not list.
//!
//! Measured data is never deleted. Only unfinished files and withdrawn files are. Other files that this program could
//! have written go to `aside/`, because their names may be needed again. All other files belong to somebody else and
//! stay.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use serde::Serialize;

use super::journal::repair_journal;
use super::runs::FoundRun;
use super::{
    JOURNAL_FILE, REPORT_FILE, RunFolder, SUMMARY_FILE, StoreError, claim, is_claimed, manifest, publish,
};
use crate::files;

/// The folder for files that the journal does not list.
const ASIDE: &str = "aside";
/// The folders whose files the journal lists.
const MEASURED: [&str; 2] = ["traces", "power"];
/// Longest text of a lock that is shown, bytes.
const OWNER: u64 = 4096;

/// What happens to a leftover file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// The file was never finished: it is deleted.
    Unfinished,
    /// The journal has withdrawn the file: it is deleted.
    Withdrawn,
    /// The journal does not list the file: it goes to `aside/`.
    Aside,
}

/// A leftover file in a run folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leftover {
    /// The file, relative to the run folder.
    pub file: String,
    /// What happens to the file.
    pub fate: Fate,
}

impl RunFolder {
    /// Locks the folder of a run whose process has ended. Changes nothing else.
    ///
    /// # Errors
    /// If the process is alive, or the folder cannot be written.
    pub fn reopen(run: &FoundRun) -> Result<Self, StoreError> {
        let path = run.folder.clone();
        if is_claimed(&path) {
            let owner = files::read_within(&path, super::LOCK_FILE, OWNER).unwrap_or_default();
            let owner = String::from_utf8_lossy(&owner);
            let message = format!("run {} is active in process `{}`", run.manifest.run, owner.trim());
            return Err(StoreError::WhichRun(message));
        }
        let lock = claim(&path)?;
        Ok(Self { id: run.manifest.run.clone(), path, lines: None, _lock: lock })
    }

    /// Prepares the folder for a resumed run: cuts a torn last line off the journal, and cleans up the leftover
    /// files. Returns the number of bytes cut off, and the old and new path of each moved file.
    ///
    /// # Errors
    /// If a line of the journal is damaged, or the folder cannot be written.
    pub fn repair(&mut self, leftovers: &[Leftover]) -> Result<(u64, Vec<(String, String)>), StoreError> {
        let journal = self.path.join(JOURNAL_FILE);
        let mut torn_bytes = 0;
        // A journal without a first record is itself a leftover file. It is missing if the process ended before it
        // was created.
        if files::is_taken(&journal) && !leftovers.iter().any(|left| left.file == JOURNAL_FILE) {
            let (lines, torn) = repair_journal(&journal)?;
            (self.lines, torn_bytes) = (Some(lines), torn);
        }
        self.set_reserve()?;
        for inner in MEASURED {
            let folder = self.path.join(inner);
            if !files::is_taken(&folder) {
                fs::create_dir(&folder).map_err(|source| StoreError::write(&folder, source))?;
            }
        }
        let mut moved = Vec::new();
        for Leftover { file, fate } in leftovers {
            match fate {
                Fate::Unfinished | Fate::Withdrawn => self.remove(file)?,
                Fate::Aside => moved.extend(self.move_aside(file)?.map(|to| (file.clone(), to))),
            }
        }
        Ok((torn_bytes, moved))
    }

    /// Removes a file of the run. A missing file is no error, and a path outside the folder is ignored.
    ///
    /// # Errors
    /// If the file cannot be removed.
    pub fn remove(&self, file: &str) -> Result<(), StoreError> {
        let Some(path) = own_path(&self.path, file)? else { return Ok(()) };
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError::write(&path, error))
            }
            _ => publish::sync_folder_of(&path),
        }
    }

    /// Moves a file of the run to `aside/`, and returns its new path relative to the folder. Returns `None` if the
    /// file is missing, or if its path leads out of the folder.
    ///
    /// # Errors
    /// If the file cannot be moved.
    pub fn move_aside(&self, file: &str) -> Result<Option<String>, StoreError> {
        let Some(path) = own_path(&self.path, file)? else { return Ok(None) };
        if !files::is_taken(&path) {
            return Ok(None);
        }
        let aside = self.path.join(ASIDE);
        if !files::is_taken(&aside) {
            fs::create_dir(&aside).map_err(|source| StoreError::write(&aside, source))?;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // A complete file without its final name gets it here.
        let name = part_of(&name).map_or(name.clone(), str::to_owned);
        let (stem, ending) = name
            .rsplit_once('.')
            .map_or((name.as_str(), String::new()), |(stem, ending)| (stem, format!(".{ending}")));
        let names =
            std::iter::once(name.clone()).chain((2..).map(|count: u64| format!("{stem}.{count}{ending}")));
        let free = names.map(|name| format!("{ASIDE}/{name}"));
        let mut free = free.filter(|to| !files::is_taken(&self.path.join(to)));
        let to = free.next().unwrap_or_default();
        let Some(target) = own_path(&self.path, &to)? else { return Ok(None) };
        fs::rename(&path, &target).map_err(|source| StoreError::write(&target, source))?;
        publish::sync_folder_of(&path)?;
        publish::sync_folder_of(&target)?;
        Ok(Some(to))
    }

    /// The highest number of a power segment in the folder.
    pub(super) fn last_segment(&self) -> u64 {
        let entries = fs::read_dir(self.path.join("power")).into_iter().flatten().flatten();
        let number = |name: String| name.strip_suffix(".parquet")?.parse().ok();
        entries.filter_map(|entry| number(entry.file_name().into_string().ok()?)).max().unwrap_or(0)
    }
}

/// The leftover files in the folder of a run. `known` are the files that the journal lists, `withdrawn` the ones that
/// it has withdrawn. Changes nothing.
///
/// # Errors
/// If a folder cannot be read, or is a link.
pub fn leftovers(
    folder: &Path,
    known: &BTreeSet<String>,
    withdrawn: &BTreeSet<String>,
) -> Result<Vec<Leftover>, StoreError> {
    let mut found = Vec::new();
    for name in names(folder, "")? {
        let unfinished = part_of(&name).is_some_and(|target| {
            [
                manifest::FILE,
                REPORT_FILE,
                SUMMARY_FILE,
                super::RESULTS_FILE,
                super::watchdog::FENCE_FILE,
                super::disk_space::RESERVE_FILE,
            ]
            .contains(&target)
        });
        if unfinished {
            found.push(Leftover { file: name, fate: Fate::Unfinished });
        }
    }
    for inner in MEASURED {
        for name in names(folder, inner)? {
            let file = format!("{inner}/{name}");
            let target = part_of(&name);
            if known.contains(&file) || !is_made_here(inner, target.unwrap_or(&name)) {
                continue;
            }
            let fate = match target {
                // The file is complete. Its process ended before it could rename the file.
                Some(_) if super::read::rows(&folder.join(&file)).is_ok() => Fate::Aside,
                Some(_) => Fate::Unfinished,
                None if withdrawn.contains(&file) => Fate::Withdrawn,
                None => Fate::Aside,
            };
            // Only regular files are deleted.
            let is_file = fs::symlink_metadata(folder.join(&file)).is_ok_and(|about| about.is_file());
            found.push(Leftover { file, fate: if is_file { fate } else { Fate::Aside } });
        }
    }
    found.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(found)
}

/// The finished files of a run folder that this program has written. The journal is not read.
///
/// # Errors
/// If a folder cannot be read, or is a link.
pub fn finished_files(folder: &Path) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    for inner in MEASURED {
        let names = names(folder, inner)?.into_iter().filter(|name| is_made_here(inner, name));
        found.extend(names.map(|name| format!("{inner}/{name}")));
    }
    Ok(found)
}

/// The sorted names in a folder of the run; empty if the folder does not exist.
fn names(run: &Path, inner: &str) -> Result<Vec<String>, StoreError> {
    let folder = if inner.is_empty() { run.to_owned() } else { run.join(inner) };
    if !inner.is_empty() {
        if !files::is_taken(&folder) {
            return Ok(Vec::new());
        }
        if !files::is_own_folder(&folder) {
            return Err(not_own(&folder));
        }
    }
    let failed = |source| StoreError::read(&folder, source);
    let entries = fs::read_dir(&folder).map_err(failed)?;
    let names = entries.map(|entry| Ok(entry.map_err(failed)?.file_name().into_string().ok()));
    let mut names: Vec<String> = names.filter_map(Result::transpose).collect::<Result<_, _>>()?;
    names.sort();
    Ok(names)
}

/// The final name of an unfinished file.
fn part_of(name: &str) -> Option<&str> {
    name.strip_prefix('.')?.strip_suffix(".part")
}

/// Whether this program gives such names to files of this folder: `0001_m4c1_tf_name.parquet`, `0001.parquet`.
fn is_made_here(inner: &str, name: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(stem) = name.strip_suffix(".parquet") else { return false };
    if inner == "power" {
        return stem.len() >= 4 && digits(stem);
    }
    let mut parts = stem.splitn(3, '_');
    let (number, detector, trace) = (parts.next(), parts.next(), parts.next());
    let detector = detector.and_then(|detector| detector.strip_prefix('m')?.split_once('c'));
    number.is_some_and(|number| number.len() >= 4 && digits(number))
        && detector.is_some_and(|(module, channel)| digits(module) && digits(channel))
        && trace.is_some_and(|trace| !trace.is_empty())
}

/// The path of a file of the run that will be removed or moved. All its parent folders must be real folders. `None`
/// if it leads out of the run folder, as a damaged journal could demand.
fn own_path(run: &Path, file: &str) -> Result<Option<PathBuf>, StoreError> {
    let path = run.join(file);
    let stays = Path::new(file).components().all(|part| matches!(part, Component::Normal(_)));
    if !stays || file.is_empty() {
        return Ok(None);
    }
    let mut parents = path.ancestors().skip(1).take_while(|parent| *parent != run);
    match parents.find(|parent| files::is_taken(parent) && !files::is_own_folder(parent)) {
        Some(parent) => Err(not_own(parent)),
        None => Ok(Some(path)),
    }
}

fn not_own(folder: &Path) -> StoreError {
    let reason = "it is a link or a file, but a run has a folder there";
    StoreError::read(folder, std::io::Error::new(std::io::ErrorKind::NotADirectory, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_this_program_gives_are_known_from_others() {
        for name in ["0001_m4c1_tf.parquet", "12345_m20c6_11_a_b.parquet"] {
            assert!(is_made_here("traces", name), "{name}");
        }
        for name in [
            "my-analysis.parquet",
            "0001.parquet",
            "001_m4c1_tf.parquet",
            "0001_m4c1.parquet",
            "0001_m4_tf.parquet",
            "0001_m4c1_tf.csv",
        ] {
            assert!(!is_made_here("traces", name), "{name}");
        }
        assert!(is_made_here("power", "0001.parquet") && !is_made_here("power", "0001_m4c1_tf.parquet"));
    }

    #[test]
    fn only_what_was_withdrawn_or_never_finished_is_deleted() {
        let place = tempfile::tempdir().unwrap();
        let mut run = RunFolder::create(place.path(), "a", "abcdef", chrono::Utc::now()).unwrap();
        let folder = run.path().to_owned();
        let names = ["0001_m4c1_tf", "0002_m4c1_tf", "0003_m4c1_tf", "mine"];
        for name in names {
            fs::write(folder.join(format!("traces/{name}.parquet")), name).unwrap();
        }
        fs::write(folder.join("traces/.0004_m4c1_tf.parquet.part"), "half").unwrap();
        fs::write(folder.join("traces/.notes.part"), "mine").unwrap();
        fs::create_dir(folder.join("aside")).unwrap();
        fs::write(folder.join("aside/0003_m4c1_tf.parquet"), "earlier").unwrap();
        let set = |file: &str| BTreeSet::from([file.to_owned()]);
        let found =
            leftovers(&folder, &set("traces/0001_m4c1_tf.parquet"), &set("traces/0002_m4c1_tf.parquet"))
                .unwrap();
        let fates: Vec<_> = found.iter().map(|left| (left.file.as_str(), left.fate)).collect();
        assert_eq!(
            fates,
            [
                ("traces/.0004_m4c1_tf.parquet.part", Fate::Unfinished),
                ("traces/0002_m4c1_tf.parquet", Fate::Withdrawn),
                ("traces/0003_m4c1_tf.parquet", Fate::Aside),
            ]
        );
        let (_, moved) = run.repair(&found).unwrap();
        assert_eq!(moved[0].1, "aside/0003_m4c1_tf.2.parquet");
        assert_eq!(fs::read_to_string(folder.join(&moved[0].1)).unwrap(), "0003_m4c1_tf");
        let left = super::names(&folder, "traces").unwrap();
        assert_eq!(left, [".notes.part", "0001_m4c1_tf.parquet", "mine.parquet"]);
        let secret = place.path().join("secret");
        fs::write(&secret, "secret").unwrap();
        for outside in ["../secret", "traces/../../secret", secret.to_str().unwrap(), ""] {
            run.remove(outside).unwrap();
            assert_eq!(run.move_aside(outside).unwrap(), None, "{outside}");
        }
        assert_eq!(fs::read_to_string(secret).unwrap(), "secret");
    }
}
