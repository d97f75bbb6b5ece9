//! The command line: types only. The commands themselves are in `app`.

mod analyze;
mod batch;
mod devices;
mod examples;
mod export;
mod fleet;
mod numbers;
mod plot;
mod rehearse;
mod results;
mod runs;
mod simulate;
mod store;
mod watch;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use analyze::{AnalyzeArgs, GridArg, LinesArg, TopologyArg};
pub use batch::{BatchArgs, BatchCommand, BatchRunArgs};
pub use devices::{
    DevicesArgs, DevicesCommand, DevicesFormat, DuplicatesArg, ImportArgs, LengthUnit, ListOutputArgs,
    OrderArg, TransformArgs,
};
pub use examples::command;
pub use export::{ExportArgs, ExportFormat};
pub use fleet::{BenchArgs, BrokerArgs, FleetArgs, FleetCommand};
pub use plot::PlotArgs;
pub use rehearse::RehearseArgs;
pub use results::{ChosenRunsArgs, CompareArgs, FiguresArgs, JudgeArgs};
pub use runs::{FilterArgs, RunsArgs, RunsCommand, RunsListArgs, RunsOutputArgs, StatusArg, VerdictArg};
pub use simulate::SimulateArgs;
pub use store::{StoreArgs, StoreCommand};
pub use watch::WatchArgs;

/// The version with the commit and the date of the program.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("CTP10_ORIGIN"), ")");

/// Runs measurement recipes against an EXFO CTP10 and writes every trace as Parquet.
#[derive(Debug, Parser)]
#[command(name = "ctp10", version = VERSION, propagate_version = true)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    /// Options of all commands.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// The heading of the options that all commands have. The short help leaves them out.
const GLOBAL: &str = "Options of all commands";

/// How much the program prints, and in which format.
#[derive(Debug, Clone, Args)]
pub struct OutputArgs {
    /// Log more on stderr, and list each step of a run. Give it twice (`-vv`) to log every query that is sent to the
    /// instrument.
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = GLOBAL, hide_short_help = true)]
    pub verbose: u8,
    /// Print only errors and results.
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = GLOBAL, hide_short_help = true)]
    pub quiet: bool,
    /// Format of stderr.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, help_heading = GLOBAL, hide_short_help = true)]
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
    /// Write a first recipe with comments, and its JSON Schema. Editors complete and check recipes with the schema.
    Init {
        /// The recipe to write. Default: `recipe.yaml`.
        file: Option<PathBuf>,
    },
    /// Resume a run that was interrupted, stopped or failed, in the same run folder.
    Resume(ResumeArgs),
    /// Check recipes for errors before any light is emitted.
    Check(CheckArgs),
    /// List all operations of a recipe in order, with times, points and bytes. Needs no instrument.
    Plan(PlanArgs),
    /// Run many recipes one after another, unattended. Started again, the batch continues with the items that are not
    /// done.
    Batch(BatchArgs),
    /// Run a recipe or a batch on simulated instruments that fail. This tests whether it always ends safely.
    Rehearse(RehearseArgs),
    /// Run the HTTP server and the dashboard. Clients send recipes over HTTP or from the dashboard.
    Serve(ServeArgs),
    /// Watch a run, its traces and live power in the terminal. Changes nothing.
    Watch(WatchArgs),
    /// Share one queue among many benches: submit batches, show the benches, and stop them.
    Fleet(FleetArgs),
    /// Run only the simulator, on a TCP port.
    Simulate(Box<SimulateArgs>),
    /// Print the state of the instrument. Sends only queries.
    Status(StatusArgs),
    /// Abort any scan and turn all lasers off, immediately.
    Off(InstrumentArgs),
    /// List, show, report or verify runs.
    Runs(Box<RunsArgs>),
    /// Compute figures of merit of a trace in a file, or of the traces of a run: loss, bandwidth, dips, peaks, Q, free spectral range.
    Analyze(Box<AnalyzeArgs>),
    /// Read lists of devices from layout programs, and compute their coordinates on a stage.
    Devices(DevicesArgs),
    /// Write a trace, or all traces of a run, in a format of other programs, with units and provenance.
    Export(ExportArgs),
    /// Draw traces of files and runs as one picture, SVG or PNG.
    Plot(Box<PlotArgs>),
    /// Print the figures of merit of runs: one row per device.
    Figures(Box<FiguresArgs>),
    /// Judge runs that were measured earlier by other limits. Changes nothing in the run folders.
    Judge(Box<JudgeArgs>),
    /// Compare the figures of two runs. The largest drift comes first.
    Compare(CompareArgs),
    /// Upload runs to the object store, and show which are not uploaded yet.
    Store(StoreArgs),
    /// Print the JSON Schema of the recipe language, for editors.
    Schema(SchemaArgs),
    /// The watchdog of a run in another process. `run` and `serve` start it automatically.
    #[command(hide = true)]
    Guard,
    /// Print a shell completion script. The shell then completes commands, options and the identifiers of runs.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a folder. Packages contain them.
    #[command(hide = true)]
    Manual {
        /// The folder.
        folder: PathBuf,
    },
}

