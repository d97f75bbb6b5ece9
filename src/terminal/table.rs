//! Tables that fit the width of a terminal.

use std::io::IsTerminal;

use comfy_table::{ColumnConstraint, ContentArrangement, Row, Table, presets};

/// Width of what is not printed on a terminal, and of a terminal with an unknown width.
const WIDTH: u16 = 80;
/// On a narrower terminal, tables would be unreadable.
const LEAST_WIDTH: u16 = 40;

/// Number of columns that a line on stdout can have.
#[must_use]
pub fn width() -> usize {
    usize::from(columns())
}

fn columns() -> u16 {
    let size = terminal_size::terminal_size_of(std::io::stdout());
    size.map_or(WIDTH, |(width, _)| width.0.max(LEAST_WIDTH))
}

/// A table with this header. On a terminal, long cells are broken into lines, so that the table fits. In a file or a pipe
/// each row is one line, because other programs search in it.
#[must_use]
pub fn table(header: impl Into<Row>) -> Table {
    whole_in_a_file(of_width(columns(), header))
}

/// A table of which only these columns may be broken into lines.
#[must_use]
pub fn table_with<'a>(broken: &[&str], header: impl IntoIterator<Item = &'a str>) -> Table {
    whole_in_a_file(keep_other_columns(columns(), broken, header))
}

fn whole_in_a_file(mut table: Table) -> Table {
    if !std::io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    table
}

fn keep_other_columns<'a>(width: u16, broken: &[&str], header: impl IntoIterator<Item = &'a str>) -> Table {
    let titles: Vec<&str> = header.into_iter().collect();
    let mut table = of_width(width, &titles);
    for (column, title) in table.column_iter_mut().zip(&titles) {
        if !broken.contains(title) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table
}

fn of_width(width: u16, header: impl Into<Row>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_with_long_cells_fits_its_width_and_loses_no_word() {
        for width in [60, 80, 120] {
            let mut table = of_width(width, ["run", "status", "recipe", "reason"]);
            let reason = "the instrument did not answer within 30 s: the cable may be loose ".repeat(3);
            table.add_row(["fmsm3m", "interrupted", "recipes/a-very-long-name/of-a-recipe.yaml", &reason]);
            let text = table.to_string();
            assert!(text.lines().all(|line| line.chars().count() <= usize::from(width)), "{width}:\n{text}");
            assert_eq!(text.matches("instrument").count(), 3, "{width}:\n{text}");
            assert!(text.contains("fmsm3m") && text.contains("interrupted"), "{width}:\n{text}");
        }
    }

    #[test]
    fn only_the_named_columns_are_broken() {
        let mut table = keep_other_columns(80, &["recipe"], ["run", "started", "status", "recipe"]);
        let recipe = "a-recipe-with-a-name-that-is-as-long-as-a-recipe-may-have-and-longer";
        table.add_row(["fmsm3m", "2026-11-29 18:26", "interrupted", recipe]);
        let text = table.to_string();
        assert!(text.contains("2026-11-29 18:26") && text.contains("interrupted"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn a_table_that_fits_is_not_broken() {
        let mut table = of_width(80, ["run", "recipe"]);
        table.add_row(["fmsm3m", "a recipe with several words"]);
        assert_eq!(table.to_string().lines().count(), 2, "{table}");
    }
}
