//! Brings the list of runs in line with the run folders. Runs may have been copied into the folder, moved away, or
//! measured while the catalogue could not be written.

use std::path::Path;

use rusqlite::Connection;

use super::runs::rows;
use super::select::SelectError;
use super::{Catalogue, RunRow};
use crate::store::RunState;
use crate::store::runs::{self, FoundRun, Unreadable};

/// So many new runs take a noticeable time.
const MANY: usize = 2_000;

impl Catalogue {
    /// Adds runs that are only in the folder, removes those that are only in the catalogue, and updates those that
    /// had not ended. Returns the folders that could not be read.
    pub(super) fn sync(&self, out: &Path) -> Result<Vec<Unreadable>, SelectError> {
        let mut folders = runs::folders(out)?;
        folders.sort_unstable();
        let (unlisted, gone) = self.ask(|connection| compare(connection, folders))?;
        // Runs that had not ended may have ended. Runs from an earlier version of the catalogue are read once.
        let unsettled =
            self.ask(|connection| rows(connection, "WHERE status = 'running' OR recipe = ''", &[]))?;
        let mut changed = Vec::new();
        for row in unsettled {
            if let Ok(run) = runs::open(&out.join(&row.folder))
                && (run.manifest.status != RunState::Running || row.recipe.is_empty())
            {
                changed.push(run);
            }
        }
        if !gone.is_empty() {
            self.change(|transaction| {
                let mut remove = transaction.prepare("DELETE FROM runs WHERE folder = ?1")?;
                gone.iter().try_for_each(|folder| remove.execute([folder]).map(drop))
            })?;
        }
        self.put_runs(&changed)?;
        let (found, unreadable) = runs::open_all(unlisted.into_iter().map(|name| out.join(name)));
        if found.len() > MANY {
            tracing::info!("{} runs are added to the catalogue, which may take a minute", found.len());
        }
        self.put_runs(&found)?;
        Ok(unreadable)
    }

    /// Updates the rows that differ from the manifests; returns whether there was one.
    pub(super) fn update(&self, rows: &[RunRow], found: &[FoundRun]) -> Result<bool, SelectError> {
        let differs = |run: &&FoundRun| {
            let present = RunRow::from(*run).rounded();
            rows.iter().any(|row| row.folder == present.folder && *row != present)
        };
        let changed: Vec<FoundRun> = found.iter().filter(differs).cloned().collect();
        self.put_runs(&changed)?;
        Ok(!changed.is_empty())
    }
}

/// The folders that are not in the catalogue, and those that are only there. `folders` is sorted. Both sides are sorted,
/// so that a list of 100,000 runs is compared in some milliseconds.
fn compare(connection: &Connection, folders: Vec<String>) -> rusqlite::Result<(Vec<String>, Vec<String>)> {
    let mut asked = connection.prepare("SELECT folder FROM runs ORDER BY folder")?;
    let mut known = asked.query([])?;
    let (mut unlisted, mut gone) = (Vec::new(), Vec::new());
    let mut folders = folders.into_iter().peekable();
    while let Some(row) = known.next()? {
        let known = row.get_ref(0)?.as_str()?;
        while let Some(folder) = folders.next_if(|folder| folder.as_str() < known) {
            unlisted.push(folder);
        }
        if folders.next_if(|folder| folder == known).is_none() {
            gone.push(known.to_owned());
        }
    }
    unlisted.extend(folders);
    Ok((unlisted, gone))
}
