//! `ctp10 fleet`: types only.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Options of a bench in `ctp10 serve`.
#[derive(Debug, Clone, Default, Args)]
pub struct BenchArgs {
    /// Take items from the queue of many benches on this broker: `nats://host`. Several servers are separated by commas.
    #[arg(long, value_name = "URL")]
    pub fleet: Option<String>,
    /// Name of this bench in the fleet: lower-case letters, digits and `-`.
    #[arg(long, value_name = "NAME")]
    pub bench: Option<String>,
    /// Labels of this bench, separated by commas. A bench takes only items whose `needs` it has.
    #[arg(long, value_name = "LABELS", value_delimiter = ',')]
    pub labels: Vec<String>,
}

/// `ctp10 fleet`
#[derive(Debug, Clone, Args)]
pub struct FleetArgs {
    /// The action.
    #[command(subcommand)]
    pub what: FleetCommand,
}

impl FleetArgs {
    /// The store of the command line.
    #[must_use]
    pub fn store(&self) -> Option<String> {
        match &self.what {
            FleetCommand::Submit { store, .. } => store.clone(),
            FleetCommand::Status { .. }
            | FleetCommand::Off { .. }
            | FleetCommand::Clear { .. }
            | FleetCommand::Release { .. } => None,
        }
    }
}

/// The broker of the fleet.
#[derive(Debug, Clone, Args)]
pub struct BrokerArgs {
    /// Address of the broker: `nats://host`. Several servers are separated by commas.
    #[arg(long = "fleet", value_name = "URL")]
    pub url: Option<String>,
}

/// `ctp10 fleet …`
#[derive(Debug, Clone, Subcommand)]
pub enum FleetCommand {
    /// Check a batch, and put its items into the queue of many benches.
    Submit {
        /// The batch file.
        file: PathBuf,
        /// The broker.
        #[command(flatten)]
        broker: BrokerArgs,
        /// The object store of the benches: items whose results it has are done. Default: `CTP10_STORE`, or `store` of the
        /// configuration.
        #[arg(long, value_name = "URL")]
        store: Option<String>,
        /// Treat warnings as errors.
        #[arg(long)]
        strict: bool,
        /// Number of copies that a cluster of servers keeps, if this command creates the queue.
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=5))]
        copies: u8,
    },
    /// Show benches, batches and items: who measures what, and what waits, failed or is held.
    Status {
        /// The broker.
        #[command(flatten)]
        broker: BrokerArgs,
        /// Print JSON, with all items.
        #[arg(long)]
        json: bool,
    },
    /// Turn all lasers of all benches off, immediately, and stop the queue. This command is no interlock.
    Off {
        /// The broker.
        #[command(flatten)]
        broker: BrokerArgs,
    },
    /// End the stop of `ctp10 fleet off`: benches take items again.
    Clear {
        /// The broker.
        #[command(flatten)]
        broker: BrokerArgs,
    },
    /// Queue items again that are held or skipped. With their numbers, take claimed items away from their bench, too.
    Release {
        /// Name of the batch.
        batch: String,
        /// Numbers of items. Default: all items that are held or skipped.
        items: Vec<u32>,
        /// The broker.
        #[command(flatten)]
        broker: BrokerArgs,
    },
}
