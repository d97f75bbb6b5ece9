//! The command line: types only. The commands themselves are in `app`.

mod analyze;
mod batch;
mod rehearse;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use analyze::{AnalyzeArgs, LinesArg, TopologyArg};
pub use batch::{BatchArgs, BatchCommand, BatchRunArgs};
pub use rehearse::RehearseArgs;

/// Runs measurement recipes against an EXFO CTP10 and writes every trace as Parquet.
#[derive(Debug, Parser)]
#[command(name = "ctp10", version, propagate_version = true)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    /// Options of all commands.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// How much the program prints, and in which format.
#[derive(Debug, Clone, Args)]
pub struct OutputArgs {
    /// Log more on stderr. Give it twice (`-vv`) to log every query that is sent to the instrument.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Print only errors and results.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Format of stderr.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// Format of stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people: progress bars on a terminal, plain lines elsewhere.
    Text,
    /// For programs: one JSON object per line.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run one recipe. The last line on stdout is the run folder.
    Run(RunArgs),
    /// Resume a run that was interrupted, stopped or failed, in the same run folder.
    Resume(ResumeArgs),
    /// Check recipes for errors before any light is emitted.
    Check(CheckArgs),
    /// List all operations of a recipe in order, with times, points and bytes. Needs no instrument.
    Plan(PlanArgs),
    /// Run many recipes one after another, unattended. Started again, the batch continues with the items that are not
    /// done.
    Batch(BatchArgs),
    /// Run a recipe or a batch on simulated instruments that fail, to test whether it always ends safely.
    Rehearse(RehearseArgs),
    /// Run the HTTP server and the dashboard. Clients send recipes over HTTP or from the dashboard.
    Serve(ServeArgs),
    /// Run only the simulator, on a TCP port.
    Simulate(Box<SimulateArgs>),
    /// Print the state of the instrument. Sends only queries.
    Status(StatusArgs),
    /// Abort any scan and turn all lasers off, immediately.
    Off(InstrumentArgs),
    /// List, show, report or verify runs.
    Runs(RunsArgs),
    /// Compute figures of merit of a trace in a file: loss, bandwidth, dips, peaks, Q, free spectral range.
    Analyze(Box<AnalyzeArgs>),
    /// Print the JSON Schema of the recipe language, for editors.
    Schema(SchemaArgs),
    /// The watchdog of a run in another process. `run` and `serve` start it automatically.
    #[command(hide = true)]
    Guard,
    /// Print a shell completion script.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// Whether the command may run for so long that its memory must not grow.
    #[must_use]
    pub fn may_work_for_weeks(&self) -> bool {
        match self {
            Self::Run(_) | Self::Resume(_) | Self::Batch(_) | Self::Rehearse(_) | Self::Serve(_) => true,
            Self::Check(_)
            | Self::Plan(_)
            | Self::Simulate(_)
            | Self::Status(_)
            | Self::Off(_)
            | Self::Runs(_)
            | Self::Analyze(_)
            | Self::Schema(_)
            | Self::Guard
            | Self::Completions { .. } => false,
        }
    }
}

/// Names the instrument.
#[derive(Debug, Clone, Args)]
pub struct InstrumentArgs {
    /// Address of the instrument: `sim` (the simulator), `host:port` or `TCPIP::host::port::SOCKET`.
    #[arg(long, value_name = "ADDR")]
    pub instrument: Option<String>,
}

/// A recipe and its parameters.
#[derive(Debug, Clone, Args)]
pub struct RecipeArgs {
    /// The recipe: a `.yaml` or `.rhai` file.
    pub recipe: PathBuf,
    /// Set a parameter of the recipe. May be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub set: Vec<(String, String)>,
}

/// `ctp10 run`
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Recipe and parameters.
    #[command(flatten)]
    pub recipe: RecipeArgs,
    /// The instrument.
    #[command(flatten)]
    pub instrument: InstrumentArgs,
    /// Folder for new run folders. Default: `runs`.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Address of the dashboard and the HTTP API during this run. Default: 127.0.0.1:8002.
    #[arg(long, value_name = "off|ADDR")]
    pub sidecar: Option<String>,
    /// Add an entry to the recipe's metadata. May be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub metadata: Vec<(String, String)>,
    /// No person is present: every prompt takes its `unattended` answer. This is the default without a terminal and a
    /// dashboard.
    #[arg(long)]
    pub unattended: bool,
}

