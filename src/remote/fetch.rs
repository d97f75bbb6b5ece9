//! Downloads runs from a store, for the commands that read runs. Number, size and names of the files are checked, because
//! a store may contain anything.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Listed, Objects, RemoteError, StoreAddress, place, room};
use crate::measurement::TraceSummary;
use crate::store::{JOURNAL_FILE, MANIFEST_FILE, runs, skip_damaged};

/// Objects that are downloaded at the same time.
const AT_ONCE: usize = 16;
/// Most files of one run.
const MOST_FILES: usize = 200_000;
/// The folder with the traces of a run.
const TRACES: &str = "traces/";
/// The folder with the recorded power of a run.
const POWER: &str = "power/";
/// Deepest folder within a run.
const DEEPEST: usize = 8;

/// Which files of a run are needed.
#[derive(Clone, Copy)]
pub enum Needed<'a> {
    /// All files.
    All,
    /// All files except for power. Of a run without traces, all files.
    Traces,
    /// The manifest, the journal, and the traces for which this is true.
    Chosen(&'a dyn Fn(&TraceSummary) -> bool),
    /// All files except for traces and power: the manifest, the journal, the recipe and the report.
    Records,
    /// The manifest and the journal.
    Journal,
    /// The manifest.
    Manifest,
}

impl Needed<'_> {
    /// Whether a file of a run is needed.
    fn includes(self, file: &str, has_traces: bool) -> bool {
        let (is_trace, is_power) = (file.starts_with(TRACES), file.starts_with(POWER));
        match self {
            Self::All => true,
            Self::Traces => !(is_power && has_traces),
            Self::Records => !is_trace && !is_power,
            Self::Chosen(_) | Self::Journal | Self::Manifest => {
                self.known().is_some_and(|files| files.contains(&file))
            }
        }
    }

    /// The files, if they are the same in each run.
    fn known(self) -> Option<&'static [&'static str]> {
        match self {
            Self::All | Self::Traces | Self::Records => None,
            Self::Chosen(_) | Self::Journal => Some(&[MANIFEST_FILE, JOURNAL_FILE]),
            Self::Manifest => Some(&[MANIFEST_FILE]),
        }
    }
}

/// What an address of a store means where a run is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meant {
    /// One object, such as a trace file.
    Object(StoreAddress, String),
    /// A run of a store, by its name in the store, or as a person names it: `last`, its identifier, its recipe.
    Run(StoreAddress, String),
}

impl Meant {
    /// Reads the address of a run or of an object.
    ///
    /// # Errors
    /// If the address is wrong.
    pub fn read(text: &str) -> Result<Self, RemoteError> {
        let address: StoreAddress = text.parse().map_err(RemoteError::WhichRun)?;
        if let Some((store, name)) = place::run_in(&address) {
            return Ok(Self::Run(store, name));
        }
        match address.split_last() {
            Some((above, name)) if Path::new(&name).extension().is_some_and(|suffix| suffix == "parquet") => {
                Ok(Self::Object(above, name))
            }
            Some((store, name)) => Ok(Self::Run(store, name)),
            None => Err(RemoteError::WhichRun(format!(
                "`{text}` names a store, but no run: add `/last`, an identifier, or `/runs/<folder>`"
            ))),
        }
    }
}

/// The name in the store of the run that a person means.
///
/// # Errors
/// If no run or several runs match, or the store cannot be read.
pub async fn find(objects: &Objects, given: &str) -> Result<String, RemoteError> {
    let names = newest_states(objects.folders(place::RUNS).await?);
    // A name in the store may mean an earlier state of a run.
    if let Some((folder, all)) = names.get_key_value(place::folder_of(given).0)
        && all.iter().any(|name| name == given)
    {
        return Ok(if folder == given { all[all.len() - 1].clone() } else { given.to_owned() });
    }
    let store = objects.address().to_string();
    let folder = runs::find_name(&store, names.keys().cloned().collect(), given)?;
    Ok(names.get(&folder).and_then(|all| all.last()).cloned().unwrap_or(folder))
}

