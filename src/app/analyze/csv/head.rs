//! The lines before the first row: a header, a line of units, and lines that belong to neither.

use super::Layout;
use super::cells::{Cells, Separator, value};
use crate::store::{is_unit, names_wavelengths, trace_columns};

/// Most lines before the first row.
const MOST_LINES: usize = 500;

/// The names of the columns.
struct Header {
    number: usize,
    separator: Separator,
    names: Vec<String>,
    /// Whether a name tells that the line is a header: what follows must be rows.
    is_sure: bool,
}

/// What is known before the first row.
pub(super) struct Head<'a> {
    column: Option<&'a str>,
    header: Option<Header>,
    /// The last comment: some programs write the header as one.
    comment: Option<String>,
    /// What is wrong if no rows follow.
    complaint: Option<String>,
    lines: usize,
}

impl<'a> Head<'a> {
    pub(super) fn new(column: Option<&'a str>) -> Self {
        Self { column, header: None, comment: None, complaint: None, lines: 0 }
    }

    pub(super) fn comment(&mut self, comment: &str) {
        self.comment = Some(comment.to_owned());
    }

    /// Why there is no layout at the end of the file.
    pub(super) fn no_rows(self) -> String {
        self.complaint.unwrap_or_else(|| {
            "1: the file has no rows: a header and rows of `wavelength_nm,transmission_db` are needed"
                .to_owned()
        })
    }

    /// A line before the first row. Returns the layout if the line is the first row.
    pub(super) fn line(&mut self, number: usize, line: &str) -> Result<Option<Layout>, String> {
        let at = |why: String| format!("{number}: {why}");
        self.lines += 1;
        if self.lines > MOST_LINES {
            let complaint = self.complaint.take().unwrap_or_default();
            return Err(format!("{complaint}. None of the first {MOST_LINES} lines is a row"));
        }
        let Some(separator) = Separator::of(line) else {
            self.complain(at(format!(
                "`{line}` is one column: wavelengths and transmissions, separated by a comma, are needed"
            )))?;
            return Ok(None);
        };
        let names: Vec<&str> = Cells::of(line, separator).collect();
        let numbers = names.iter().filter(|name| value(name, separator).is_some_and(|value| !value.is_nan()));
        let numbers = numbers.count();
        if let Some(header) = &self.header
            && numbers > 0
            && (header.separator == separator || header.is_sure)
            && !names.iter().any(|name| names_wavelengths(name))
        {
            return self.first_row(number, line);
        }
        if numbers == 0 || names.iter().any(|name| names_wavelengths(name)) {
            return self.begin(number, separator, &names, numbers == 0).map(|()| None).map_err(at);
        }
        if names.iter().all(|name| value(name, separator).is_some()) {
            return self.without_header(line, separator, &names).map(Some).map_err(at);
        }
        self.complain(at(format!("`{line}` is neither a header nor a row of numbers")))?;
        Ok(None)
    }

    /// A complaint counts only if no row follows, unless a sure header came before.
    fn complain(&mut self, complaint: String) -> Result<(), String> {
        if self.header.as_ref().is_some_and(|header| header.is_sure) {
            return Err(complaint);
        }
        self.complaint.get_or_insert(complaint);
        Ok(())
    }

    /// A line of names, or of the units of the names before it.
    fn begin(
        &mut self,
        number: usize,
        separator: Separator,
        names: &[&str],
        is_text: bool,
    ) -> Result<(), String> {
        if let Some(header) = &mut self.header
            && header.names.len() == names.len()
            && names.iter().all(|name| name.is_empty() || is_unit(name))
        {
            for (name, unit) in header.names.iter_mut().zip(names) {
                *name = format!("{name} {unit}").trim().to_owned();
            }
            return Ok(());
        }
        // `Wavelength range,1500,1600` is no header.
        let is_sure = is_text && names.iter().any(|name| names_wavelengths(name));
        if !is_sure && self.header.as_ref().is_some_and(|header| header.is_sure) {
            return Err(format!("`{}` is no number", names.join("`, `")));
        }
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        self.header = Some(Header { number, separator, names, is_sure });
        Ok(())
    }

    /// A line with numbers that follows a header.
    fn first_row(&mut self, number: usize, line: &str) -> Result<Option<Layout>, String> {
        let Some(header) = &self.header else { return Ok(None) };
        let mut layout = match header.layout(self.column) {
            Ok(layout) => layout,
            Err(why) => {
                let why = format!("{}: {why}", header.number);
                return self.complain(why).map(|()| None);
            }
        };
        let why = match layout.row(line) {
            Ok(_) => return Ok(Some(layout)),
            Err(why) => format!("{number}: {why}"),
        };
        // A line that has a wavelength is a row, and a row is never left out.
        let wavelength = Cells::of(line, layout.separator).nth(layout.wavelength);
        match wavelength.and_then(|cell| value(cell, layout.separator)) {
            Some(wavelength) if !wavelength.is_nan() => Err(why),
            Some(_) | None => self.complain(why).map(|()| None),
        }
    }

    /// A row of numbers before which no header came.
    fn without_header(&self, line: &str, separator: Separator, cells: &[&str]) -> Result<Layout, String> {
        if let Some(comment) = &self.comment
            && let Some(separator_of_names) = Separator::of(comment)
        {
            let names: Vec<String> = Cells::of(comment, separator_of_names).map(str::to_owned).collect();
            if names.len() == cells.len() && names.iter().any(|name| names_wavelengths(name)) {
                return Header { number: 0, separator, names, is_sure: true }.layout(self.column);
            }
        }
        if let Some(column) = self.column {
            return Err(format!("the file has no header, so there is no column `{column}`"));
        }
        let columns = cells.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1);
        if columns > 2 {
            let hint = separator.comma_hint();
            return Err(format!("`{line}` has more than two columns, and no header names them{hint}"));
        }
        Ok(Layout {
            separator,
            wavelength: 0,
            level: 1,
            columns: 2,
            name: "column 2".to_owned(),
            marked: None,
        })
    }
}

impl Header {
    fn layout(&self, column: Option<&str>) -> Result<Layout, String> {
        let columns = self.names.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1);
        let names: Vec<&str> = self.names[..columns].iter().map(String::as_str).collect();
        let found = trace_columns(&names, column)?;
        Ok(Layout {
            separator: self.separator,
            wavelength: found.wavelength,
            level: found.level,
            columns,
            name: names[found.level].to_owned(),
            marked: None,
        })
    }
}
