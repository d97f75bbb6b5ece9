//! The command line: types only. What each command does is in `app`.

mod batch;
mod rehearse;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use batch::{BatchArgs, BatchCommand, BatchRunArgs};
pub use rehearse::RehearseArgs;

/// Runs measurement recipes against an EXFO CTP10 and writes every trace as Parquet.
#[derive(Debug, Parser)]
#[command(name = "ctp10", version, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What is common to all commands.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// How to talk to the user.
#[derive(Debug, Clone, Args)]
pub struct OutputArgs {
    /// More detail on stderr; twice for every exchange with the instrument.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Only errors and results.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// How stderr is written.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// How stderr is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people: progress bars on a terminal, plain lines elsewhere.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run one recipe; the last line on stdout is the run folder.
    Run(RunArgs),
    /// Go on with a run that was interrupted, stopped or failed, in the same run folder.
    Resume(ResumeArgs),
    /// Find what is wrong with recipes before any light is emitted.
    Check(CheckArgs),
    /// List every operation of a recipe in order, with time, points and bytes. Needs no instrument.
    Plan(PlanArgs),
    /// Run many recipes one after another, unattended; goes on with what is not done when it is started again.
    Batch(BatchArgs),
    /// Run a recipe or batch on simulated instruments that fail, and find out whether it always ends safely.
    Rehearse(RehearseArgs),
    /// Run the sidecar without a run of its own: recipes come over HTTP, or from the dashboard.
    Serve(ServeArgs),
    /// Run the embedded instrument alone, on a TCP port.
    Simulate(Box<SimulateArgs>),
    /// Say what the instrument is doing. Sends queries only.
    Status(StatusArgs),
    /// Abort whatever is scanning and turn all lasers off, now.
    Off(InstrumentArgs),
    /// List, show, report or verify what has been measured.
    Runs(RunsArgs),
    /// Print the JSON Schema of the recipe language, for editors.
    Schema(SchemaArgs),
    /// Watches over a run that another process makes; `run` and `serve` start it themselves.
    #[command(hide = true)]
    Guard,
    /// Print a shell completion script.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Names the instrument.
#[derive(Debug, Clone, Args)]
pub struct InstrumentArgs {
    /// `sim` (the embedded instrument), `host:port` or `TCPIP::host::port::SOCKET`.
    #[arg(long, value_name = "ADDR")]
    pub instrument: Option<String>,
}

/// A recipe and its parameters.
#[derive(Debug, Clone, Args)]
pub struct RecipeArgs {
    /// The recipe: a `.yaml` or `.rhai` file.
    pub recipe: PathBuf,
    /// Overrides a parameter of the recipe.
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
    /// Where run folders go; `runs` when not given.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Where the dashboard and the HTTP API of this run listen; 127.0.0.1:8002 when not given.
    #[arg(long, value_name = "off|ADDR")]
    pub sidecar: Option<String>,
    /// Adds to the recipe's metadata.
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub metadata: Vec<(String, String)>,
    /// Nobody is there: every prompt takes its `unattended` answer. Implied without a terminal and without a dashboard.
    #[arg(long)]
    pub unattended: bool,
}

/// `ctp10 resume`
#[derive(Debug, Clone, Args)]
pub struct ResumeArgs {
    /// The run's identifier, its folder, or the beginning of either.
    pub run: String,
    /// Only say what holds and what is left to do; nothing is touched.
    #[arg(long)]
    pub plan: bool,
    /// The instrument; the one the run began with when not given.
    #[command(flatten)]
    pub instrument: InstrumentArgs,
    /// Where run folders are; `runs` when not given.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Where the dashboard and the HTTP API of this run listen; 127.0.0.1:8002 when not given.
    #[arg(long, value_name = "off|ADDR")]
    pub sidecar: Option<String>,
    /// Nobody is there: see `run`.
    #[arg(long)]
    pub unattended: bool,
    /// What became of the step that was under way, where that is not known and it may not be repeated by itself.
    #[arg(long, value_enum, value_name = "done|again")]
    pub unfinished: Option<Unfinished>,
}

/// What became of a step whose end is not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Unfinished {
    /// It was done.
    Done,
    /// It is to be done again.
    Again,
}

