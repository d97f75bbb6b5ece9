//! Lists the runs that fulfil a filter, newest first.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::condition::{Compiled, Condition};
use super::rows::Time;
use super::runs::rows;
use super::{Catalogue, CatalogueError, RunRow};
use crate::error::chain;
use crate::source::Diagnostic;
use crate::store::StoreError;
use crate::store::runs::{self, FoundRun, Unreadable};

/// How long a list waits for other processes that write.
const PATIENCE: Duration = Duration::from_secs(1);

/// Which runs are listed. An empty filter lists all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// A condition on columns and parameters.
    pub condition: Option<Condition>,
    /// Name of the recipe; `*` stands for any text.
    pub name: Option<String>,
    /// Name of the batch.
    pub batch: Option<String>,
    /// Allowed states; any if empty.
    pub status: Vec<String>,
    /// Runs that began at this moment or later.
    pub since: Option<DateTime<Utc>>,
}

/// The runs that were selected.
#[derive(Debug, Default)]
pub struct Selected {
    /// The runs, newest first.
    pub runs: Vec<FoundRun>,
    /// The folder after which further runs follow; `None` if there are none.
    pub next: Option<String>,
    /// Folders among the runs that cannot be read.
    pub unreadable: Vec<Unreadable>,
}

/// Why runs cannot be selected.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// The condition is wrong.
    #[error("{}", .0.message)]
    Condition(Box<Diagnostic>),
    /// The folder of the runs cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The catalogue cannot be used.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The database refuses a query.
    #[error("the catalogue cannot be read")]
    Sql(#[source] rusqlite::Error),
}

/// The newest `limit` runs below a folder that fulfil a filter and come after the folder `before`. The catalogue is
/// brought up to date first. If the catalogue cannot be used, the run folders are read instead, which takes longer.
///
/// # Errors
/// If the condition is wrong, or the folder cannot be read.
pub fn select(
    out: &Path,
    filter: &Filter,
    before: Option<&str>,
    limit: usize,
) -> Result<Selected, SelectError> {
    // A folder without runs gets no catalogue.
    if !Catalogue::exists(out) && !runs::folders(out)?.iter().any(|name| runs::is_run(&out.join(name))) {
        return Ok(Selected::default());
    }
    let in_file = Catalogue::open_within(out, PATIENCE).map_err(SelectError::from).and_then(|catalogue| {
        let unreadable = catalogue.sync(out)?;
        Ok((catalogue, unreadable))
    });
    let (catalogue, unreadable) = match in_file {
        Ok(opened) => opened,
        Err(SelectError::Store(error)) => return Err(error.into()),
        Err(error) => {
            let reason = chain(&error);
            tracing::warn!(reason, "the catalogue cannot be used: all run folders are read instead");
            let catalogue = Catalogue::in_memory(out)?;
            let unreadable = catalogue.sync(out)?;
            (catalogue, unreadable)
        }
    };
    let mut selected = catalogue.page(out, filter, before, limit)?;
    selected.unreadable.extend(unreadable);
    selected.unreadable.sort_by(|a, b| a.folder.cmp(&b.folder));
    Ok(selected)
}

impl Catalogue {
    /// A page of the list. A run that has changed since the catalogue was written is listed as it is now.
    fn page(
        &self,
        out: &Path,
        filter: &Filter,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Selected, SelectError> {
        let mut is_second_time = false;
        loop {
            let mut rows = self.matching(filter, before, limit.saturating_add(1))?;
            let has_more = rows.len() > limit;
            rows.truncate(limit);
            let mut selected = Selected::default();
            for row in &rows {
                let folder = out.join(&row.folder);
                match runs::open(&folder) {
                    Ok(run) => selected.runs.push(run),
                    Err(error) => selected.unreadable.push(Unreadable { folder, reason: chain(&error) }),
                }
            }
            if is_second_time || !self.update(&rows, &selected.runs)? {
                selected.next = rows.last().filter(|_| has_more).map(|row| row.folder.clone());
                return Ok(selected);
            }
            is_second_time = true;
        }
    }

    fn matching(
        &self,
        filter: &Filter,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<RunRow>, SelectError> {
        let connection = self.connection();
        let mut wanted = Compiled { sql: "WHERE 1".to_owned(), bound: Vec::new() };
        if let Some(name) = &filter.name {
            wanted.push(" AND name LIKE ? ESCAPE '\\'", like(name));
        }
        if let Some(batch) = &filter.batch {
            wanted.push(" AND batch = ?", batch.clone());
        }
        if !filter.status.is_empty() {
            wanted.sql.push_str(" AND status IN (");
            for (number, status) in filter.status.iter().enumerate() {
                wanted.push(if number == 0 { "?" } else { ", ?" }, status.clone());
            }
            wanted.sql.push(')');
        }
        if let Some(since) = filter.since {
            wanted.push(" AND started >= ?", Time(since).text());
        }
        if let Some(condition) = &filter.condition {
            wanted.sql.push_str(" AND ");
            condition.compile(&connection, &mut wanted)?;
        }
        if let Some(before) = before {
            wanted.push(
                " AND (started, folder) < (SELECT started, folder FROM runs WHERE folder = ?)",
                before.to_owned(),
            );
        }
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        wanted.push(" ORDER BY started DESC, folder DESC LIMIT ?", limit);
        rows(&connection, &wanted.sql, &wanted.bound).map_err(SelectError::Sql)
    }
}

/// A name with `*` as a pattern of SQL.
fn like(name: &str) -> String {
    let mut pattern = String::new();
    for letter in name.chars() {
        match letter {
            '*' => pattern.push('%'),
            '%' | '_' | '\\' => pattern.extend(['\\', letter]),
            letter => pattern.push(letter),
        }
    }
    pattern
}
