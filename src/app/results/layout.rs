//! Tables that fit the width of a terminal.

use comfy_table::Table;

use crate::terminal;

/// A column: its title and its cells.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) title: String,
    pub(super) cells: Vec<String>,
}

impl Column {
    pub(super) fn new(title: impl Into<String>, cells: impl IntoIterator<Item = String>) -> Self {
        Self { title: title.into(), cells: cells.into_iter().collect() }
    }

    /// The width with the space on both sides.
    fn width(&self) -> usize {
        let lines = self.cells.iter().chain([&self.title]).flat_map(|cell| cell.lines());
        lines.map(|line| line.chars().count()).max().unwrap_or(0) + 2
    }
}

/// The columns as tables of at most the width of a terminal. Each begins with the `first` columns.
pub(super) fn tables(first: &[Column], others: &[Column]) -> Vec<Table> {
    let beginning: usize = first.iter().map(Column::width).sum();
    let mut parts: Vec<Vec<&Column>> = vec![Vec::new()];
    let most = terminal::width();
    let mut width = beginning;
    for column in others {
        if width + column.width() > most && parts.last().is_some_and(|part| !part.is_empty()) {
            parts.push(Vec::new());
            width = beginning;
        }
        width += column.width();
        if let Some(part) = parts.last_mut() {
            part.push(column);
        }
    }
    parts.into_iter().map(|part| table(&first.iter().chain(part).collect::<Vec<_>>())).collect()
}

/// Number of lines that these tables take.
pub(super) fn lines(tables: &[Table]) -> usize {
    tables.iter().map(|table| table.to_string().lines().count()).sum()
}

fn table(columns: &[&Column]) -> Table {
    let mut table = terminal::table(columns.iter().map(|column| &column.title));
    let rows = columns.iter().map(|column| column.cells.len()).max().unwrap_or(0);
    for row in 0..rows {
        table.add_row(columns.iter().map(|column| column.cells.get(row).cloned().unwrap_or_default()));
    }
    table
}