/// `ctp10 serve`
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// The instrument; it has to be named here, in the environment or in the configuration.
    #[command(flatten)]
    pub instrument: InstrumentArgs,
    /// Where to listen; 127.0.0.1:8002 when not given. Port 0 lets the system choose.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Where run folders go; `runs` when not given.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The file with the token that clients have to show; needed beyond loopback.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// A page that may ask, beside those from loopback: `https://lab.example`.
    #[arg(long, value_name = "ORIGIN")]
    pub allow_origin: Vec<String>,
}

/// `ctp10 check`
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// The recipes.
    #[arg(required = true)]
    pub recipes: Vec<PathBuf>,
    /// Also ask this instrument (queries only) whether it can do what the recipes want.
    #[command(flatten)]
    pub instrument: InstrumentArgs,
    /// Overrides a parameter of the recipes.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub set: Vec<(String, String)>,
    /// Warnings count as errors.
    #[arg(long)]
    pub strict: bool,
}

/// `ctp10 plan`
#[derive(Debug, Clone, Args)]
pub struct PlanArgs {
    /// Recipe and parameters.
    #[command(flatten)]
    pub recipe: RecipeArgs,
    /// Add the commands that would be sent.
    #[arg(long)]
    pub scpi: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// What a fault looks like.
const FAULTS: &str = "\
Lets something go wrong: KIND@WHERE or KIND@WHERE=VALUE. May be given several times.

KIND:
  drop         the connection is closed instead of an answer, or half-way through a trace
  stall        no answer, now and later; the connection stays open
  garble       the reply is unreadable; =BYTES: a trace announces so many too many
  truncate     the reply ends early, and the connection with it
  late         the answer comes after =SECONDS (8)
  reboot       power-on state; connections are closed, none is taken for =SECONDS (3)
  refuse       nothing is done; -200 is in the error queue
  error-queue  an error that nobody caused appears in the queue (-310)
  slow         the reply comes at =BYTES a second (20000)
  hang         the scan that is started does not end before ABORt

WHERE:
  57           at the 57th command, whoever sends it; `every`: at each
  trace        at the first command of a sort: sweep, reference, abort, laser, trace,
               power, condition, idn, error, or a header, with `?` when it is asked
  trace:2      at the second of the sort; `trace:every`: at each

random@SEED        one command in a hundred, by chance; the seed repeats it
random@SEED=RATE   this share of the commands, 0 to 1
@FILE              a fault a line; # starts a comment";

/// `ctp10 simulate`
#[derive(Debug, Clone, Args)]
pub struct SimulateArgs {
    /// Where to listen; port 0 lets the system choose.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5025")]
    pub listen: String,
    /// The device under test: ring, mach-zehnder, bragg, filter, loopback, or a CSV file with `wavelength_nm,transmission_db`.
    #[arg(long, value_name = "NAME|FILE.csv")]
    pub dut: Option<String>,
    /// Seed of the noise.
    #[arg(long)]
    pub seed: Option<u64>,
    /// `fresh`: every sweep has its own noise; `by-settings`: the same settings give the same samples.
    #[arg(long, value_name = "fresh|by-settings")]
    pub noise: Option<String>,
    /// Factor on all durations: 0.1 makes sweeps ten times shorter.
    #[arg(long, value_name = "X")]
    pub time_scale: Option<f64>,
    /// Delay before each reply, ms.
    #[arg(long, value_name = "MS")]
    pub latency_ms: Option<f64>,
    /// Limit on what is sent, bytes per second.
    #[arg(long, value_name = "BYTES_PER_S")]
    pub bandwidth: Option<f64>,
    /// How many clients may be connected at once.
    #[arg(long, value_name = "N")]
    pub max_connections: Option<usize>,
    /// What follows a binary block.
    #[arg(long, value_name = "none|crlf")]
    pub block_end: Option<String>,
    /// Gives every trace this many points, whatever the settings say.
    #[arg(long, value_name = "N")]
    pub points: Option<u64>,
    /// What a reference scan sees.
    #[arg(long, value_name = "patch-cord|device")]
    pub reference_path: Option<String>,
    /// Whether lasers stay on after a scan as long as `INITiate:STABilization` has not been set.
    #[arg(long, value_name = "0|1", value_parser = clap::value_parser!(u8).range(0..=1))]
    pub stabilization_output: Option<u8>,
    /// `resets`: another laser sets the other settings of a TLS back to its defaults; `keeps`: they stay.
    #[arg(long, value_name = "keeps|resets")]
    pub identifier: Option<String>,
    /// A scan that the TLSs do not cover: `overlap` sweeps what both allow, `refuse` does not start.
    #[arg(long, value_name = "overlap|refuse")]
    pub tls_range: Option<String>,
    /// What a power query is answered while a scan is under way.
    #[arg(long, value_name = "answered|refused")]
    pub power_in_scan: Option<String>,
    /// What power and wavelength of a laser are after a scan with it: those set for static control, or the scan's last.
    #[arg(long, value_name = "as-set|actual")]
    pub lasers_after_scan: Option<String>,
    /// Whether routing an analog output has a reply.
    #[arg(long, value_name = "silent|answers")]
    pub analog_output: Option<String>,
    /// Be a Distributed CTP10: laser commands fail, and a scan first waits for its Controller.
    #[arg(long)]
    pub distributed: bool,
    /// Start with a trace and a reference of every detector in memory.
    #[arg(long)]
    pub preload: bool,
    /// Positions of the detector modules, 1 to 20; a module 4 is an IL RL OPM2, the others are plain. 4,5 when not given.
    #[arg(long, value_name = "N,N,…", value_delimiter = ',')]
    pub modules: Option<Vec<u8>>,
    /// How many detectors a plain module has, 1 to 6; 4 when not given.
    #[arg(long, value_name = "N")]
    pub channels: Option<u8>,
    /// Lets something go wrong: `drop@trace:2`, `late@57=8`, `random@7`, `@FILE`. May be given several times.
    #[arg(long = "fault", value_name = "SPEC", long_help = FAULTS)]
    pub faults: Vec<String>,
    /// Writes every command received, with its time, and every fault to this file.
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
    /// What about them; listed when not given.
    #[command(subcommand)]
    pub what: Option<RunsCommand>,
    /// Where and how, for the list.
    #[command(flatten)]
    pub list: RunsListArgs,
}

/// Where run folders are and how to print.
#[derive(Debug, Clone, Args)]
pub struct RunsListArgs {
    /// Where run folders are; `runs` when not given.
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
        /// The run's identifier, or the beginning of it or of its folder's name.
        id: String,
        /// Where and how.
        #[command(flatten)]
        list: RunsListArgs,
    },
    /// Write a run's report.html and summary.json anew, and print the path of the page. An interrupted run has none before.
    Report {
        /// The run's identifier, or the beginning of it or of its folder's name.
        #[arg(required_unless_present = "batch", conflicts_with = "batch")]
        id: Option<String>,
        /// A batch instead: its page and its summary.
        #[arg(long, value_name = "NAME")]
        batch: Option<String>,
        /// Where and how.
        #[command(flatten)]
        list: RunsListArgs,
    },
    /// Make the catalogue of the runs anew, from their folders.
    Reindex(RunsListArgs),
    /// Check every file of a run against its checksum and point count.
    Verify {
        /// The run's identifier, or the beginning of it or of its folder's name.
        id: String,
        /// Where and how.
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
