//! `ctp10 analyze`: types only.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::numbers::{finite, not_negative, number, positive};

/// The groups of figures.
const FIGURES: &str = "\
Figures, separated by commas.

  loss            insertion loss (lowest, highest, mean), mean in dB, ripple
  loss@1550       insertion loss at a wavelength, nm
  dips, peaks     raw extrema with level and prominence
  bandwidth@3     bandwidth at this level below a peak, dB
  notch@3         width of dips at this level below the base, dB
  q               fitted resonances: centre, FWHM, loaded Q, extinction, asymmetry
  fsr             free spectral range, nm and GHz
  group_index     needs --length-um
  finesse         free spectral range / FWHM
  dispersion      D1 and D2 of a comb
  quality         floor, and unusable samples

docs/figures.md has the definitions.";

/// `ctp10 analyze`
#[derive(Debug, Clone, Args)]
pub struct AnalyzeArgs {
    /// A trace: a Parquet file with `wavelength_nm` and `value` or `transmission_db`, or a CSV file with wavelengths in nm and
    /// transmissions in dB. Or a run: identifier, folder, recipe name, or `last`.
    #[arg(value_name = "FILE|RUN")]
    pub file: PathBuf,
    /// Figures, separated by commas: `dips,fsr,q,peaks,bandwidth@3`. `--help` lists them.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', required_unless_present = "channels", long_help = FIGURES)]
    pub figures: Vec<String>,
    /// The trace is a port of a multiplexer: `dwdm:100` (GHz) or `cwdm`. Adds loss, offset, isolation and crosstalk of its channel.
    /// The half width of the windows may follow: `dwdm:100:12.5` (GHz; default: an eighth of the spacing), `cwdm:5` (nm; default: 6.5).
    #[arg(long, value_name = "GRID", value_parser = grid)]
    pub channels: Option<GridArg>,
    /// Use only this part of the trace, nm.
    #[arg(long, value_name = "FROM:TO", value_parser = band)]
    pub band: Option<(f64, f64)>,
    /// Least prominence of dips and peaks, dB. Default: 3, without the lines that are so weak that they count as noise.
    #[arg(long, value_name = "DB", value_parser = not_negative)]
    pub prominence: Option<f64>,
    /// Least distance of two dips, or of two peaks, nm. Default: 0.5, or less if all lines form a denser comb.
    #[arg(long, value_name = "NM", value_parser = not_negative, hide_short_help = true)]
    pub distance: Option<f64>,
    /// Whether the resonances are dips or peaks. Default: the kind among the figures, or the narrower lines.
    #[arg(long, value_enum)]
    pub lines: Option<LinesArg>,
    /// Circumference of a ring, path difference of an interferometer, or twice the length of a cavity, µm.
    #[arg(long, value_name = "UM", value_parser = positive)]
    pub length_um: Option<f64>,
    /// How a ring is coupled. Adds intrinsic and coupling Q.
    #[arg(long, value_enum, hide_short_help = true)]
    pub topology: Option<TopologyArg>,
    /// Lowest level that the detector can show, dB. Default: the lowest value, if at least three samples have it.
    #[arg(long, value_name = "DB", allow_negative_numbers = true, value_parser = finite, hide_short_help = true)]
    pub floor: Option<f64>,
    /// Level from which the detector is saturated, dB.
    #[arg(long, value_name = "DB", allow_negative_numbers = true, value_parser = finite, hide_short_help = true)]
    pub saturation: Option<f64>,
    /// Replace each level by the mean of this odd number of levels in dB before the analysis.
    #[arg(long, value_name = "SAMPLES", hide_short_help = true)]
    pub smooth: Option<usize>,
    /// The column with the levels, if the file has several.
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub column: Option<String>,
    /// The kind of the traces of a run.
    #[arg(long, value_name = "KIND", default_value = "tf")]
    pub trace: String,
    /// Only the traces of a run from these detectors, for example `4/1`.
    #[arg(long, value_name = "MODULE/CHANNEL,…", value_delimiter = ',')]
    pub detector: Vec<String>,
    /// Folder that contains the run folders, or a store (`s3://bucket/prefix`). Default: `runs`.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// A grid of channels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum GridArg {
    /// G.694.1.
    Dwdm {
        /// Distance of channels, GHz.
        spacing_ghz: f64,
        /// Half of the window, GHz.
        half_width_ghz: f64,
    },
    /// G.694.2.
    Cwdm {
        /// Half of the window, nm.
        half_width_nm: f64,
    },
}

/// The kind of the resonances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LinesArg {
    /// Minima.
    Dips,
    /// Maxima.
    Peaks,
}

/// How a ring is coupled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TopologyArg {
    /// A ring at one waveguide.
    AllPass,
    /// A ring between two waveguides with equal couplers.
    AddDrop,
}

pub(super) fn band(text: &str) -> Result<(f64, f64), String> {
    let ends = text.split_once(':').and_then(|(from, to)| Some((number(from)?, number(to)?)));
    match ends {
        Some((from, to)) if from < to => Ok((from, to)),
        Some((from, to)) => Err(format!("{from} nm is not below {to} nm")),
        None => Err("two wavelengths in nm are needed, as in `1525:1580`".to_owned()),
    }
}

fn grid(text: &str) -> Result<GridArg, String> {
    let numbers: Vec<&str> = text.split(':').collect();
    match numbers.as_slice() {
        ["dwdm", spacing] => {
            let spacing_ghz = positive(spacing)?;
            Ok(GridArg::Dwdm { spacing_ghz, half_width_ghz: spacing_ghz / 8.0 })
        }
        ["dwdm", spacing, half] => {
            Ok(GridArg::Dwdm { spacing_ghz: positive(spacing)?, half_width_ghz: positive(half)? })
        }
        ["cwdm"] => Ok(GridArg::Cwdm { half_width_nm: 6.5 }),
        ["cwdm", half] => Ok(GridArg::Cwdm { half_width_nm: positive(half)? }),
        _ => Err("a grid is needed, as in `dwdm:100` or `cwdm`".to_owned()),
    }
}
