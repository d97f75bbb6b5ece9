//! A measured spectrum as a device under test: a CSV file with wavelengths in nm and transmissions in dB.
//!
//! A file with other units would silently give a flat or a bright device. For this reason, the header and the median
//! of each column are checked.

use std::path::Path;

use crate::source::{decode, without_mark};

/// The columns of a row.
const ROW: &str = "wavelength_nm,transmission_db";
/// The wavelength range of the instrument, nm.
const RANGE_NM: std::ops::RangeInclusive<f64> = 1200.0..=1700.0;

/// Transmission in dB over wavelength in nm: interpolated linearly, and constant beyond the ends.
#[derive(Debug, PartialEq)]
pub(super) struct Spectrum {
    rows: Vec<(f64, f64)>,
}

impl Spectrum {
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let bytes = std::fs::read(path).map_err(|error| format!("cannot read `{shown}`: {error}"))?;
        let text = decode(bytes).map_err(|why| format!("`{shown}` {why}"))?;
        let mut rows = Vec::new();
        let lines = (1..).zip(without_mark(&text).lines());
        for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            match row(line) {
                Some(row) => rows.push(row),
                None if rows.is_empty() && is_header(line) => {
                    judge_header(line).map_err(|why| format!("{shown}:{number}: {why}"))?;
                }
                None => {
                    let other = line.contains([';', '\t']) && !line.contains(',');
                    let hint = if other { ": columns are separated by commas" } else { "" };
                    return Err(format!("{shown}:{number}: `{line}` is not `{ROW}`{hint}"));
                }
            }
        }
        if rows.len() < 2 {
            return Err(format!("`{shown}` has fewer than two rows of `{ROW}`"));
        }
        judge_values(&rows).map_err(|why| format!("`{shown}`: {why}"))?;
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        Ok(Self { rows })
    }

    pub(super) fn at(&self, nm: f64) -> f64 {
        let after = self.rows.partition_point(|(known, _)| *known < nm).clamp(1, self.rows.len() - 1);
        let ((nm0, db0), (nm1, db1)) = (self.rows[after - 1], self.rows[after]);
        let share = if nm1 > nm0 { ((nm - nm0) / (nm1 - nm0)).clamp(0.0, 1.0) } else { 0.0 };
        db0 + share * (db1 - db0)
    }
}

fn row(line: &str) -> Option<(f64, f64)> {
    let (nm, db) = line.split_once(',')?;
    let row: (f64, f64) = (nm.trim().parse().ok()?, db.trim().parse().ok()?);
    (row.0.is_finite() && row.1.is_finite()).then_some(row)
}

/// A header has two names, neither of which is a number.
fn is_header(line: &str) -> bool {
    let names: Vec<&str> = line.split(',').map(str::trim).collect();
    let named = |name: &&str| name.contains(char::is_alphabetic) && name.parse::<f64>().is_err();
    names.len() == 2 && names.iter().all(named)
}

