//! `ctp10 fleet`, and the bench of `ctp10 serve --fleet`.

#[cfg(feature = "fleet")]
mod bench;
#[cfg(feature = "fleet")]
mod screen;
#[cfg(feature = "fleet")]
mod submit;

#[cfg(feature = "fleet")]
pub(super) use bench::start;

#[cfg(feature = "fleet")]
pub(super) use built::fleet;
#[cfg(not(feature = "fleet"))]
pub(super) use missing::{fleet, start};

/// A program without the cargo feature.
#[cfg(not(feature = "fleet"))]
mod missing {
    use std::sync::Arc;

    use crate::batch::Queue;
    use crate::cli::{BenchArgs, FleetArgs};
    use crate::config::Config;
    use crate::error::{ExitCode, Failure};
    use crate::session::Session;

    fn missing() -> Failure {
        Failure::new(ExitCode::Usage, "this ctp10 was built without the queue of many benches").hint(
            "use a released program, or build it with the feature: `cargo build --release --features fleet`",
        )
    }

    pub(in crate::app) async fn fleet(_: FleetArgs, _: &Config, _: bool) -> Result<(), Failure> {
        Err(missing())
    }

    pub(in crate::app) async fn start(
        args: &BenchArgs,
        config: &Config,
        _: &Arc<Session>,
        _: Option<&Arc<Queue>>,
        _: String,
    ) -> Result<Option<NoBench>, Failure> {
        match args.fleet.is_some() || config.fleet.url.is_some() {
            true => Err(missing()),
            false => Ok(None),
        }
    }

    /// The work for the fleet that this program cannot do.
    pub(in crate::app) enum NoBench {}

    impl NoBench {
        pub(in crate::app) fn drain(&self) {
            match *self {}
        }

        pub(in crate::app) async fn finish(self) {
            match self {}
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_program_without_the_fleet_says_how_to_get_one() {
            let told = format!("{:?}", missing());
            assert!(told.contains("built without the queue of many benches"), "{told}");
            assert!(told.contains("--features fleet"), "{told}");
        }
    }
}

#[cfg(feature = "fleet")]
mod built {
    use std::time::Duration;

    use super::{screen, submit};
    use crate::cli::{BrokerArgs, FleetArgs, FleetCommand};
    use crate::config::{Config, FleetConfig};
    use crate::error::{ExitCode, Failure, chain};
    use crate::fleet::{Access, Broker, BrokerError};
    use crate::terminal::output::{errln, outln};

    pub(in crate::app) async fn fleet(args: FleetArgs, config: &Config, json: bool) -> Result<(), Failure> {
        match args.what {
            FleetCommand::Submit { file, broker, store: _, strict, copies } => {
                submit::submit(&file, &broker, (strict, copies), config, json).await
            }
            FleetCommand::Status { broker, json } => {
                let broker = connect(&broker, config).await?;
                let overview = crate::fleet::overview(&broker).await.map_err(|error| failure(&error))?;
                if json { crate::app::print_json(&overview) } else { screen::tell(&overview) }
            }
            FleetCommand::Off { broker } => {
                let broker = connect(&broker, config).await?;
                screen::told_off(&crate::fleet::off(&broker).await.map_err(|error| failure(&error))?)
            }
            FleetCommand::Clear { broker } => {
                let broker = connect(&broker, config).await?;
                crate::fleet::clear(&broker).await.map_err(|error| failure(&error))?;
                outln!("the stop has ended: benches take items again");
                Ok(())
            }
            FleetCommand::Release { batch, items, broker } => {
                let broker = connect(&broker, config).await?;
                let released = crate::fleet::release(&broker, &batch, &items).await;
                let released = released.map_err(|error| failure(&error))?;
                let mut refused = 0;
                for item in &released {
                    match (&item.refused, &item.from) {
                        (Some(why), _) => {
                            refused += 1;
                            errln!("item {} is not released: {why}", item.item);
                        }
                        (None, Some(bench)) => {
                            outln!("item {} is queued again; bench {bench} stops it", item.item);
                        }
                        (None, None) => outln!("item {} is queued again", item.item),
                    }
                }
                if released.is_empty() {
                    outln!("no item of batch `{batch}` is held or skipped");
                }
                if refused > 0 { Err(Failure::told(ExitCode::Failed)) } else { Ok(()) }
            }
        }
    }

    /// Connects to the broker of the command line or of the configuration.
    pub(super) async fn connect(args: &BrokerArgs, config: &Config) -> Result<Broker, Failure> {
        let access = access(args.url.as_ref(), &config.fleet)?;
        Broker::connect(&access, "ctp10 fleet").await.map_err(|error| failure(&error))
    }

    /// How to reach the broker.
    pub(super) fn access(url: Option<&String>, config: &FleetConfig) -> Result<Access, Failure> {
        let Some(address) = url.or(config.url.as_ref()) else {
            return Err(Failure::new(ExitCode::Usage, "no broker is named").hint(
                "give its address: `--fleet nats://host`, `CTP10_FLEET`, or `url` in `[fleet]` of ctp10.toml",
            ));
        };
        Ok(Access {
            address: address.clone(),
            credentials: config.credentials_file.clone(),
            user: config.user.clone().map(|(user, password)| (user, password.0)),
            token: config.token.clone().map(|token| token.0),
            ca: config.ca_file.clone(),
        })
    }

    /// The lease of the configuration, or the usual one.
    pub(super) fn lease(config: &Config) -> Result<Duration, Failure> {
        let shortest = crate::fleet::shortest_lease(config.guard_after);
        match config.fleet.lease {
            Some(lease) if lease < shortest => {
                let (given, least) = (lease.as_secs_f64(), shortest.as_secs_f64());
                let message = format!("lease_s `{given}` is not allowed (at least {least} s)");
                Err(Failure::new(ExitCode::Usage, message)
                    .hint("within the lease the watchdog (`guard_after_s`) must have turned the lasers off"))
            }
            Some(lease) => Ok(lease),
            None => Ok(shortest * 3 / 2),
        }
    }

    /// An error of the broker, with the next action.
    pub(super) fn failure(error: &BrokerError) -> Failure {
        let failure = Failure::new(
            match error {
                BrokerError::Address { .. }
                | BrokerError::Credentials { .. }
                | BrokerError::NoJetStream { .. } => ExitCode::Usage,
                BrokerError::Unreachable { .. }
                | BrokerError::NoQueue { .. }
                | BrokerError::Failed { .. } => ExitCode::Failed,
            },
            chain(error),
        );
        match error {
            BrokerError::NoQueue { .. } => failure.hint("`ctp10 fleet submit BATCH.yaml` creates it"),
            BrokerError::Credentials { .. } => failure.hint(
                "name the credentials: `credentials_file` in `[fleet]` of ctp10.toml, or `CTP10_FLEET_USER` and `CTP10_FLEET_PASSWORD`",
            ),
            BrokerError::Unreachable { .. } => failure.hint("check the address, and whether the broker runs"),
            BrokerError::Address { .. } | BrokerError::NoJetStream { .. } | BrokerError::Failed { .. } => failure,
        }
    }
}