/// The names of each run in the store by its folder, the newest state last.
fn newest_states(names: Vec<String>) -> BTreeMap<String, Vec<String>> {
    let mut states: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in names {
        states.entry(place::folder_of(&name).0.to_owned()).or_default().push(name);
    }
    for all in states.values_mut() {
        all.sort_by_key(|name| place::folder_of(name).1);
    }
    states
}

/// Downloads the needed files of a run into a new folder below `into`, and returns the folder.
///
/// # Errors
/// If the run does not exist or is too large, or the store cannot be read.
pub async fn fetch_run(
    objects: &Objects,
    name: &str,
    into: &Path,
    needed: Needed<'_>,
) -> Result<PathBuf, RemoteError> {
    let above = place::of_run(name);
    let folder = into.join(place::folder(name));
    let failed = |error: std::io::Error| {
        RemoteError::Disk(format!("cannot create a folder below `{}`: {error}", into.display()))
    };
    if let Some(files) = needed.known() {
        // Without a list, a run needs only one or two requests.
        std::fs::create_dir_all(&folder).map_err(failed)?;
        for file in files {
            let name = format!("{above}/{file}");
            if objects.download(&name, &folder.join(file)).await?.is_none() {
                return Err(RemoteError::Missing(name));
            }
        }
        if let Needed::Chosen(is_wanted) = needed {
            fetch_traces(objects, &above, &folder, is_wanted).await?;
        }
        return Ok(folder);
    }
    let listed = objects.list(&above).await?;
    let has_traces = listed.iter().any(|object| object.name.starts_with(&format!("{above}/{TRACES}")));
    let mut files = Vec::new();
    for object in &listed {
        let file = object.name.strip_prefix(&above).and_then(|file| file.strip_prefix('/'));
        let file = file.filter(|file| is_safe(file)).ok_or_else(|| {
            RemoteError::WhichRun(format!("`{}` is not a name that a run may have", object.name))
        })?;
        if needed.includes(file, has_traces) {
            files.push((file, object));
        }
    }
    if files.is_empty() {
        return Err(RemoteError::Missing(above));
    }
    if files.len() > MOST_FILES {
        return Err(RemoteError::WhichRun(format!("`{above}` has more than {MOST_FILES} files")));
    }
    room::check(into, files.iter().map(|(_, object)| object.bytes).sum())?;
    for (file, _) in &files {
        let parent = folder.join(file).parent().map(Path::to_owned).unwrap_or_default();
        std::fs::create_dir_all(&parent).map_err(failed)?;
    }
    let mut downloads = Vec::with_capacity(files.len());
    for (file, object) in files {
        downloads.push(download(objects, object, folder.join(file)));
    }
    stream::iter(downloads).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    Ok(folder)
}

/// Downloads the traces that the journal of a downloaded run lists, as far as they are wanted.
async fn fetch_traces(
    objects: &Objects,
    above: &str,
    folder: &Path,
    is_wanted: &dyn Fn(&TraceSummary) -> bool,
) -> Result<(), RemoteError> {
    // What is damaged or missing is told by the command that reads the run.
    let traces: Vec<TraceSummary> = skip_damaged(runs::traces(folder)?).collect::<Result<_, _>>()?;
    let mut downloads = Vec::new();
    for trace in traces.iter().filter(|trace| is_wanted(trace) && is_safe(&trace.file)) {
        let into = folder.join(&trace.file);
        let parent = into.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).map_err(|error| RemoteError::Disk(error.to_string()))?;
        let name = format!("{above}/{}", trace.file);
        downloads.push(async move { objects.download(&name, &into).await.map(drop) });
    }
    stream::iter(downloads).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    Ok(())
}

async fn download(objects: &Objects, object: &Listed, into: PathBuf) -> Result<(), RemoteError> {
    match objects.download(&object.name, &into).await? {
        Some((bytes, _)) if bytes == object.bytes => Ok(()),
        Some((bytes, _)) => Err(RemoteError::Temporary(format!(
            "`{}` has {bytes} bytes, but its list says {}",
            object.name, object.bytes
        ))),
        None => Err(RemoteError::Missing(object.name.clone())),
    }
}