/// `ctp10 resume`
#[derive(Debug, Clone, Args)]
pub struct ResumeArgs {
    /// The run's identifier, its folder, or the first characters of either.
    pub run: String,
    /// Only print which results are kept and which steps are left. Changes nothing.
    #[arg(long)]
    pub plan: bool,
    /// The instrument. Default: the one that the run started with.
    #[command(flatten)]
    pub instrument: InstrumentArgs,
    /// Folder that contains the run folders. Default: `runs`.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Address of the dashboard and the HTTP API during this run. Default: 127.0.0.1:8002.
    #[arg(long, value_name = "off|ADDR")]
    pub sidecar: Option<String>,
    /// No person is present: every prompt takes its `unattended` answer.
    #[arg(long)]
    pub unattended: bool,
    /// Result of the step that was interrupted, if its result is unknown and it must not be repeated automatically.
    #[arg(long, value_enum, value_name = "done|again")]
    pub unfinished: Option<Unfinished>,
}

/// The result of a step that has no recorded end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Unfinished {
    /// The step was done.
    Done,
    /// Repeat the step.
    Again,
}

/// `ctp10 serve`
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// The instrument. Name it here, in the environment or in the configuration.
    #[command(flatten)]
    pub instrument: InstrumentArgs,
    /// Address of the HTTP server. Default: 127.0.0.1:8002. With port 0 the system chooses a port.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Folder for new run folders. Default: `runs`.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// File with the token that clients must send. Required if the server listens beyond loopback.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Origin of web pages that may send requests, in addition to loopback: `https://lab.example`. May be given
    /// several times.
    #[arg(long, value_name = "ORIGIN")]
    pub allow_origin: Vec<String>,
}

/// `ctp10 check`
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// The recipes.
    #[arg(required = true)]
    pub recipes: Vec<PathBuf>,
    /// Also check whether this instrument can run the recipes. Sends only queries.
    #[command(flatten)]
    pub instrument: InstrumentArgs,
    /// Set a parameter of the recipes. May be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub set: Vec<(String, String)>,
    /// Treat warnings as errors.
    #[arg(long)]
    pub strict: bool,
}

