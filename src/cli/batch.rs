//! `ctp10 batch`: types only.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{InstrumentArgs, WithRealArgs};

/// `ctp10 batch`
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BatchArgs {
    /// The action. Default: run the batch.
    #[command(subcommand)]
    pub what: Option<BatchCommand>,
    /// Options for running the batch.
    #[command(flatten)]
    pub run: BatchRunArgs,
}

/// `ctp10 batch FILE`
#[derive(Debug, Clone, Args)]
pub struct BatchRunArgs {
    /// The batch file.
    #[arg(required_unless_present = "go_on", conflicts_with = "go_on")]
    pub file: Option<PathBuf>,
    /// Continue a batch from the catalogue, without its file.
    #[arg(long = "continue", value_name = "NAME")]
    pub go_on: Option<String>,
    /// Also queue the items that have failed, were skipped, or are held for a person.
    #[arg(long)]
    pub release: bool,
    /// Start interrupted and stopped items from the beginning instead of resuming their runs.
    #[arg(long)]
    pub anew: bool,
    /// Start immediately and ignore `not_before` and `deadline`, of the batch and of its items.
    #[arg(long)]
    pub now: bool,
    /// The instrument.
    #[command(flatten)]
    pub instrument: InstrumentArgs,
    /// Real instruments.
    #[command(flatten)]
    pub real: WithRealArgs,
    /// Folder for run folders and the catalogue. Default: the batch file's `out`, or `runs`.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Address of the dashboard and the HTTP API during this batch. Default: 127.0.0.1:8002.
    #[arg(long, value_name = "off|ADDR")]
    pub sidecar: Option<String>,
}

/// `ctp10 batch …`
#[derive(Debug, Clone, Subcommand)]
pub enum BatchCommand {
    /// Run the batch. `ctp10 batch FILE` does the same.
    Run(Box<BatchRunArgs>),
    /// Check a batch and each of its items for errors.
    Check {
        /// The batch file.
        file: PathBuf,
        /// The instrument that the batch will use. This command sends nothing to it.
        #[command(flatten)]
        instrument: InstrumentArgs,
        /// Treat warnings as errors.
        #[arg(long)]
        strict: bool,
    },
    /// List the items in order with times and bytes, and compare them with the deadline and the disk space.
    Plan {
        /// The batch file.
        file: PathBuf,
        /// The instrument that the batch will use. This command sends nothing to it.
        #[command(flatten)]
        instrument: InstrumentArgs,
        /// Folder for run folders. Default: the batch file's `out`, or `runs`.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}