/// Refuses a header with another unit.
fn judge_header(line: &str) -> Result<(), String> {
    const OTHER_LENGTHS: [&str; 20] = [
        "m",
        "meter",
        "meters",
        "metre",
        "metres",
        "mm",
        "um",
        "µm",
        "μm",
        "micron",
        "microns",
        "pm",
        "angstrom",
        "å",
        "hz",
        "ghz",
        "thz",
        "cm",
        "frequency",
        "wavenumber",
    ];
    const OTHER_LEVELS: [&str; 15] = [
        "dbm", "w", "mw", "uw", "µw", "μw", "nw", "watt", "watts", "linear", "lin", "percent", "%", "ratio",
        "counts",
    ];
    let words = |name: &str| -> Vec<String> {
        let name = name.to_lowercase();
        let words = name.split(|c: char| !c.is_alphanumeric() && c != '%');
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let (wavelength, level) = line.split_once(',').unwrap_or((line, ""));
    for (name, others, wanted) in [
        (wavelength, &OTHER_LENGTHS[..], "wavelengths in nm"),
        (level, &OTHER_LEVELS[..], "transmissions in dB"),
    ] {
        if let Some(unit) = words(name).iter().find(|word| others.contains(&word.as_str())) {
            let name = name.trim().trim_matches('"');
            return Err(format!(
                "column `{name}` has the unit `{unit}` in its name: it must contain {wanted}"
            ));
        }
    }
    if words(wavelength).iter().any(|word| word == "db") && words(level).iter().any(|word| word == "nm") {
        return Err(format!("the columns are in the wrong order: a row is `{ROW}`"));
    }
    Ok(())
}

/// Refuses values that cannot be wavelengths in nm or transmissions in dB.
fn judge_values(rows: &[(f64, f64)]) -> Result<(), String> {
    let (wavelengths, levels): (Vec<f64>, Vec<f64>) = rows.iter().copied().unzip();
    let (nm, db) = (median(wavelengths), median(levels));
    let outside = rows.iter().map(|(nm, _)| *nm).find(|nm| !RANGE_NM.contains(nm));
    if let Some(outside) = outside {
        let given = if RANGE_NM.contains(&nm) { outside } else { nm };
        let meant = match nm {
            1.2e-6..=1.7e-6 => "; these look like metres",
            1.2..=1.7 => "; these look like micrometres",
            176.0..=250.0 => "; these look like frequencies in THz",
            1.76e5..=2.5e5 => "; these look like frequencies in GHz",
            1.76e14..=2.5e14 => "; these look like frequencies in Hz",
            1.2e4..=1.7e4 => "; these look like ångströms",
            1.2e6..=1.7e6 => "; these look like picometres",
            _ => "",
        };
        let (low, high) = (RANGE_NM.start(), RANGE_NM.end());
        return Err(format!("the wavelength {given} is not within {low} to {high} nm{meant}"));
    }
    let lowest = rows.iter().map(|(_, db)| *db).fold(f64::INFINITY, f64::min);
    let highest = rows.iter().map(|(_, db)| *db).fold(f64::NEG_INFINITY, f64::max);
    if lowest >= 0.0 && highest > 0.0 && highest <= 1.0 {
        return Err(format!(
            "the transmissions are from {lowest} to {highest}: these look linear. Convert them to dB: 10·log10 of the value, which is negative"
        ));
    }
    if db > 0.0 || (lowest >= 0.0 && highest > 0.0) {
        return Err(format!(
            "the transmissions are positive (median {db} dB): these look like losses or per cent. A transmission of -3 dB is a loss of 3 dB"
        ));
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Spectrum, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device.csv");
        std::fs::write(&path, text).unwrap();
        Spectrum::read(&path)
    }

    #[test]
    fn a_spectrum_is_read_with_or_without_a_header_and_a_mark() {
        for text in [
            "1550,-3\n1552,-5\n",
            "wavelength_nm,transmission_db\n1550,-3\n\n1552,-5\n",
            "\u{feff}1550,-3\r\n1552,-5\r\n",
            "Wavelength (nm), Insertion loss (dB)\n1552,-5\n1550,-3\n",
            "x,y\n1550,-3\n1552,-5\n",
        ] {
            let spectrum = read(text).unwrap_or_else(|why| panic!("{text:?}: {why}"));
            assert_eq!((spectrum.at(1551.0), spectrum.at(1600.0)), (-4.0, -5.0));
        }
        // Noise slightly above 0 dB is allowed.
        assert!(read("1550,-0.2\n1551,0.01\n1552,-0.1\n").is_ok());
    }

    #[test]
    fn a_csv_row_that_is_no_measurement_is_named_by_its_line() {
        for (text, said) in [
            (
                "wavelength_nm,transmission_db\n1550,-3\n1551,deep\n",
                ":3: `1551,deep` is not `wavelength_nm,tran",
            ),
            (
                "1550;-3\n1551;-3\n",
                ":1: `1550;-3` is not `wavelength_nm,transmission_db`: columns are separated by",
            ),
            ("1550,-3,1\n", ":1: `1550,-3,1` is not"),
            ("a,b\nc,d\n", "fewer than two rows"),
            ("1550,-3\n", "fewer than two rows"),
            ("1550,-3\n1551,nan\n", ":2: `1551,nan`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(said), "{text:?}: {error}");
        }
    }

    #[test]
    fn another_unit_is_refused_by_the_header_or_by_the_median() {
        for (text, said) in [
            (
                "wavelength_m,transmission_db\n1.55e-6,-3\n1.56e-6,-3\n",
                ":1: column `wavelength_m` has the unit `m`",
            ),
            ("wavelength_nm,power_dBm\n1550,-3\n1551,-3\n", "`power_dBm` has the unit `dbm` in its name"),
            ("wavelength (µm),T (dB)\n1.55,-3\n1.56,-3\n", "has the unit `µm`"),
            ("frequency,T_dB\n193,-3\n194,-3\n", "has the unit `frequency`"),
            ("wavelength_nm,T (%)\n1550,30\n1551,31\n", "has the unit `%`"),
            ("transmission_db,wavelength_nm\n-3,1550\n-4,1551\n", "in the wrong order"),
            ("1.55e-6,-3\n1.56e-6,-3\n", "0.00000156 is not within 1200 to 1700 nm; these look like metres"),
            ("1.55,-3\n1.56,-3\n", "look like micrometres"),
            ("193.4,-3\n193.5,-3\n", "frequencies in THz"),
            ("193.4e12,-3\n193.5e12,-3\n", "frequencies in Hz"),
            ("1150,-3\n1550,-3\n1551,-3\n", "the wavelength 1150 is not within"),
            ("1550,0.5\n1551,0.6\n", "look linear"),
            ("wavelength_nm,transmission_db\n1550,0\n1551,0\n1552,0.9\n", "look linear"),
            ("wavelength_nm,loss_db\n1550,3\n1551,3.5\n", "(median 3.5 dB): these look like losses"),
            ("1550,50\n1551,60\n", "look like losses or per cent"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(said), "{text:?}: {error}");
        }
    }
}
