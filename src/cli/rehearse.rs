//! `ctp10 rehearse`: types only.

use std::path::PathBuf;

use clap::Args;

use super::name_and_value;

/// `ctp10 rehearse`
#[derive(Debug, Clone, Args)]
pub struct RehearseArgs {
    /// The recipe, or the batch file.
    pub file: PathBuf,
    /// Overrides a parameter of the recipe.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub set: Vec<(String, String)>,
    /// A fault of the instrument, as for `ctp10 simulate`; each is rehearsed by itself. Without any, and without
    /// `--kill` and `--chaos`: every kind once, and a kill.
    #[arg(long = "fault", value_name = "KIND@WHERE")]
    pub faults: Vec<String>,
    /// The program is killed when it has told this many events.
    #[arg(long = "kill", value_name = "EVENTS", value_parser = clap::value_parser!(u64).range(1..))]
    pub kills: Vec<u64>,
    /// Faults and kills by chance; the same seed gives the same ones.
    #[arg(long, value_name = "SEED")]
    pub chaos: Option<u64>,
    /// How many rehearsals by chance.
    #[arg(long, value_name = "N", default_value_t = 10, requires = "chaos")]
    pub times: u64,
    /// Each rehearsal has to end within this, and so has its taking up again.
    #[arg(long, value_name = "SECONDS", default_value_t = 600.0, value_parser = limit)]
    pub limit_s: f64,
    /// Requests to other instruments are really sent.
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
