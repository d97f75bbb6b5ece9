//! The two columns of a trace in a file, and whether they can be wavelengths in nm and transmissions in dB.

use std::path::Path;

use super::csv;
use crate::analysis::LevelsDb;
use crate::analysis::gaps::{Gap, filled, gaps};
use crate::analysis::request::Analysis;
use crate::analysis::trace::MOST_DB;
use crate::error::{ExitCode, Failure, chain};
use crate::files;
use crate::measurement::TraceUnit;
use crate::shown::counted;
use crate::source::decode_data;
use crate::store::{Levels, PARQUET_MAGIC, Spectrum, read_spectrum};

/// The largest CSV file: some 30 million rows.
const MOST_BYTES: u64 = 1 << 30;

/// The columns of a file.
pub(in crate::app) struct Columns {
    trace: Spectrum,
    /// The lowest and the highest level; `None` without a finite level.
    range: Option<(f64, f64)>,
    /// Where rows are missing, in words.
    gaps: Option<String>,
}

impl Columns {
    /// Reads a Parquet file or a CSV file, told by its first bytes.
    pub(in crate::app) fn read(path: &Path, column: Option<&str>) -> Result<Self, Failure> {
        let wrong = |why: String| Failure::new(ExitCode::Usage, why);
        let trace = if is_parquet(path).map_err(wrong)? {
            read_spectrum(path, column).map_err(|error| wrong(chain(&error)))?
        } else {
            let shown = path.display();
            let bytes = files::read(path, MOST_BYTES);
            let bytes = bytes.map_err(|error| wrong(format!("cannot read `{shown}`: {error}")))?;
            let text = decode_data(bytes).map_err(|why| wrong(format!("`{shown}` {why}")))?;
            let table = csv::read(&text, column).map_err(|why| wrong(format!("{shown}:{why}")))?;
            Spectrum {
                wavelengths_nm: table.wavelengths_nm,
                column: table.column,
                levels: Levels::Double(table.levels_db),
                unit: table.unit,
                is_simulated: table.is_simulated,
            }
        };
        let (trace, gaps) = with_gaps(trace);
        let columns = Self { range: range(&trace.levels), trace, gaps };
        match columns.contradiction() {
            Some(why) => Err(wrong(format!("`{}`: {why}", path.display()))),
            None => Ok(columns),
        }
    }

    pub(in crate::app) fn wavelengths_nm(&self) -> &[f64] {
        &self.trace.wavelengths_nm
    }

    /// The name of the column of levels.
    pub(in crate::app) fn column(&self) -> &str {
        &self.trace.column
    }

    pub(in crate::app) fn levels(&self) -> LevelsDb<'_> {
        match &self.trace.levels {
            Levels::Single(levels) => LevelsDb::Single(levels),
            Levels::Double(levels) => LevelsDb::Double(levels),
        }
    }

    /// The unit of the levels, which is dB where the file states none.
    pub(in crate::app) fn unit(&self) -> &str {
        self.trace.unit.as_deref().unwrap_or("dB")
    }

    /// The unit of the levels as the analysis knows it.
    pub(in crate::app) fn trace_unit(&self) -> TraceUnit {
        TraceUnit::named(self.unit()).unwrap_or_default()
    }

    /// Whether the file says that its values are computed.
    pub(in crate::app) fn is_simulated(&self) -> bool {
        self.trace.is_simulated
    }

    /// Why the levels cannot be transmissions in dB.
    fn contradiction(&self) -> Option<String> {
        if let Err(why) = TraceUnit::named(self.unit()) {
            return Some(format!("the column `{}` {why}", self.column()));
        }
        if let Some((lowest, highest)) = self.range
            && (lowest >= 0.0 && highest > lowest && highest <= 1.0 && self.trace.unit.is_none())
        {
            return Some(format!(
                "the levels are from {lowest} to {highest}, which looks like linear transmission: dB is needed, 10·log10 of it"
            ));
        }
        None
    }

    /// Adds what makes the figures doubtful.
    pub(in crate::app) fn warn(&self, analysis: &mut Analysis) {
        analysis.warnings.extend(self.gaps.clone());
        match TraceUnit::named(self.unit()) {
            Ok(TraceUnit::Db) | Err(_) if self.range.is_some_and(|(lowest, _)| lowest > 0.0) => {
                let message = "all levels are above 0 dB: a transmission of −3 dB is a loss of 3 dB";
                analysis.warnings.insert(0, message.to_owned());
            }
            Ok(unit) => analysis.judge_unit(unit),
            Err(_) => {}
        }
    }
}

/// The trace with samples without a value where rows are missing, and these places in words.
fn with_gaps(trace: Spectrum) -> (Spectrum, Option<String>) {
    let nm = &trace.wavelengths_nm;
    let gaps = gaps(nm);
    let ends = |gap: &Gap| {
        let (before, after) = (*nm.get(gap.after)?, *nm.get(gap.after + 1)?);
        Some((before.min(after), before.max(after)))
    };
    let Some((from_nm, to_nm)) = gaps.first().and_then(ends) else { return (trace, None) };
    let places = counted(gaps.len(), "place");
    let text = format!(
        "the file has no rows at {places}, first between {from_nm} and {to_nm} nm: these samples count as samples without a value"
    );
    let levels = match &trace.levels {
        Levels::Single(levels) => Levels::Single(filled(levels, &gaps, |_, _, _| f32::NAN)),
        Levels::Double(levels) => Levels::Double(filled(levels, &gaps, |_, _, _| f64::NAN)),
    };
    let wavelengths_nm = filled(nm, &gaps, |before, after, share| before + (after - before) * share);
    (Spectrum { wavelengths_nm, levels, ..trace }, Some(text))
}

/// The lowest and the highest of the levels that can be measurements.
fn range(levels: &Levels) -> Option<(f64, f64)> {
    fn grow(range: Option<(f64, f64)>, level: f64) -> Option<(f64, f64)> {
        if level.is_nan() || level.abs() > MOST_DB {
            return range;
        }
        let (lowest, highest) = range.unwrap_or((level, level));
        Some((lowest.min(level), highest.max(level)))
    }
    match levels {
        Levels::Single(levels) => levels.iter().copied().map(f64::from).fold(None, grow),
        Levels::Double(levels) => levels.iter().copied().fold(None, grow),
    }
}

/// How the files of other formats begin, and what they are.
const OTHERS: [(&[u8], &str); 5] = [
    (b"PK\x03\x04", "an Excel workbook, or another ZIP archive"),
    (b"\x93NUMPY", "an array of numpy"),
    (b"ARROW1", "an Arrow file"),
    (b"MATLAB 5", "a MAT file"),
    (b"\x89HDF", "an HDF5 file"),
];

/// Whether the file begins like a Parquet file. A file of another known format is refused by its name.
pub(in crate::app) fn is_parquet(path: &Path) -> Result<bool, String> {
    use std::io::Read as _;
    let cannot = |error: std::io::Error| format!("cannot read `{}`: {error}", path.display());
    let mut first = Vec::new();
    files::open(path).map_err(cannot)?.take(8).read_to_end(&mut first).map_err(cannot)?;
    if let Some((_, what)) = OTHERS.iter().find(|(begin, _)| first.starts_with(begin)) {
        return Err(format!("`{}` is {what}: a CSV file or a Parquet file is needed", path.display()));
    }
    Ok(first.starts_with(PARQUET_MAGIC))
}