/// `ctp10 plan`
#[derive(Debug, Clone, Args)]
pub struct PlanArgs {
    /// Recipe and parameters.
    #[command(flatten)]
    pub recipe: RecipeArgs,
    /// Also list the SCPI commands of each operation.
    #[arg(long)]
    pub scpi: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// The long help of `--fault`.
const FAULTS: &str = "\
Produce a fault: KIND@WHERE or KIND@WHERE=VALUE. May be given several times.

KIND:
  drop         the connection is closed instead of a reply, or half-way through a trace
  stall        no reply, now and later; the connection stays open
  garble       the reply is unreadable; =BYTES: a trace announces so many bytes too many
  truncate     the reply ends early, and the connection is closed
  late         the reply comes after =SECONDS (8)
  reboot       power-on state; all connections are closed, new ones are refused for =SECONDS (3)
  refuse       the command is not carried out; -200 is in the error queue
  error-queue  the error queue has an error (-310) that the command did not cause
  slow         the reply is sent at =BYTES per second (20000)
  hang         the scan that is started does not end before ABORt

WHERE:
  57           the 57th command, from any client; `every`: each command
  trace        the first command of a group: sweep, reference, abort, laser, trace,
               power, condition, idn, error, or a header, with `?` for a query
  trace:2      the second command of the group; `trace:every`: each one

random@SEED        a random fault at one command in a hundred; a seed gives the same faults again
random@SEED=RATE   this share of the commands, 0 to 1
@FILE              a file with one fault per line; # starts a comment";

/// `ctp10 simulate`
#[derive(Debug, Clone, Args)]
pub struct SimulateArgs {
    /// Address of the simulator. With port 0 the system chooses a port.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5025")]
    pub listen: String,
    /// The device under test: ring, mach-zehnder, bragg, filter, loopback, or a CSV file with
    /// `wavelength_nm,transmission_db`.
    #[arg(long, value_name = "NAME|FILE.csv")]
    pub dut: Option<String>,
    /// Seed of the noise. The same seed gives the same noise.
    #[arg(long)]
    pub seed: Option<u64>,
    /// `fresh`: each sweep has new noise. `by-settings`: the same settings give the same samples.
    #[arg(long, value_name = "fresh|by-settings")]
    pub noise: Option<String>,
    /// Factor for all durations: with 0.1 sweeps are ten times shorter.
    #[arg(long, value_name = "X")]
    pub time_scale: Option<f64>,
    /// Delay before each reply, in ms.
    #[arg(long, value_name = "MS")]
    pub latency_ms: Option<f64>,
    /// Largest rate of sent data, in bytes per second.
    #[arg(long, value_name = "BYTES_PER_S")]
    pub bandwidth: Option<f64>,
    /// Largest number of clients that are connected at the same time.
    #[arg(long, value_name = "N")]
    pub max_connections: Option<usize>,
    /// Characters after a binary block.
    #[arg(long, value_name = "none|crlf")]
    pub block_end: Option<String>,
    /// Number of points of every trace, independent of the settings.
    #[arg(long, value_name = "N")]
    pub points: Option<u64>,
    /// Light path during a reference scan.
    #[arg(long, value_name = "patch-cord|device")]
    pub reference_path: Option<String>,
    /// Whether lasers stay on after a scan if `INITiate:STABilization` has never been set.
    #[arg(long, value_name = "0|1", value_parser = clap::value_parser!(u8).range(0..=1))]
    pub stabilization_output: Option<u8>,
    /// `resets`: a change of the laser resets the other settings of a TLS to their defaults. `keeps`: they stay.
    #[arg(long, value_name = "keeps|resets")]
    pub identifier: Option<String>,
    /// If the TLSs do not cover a scan: `overlap` sweeps the common range, `refuse` refuses the scan.
    #[arg(long, value_name = "overlap|refuse")]
    pub tls_range: Option<String>,
    /// Whether a power query during a scan is answered.
    #[arg(long, value_name = "answered|refused")]
    pub power_in_scan: Option<String>,
    /// Power and wavelength of a laser after a scan: those set for static control (`as-set`) or the last ones of the
    /// scan (`actual`).
    #[arg(long, value_name = "as-set|actual")]
    pub lasers_after_scan: Option<String>,
    /// Whether `SYSTem:ANLG:OUT<k>:SOURce m,c` has a reply.
    #[arg(long, value_name = "silent|answers")]
    pub analog_output: Option<String>,
    /// Simulate a Distributed CTP10: laser commands fail, and a scan first waits for the Controller.
    #[arg(long)]
    pub distributed: bool,
    /// Start with a trace and a reference of every detector in memory.
    #[arg(long)]
    pub preload: bool,
    /// Positions of the detector modules, 1 to 20. A module 4 is an IL RL OPM2, all others are plain. Default: 4,5.
    #[arg(long, value_name = "N,N,…", value_delimiter = ',')]
    pub modules: Option<Vec<u8>>,
    /// Number of detectors of a plain module, 1 to 6. Default: 4.
    #[arg(long, value_name = "N")]
    pub channels: Option<u8>,
    /// Produce a fault: `drop@trace:2`, `late@57=8`, `random@7`, `@FILE`. May be given several times.
    #[arg(long = "fault", value_name = "SPEC", long_help = FAULTS)]
    pub faults: Vec<String>,
    /// Write every received command and every fault to this file, with the time.
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
}

/// `ctp10 status`
#[derive(Debug, Clone, Args)]
pub struct StatusArgs {
    /// The instrument.
    #[command(flatten)]
    pub instrument: InstrumentArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `ctp10 runs`
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct RunsArgs {
    /// The action. Default: list the runs.
    #[command(subcommand)]
    pub what: Option<RunsCommand>,
    /// Folder and format of the list.
    #[command(flatten)]
    pub list: RunsListArgs,
}

/// The folder of the runs, and the output format.
#[derive(Debug, Clone, Args)]
pub struct RunsListArgs {
    /// Folder that contains the run folders. Default: `runs`.
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
        /// The run's identifier or its folder's name, or the first characters of either.
        id: String,
        /// Folder and format.
        #[command(flatten)]
        list: RunsListArgs,
    },
    /// Write report.html and summary.json of a run again, and print the path of the page. An interrupted run has no
    /// report yet.
    Report {
        /// The run's identifier or its folder's name, or the first characters of either.
        #[arg(required_unless_present = "batch", conflicts_with = "batch")]
        id: Option<String>,
        /// Write the page and the summary of this batch instead.
        #[arg(long, value_name = "NAME")]
        batch: Option<String>,
        /// Folder and format.
        #[command(flatten)]
        list: RunsListArgs,
    },
    /// Rebuild the catalogue of the runs from their folders.
    Reindex(RunsListArgs),
    /// Compare every file of a run with its checksum and number of points.
    Verify {
        /// The run's identifier or its folder's name, or the first characters of either.
        id: String,
        /// Folder and format.
        #[command(flatten)]
        list: RunsListArgs,
    },
}

/// `ctp10 schema`
#[derive(Debug, Clone, Args)]
pub struct SchemaArgs {
    /// Print the recipe reference as Markdown instead.
    #[arg(long)]
    pub markdown: bool,
    /// Print the JSON Schema of batch files instead.
    #[arg(long, conflicts_with = "markdown")]
    pub batch: bool,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not NAME=VALUE")),
    }
}
