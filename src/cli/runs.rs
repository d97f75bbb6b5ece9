//! `ctp10 runs`: types only.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// The language of `--where`.
const CONDITION: &str = "\
Condition on columns, parameters, metadata and device columns.

  wafer = 'W12' and verdict = 'fail'
  power_dbm >= 5 and not (name like 'test%')
  started >= '2026-11-28' or elapsed_s > 3600

Operators: =, !=, <, <=, >, >=, like (% and _), and, or, not, parentheses. Texts are in single quotes.
Columns: run, folder, name, recipe, status, reason, verdict, started, finished, elapsed_s, traces,
failed_steps, simulated, instrument, batch, item. docs/runs.md describes the conditions.";

/// `ctp10 runs`
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct RunsArgs {
    /// The action. Default: list the runs.
    #[command(subcommand)]
    pub what: Option<RunsCommand>,
    /// Which runs are listed.
    #[command(flatten)]
    pub list: RunsListArgs,
}

/// `ctp10 runs list`
#[derive(Debug, Clone, Args)]
pub struct RunsListArgs {
    /// Which runs are listed.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// List at most this number of runs; 0 lists all.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
    /// Folder and format.
    #[command(flatten)]
    pub output: RunsOutputArgs,
}

/// Which runs are meant. Without options: all.
#[derive(Debug, Clone, Default, Args)]
pub struct FilterArgs {
    /// Only runs that fulfil a condition: `wafer = 'W12' and verdict = 'fail'`. `--help` describes conditions.
    #[arg(long = "where", value_name = "CONDITION", long_help = CONDITION)]
    pub condition: Option<String>,
    /// Only runs of the recipe with this name. `*` stands for any text.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Only runs with one of these states.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "STATUS,…")]
    pub status: Vec<StatusArg>,
    /// Only runs of this batch.
    #[arg(long, value_name = "NAME")]
    pub batch: Option<String>,
    /// Only runs that began since then: `today`, `yesterday`, `2d`, `8h`, `2026-11-28`, `28.11.2026`, `"2026-11-28 14:00"`
    /// (local time).
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only runs that began before then. A day includes that day.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Only runs with one of these verdicts.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "VERDICT,…")]
    pub verdict: Vec<VerdictArg>,
    /// Only runs in which all these words occur: in the names of recipe, folder and batch, in the reason, in a parameter
    /// or in the metadata.
    #[arg(long, value_name = "WORDS")]
    pub text: Option<String>,
}

/// The verdict on a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum VerdictArg {
    /// Within the limits.
    Pass,
    /// Within the limits, but within the guard of one.
    Marginal,
    /// A value is missing, or does not decide.
    NotMeasured,
    /// Outside the limits.
    Fail,
}

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatusArg {
    /// In progress.
    Running,
    /// Every step succeeded.
    Done,
    /// A step failed.
    Failed,
    /// Stopped by a person.
    Aborted,
    /// Its process ended without finishing the run.
    Interrupted,
}

/// The folder of the runs, and the output format.
#[derive(Debug, Clone, Args)]
pub struct RunsOutputArgs {
    /// Folder that contains the run folders, or a store (`s3://bucket/prefix`). Default: `runs`.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `ctp10 runs …`
#[derive(Debug, Clone, Subcommand)]
pub enum RunsCommand {
    /// List runs with their status, newest first.
    List(RunsListArgs),
    /// Print one run.
    Show {
        /// The run: identifier, folder, recipe name (its newest run), or `last`.
        run: String,
        /// Folder and format.
        #[command(flatten)]
        output: RunsOutputArgs,
    },
    /// Write report.html and summary.json of a run again, and print the path of the page. An interrupted run has no
    /// report yet.
    Report {
        /// The run: identifier, folder, recipe name (its newest run), or `last`.
        #[arg(required_unless_present = "batch", conflicts_with = "batch")]
        run: Option<String>,
        /// Write the page and the summary of this batch instead.
        #[arg(long, value_name = "NAME")]
        batch: Option<String>,
        /// Folder and format.
        #[command(flatten)]
        output: RunsOutputArgs,
    },
    /// Rebuild the catalogue of the runs from their folders.
    Reindex(RunsOutputArgs),
    /// Compare every file of a run with its checksum and number of points.
    Verify {
        /// The run: identifier, folder, recipe name (its newest run), or `last`.
        run: String,
        /// Folder and format.
        #[command(flatten)]
        output: RunsOutputArgs,
    },
}
