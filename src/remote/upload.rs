//! Uploads one run. Each stage can be repeated: an object that exists is compared, and never replaced.

use std::path::{Path, PathBuf};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::receipt::Content;
use super::{Created, Objects, Receipt, RemoteError, index, place};
use crate::files;
use crate::run::events::Record;
use crate::store::runs::{self, Finding, FoundRun};
use crate::store::{
    JOURNAL_FILE, MANIFEST_FILE, REPORT_FILE, RunFile, RunState, SUMMARY_FILE, file_sha256, run_files, verify,
};
use crate::threads;

/// Objects that are sent at the same time. Together with the largest file that is sent as a whole, this limits the memory.
const AT_ONCE: usize = 4;

/// How far an upload is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files that are in the store and verified.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// All files of the run.
    pub all_files: u64,
    /// All bytes of the run.
    pub all_bytes: u64,
}

/// A file of a run with its SHA-256.
#[derive(Debug)]
struct Measured {
    file: RunFile,
    path: PathBuf,
    sha256: String,
}

/// The order in which the files of a run are uploaded. A later stage begins when the earlier ones are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Data,
    Journal,
    Recipe,
    Report,
    Manifest,
}

impl Stage {
    fn of(file: &str) -> Self {
        match file {
            JOURNAL_FILE => Self::Journal,
            MANIFEST_FILE => Self::Manifest,
            REPORT_FILE | SUMMARY_FILE => Self::Report,
            _ if file.starts_with("recipe/") => Self::Recipe,
            _ => Self::Data,
        }
    }

    /// Whether an object with other content may stay. A report can be written again at any time, so the one in the store
    /// may be older.
    fn may_differ(self) -> bool {
        match self {
            Self::Report => true,
            Self::Data | Self::Journal | Self::Recipe | Self::Manifest => false,
        }
    }
}

/// Uploads a run that has ended, verifies it, and writes the receipt.
///
/// # Errors
/// If the run is damaged, or the store cannot be used.
pub async fn upload(
    objects: &Objects,
    folder: &Path,
    progress: impl Fn(Progress),
) -> Result<Receipt, RemoteError> {
    let path = folder.to_owned();
    let read = threads::begin("upload", move || prepare(&path)).await;
    let (run, files) = read.map_err(|error| RemoteError::Disk(error.to_string()))??;
    let name = place::name(&run);
    let above = place::of_run(&name);
    let mut done = Progress {
        all_files: files.len() as u64,
        all_bytes: files.iter().map(|measured| measured.file.bytes).sum(),
        ..Progress::default()
    };
    progress(done);
    let manifest = files.iter().find(|measured| measured.file.file == MANIFEST_FILE);
    let manifest =
        manifest.map(|Measured { file, sha256, .. }| Content { bytes: file.bytes, sha256: sha256.clone() });
    let mut files = files.as_slice();
    while let Some(first) = files.first() {
        let stage = Stage::of(&first.file.file);
        let count = files.iter().take_while(|measured| Stage::of(&measured.file.file) == stage).count();
        let (now, later) = files.split_at(count);
        let mut sends = Vec::with_capacity(now.len());
        for measured in now {
            sends.push(store(
                objects,
                format!("{above}/{}", measured.file.file),
                measured,
                stage.may_differ(),
            ));
        }
        let mut sent = stream::iter(sends).buffer_unordered(AT_ONCE);
        while let Some(bytes) = sent.try_next().await? {
            done.files += 1;
            done.bytes += bytes;
            progress(done);
        }
        files = later;
    }
    check_unchanged(&run)?;
    let index = place::of_index(&run);
    store_index(objects, &index, &run).await?;
    let receipt = Receipt {
        files: done.files,
        bytes: done.bytes,
        manifest,
        ..Receipt::new(objects.address().to_string(), above, index, run.manifest.taken_up)
    };
    check_unchanged(&run)?;
    receipt.write(folder)?;
    Ok(receipt)
}

/// Reads the manifest, checks all files against the journal, and measures them. Damage must not get into the store as if
/// it were good.
fn prepare(folder: &Path) -> Result<(FoundRun, Vec<Measured>), RemoteError> {
    let run = runs::open(folder)?;
    if run.manifest.status == RunState::Running {
        return Err(RemoteError::Changed);
    }
    let findings = verify::<Record>(folder)?.findings;
    let is_damage = |finding: &&Finding| match finding {
        Finding::Missing { .. }
        | Finding::Changed { .. }
        | Finding::Unreadable { .. }
        | Finding::Points { .. }
        | Finding::Contradicts { .. }
        | Finding::Journal { .. } => true,
        // An unfinished file is not uploaded.
        Finding::Torn { file } => !file.ends_with(".part"),
        Finding::Extra { .. } => false,
    };
    if let Some(damage) = findings.iter().find(is_damage) {
        return Err(RemoteError::Damaged(damage.to_string()));
    }
    let listed = run_files(folder).map_err(|error| RemoteError::Disk(error.to_string()))?;
    let mut measured = Vec::with_capacity(listed.len());
    for file in listed {
        let path = files::find_within(folder, &file.file)
            .map_err(|error| RemoteError::Disk(format!("cannot read `{}`: {error}", file.file)))?;
        let sha256 = file_sha256(&path)?;
        measured.push(Measured { file, path, sha256 });
    }
    measured.sort_by_key(|measured| Stage::of(&measured.file.file));
    Ok((run, measured))
}

/// Creates an object with the content of a file, and compares what the store returns. Returns the size of the file.
async fn store(
    objects: &Objects,
    name: String,
    measured: &Measured,
    may_differ: bool,
) -> Result<u64, RemoteError> {
    let created = objects.create_from(&name, &measured.path).await?;
    let Some((_, sha256)) = objects.sha256(&name).await? else { return Err(RemoteError::Missing(name)) };
    match (sha256 == measured.sha256, created) {
        (true, _) => Ok(measured.file.bytes),
        (false, Created::Existed) if may_differ => Ok(measured.file.bytes),
        (false, Created::Existed) => Err(RemoteError::OtherContent(name)),
        (false, Created::New) => Err(RemoteError::NotVerified(name)),
    }
}

/// Creates the index. One that exists was written by an earlier upload of the same run, maybe by an earlier version of
/// the program, and stays.
async fn store_index(objects: &Objects, name: &str, run: &FoundRun) -> Result<(), RemoteError> {
    let disk = |error: std::io::Error| RemoteError::Disk(error.to_string());
    let place = tempfile::tempdir().map_err(disk)?;
    let path = place.path().join("index.parquet");
    let (found, target) = (run.clone(), path.clone());
    let written = threads::begin("index", move || index::write(&found, &target)).await;
    written.map_err(|error| RemoteError::Disk(error.to_string()))??;
    let sha256 = file_sha256(&path)?;
    let bytes = std::fs::metadata(&path).map_err(disk)?.len();
    let file = RunFile { file: name.to_owned(), bytes };
    store(objects, name.to_owned(), &Measured { file, path, sha256 }, true).await.map(drop)
}

/// A run that was resumed meanwhile is uploaded later, to another place.
fn check_unchanged(run: &FoundRun) -> Result<(), RemoteError> {
    let now = runs::open(&run.folder)?.manifest;
    match now == run.manifest {
        true => Ok(()),
        false => Err(RemoteError::Changed),
    }
}