/// Downloads one object into a folder, and returns the file.
///
/// # Errors
/// If the object does not exist, or the store cannot be read.
pub async fn fetch_object(objects: &Objects, name: &str, into: &Path) -> Result<PathBuf, RemoteError> {
    let path = into.join(name);
    match objects.download(name, &path).await? {
        Some(_) => Ok(path),
        None => Err(RemoteError::Missing(format!("{}/{name}", objects.address()))),
    }
}

/// Downloads the needed files of all runs that began in a time into folders below `into`. Returns their names in the
/// store, the newest first.
///
/// # Errors
/// If the store cannot be read.
pub async fn fetch_list(
    objects: &Objects,
    into: &Path,
    (since, until): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    needed: Needed<'_>,
) -> Result<Vec<String>, RemoteError> {
    let states = newest_states(objects.folders(place::RUNS).await?);
    let is_wanted = |folder: &String| match begun(folder) {
        // The name has whole seconds only.
        Some(begun) => {
            since.is_none_or(|since| begun.timestamp() >= since.timestamp())
                && until.is_none_or(|until| begun < until)
        }
        None => false,
    };
    let mut names: Vec<String> = states
        .iter()
        .filter(|(folder, _)| is_wanted(folder))
        .filter_map(|(_, all)| all.last().cloned())
        .collect();
    names.reverse();
    let mut fetches = Vec::with_capacity(names.len());
    for name in &names {
        fetches.push(fetch_started(objects, name, into, needed));
    }
    stream::iter(fetches).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    Ok(names)
}

/// Downloads a run of a list. A run whose upload has not come to its manifest yet is left out.
async fn fetch_started(
    objects: &Objects,
    name: &str,
    into: &Path,
    needed: Needed<'_>,
) -> Result<(), RemoteError> {
    match fetch_run(objects, name, into, needed).await {
        Err(RemoteError::Missing(_)) => {
            let _ = std::fs::remove_dir_all(into.join(place::folder(name)));
            Ok(())
        }
        fetched => fetched.map(drop),
    }
}

/// When a run began, by the name of its folder.
fn begun(folder: &str) -> Option<DateTime<Utc>> {
    let time = folder.split('_').next()?;
    NaiveDateTime::parse_from_str(time, runs::FOLDER_TIME).ok().map(|time| time.and_utc())
}

/// Whether a name stays within the folder of its run.
fn is_safe(file: &str) -> bool {
    let parts: Vec<&str> = file.split('/').collect();
    let is_plain =
        |part: &&str| !part.is_empty() && *part != "." && *part != ".." && !part.contains(['\\', '\0']);
    parts.len() <= DEEPEST && parts.iter().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_means_a_run_or_one_object() {
        let run = |text: &str| match Meant::read(text).unwrap() {
            Meant::Run(store, name) => format!("{store} {name}"),
            Meant::Object(store, name) => format!("object {store} {name}"),
        };
        assert_eq!(
            run("s3://lab/a/runs/20261128T101500Z_ring_abc234"),
            "s3://lab/a 20261128T101500Z_ring_abc234"
        );
        assert_eq!(run("s3://lab/a/last"), "s3://lab/a last");
        assert_eq!(
            run("s3://lab/a/runs/x/traces/0001.parquet"),
            "object s3://lab/a/runs/x/traces 0001.parquet"
        );
        assert!(Meant::read("s3://lab").unwrap_err().to_string().contains("no run"));
    }

    #[test]
    fn a_name_that_leads_out_of_the_folder_is_refused() {
        assert!(is_safe("traces/0001_m4c1_tf.parquet"));
        for wrong in ["../x", "traces/../../x", "/x", "a//b", "a\\b", "", "1/2/3/4/5/6/7/8/9"] {
            assert!(!is_safe(wrong), "{wrong}");
        }
    }
}
