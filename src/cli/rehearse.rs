//! `ctp10 rehearse`: types only.

use std::path::PathBuf;

use clap::Args;

use super::name_and_value;

/// `ctp10 rehearse`
#[derive(Debug, Clone, Args)]
pub struct RehearseArgs {
    /// The recipe, or the batch file.
    pub file: PathBuf,
    /// Set a parameter of the recipe. May be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub set: Vec<(String, String)>,
    /// A fault of the simulator, as for `ctp10 simulate`. Each fault gets its own rehearsal. Default without `--kill`
    /// and `--chaos`: every kind of fault once, and one kill.
    #[arg(long = "fault", value_name = "KIND@WHERE")]
    pub faults: Vec<String>,
    /// Kill the program after it has reported this many events. Each value gets its own rehearsal.
    #[arg(long = "kill", value_name = "EVENTS", value_parser = clap::value_parser!(u64).range(1..))]
    pub kills: Vec<u64>,
    /// Random faults and kills. The same seed gives the same ones.
    #[arg(long, value_name = "SEED")]
    pub chaos: Option<u64>,
    /// Number of rehearsals with random faults.
    #[arg(long, value_name = "N", default_value_t = 10, requires = "chaos")]
    pub times: u64,
    /// Longest time for each rehearsal, and for its resume, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 600.0, value_parser = limit)]
    pub limit_s: f64,
    /// Send the requests to other instruments. Without this option, recipes with `http` steps are refused.
    #[arg(long)]
    pub with_http: bool,
    /// Keep the run folders.
    #[arg(long)]
    pub keep: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

fn limit(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (1.0..=1e6).contains(seconds));
    seconds.ok_or_else(|| "1 to 1000000 seconds are allowed".to_owned())
}
