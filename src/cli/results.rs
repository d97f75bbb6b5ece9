//! `ctp10 figures`, `judge` and `compare`: types only.

use std::path::PathBuf;

use clap::Args;

use super::FilterArgs;

/// Some runs: named one by one, or by a filter.
#[derive(Debug, Clone, Args)]
pub struct ChosenRunsArgs {
    /// The runs, each by its identifier, folder, recipe name (its newest run), or `last`.
    #[arg(value_name = "RUN")]
    pub runs: Vec<String>,
    /// The filter. With runs: those of them that fulfil it.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Folder that contains the run folders, or a store (`s3://bucket/prefix`). Default: `runs`.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// `ctp10 figures`
#[derive(Debug, Clone, Args)]
pub struct FiguresArgs {
    /// Which runs.
    #[command(flatten)]
    pub runs: ChosenRunsArgs,
    /// Only these figures, separated by commas: `dip_nm,q_loaded`.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub figures: Vec<String>,
    /// All dips and peaks of each trace. Default: the strongest one.
    #[arg(long)]
    pub all: bool,
    /// Print control charts of golden devices over all chosen runs: mean, limits, and a proposal for `guard`.
    #[arg(long, conflicts_with_all = ["csv", "all"])]
    pub control_chart: bool,
    /// Print a CSV table: one row per device.
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `ctp10 judge`
#[derive(Debug, Clone, Args)]
pub struct JudgeArgs {
    /// Which runs.
    #[command(flatten)]
    pub runs: ChosenRunsArgs,
    /// The file with the limits, as for `limits` of a recipe.
    #[arg(long, value_name = "FILE")]
    pub limits: PathBuf,
    /// Print also the figures that pass.
    #[arg(long)]
    pub all: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `ctp10 compare`
#[derive(Debug, Clone, Args)]
pub struct CompareArgs {
    /// The earlier run: identifier, folder, recipe name (its newest run), or `last`.
    #[arg(value_name = "RUN")]
    pub before: String,
    /// The later run.
    #[arg(value_name = "RUN")]
    pub after: String,
    /// Only these figures, separated by commas.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub figures: Vec<String>,
    /// Print all figures. Default: the 25 with the largest drift, and those whose verdict has changed.
    #[arg(long)]
    pub all: bool,
    /// Draw the traces of both runs into one picture: a name that ends with `.svg` or `.png`.
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// Folder that contains the run folders, or a store (`s3://bucket/prefix`). Default: `runs`.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
