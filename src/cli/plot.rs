//! `ctp10 plot`: types only.

use std::path::PathBuf;

use clap::Args;

use super::analyze::{LinesArg, band};
use super::numbers::not_negative;

/// `ctp10 plot`
#[derive(Debug, Clone, Args)]
pub struct PlotArgs {
    /// Traces to draw into one picture: files as for `analyze`, or runs with all their traces, for example `last`.
    #[arg(required = true)]
    pub what: Vec<String>,
    /// The picture: a name that ends with `.svg` or `.png`.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Draw only this part, nm.
    #[arg(long, value_name = "FROM:TO", value_parser = band)]
    pub band: Option<(f64, f64)>,
    /// Mark dips, peaks or fitted resonances: `dips`, `peaks`, `q`.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub figures: Vec<String>,
    /// Least prominence of dips and peaks, dB. Default: 3, without the lines that are so weak that they count as noise.
    #[arg(long, value_name = "DB", value_parser = not_negative)]
    pub prominence: Option<f64>,
    /// Least distance of two dips, or of two peaks, nm. Default: 0.5, or less if all lines form a denser comb.
    #[arg(long, value_name = "NM", value_parser = not_negative)]
    pub distance: Option<f64>,
    /// Whether the resonances are dips or peaks.
    #[arg(long, value_enum)]
    pub lines: Option<LinesArg>,
    /// The column with the levels, if the files have several.
    #[arg(long, value_name = "NAME")]
    pub column: Option<String>,
    /// Title. Default: the name of the file or of the run.
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// Width and height, pixels.
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "1200x675", value_parser = size)]
    pub size: (u32, u32),
    /// Light lines on a dark background.
    #[arg(long)]
    pub dark: bool,
    /// Replace the picture if it exists.
    #[arg(long)]
    pub force: bool,
    /// Folder that contains the run folders, or a store (`s3://bucket/prefix`). Default: `runs`.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let allowed = 200..=4096;
    let number = |text: &str| text.trim().parse().ok().filter(|number| allowed.contains(number));
    let both =
        text.split_once(['x', '×']).and_then(|(width, height)| Some((number(width)?, number(height)?)));
    both.ok_or_else(|| "two numbers from 200 to 4096 are needed, as in `1200x675`".to_owned())
}
