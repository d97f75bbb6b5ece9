//! The files of layout programs. Each reader only finds the devices and their fields; the meaning of the fields is in
//! `Format::usual`.

mod csv;
mod gdsfactory;
mod siepic_text;
mod siepic_yaml;
mod tree;

use std::sync::Arc;

use super::rows::Rows;
use crate::source::{Diagnostic, Position, SourceFile, lines};

/// The format of a file with devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Any CSV file with the names of its columns in the first row.
    Csv,
    /// Any JSON file with a list of devices, or with a map of them.
    Json,
    /// Any YAML file with a list of devices, or with a map of them.
    Yaml,
    /// The text lines of SiEPIC-Tools, after a header that begins with `%`.
    SiepicText,
    /// The YAML of SiEPIC test plans, with `Devices` at the top.
    SiepicYaml,
    /// A test manifest of gdsfactory, in CSV, JSON or YAML.
    Gdsfactory,
}

impl Format {
    /// The name of the format, for messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::Json => "JSON",
            Self::Yaml => "YAML",
            Self::SiepicText => "SiEPIC text",
            Self::SiepicYaml => "SiEPIC test plan",
            Self::Gdsfactory => "gdsfactory test manifest",
        }
    }

    /// The format of a text. The content decides; the suffix of the file only tells YAML from CSV.
    #[must_use]
    pub fn of(source: &SourceFile) -> Self {
        let suffix = source.name.rsplit('.').next().unwrap_or_default().to_lowercase();
        let first = lines(source.code()).map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        if first.starts_with('%') {
            return Self::SiepicText;
        }
        if !first.starts_with(['{', '[']) && !["yaml", "yml"].contains(&suffix.as_str()) {
            let names: Vec<&str> =
                first.split(csv::separator(first)).map(|name| name.trim().trim_matches('"')).collect();
            return if gdsfactory::is_manifest(&names) { Self::Gdsfactory } else { Self::Csv };
        }
        let plain = if first.starts_with(['{', '[']) { Self::Json } else { Self::Yaml };
        if lines(source.code()).any(siepic_yaml::is_top) {
            return Self::SiepicYaml;
        }
        // The first device tells. A wrong text is an error of its reader later.
        let head: String = source.code().chars().take(20_000).collect();
        if gdsfactory::is_manifest_text(&head) { Self::Gdsfactory } else { plain }
    }

    /// Reads the devices of a text.
    pub(super) fn read(self, source: &Arc<SourceFile>) -> Result<Rows, Vec<Diagnostic>> {
        let rows = match self {
            Self::Csv => csv::read(source),
            Self::Json | Self::Yaml => tree::read(source),
            Self::SiepicText => siepic_text::read(source),
            Self::SiepicYaml => siepic_yaml::read(source),
            Self::Gdsfactory => gdsfactory::read(source),
        }?;
        if rows.rows.is_empty() {
            let at = Position { line: 1, column: 1 };
            return Err(vec![rows.error(at, format!("the file has no devices ({})", self.name()))]);
        }
        Ok(rows)
    }

    /// The columns of a list from this format, each with the path of its field.
    pub(super) fn usual(self, rows: &Rows) -> Vec<(String, String)> {
        let named = |pairs: &[(&str, &str)]| {
            let used = pairs
                .iter()
                .filter(|(column, path)| ["id", "x_um", "y_um"].contains(column) || rows.is_used(path));
            used.map(|(column, path)| ((*column).to_owned(), (*path).to_owned())).collect::<Vec<_>>()
        };
        match self {
            Self::Csv | Self::Json | Self::Yaml => {
                rows.names().into_iter().map(|name| (name.to_owned(), name.to_owned())).collect()
            }
            Self::SiepicText => {
                let mut columns = named(&[("id", "device"), ("x_um", "x"), ("y_um", "y")]);
                columns.extend(named(&SIEPIC));
                columns.extend(pads(rows));
                columns
            }
            Self::SiepicYaml => {
                let mut columns = named(&[("id", "device_id"), ("x_um", "x"), ("y_um", "y")]);
                columns.extend(named(&SIEPIC));
                columns.extend(named(&[("type", "device_type"), ("sequences", "sequences")]));
                columns.extend(pads(rows));
                columns
            }
            Self::Gdsfactory => named(&gdsfactory::COLUMNS),
        }
    }
}

/// The fields that both formats of SiEPIC have.
const SIEPIC: [(&str, &str); 3] =
    [("polarization", "polarization"), ("design_wavelength_nm", "wavelength"), ("type", "type")];

/// The fields of a pad: name and coordinates.
fn pad_fields(number: usize) -> [String; 3] {
    let pad = if number == 1 { "pad".to_owned() } else { format!("pad{number}") };
    [pad.clone(), format!("{pad}_x"), format!("{pad}_y")]
}

/// The columns of all pads that a device has.
fn pads(rows: &Rows) -> Vec<(String, String)> {
    let mut columns = Vec::new();
    for number in 1.. {
        let [pad, x, y] = pad_fields(number);
        if !rows.has(&x) {
            break;
        }
        columns.extend([(pad.clone(), pad), (format!("{x}_um"), x), (format!("{y}_um"), y)]);
    }
    columns
}
