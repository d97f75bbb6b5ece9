//! The commands: what each of them does to the bench, and what it answers.

use super::bench::{Bench, Place, RANGE_NM};
use super::errors::Rejection;
use super::headers::{Call, Header};
use super::transfer::{Axis, Source, Transfer, ratio};
use super::value::{boolean, integer, number, power_dbm, wavelength_nm, write_nm, write_number};

/// What a command answers.
#[derive(Debug)]
pub(super) enum Reply {
    Nothing,
    Text(String),
    Trace(Box<Transfer>),
}

/// Carries out a command.
pub(super) fn execute(bench: &mut Bench, call: &Call<'_>) -> Result<Reply, Rejection> {
    bench.settle();
    if call.query { ask(bench, call) } else { act(bench, call).map(|()| Reply::Nothing) }
}

fn ask(bench: &mut Bench, call: &Call<'_>) -> Result<Reply, Rejection> {
    let flag = |on: bool| u8::from(on).to_string();
    let text = match call.header {
        Header::TraceX | Header::TraceY => {
            return trace(bench, call).map(|transfer| Reply::Trace(Box::new(transfer)));
        }
        _ => {
            call.none()?;
            match call.header {
                Header::Identity => {
                    format!("EXFO,CTP10,SIMULATED-{},{}", bench.options.seed, env!("CARGO_PKG_VERSION"))
                }
                Header::Complete => "1".to_owned(),
                Header::EventStatus => "0".to_owned(),
                Header::Error => bench.errors.next(),
                Header::Condition => bench.condition().to_string(),
                Header::ScanMode => if bench.continuous { "CONT" } else { "SING" }.to_owned(),
                Header::ScanStart => write_nm(bench.start_nm),
                Header::ScanStop => write_nm(bench.stop_nm),
                Header::Sampling => write_number(bench.step_pm * 1e-12),
                Header::Stabilization => format!("{},{}", u8::from(bench.keep_on), bench.settle_s),
                Header::TlsLaser => bench.tls(call.suffix(0))?.laser.to_string(),
                Header::TlsStart => write_nm(bench.tls(call.suffix(0))?.start_nm),
                Header::TlsStop => write_nm(bench.tls(call.suffix(0))?.stop_nm),
                Header::TlsSpeed => bench.tls(call.suffix(0))?.speed_nm_s.to_string(),
                Header::TlsPower => write_number(bench.tls(call.suffix(0))?.dbm),
                Header::TlsTrigger => bench.tls(call.suffix(0))?.trigger.to_string(),
                Header::AllTlsPower => write_number(bench.tls(1)?.dbm),
                Header::Feedback | Header::AnalogOutput => "0".to_owned(),
                Header::LaserIdentity => bench.laser(call.suffix(0))?.model.identity.to_owned(),
                Header::LaserPower => write_number(bench.laser(call.suffix(0))?.dbm),
                Header::LaserState => flag(bench.laser(call.suffix(0))?.on),
                Header::LaserWavelength => write_nm(bench.laser(call.suffix(0))?.nm),
                Header::Power => power(bench, call.place()?)?,
                Header::SpectralUnit => flag(bench.detector(call.place()?)?.frequency),
                Header::PowerUnit => flag(bench.detector(call.place()?)?.milliwatts),
                Header::DetectorWavelength => write_nm(bench.detector(call.place()?)?.nm),
                Header::DetectorTrigger => bench.detector(call.place()?)?.trigger.to_string(),
                Header::ReferenceResult => reference_result(bench, call.place()?)?,
                Header::TraceLength => source(bench, call)?.live().points.to_string(),
                Header::TraceSampling => write_number(source(bench, call)?.live().step_pm * 1e-12),
                Header::TraceStart => write_nm(source(bench, call)?.live().start_nm),
                _ => return Err(Rejection::UndefinedHeader),
            }
        }
    };
    Ok(Reply::Text(text))
}

fn power(bench: &mut Bench, place: Place) -> Result<String, Rejection> {
    let milliwatts = bench.detector(place)?.milliwatts;
    let power = bench.power_mw(place)?;
    Ok(write_number(if milliwatts { power } else { 10.0 * power.log10() }))
}

fn reference_result(bench: &mut Bench, place: Place) -> Result<String, Rejection> {
    bench.detector(place)?;
    let reference = bench.references.get(&place);
    Ok(reference.map_or_else(
        || "0,,,".to_owned(),
        |reference| reference.taken.format("1,0,%Y%m%d,%H%M%S").to_string(),
    ))
}

