//! Lists the runs that fulfil a filter, newest first.

use std::path::Path;
use std::time::Duration;

use super::condition::Compiled;
use super::filter::Filter;
use super::rows::Time;
use super::runs::rows;
use super::{Catalogue, CatalogueError, RunRow};
use crate::error::chain;
use crate::source::Diagnostic;
use crate::store::StoreError;
use crate::store::runs::{self, FoundRun, Unreadable};

/// How long a list waits for other processes that write.
const PATIENCE: Duration = Duration::from_secs(1);

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
        one_of(&mut wanted, " AND status IN (", &filter.status);
        one_of(&mut wanted, " AND verdict IN (", &filter.verdict);
        if let Some(since) = filter.since {
            wanted.push(" AND started >= ?", Time(since).text());
        }
        if let Some(until) = filter.until {
            wanted.push(" AND started < ?", Time(until).text());
        }
        for word in &filter.words {
            search(&mut wanted, word);
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

/// Allows some values of a column; any if the list is empty.
fn one_of<T: ToString>(wanted: &mut Compiled, column: &str, values: &[T]) {
    if values.is_empty() {
        return;
    }
    wanted.sql.push_str(column);
    for (number, value) in values.iter().enumerate() {
        wanted.push(if number == 0 { "?" } else { ", ?" }, value.to_string());
    }
    wanted.sql.push(')');
}

/// The word occurs in the names of the run, in its reason, or in one of its values.
fn search(wanted: &mut Compiled, word: &str) {
    let pattern = format!("%{}%", escaped(word));
    for (number, column) in ["folder", "name", "recipe", "reason", "batch"].iter().enumerate() {
        wanted.sql.push_str(if number == 0 { " AND (" } else { " OR " });
        wanted.push(&format!("{column} LIKE ? ESCAPE '\\'"), pattern.clone());
    }
    // All values are compared once, instead of looking up the values of each run.
    wanted.push(" OR id IN (SELECT run FROM run_values WHERE value LIKE ? ESCAPE '\\'))", pattern);
}

/// A name with `*` as a pattern of SQL.
fn like(name: &str) -> String {
    escaped(name).replace('*', "%")
}

/// A text in which the letters with a meaning in patterns of SQL stand for themselves.
fn escaped(text: &str) -> String {
    let mut pattern = String::new();
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}
