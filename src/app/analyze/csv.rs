//! A CSV file with wavelengths and levels. Millions of rows are read without a cell of their own for each value.

use crate::store::level_column;

/// The columns of a CSV file.
#[derive(Debug, PartialEq)]
pub(super) struct Table {
    pub(super) wavelengths_nm: Vec<f64>,
    pub(super) levels_db: Vec<f64>,
    pub(super) column: String,
}

/// Units of wavelengths and of levels that are not the ones needed, as they stand in headers.
const OTHER_WAVELENGTHS: [&str; 13] =
    ["m", "um", "µm", "μm", "micron", "microns", "pm", "å", "hz", "ghz", "thz", "frequency", "wavenumber"];
const OTHER_LEVELS: [&str; 11] =
    ["dbm", "w", "mw", "uw", "µw", "nw", "linear", "lin", "percent", "%", "ratio"];

/// Where the columns are.
struct Layout {
    separator: char,
    wavelength: usize,
    level: usize,
    /// Number of columns. Later cells must be empty.
    columns: usize,
    name: String,
}

/// Reads a text. The error begins with the number of the line.
pub(super) fn read(text: &str, column: Option<&str>) -> Result<Table, String> {
    let mut layout: Option<Layout> = None;
    let mut table = Table { wavelengths_nm: Vec::new(), levels_db: Vec::new(), column: String::new() };
    let lines = (1..).zip(text.lines()).map(|(number, line)| (number, line.trim()));
    for (number, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let at = |why: String| format!("{number}: {why}");
        let Some(layout) = &layout else {
            let (found, is_header) = begin(line, column).map_err(at)?;
            if !is_header {
                add(&mut table, &found, line).map_err(at)?;
            }
            table.column.clone_from(&found.name);
            layout = Some(found);
            continue;
        };
        add(&mut table, layout, line).map_err(at)?;
    }
    if table.wavelengths_nm.is_empty() {
        return Err(
            "1: the file has no rows: a header and rows of `wavelength_nm,transmission_db` are needed"
                .to_owned(),
        );
    }
    Ok(table)
}

fn cells(line: &str, separator: char) -> impl Iterator<Item = &str> {
    line.split(separator).map(|cell| cell.trim().trim_matches('"').trim())
}

/// A value. An empty cell and `nan` are values that are missing.
fn value(cell: &str, separator: char) -> Option<f64> {
    if cell.is_empty() {
        return Some(f64::NAN);
    }
    match separator {
        // Where the comma does not separate columns, it may separate decimals.
        ',' => cell.parse().ok(),
        _ => cell.replace(',', ".").parse().ok(),
    }
}

fn comma_hint(separator: char) -> &'static str {
    match separator {
        ',' => " (a comma separates columns here, not decimals)",
        _ => "",
    }
}

fn add(table: &mut Table, layout: &Layout, line: &str) -> Result<(), String> {
    let cell = |place: usize| cells(line, layout.separator).nth(place);
    let both = cell(layout.wavelength).zip(cell(layout.level));
    let Some((wavelength, level)) = both else {
        return Err(format!("`{line}` has too few columns: a wavelength and `{}` are needed", layout.name));
    };
    // Otherwise `1550,0,-3,0` would be read as 1550 and 0.
    if cells(line, layout.separator).skip(layout.columns).any(|cell| !cell.is_empty()) {
        return Err(format!(
            "`{line}` has more than {} columns{}",
            layout.columns,
            comma_hint(layout.separator)
        ));
    }
    let read = |cell: &str| value(cell, layout.separator).ok_or_else(|| format!("`{cell}` is not a number"));
    let (wavelength, level) = (read(wavelength)?, read(level)?);
    table.wavelengths_nm.push(wavelength);
    table.levels_db.push(level);
    Ok(())
}

