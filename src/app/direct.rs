//! `ctp10 status` and `ctp10 off`: straight to the instrument.

use serde_json::json;

use super::choose::choose;
use crate::cli::{InstrumentArgs, StatusArgs};
use crate::config::Config;
use crate::error::{ExitCode, Failure, chain};
use crate::instrument::scpi::Identity;
use crate::instrument::{Glance, LASERS};

pub(super) async fn status(args: &StatusArgs, config: &Config) -> Result<(), Failure> {
    let (reached, identity) = choose(&args.instrument, None, config)?.reach(config).await?;
    let glance = reached.instrument.glance().await;
    let glance = glance.map_err(|error| Failure::new(ExitCode::Instrument, chain(&error)))?;
    if args.json {
        return super::print_json(&as_json(&reached.name, &identity, &glance));
    }
    let simulated = if identity.simulated() { "  SIMULATED" } else { "" };
    println!("{identity} at {}{simulated}", reached.name);
    println!("{}", glance.condition);
    for laser in &glance.lasers {
        println!(
            "laser {:>2}  {:<28} {:<3}  {} dBm  {} nm",
            laser.laser,
            laser.identity.to_string(),
            if laser.on { "on" } else { "off" },
            laser.power_dbm,
            laser.wavelength_nm
        );
    }
    Ok(())
}

fn as_json(address: &str, identity: &Identity, glance: &Glance) -> serde_json::Value {
    let lasers: Vec<_> = glance
        .lasers
        .iter()
        .map(|laser| {
            json!({
                "laser": laser.laser, "identity": laser.identity.to_string(), "on": laser.on,
                "power_dbm": laser.power_dbm, "wavelength_nm": laser.wavelength_nm,
            })
        })
        .collect();
    json!({
        "address": address, "identity": identity.to_string(), "simulated": identity.simulated(),
        "condition": glance.condition.to_string(), "condition_register": glance.condition.0,
        "idle": glance.condition.is_idle(), "lasers": lasers,
    })
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