/// The recording behind a trace type: 1 transmission function, 11 raw live, 12 raw reference. The others hold
/// nothing on this instrument.
fn source(bench: &mut Bench, call: &Call<'_>) -> Result<Source, Rejection> {
    let place = call.place()?;
    bench.detector(place)?;
    if !bench.is_idle() {
        return Err(Rejection::SettingsConflict);
    }
    let live = || bench.live.clone().ok_or(Rejection::StaleData);
    let reference =
        || bench.references.get(&place).map(|known| known.recorded.clone()).ok_or(Rejection::StaleData);
    match call.suffix(2) {
        1 => ratio(live()?, reference()?),
        11 => live().map(Source::Single),
        12 => reference().map(Source::Single),
        2..=23 => Err(Rejection::StaleData),
        _ => Err(Rejection::OutOfRange),
    }
}

fn trace(bench: &mut Bench, call: &Call<'_>) -> Result<Transfer, Rejection> {
    let source = source(bench, call)?;
    let [format, unit] = call.arguments else {
        let missing = call.arguments.len() < 2;
        return Err(if missing { Rejection::MissingParameter } else { Rejection::ParameterNotAllowed });
    };
    let binary = match format.as_str() {
        "BIN" | "1" => true,
        "ASCII" | "ASC" | "0" => false,
        _ => return Err(Rejection::IllegalParameter),
    };
    let axis = match (call.header, unit.as_str()) {
        (Header::TraceX, "M") => Axis::Metres,
        (Header::TraceX, "HZ") => Axis::Hertz,
        (Header::TraceY, "DB") => Axis::Decibels,
        (Header::TraceY, "Y") => Axis::Linear,
        _ => return Err(Rejection::IllegalParameter),
    };
    let place = call.place()?;
    Ok(Transfer {
        source,
        device: bench.device.clone(),
        port: bench.detector(place)?.port,
        detector_key: u64::from(place.0) << 8 | u64::from(place.1),
        axis,
        binary,
    })
}

fn act(bench: &mut Bench, call: &Call<'_>) -> Result<(), Rejection> {
    match call.header {
        Header::Clear => bench.errors.clear(),
        Header::Reset => bench.restart(),
        Header::Complete | Header::ClearTraces | Header::AnalogOutput | Header::Feedback => {}
        Header::Initiate => {
            call.none()?;
            bench.start_scan(None)?;
        }
        Header::Abort => {
            call.none()?;
            bench.continuous = false;
            bench.abort();
        }
        Header::ReferenceStart => {
            call.none()?;
            let place = call.place()?;
            bench.detector(place)?;
            bench.start_scan(Some(place))?;
        }
        Header::TraceSave => drop(source(bench, call)?),
        _ => return set(bench, call),
    }
    Ok(())
}

/// Settings; none of them while a scan runs.
fn set(bench: &mut Bench, call: &Call<'_>) -> Result<(), Rejection> {
    let tls = call.suffix(0);
    if !bench.is_idle() {
        return Err(Rejection::SettingsConflict);
    }
    match call.header {
        Header::ScanMode => {
            bench.continuous = match call.one()? {
                "SING" | "SINGLE" => false,
                "CONT" | "CONTINUOUS" => true,
                _ => return Err(Rejection::IllegalParameter),
            };
        }
        Header::ScanStart => {
            bench.start_nm = within(wavelength_nm(call.one()?)?, RANGE_NM)?;
            // A range that would turn round is pushed along.
            bench.stop_nm = bench.stop_nm.max((bench.start_nm + 1.0).min(RANGE_NM.1));
        }
        Header::ScanStop => {
            bench.stop_nm = within(wavelength_nm(call.one()?)?, RANGE_NM)?;
            bench.start_nm = bench.start_nm.min((bench.stop_nm - 1.0).max(RANGE_NM.0));
        }
        Header::Sampling => bench.step_pm = sampling_pm(wavelength_nm(call.one()?)? * 1e3)?,
        Header::Stabilization => stabilization(bench, call.arguments)?,
        Header::TlsLaser => {
            let laser = integer(call.one()?, 0..=10)?;
            if laser > 0 {
                bench.laser(u32::from(laser))?;
            }
            bench.tls(tls)?.laser = laser;
        }
        Header::TlsStart | Header::TlsStop => {
            let nm = within(wavelength_nm(call.one()?)?, bench.model_of(tls)?.band_nm)?;
            let source = bench.tls(tls)?;
            if call.header == Header::TlsStart {
                source.start_nm = nm;
                source.stop_nm = source.stop_nm.max(nm);
            } else {
                source.stop_nm = nm;
                source.start_nm = source.start_nm.min(nm);
            }
        }
        Header::TlsSpeed => {
            let speed = number(call.one()?)?;
            let allowed = bench.model_of(tls)?.speeds_nm_s;
            bench.tls(tls)?.speed_nm_s =
                *allowed.iter().find(|known| **known == speed).ok_or(Rejection::OutOfRange)?;
        }
        Header::TlsPower => {
            let dbm = within(power_dbm(call.one()?)?, bench.model_of(tls)?.power_dbm)?;
            bench.tls(tls)?.dbm = dbm;
        }
        Header::AllTlsPower => {
            let dbm = within(power_dbm(call.one()?)?, bench.model_of(1)?.power_dbm)?;
            bench.tls.iter_mut().for_each(|source| source.dbm = dbm);
        }
        Header::TlsTrigger => bench.tls(tls)?.trigger = integer(call.one()?, 0..=8)?,
        Header::LaserPower => {
            let dbm = power_dbm(call.one()?)?;
            let laser = bench.laser(tls)?;
            laser.dbm = within(dbm, laser.model.power_dbm)?;
        }
        Header::LaserWavelength => {
            let nm = wavelength_nm(call.one()?)?;
            let laser = bench.laser(tls)?;
            laser.nm = within(nm, laser.model.band_nm)?;
        }
        Header::LaserState => bench.laser(tls)?.on = boolean(call.one()?)?,
        _ => return set_detector(bench, call),
    }
    Ok(())
}

