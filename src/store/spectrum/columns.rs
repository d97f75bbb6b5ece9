//! Which columns of a table are the wavelengths and the levels, by their names. No column is guessed.

use crate::measurement::TraceUnit;

/// The name of the column of wavelengths in files of this program.
const WAVELENGTH: &str = "wavelength_nm";
/// The columns of levels that are known by name.
const LEVELS: [&str; 2] = ["value", "transmission_db"];
/// Words for a wavelength.
const WAVELENGTHS: [&str; 6] = ["wavelength", "wavelengths", "wellenlänge", "lambda", "λ", "wl"];
/// Units of levels, as they stand in names.
const LOGARITHMIC: [&str; 3] = ["db", "dbm", "dbma"];
/// Units of wavelengths and of levels that are not the ones needed, as they stand in names.
const OTHER_WAVELENGTHS: [&str; 13] =
    ["m", "um", "µm", "μm", "micron", "microns", "pm", "å", "hz", "ghz", "thz", "frequency", "wavenumber"];
const OTHER_LEVELS: [&str; 10] = ["w", "mw", "uw", "µw", "nw", "linear", "lin", "percent", "%", "ratio"];

/// The places of two columns among the names of all columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceColumns {
    /// The column of wavelengths.
    pub wavelength: usize,
    /// The column of levels.
    pub level: usize,
}

/// Whether a name contains a word for a wavelength.
#[must_use]
pub fn names_wavelengths(name: &str) -> bool {
    has(name, &WAVELENGTHS)
}

/// The unit of levels that are no transmissions, if their name contains it.
#[must_use]
pub fn unit_in_name(name: &str) -> Option<TraceUnit> {
    let is_named = |unit: &TraceUnit| has(name, &[unit.symbol().to_lowercase().as_str()]);
    [TraceUnit::Dbm, TraceUnit::Dbma].into_iter().find(is_named)
}

/// Whether a name is nothing but units.
#[must_use]
pub fn is_unit(name: &str) -> bool {
    let words = words(name);
    let known = |word: &String| {
        let word = word.as_str();
        word == "nm"
            || LOGARITHMIC.contains(&word)
            || OTHER_WAVELENGTHS.contains(&word)
            || OTHER_LEVELS.contains(&word)
    };
    !words.is_empty() && words.iter().all(known)
}

/// The columns of a trace. The wavelengths have a name that says so, or are the first of two columns.
///
/// The levels have the name that is asked for, else a known name. Otherwise they are the only column in dB, or the only
/// other column.
///
/// # Errors
/// There are no such columns, there are several, or their names contain another unit.
pub fn trace_columns(names: &[&str], asked: Option<&str>) -> Result<TraceColumns, String> {
    let wavelength = wavelength_column(names, asked)?;
    let others = || (0..names.len()).filter(|place| *place != wavelength && !names[*place].is_empty());
    let level = level_column(names, &others().collect::<Vec<_>>(), asked)?;
    for (place, other_units, needed) in [
        (wavelength, &OTHER_WAVELENGTHS[..], "wavelengths in nm"),
        (level, &OTHER_LEVELS[..], "transmissions in dB"),
    ] {
        if has(names[place], other_units) {
            let name = names[place];
            return Err(format!("the column `{name}` has another unit by its name: {needed} are needed"));
        }
    }
    Ok(TraceColumns { wavelength, level })
}

fn wavelength_column(names: &[&str], asked: Option<&str>) -> Result<usize, String> {
    let places = |is_wanted: &dyn Fn(&str) -> bool| -> Vec<usize> {
        let wanted = |place: &usize| Some(names[*place]) != asked && is_wanted(names[*place]);
        (0..names.len()).filter(wanted).collect()
    };
    let by_name = [
        places(&|name| name == WAVELENGTH),
        places(&names_wavelengths),
        places(&|name| has(name, &["nm"])),
        places(&|name| has(name, &OTHER_WAVELENGTHS)),
    ];
    match by_name.iter().find(|found| !found.is_empty()).map(Vec::as_slice) {
        Some([one]) => Ok(*one),
        Some(several) => {
            let several: Vec<&str> = several.iter().map(|place| names[*place]).collect();
            Err(format!("it has several columns of wavelengths: {}; name one `{WAVELENGTH}`", list(&several)))
        }
        None if names.len() == 2 => Ok(0),
        None => Err(format!("it has no column `{WAVELENGTH}`; it has {}", list(names))),
    }
}

fn level_column(names: &[&str], others: &[usize], asked: Option<&str>) -> Result<usize, String> {
    let listed: Vec<&str> = others.iter().map(|place| names[*place]).collect();
    let place_of = |wanted: &str| {
        let mut places = others.iter().copied().filter(|place| names[*place] == wanted);
        match (places.next(), places.count()) {
            (Some(place), 0) => Ok(Some(place)),
            (Some(_), more) => {
                Err(format!("{} columns have the name `{wanted}`; give them different names", more + 1))
            }
            (None, _) => Ok(None),
        }
    };
    if let Some(asked) = asked {
        return place_of(asked)?.ok_or_else(|| match listed.as_slice() {
            [] => format!("there is no column `{asked}`"),
            _ => format!("there is no column `{asked}`; there are {}", list(&listed)),
        });
    }
    for known in LEVELS {
        if let Some(place) = place_of(known)? {
            return Ok(place);
        }
    }
    let in_db: Vec<usize> = others.iter().copied().filter(|place| has(names[*place], &LOGARITHMIC)).collect();
    match (in_db.as_slice(), others) {
        ([one], _) | ([], [one]) => Ok(*one),
        (_, []) => Err("it has no column of levels".to_owned()),
        (_, _) => Err(format!("it has several columns of levels: {}; name one of them", list(&listed))),
    }
}

/// The words of a name in lower case: `T (dB)` has `t` and `db`.
fn words(name: &str) -> Vec<String> {
    let name = name.to_lowercase();
    let words = name.split(|c: char| !c.is_alphanumeric() && c != '%').map(str::to_owned);
    words.filter(|word| !word.is_empty()).collect()
}

fn has(name: &str, wanted: &[&str]) -> bool {
    words(name).iter().any(|word| wanted.contains(&word.as_str()))
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
