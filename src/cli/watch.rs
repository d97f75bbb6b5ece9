//! `ctp10 watch`

use std::path::PathBuf;

use clap::Args;

/// `ctp10 watch`
#[derive(Debug, Clone, Args)]
pub struct WatchArgs {
    /// What to watch: the address of a service (`http://bench-3:8002`), or a run of this computer's service (identifier, recipe
    /// name, `last`). Default: the service of this computer, and its active run.
    #[arg(value_name = "URL|RUN")]
    pub what: Option<String>,
    /// File with a token of the service. The read-only token is enough.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Module whose power is shown. Default: the module of the run's detectors.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=20))]
    pub module: Option<u8>,
}
