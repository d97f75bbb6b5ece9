//! `ctp10 export`: types only.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `ctp10 export`
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// A trace file (`.parquet`), or a run: identifier, folder, recipe name (its newest run), or `last`.
    pub what: String,
    /// The format.
    #[arg(long, value_enum)]
    pub to: ExportFormat,
    /// The file to write; for a run in `csv`, `npy` or `arrow` the folder. Default: a name in the current folder.
    #[arg(short, long, value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// Replace files that exist.
    #[arg(long)]
    pub force: bool,
    /// Folder that contains the run folders, or a store (`s3://bucket/prefix`). Default: `runs`.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// A format of other programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Text with comments at its beginning: `pandas.read_csv(path, comment="#")`.
    Csv,
    /// A numpy array with two fields, and a JSON file with its provenance: `numpy.load(path)`.
    Npy,
    /// An archive of numpy arrays: `numpy.load(path)`. One file for a whole run.
    Npz,
    /// An Arrow file, also called Feather: `pandas.read_feather(path)`.
    Arrow,
    /// A MAT file of level 5 for MATLAB, Octave and `scipy.io.loadmat(path)`. One file for a whole run.
    Mat,
}
