//! The bench of `ctp10 serve --fleet`.

use std::sync::Arc;

use super::built::{access, failure, lease};
use crate::batch::{Queue, check_word};
use crate::cli::BenchArgs;
use crate::config::Config;
use crate::error::{ExitCode, Failure, chain};
use crate::fleet::{Bench, BenchError, Settings};
use crate::session::Session;

/// Starts to work for the fleet, if one is named.
pub(in crate::app) async fn start(
    args: &BenchArgs,
    config: &Config,
    session: &Arc<Session>,
    queue: Option<&Arc<Queue>>,
    page: String,
) -> Result<Option<Bench>, Failure> {
    let refuse = |message: String| Failure::new(ExitCode::Usage, message);
    let bench = args.bench.clone().or_else(|| config.fleet.bench.clone());
    if args.fleet.is_none() && config.fleet.url.is_none() {
        return match args.bench.is_some() || !args.labels.is_empty() {
            true => Err(refuse("`--bench` and `--labels` need a broker".to_owned())
                .hint("give its address: `--fleet nats://host`")),
            false => Ok(None),
        };
    }
    let access = access(args.fleet.as_ref(), &config.fleet)?;
    let Some(bench) = bench else {
        return Err(refuse("the bench has no name in the fleet".to_owned())
            .hint("give it a name: `--bench a`, or `bench` in `[fleet]` of ctp10.toml"));
    };
    let labels = if args.labels.is_empty() { config.fleet.labels.clone() } else { args.labels.clone() };
    check_word(&bench).map_err(|why| refuse(format!("bench {why}")))?;
    for label in &labels {
        check_word(label).map_err(|why| refuse(format!("label {why}")))?;
    }
    let lease = lease(config)?;
    let Some(queue) = queue else {
        let message = "the bench has no queue of its own, so it takes no items of the fleet";
        return Err(Failure::new(ExitCode::Failed, message));
    };
    let settings = Settings { access, bench, labels, lease, page };
    match Bench::start(settings, Arc::clone(session), Arc::clone(queue)).await {
        Ok(bench) => Ok(Some(bench)),
        Err(BenchError::Broker(error)) => Err(failure(&error)),
        Err(error @ BenchError::NameTaken { .. }) => {
            Err(refuse(chain(&error)).hint("give this bench another name: `--bench NAME`"))
        }
        Err(error @ BenchError::Clock { .. }) => {
            Err(refuse(chain(&error)).hint("set the clock, for example with a time server (NTP)"))
        }
    }
}
