//! Recorded power as one CSV file: the export of a run without traces.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use chrono::{DateTime, SecondsFormat};

use crate::store::{PowerRow, PowerSegment, StoreError, read_power, write_pieces};

/// Writes the readings of a run, one line each. The columns are those of the power files that differ within a run.
pub(super) fn csv(
    folder: &Path,
    segments: &[PowerSegment],
    comments: &[String],
    target: &Path,
    force: bool,
) -> Result<(), StoreError> {
    write_pieces(target, force, |out| {
        let mut out = BufWriter::new(out);
        for comment in comments {
            writeln!(out, "# {comment}")?;
        }
        writeln!(out, "time,detector,value,unit,calibration_nm,name,source")?;
        for segment in segments {
            let mut written = Ok(());
            let read = read_power(folder, segment, &mut |row| {
                if written.is_ok() {
                    written = line(&row, &mut out);
                }
            });
            read.map_err(io::Error::other)?;
            written?;
        }
        out.flush()
    })
}

fn line(row: &PowerRow, out: &mut dyn Write) -> io::Result<()> {
    #[expect(clippy::cast_possible_truncation, reason = "microseconds since 1970 fit into 53 bits")]
    let time = DateTime::from_timestamp_micros((row.time_s * 1e6).round() as i64).unwrap_or_default();
    let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let text = |text: &str| match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    };
    writeln!(
        out,
        "{},{},{},{},{},{},{}",
        time.to_rfc3339_opts(SecondsFormat::Micros, true),
        text(&row.detector),
        number(row.value),
        row.unit,
        number(row.calibration_nm),
        text(&row.name),
        row.source
    )
}
