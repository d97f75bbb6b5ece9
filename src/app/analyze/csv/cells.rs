//! The cells of a line, and their values.

/// What separates the cells of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Separator {
    /// A character between two cells.
    Character(char),
    /// Spaces, as many as there are.
    Spaces,
}

impl Separator {
    /// The separator of a line; `None` when it has one cell.
    pub(super) fn of(line: &str) -> Option<Self> {
        let character = [';', '\t', ','].into_iter().find(|separator| line.contains(*separator));
        let spaces = || line.trim().contains(' ').then_some(Self::Spaces);
        character.map(Self::Character).or_else(spaces)
    }

    /// A hint for a row with too many cells.
    pub(super) fn comma_hint(self) -> &'static str {
        match self {
            Self::Character(',') => " (a comma separates columns here, not decimals)",
            Self::Character(_) | Self::Spaces => "",
        }
    }
}

/// The cells of a line without spaces and quotes around them. A separator within quotes belongs to its cell.
pub(super) struct Cells<'a> {
    rest: Option<&'a str>,
    separator: Separator,
}

impl<'a> Cells<'a> {
    pub(super) fn of(line: &'a str, separator: Separator) -> Self {
        Self { rest: Some(line), separator }
    }
}

impl<'a> Iterator for Cells<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.take()?;
        let (rest, separator) = match self.separator {
            Separator::Character(separator) => (rest, separator),
            Separator::Spaces => (rest.trim_start(), ' '),
        };
        if rest.is_empty() && self.separator == Separator::Spaces {
            return None;
        }
        let mut end = rest.find(separator);
        // A cell with an odd number of quotes goes on behind the separator.
        while let Some(found) = end
            && rest[..found].bytes().filter(|byte| *byte == b'"').count() % 2 == 1
        {
            let next = found + separator.len_utf8();
            end = rest[next..].find(separator).map(|more| next + more);
        }
        let cell = match end {
            Some(end) => {
                self.rest = Some(&rest[end + separator.len_utf8()..]);
                &rest[..end]
            }
            None => rest,
        };
        Some(cell.trim().trim_matches('"').trim())
    }
}

/// Cells without a value, in the files of some program.
const MISSING: [&str; 7] = ["", "na", "n/a", "#n/a", "null", "none", "--"];

/// A value. An empty cell and `nan` are values that are missing.
pub(super) fn value(cell: &str, separator: Separator) -> Option<f64> {
    if let Ok(value) = cell.parse() {
        return Some(value);
    }
    if MISSING.contains(&cell.to_lowercase().as_str()) {
        return Some(f64::NAN);
    }
    let plain = cell.replace('\u{2212}', "-");
    match separator {
        Separator::Character(',') => plain.parse().ok(),
        // Where the comma does not separate columns, it may separate decimals.
        Separator::Character(_) | Separator::Spaces => plain.replace(',', ".").parse().ok(),
    }
}