/// Names the instrument.
#[derive(Debug, Clone, Args)]
pub struct InstrumentArgs {
    /// Address of the instrument: `sim` (the simulator), `host:port` or `TCPIP::host::port::SOCKET`.
    #[arg(long, value_name = "ADDR")]
    pub instrument: Option<String>,
}

/// Real instruments beside a simulated CTP10.
#[derive(Debug, Clone, Default, Args)]
pub struct WithRealArgs {
    /// Use this named instrument of the bench although the CTP10 is simulated. Without it, a simulation reaches no real
    /// instrument. May be given several times.
    #[arg(long, value_name = "NAME")]
    pub with_real: Vec<String>,
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
    /// Real instruments.
    #[command(flatten)]
    pub real: WithRealArgs,
    /// Folder for new run folders. Default: `runs`.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Address of the dashboard and the HTTP API during this run. Default: 127.0.0.1:8002.
    #[arg(long, value_name = "off|ADDR")]
    pub sidecar: Option<String>,
    /// Add an entry to the recipe's metadata. May be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub metadata: Vec<(String, String)>,
    /// Who is present.
    #[command(flatten)]
    pub presence: PresenceArgs,
}

/// Who is present during a run, and whether another program has started it.
#[derive(Debug, Clone, Copy, Args)]
pub struct PresenceArgs {
    /// No person is present: every prompt takes its `unattended` answer. This is the default without a terminal and a
    /// dashboard.
    #[arg(long)]
    pub unattended: bool,
    /// A person is present, although there is no terminal: prompts wait for an answer. Each line on standard input answers
    /// the open prompt.
    #[arg(long, conflicts_with = "unattended")]
    pub attended: bool,
    /// Stop the run cleanly when standard input closes. A program that starts ctp10 and keeps its standard input open cannot
    /// leave a run behind, even if the program is killed.
    #[arg(long)]
    pub stop_at_eof: bool,
}

/// `ctp10 resume`
#[derive(Debug, Clone, Args)]
pub struct ResumeArgs {
    /// The run: identifier, folder, recipe name (its newest run), or `last`.
    pub run: String,
    /// Only print which results are kept and which steps are left. Changes nothing.
    #[arg(long)]
    pub plan: bool,
    /// The instrument. Default: the one that the run started with.
    #[command(flatten)]
    pub instrument: InstrumentArgs,
    /// Real instruments.
    #[command(flatten)]
    pub real: WithRealArgs,
    /// Folder that contains the run folders. Default: `runs`.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Address of the dashboard and the HTTP API during this run. Default: 127.0.0.1:8002.
    #[arg(long, value_name = "off|ADDR")]
    pub sidecar: Option<String>,
    /// Who is present.
    #[command(flatten)]
    pub presence: PresenceArgs,
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
    /// Real instruments.
    #[command(flatten)]
    pub real: WithRealArgs,
    /// Address of the HTTP server. Default: 127.0.0.1:8002. With port 0 the system chooses a port.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Folder for new run folders. Default: `runs`.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// File with the token that clients must send. Required if the server listens beyond loopback.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// File with a token that only allows to look: at runs, reports, the queue and live power.
    #[arg(long, value_name = "FILE")]
    pub read_token_file: Option<PathBuf>,
    /// Path prefix, if a proxy serves several benches under one name: `/bench-a`.
    #[arg(long, value_name = "PATH")]
    pub base_path: Option<String>,
    /// Proxy whose headers tell the address of the client and whether the client uses HTTPS: `127.0.0.1`, `10.1.0.0/16`. May
    /// be given several times.
    #[arg(long, value_name = "ADDR")]
    pub trusted_proxy: Vec<String>,
    /// Origin of web pages that may send requests, in addition to loopback: `https://lab.example`. May be given
    /// several times.
    #[arg(long, value_name = "ORIGIN")]
    pub allow_origin: Vec<String>,
    /// The object store for the runs: `s3://bucket/prefix`. Default: `CTP10_STORE`, or `store` of the configuration.
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
    /// The queue of many benches.
    #[command(flatten)]
    pub fleet: BenchArgs,
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
    /// Real instruments.
    #[command(flatten)]
    pub real: WithRealArgs,
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
