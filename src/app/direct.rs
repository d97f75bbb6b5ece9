//! `ctp10 status` and `ctp10 off`: straight to the instrument.

use serde_json::json;

use super::choose::choose;
use crate::cli::{InstrumentArgs, StatusArgs};
use crate::config::Config;
use crate::error::{ExitCode, Failure, chain};
use crate::instrument::scpi::{Identity, Query};
use crate::instrument::{Ctp10, Error, LASERS, TLS};

pub(super) async fn status(args: &StatusArgs, config: &Config) -> Result<(), Failure> {
    let (reached, identity) = choose(&args.instrument, None, config)?.reach(config).await?;
    let asked = ask(&reached.instrument, &identity).await;
    let status = asked.map_err(|error| Failure::new(ExitCode::Instrument, chain(&error)))?;
    if args.json {
        return super::print_json(&status.json(&reached.name));
    }
    let simulated = if identity.simulated() { "  SIMULATED" } else { "" };
    println!("{identity} at {}{simulated}", reached.name);
    println!("{}", status.condition);
    for laser in &status.lasers {
        let state = if laser.on { "on" } else { "off" };
        println!(
            "laser {:>2}  {:<28} {state:<3}  {} dBm  {} nm",
            laser.number, laser.identity, laser.dbm, laser.nm
        );
    }
    Ok(())
}

struct Status {
    identity: String,
    simulated: bool,
    condition: crate::instrument::scpi::Condition,
    lasers: Vec<LaserStatus>,
}

struct LaserStatus {
    number: u8,
    identity: String,
    on: bool,
    dbm: f64,
    nm: f64,
}

impl Status {
    fn json(&self, address: &str) -> serde_json::Value {
        let lasers: Vec<_> = self
            .lasers
            .iter()
            .map(|laser| {
                json!({
                    "laser": laser.number, "identity": laser.identity, "on": laser.on,
                    "power_dbm": laser.dbm, "wavelength_nm": laser.nm,
                })
            })
            .collect();
        json!({
            "address": address, "identity": self.identity, "simulated": self.simulated,
            "condition": self.condition.to_string(), "condition_register": self.condition.0,
            "idle": self.condition.is_idle(), "lasers": lasers,
        })
    }
}

/// Only the lasers that serve as a TLS are asked: one that is not there would cost a time-out.
async fn ask(instrument: &Ctp10, identity: &Identity) -> Result<Status, Error> {
    let condition = instrument.ask(&Query::condition()).await?;
    let mut numbers = std::collections::BTreeSet::new();
    for tls in TLS {
        numbers.insert(instrument.ask(&Query::tls_laser(tls)).await?);
    }
    let mut lasers = Vec::new();
    for number in numbers.into_iter().filter(|number| *number > 0) {
        lasers.push(LaserStatus {
            number,
            identity: instrument.ask(&Query::laser_identity(number)).await?.to_string(),
            on: instrument.ask(&Query::laser_output(number)).await?,
            dbm: instrument.ask(&Query::laser_power_dbm(number)).await?,
            nm: instrument.ask(&Query::laser_wavelength_nm(number)).await?,
        });
    }
    Ok(Status { identity: identity.to_string(), simulated: identity.simulated(), condition, lasers })
}

pub(super) async fn off(args: &InstrumentArgs, config: &Config) -> Result<(), Failure> {
    let (reached, _) = choose(args, None, config)?.reach(config).await?;
    // Every laser is tried, whatever became of the others.
    let aborted = reached.instrument.abort().await;
    if let Err(error) = &aborted {
        eprintln!("abort: {}", chain(error));
    }
    let (mut off, mut unknown) = (Vec::new(), Vec::new());
    for laser in LASERS {
        match reached.instrument.laser_off(laser).await {
            Ok(Some(())) => off.push(laser.to_string()),
            Ok(None) => {}
            Err(error) => {
                eprintln!("laser {laser}: {}", chain(&error));
                unknown.push(laser.to_string());
            }
        }
    }
    println!("lasers off: {}", if off.is_empty() { "none is there".to_owned() } else { off.join(", ") });
    if unknown.is_empty() && aborted.is_ok() {
        return Ok(());
    }
    Err(Failure::new(ExitCode::Instrument, format!("could not confirm lasers {} off", unknown.join(", ")))
        .hint("check the instrument's front panel"))
}
