//! The columns that every run has.

/// What a column contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    Number,
    Flag,
    /// A date and time.
    Moment,
}

/// A column, in SQL as well.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) content: Content,
}

const fn column(name: &'static str, content: Content) -> Column {
    Column { name, content }
}

const STATES: &[&str] = &["running", "done", "failed", "aborted", "interrupted"];
const VERDICTS: &[&str] = &["pass", "marginal", "not measured", "fail"];

pub(super) const COLUMNS: [Column; 16] = [
    column("run", Content::Text),
    column("folder", Content::Text),
    column("name", Content::Text),
    column("recipe", Content::Text),
    column("status", Content::Word(STATES)),
    column("reason", Content::Text),
    column("verdict", Content::Word(VERDICTS)),
    column("started", Content::Moment),
    column("finished", Content::Moment),
    column("elapsed_s", Content::Number),
    column("traces", Content::Number),
    column("failed_steps", Content::Number),
    column("simulated", Content::Flag),
    column("instrument", Content::Text),
    column("batch", Content::Text),
    column("item", Content::Number),
];

pub(super) fn find(name: &str) -> Option<Column> {
    COLUMNS.into_iter().find(|column| column.name.eq_ignore_ascii_case(name))
}