fn set_detector(bench: &mut Bench, call: &Call<'_>) -> Result<(), Rejection> {
    let argument = match call.header {
        Header::SpectralUnit | Header::PowerUnit | Header::DetectorWavelength | Header::DetectorTrigger => {
            call.one()?
        }
        _ => return Err(Rejection::UndefinedHeader),
    };
    let place = call.place()?;
    let detector = bench.detector(place)?;
    match call.header {
        Header::SpectralUnit => {
            detector.frequency = match argument {
                "WAV" | "WAVELENGTH" | "0" => false,
                "FREQ" | "FREQUENCY" | "1" => true,
                _ => return Err(Rejection::IllegalParameter),
            };
        }
        Header::PowerUnit => {
            detector.milliwatts = match argument {
                "DBM" | "0" => false,
                "MW" | "1" => true,
                _ => return Err(Rejection::IllegalParameter),
            };
        }
        Header::DetectorTrigger => detector.trigger = integer(argument, 0..=8)?,
        _ => {
            // One wavelength for all connectors of the module.
            let nm = within(wavelength_nm(argument)?, RANGE_NM)?;
            bench
                .detectors
                .iter_mut()
                .filter(|(other, _)| other.0 == place.0)
                .for_each(|(_, other)| other.nm = nm);
        }
    }
    Ok(())
}

fn within(value: f64, (low, high): (f64, f64)) -> Result<f64, Rejection> {
    // A ten-thousandth of a unit absorbs what a change of units costs: 10 mW is 10 dBm.
    let known = (low - 1e-4..=high + 1e-4).contains(&value);
    if known { Ok(value.clamp(low, high)) } else { Err(Rejection::OutOfRange) }
}

/// 1 to 250 pm in whole pm, or one of the fine steps.
fn sampling_pm(pm: f64) -> Result<f64, Rejection> {
    let rounded = (pm * 1e3).round() / 1e3;
    let whole = rounded.fract() == 0.0 && (1.0..=250.0).contains(&rounded);
    let fine = [0.5, 0.2, 0.1, 0.05, 0.02].contains(&rounded);
    if whole || fine { Ok(rounded) } else { Err(Rejection::OutOfRange) }
}

/// `1,12.3`: the output stays on after the scan, and the settling time; `ON` or `OFF` alone sets the first.
fn stabilization(bench: &mut Bench, arguments: &[String]) -> Result<(), Rejection> {
    let (output, seconds) = match arguments {
        [] => return Err(Rejection::MissingParameter),
        [output] => (boolean(output)?, bench.settle_s),
        [output, seconds] => (boolean(output)?, within(number(seconds)?, (0.0, 60.0))?),
        _ => return Err(Rejection::ParameterNotAllowed),
    };
    (bench.keep_on, bench.settle_s) = (output, seconds);
    Ok(())
}