/// The layout that the first line tells, and whether that line is a header.
fn begin(line: &str, column: Option<&str>) -> Result<(Layout, bool), String> {
    let separator = [';', '\t', ','].into_iter().find(|separator| line.contains(*separator));
    let Some(separator) = separator else {
        return Err(format!(
            "`{line}` is one column: wavelengths and transmissions, separated by a comma, are needed"
        ));
    };
    let names: Vec<&str> = cells(line, separator).collect();
    let columns = names.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1);
    let is_header = names.iter().any(|name| value(name, separator).is_none());
    if !is_header {
        if let Some(column) = column {
            return Err(format!("the file has no header, so there is no column `{column}`"));
        }
        if columns > 2 {
            let hint = comma_hint(separator);
            return Err(format!("`{line}` has more than two columns, and no header names them{hint}"));
        }
        let name = "column 2".to_owned();
        return Ok((Layout { separator, wavelength: 0, level: 1, columns: 2, name }, false));
    }
    let words = |name: &str| -> Vec<String> {
        let name = name.to_lowercase();
        let words = name.split(|c: char| !c.is_alphanumeric() && c != '%').map(str::to_owned);
        words.filter(|word| !word.is_empty()).collect()
    };
    let has = |name: &str, wanted: &[&str]| words(name).iter().any(|word| wanted.contains(&word.as_str()));
    let wavelength = names
        .iter()
        .position(|name| *name == "wavelength_nm")
        .or_else(|| names.iter().position(|name| has(name, &["nm", "wavelength", "lambda", "wl"])))
        .unwrap_or(0);
    let others = || (0..names.len()).filter(|place| *place != wavelength && !names[*place].is_empty());
    let listed: Vec<&str> = others().map(|place| names[place]).collect();
    let in_db: Vec<&str> = listed.iter().copied().filter(|name| has(name, &["db"])).collect();
    // Without a known name, a single column in dB is the one.
    let name = match (column, level_column(&listed, column)) {
        (None, Err(_)) if in_db.len() == 1 => in_db[0],
        (_, found) => found?,
    };
    let level = others().find(|place| names[*place] == name).unwrap_or_default();
    for (place, other_units, needed) in [
        (wavelength, &OTHER_WAVELENGTHS[..], "wavelengths in nm"),
        (level, &OTHER_LEVELS[..], "transmissions in dB"),
    ] {
        let name = names[place];
        if has(name, other_units) {
            return Err(format!("the column `{name}` has another unit by its name: {needed} are needed"));
        }
    }
    Ok((Layout { separator, wavelength, level, columns, name: name.to_owned() }, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name_separator_and_order() {
        for (text, column) in [
            ("wavelength_nm,transmission_db\n1550,-3\n1551,\n", None),
            ("# a remark\n\n1550,-3\n1551,nan\n", None),
            ("Wavelength (nm);IL (dB)\n1550,0;-3,0\n1551,0;\n", None),
            ("\"T [dB]\"\t\"lambda [nm]\"\n-3\t1550\nNaN\t1551\n", None),
            ("time,wavelength_nm,in_db,out_db\n0,1550,-1,-3\n1,1551,-1,nan\n", Some("out_db")),
            ("time,wavelength_nm,IL (dB)\n0,1550,-3\n1,1551,\n", None),
            (",wavelength_nm,power,value,\n0,1550,5,-3,\n1,1551,5,,\n", None),
            ("power,wavelength_nm,time\n-3,1550,0\n,1551,1\n", Some("power")),
        ] {
            let table = read(text, column).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!((table.wavelengths_nm, table.levels_db[0]), (vec![1550.0, 1551.0], -3.0), "{text}");
            assert!(table.levels_db[1].is_nan(), "{text}");
        }
    }

    #[test]
    fn a_file_that_is_no_trace_is_refused_with_its_line() {
        for (text, column, said) in [
            ("", None, "1: the file has no rows"),
            ("wavelength_nm,transmission_db\n", None, "1: the file has no rows"),
            ("wavelength_nm\n1550\n", None, "1: `wavelength_nm` is one column"),
            ("1550,-3\n1551,deep\n", None, "2: `deep` is not a number"),
            ("1550,-3\n1551\n", None, "2: `1551` has too few columns"),
            (
                "wavelength_um,t_db\n1.55,-3\n",
                None,
                "`wavelength_um` has another unit by its name: wavelengths in nm",
            ),
            ("frequency_thz,t_db\n193,-3\n", None, "`frequency_thz` has another unit"),
            (
                "wavelength_nm,power_dbm\n1550,-3\n",
                None,
                "`power_dbm` has another unit by its name: transmissions in dB",
            ),
            (
                "wavelength_nm,a_db,b_db\n1550,-3,-4\n",
                Some("c_db"),
                "no column `c_db`; there are `a_db`, `b_db`",
            ),
            ("1550,-3\n", Some("t"), "the file has no header"),
            (
                "wavelength_nm,time,power\n1550,0,-3\n",
                None,
                "1: it has several columns of levels: `time`, `power`; name one of them",
            ),
            (
                "wavelength_nm,in_db,out_db\n1550,-1,-3\n",
                None,
                "1: it has several columns of levels: `in_db`, `out_db`; name one of them",
            ),
            ("wavelength_nm,,\n1550,-3,\n", None, "1: it has no column of levels"),
            (
                "# decimal commas\nwavelength_nm,transmission_db\n1550,0,-3,0\n",
                None,
                "3: `1550,0,-3,0` has more than 2 columns (a comma separates columns here, not decimals)",
            ),
            ("1550,0,-3,0\n", None, "1: `1550,0,-3,0` has more than two columns, and no header names them"),
            ("1550,-3\n1551,-3,0\n", None, "2: `1551,-3,0` has more than 2 columns"),
            ("wavelength_nm;t_db\n1550;-3\n1551;-3;;4\n", None, "3: `1551;-3;;4` has more than 2 columns"),
        ] {
            let error = read(text, column).unwrap_err();
            assert!(error.contains(said), "{text:?}: {error}");
        }
    }
}
