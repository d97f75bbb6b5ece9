//! `ctp10 store`: types only.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `ctp10 store`
#[derive(Debug, Clone, Args)]
pub struct StoreArgs {
    /// The action.
    #[command(subcommand)]
    pub what: StoreCommand,
}

/// `ctp10 store …`
#[derive(Debug, Clone, Subcommand)]
pub enum StoreCommand {
    /// Show which runs are not in the store yet. Sends nothing.
    Status {
        /// Folder that contains the run folders. Default: `runs`.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Upload the runs that have ended. `run`, `batch` and `serve` do this in the background.
    Sync {
        /// Only these runs: identifier, folder, recipe name (its newest run), or `last`. An interrupted run is uploaded
        /// only if it is named.
        #[arg(value_name = "RUN")]
        runs: Vec<String>,
        /// Folder that contains the run folders. Default: `runs`.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}
