//! `ctp10 batch`: types only.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::InstrumentArgs;

/// `ctp10 batch`
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BatchArgs {
    /// What about it; run when not given.
    #[command(subcommand)]
    pub what: Option<BatchCommand>,
    /// What to run, and how.
    #[command(flatten)]
    pub run: BatchRunArgs,
}

/// `ctp10 batch FILE`
#[derive(Debug, Clone, Args)]
pub struct BatchRunArgs {
    /// The batch file.
    #[arg(required_unless_present = "go_on", conflicts_with = "go_on")]
    pub file: Option<PathBuf>,
    /// Go on with a batch that the catalogue knows, without its file.
    #[arg(long = "continue", value_name = "NAME")]
    pub go_on: Option<String>,
    /// Queue again what failed, was skipped, or is held for a person.
    #[arg(long)]
    pub release: bool,
    /// What was cut off or stopped begins anew, instead of going on in its run.
    #[arg(long)]
    pub anew: bool,
    /// Begin at once: `not_before` and `deadline` do not hold, those of items neither.
    #[arg(long)]
    pub now: bool,
    /// The instrument.
    #[command(flatten)]
    pub instrument: InstrumentArgs,
    /// Where run folders and the catalogue go; the batch file's `out`, or `runs`, when not given.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Where the dashboard and the HTTP API of this batch listen; 127.0.0.1:8002 when not given.
    #[arg(long, value_name = "off|ADDR")]
    pub sidecar: Option<String>,
}

/// `ctp10 batch …`
#[derive(Debug, Clone, Subcommand)]
pub enum BatchCommand {
    /// Find what is wrong with a batch and each of its items.
    Check {
        /// The batch file.
        file: PathBuf,
        /// The instrument that the batch will be run on; it is not asked.
        #[command(flatten)]
        instrument: InstrumentArgs,
        /// Warnings count as errors.
        #[arg(long)]
        strict: bool,
    },
    /// List the items in their order, with times and bytes, and whether deadline and disk suffice.
    Plan {
        /// The batch file.
        file: PathBuf,
        /// Where run folders would go.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}
