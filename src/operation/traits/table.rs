//! The properties of each operation, in one table. A new operation gets one entry here.

use super::{
    BenchEffect, BenchTarget, Exchange, LaserDemand, Lasers, Lasts, Memory, Named, NamedRole,
    OperationTraits, Question, Sends, Settings,
};
use crate::grammar::Line;
use crate::operation::{
    ConfigureLaser, ConfigureTls, Destination, Effect, Http, Operation, ReadPower, Scpi, Wait,
};
use crate::units::ApiPath;

/// An operation that only passes time or writes a record. Each entry of the table begins with this one and states the
/// differences.
const PLAIN: OperationTraits<'static> = OperationTraits {
    effect: Effect::Measure,
    exchange: Exchange::Nothing,
    needs_light: false,
    emits_light: false,
    lasers: Lasers::None,
    memory: Memory::Keeps,
    settings: Settings::Unchanged,
    scan: None,
    bench: BenchEffect::None,
    detectors: &[],
    detector_settings: None,
    lasts: Lasts::AtLeast(0.0),
    question: Question::None,
    request: None,
    alignment: None,
    analysis: None,
    raw: None,
    line: None,
    named: None,
    name: None,
};

/// Time to read and analyse a trace of a million points, s.
const ANALYSIS_S: f64 = 0.1;

/// An operation that sets absolute values and reads them back.
const CONFIGURE: OperationTraits<'static> = OperationTraits {
    effect: Effect::Configure,
    exchange: Exchange::Values,
    settings: Settings::Typed,
    lasts: Lasts::Exchanges(6),
    ..PLAIN
};

impl Operation {
    /// The properties of this operation.
    #[must_use]
    pub fn traits(&self) -> OperationTraits<'_> {
        match self {
            Self::ConfigureLaser(fields) => OperationTraits {
                // A laser that is on and dark may reach the output when it is selected.
                emits_light: fields.output == Some(true) || fields.fbc,
                lasers: static_laser(fields),
                lasts: if fields.output == Some(true) { Lasts::LaserOn } else { Lasts::Exchanges(6) },
                ..CONFIGURE
            },
            Self::ConfigureTls(fields) => {
                OperationTraits { lasers: source(fields), lasts: Lasts::Exchanges(12), ..CONFIGURE }
            }
            Self::ConfigureScan(fields) => {
                OperationTraits { scan: Some(fields), lasts: Lasts::Exchanges(10), ..CONFIGURE }
            }
            Self::ConfigureDetector(fields) => OperationTraits {
                detectors: std::slice::from_ref(&fields.detector),
                detector_settings: Some(fields),
                ..CONFIGURE
            },
            Self::CreateReference(fields) => OperationTraits {
                effect: if fields.connect.is_some() { Effect::Ask } else { Effect::Measure },
                exchange: Exchange::Values,
                needs_light: true,
                emits_light: true,
                lasers: Lasers::OfScan,
                memory: Memory::ReplacesReference(fields),
                bench: BenchEffect::Changes(Some(BenchTarget::References(&fields.detectors))),
                detectors: &fields.detectors,
                lasts: Lasts::Scans(fields.scans()),
                question: fields.connect.as_deref().map_or(Question::None, Question::Connect),
                ..PLAIN
            },
            Self::Sweep(fields) => OperationTraits {
                exchange: Exchange::Values,
                needs_light: true,
                emits_light: true,
                lasers: Lasers::OfScan,
                memory: Memory::ReplacesLive,
                settings: Settings::Typed,
                scan: Some(fields),
                lasts: Lasts::Scans(1),
                ..PLAIN
            },
            Self::FetchTrace(fields) => OperationTraits {
                exchange: Exchange::Traces,
                memory: Memory::Reads(fields),
                detectors: &fields.detectors,
                lasts: Lasts::Transfer(fields),
                name: fields.name.as_deref(),
                ..PLAIN
            },
            Self::Analyze(fields) => {
                OperationTraits { analysis: Some(fields), lasts: Lasts::AtLeast(ANALYSIS_S), ..PLAIN }
            }
            Self::ReadPower(fields) => OperationTraits {
                exchange: Exchange::Readings(fields.samples),
                needs_light: true,
                detectors: &fields.detectors,
                lasts: readings(fields),
                name: fields.name.as_deref(),
                ..PLAIN
            },
            Self::Align(fields) => {
                let looks = !fields.part.is_some_and(|part| part.has_failed);
                OperationTraits {
                    exchange: if looks { Exchange::JudgesPower } else { Exchange::Nothing },
                    needs_light: looks,
                    detectors: std::slice::from_ref(&fields.detector),
                    lasts: if looks { Lasts::Exchanges(1) } else { Lasts::AtLeast(0.0) },
                    alignment: Some(fields),
                    ..PLAIN
                }
            }
            Self::Wait(Wait::Seconds(seconds)) => {
                OperationTraits { lasts: Lasts::Pause(seconds.get()), ..PLAIN }
            }
            Self::Wait(Wait::At(time)) => OperationTraits { lasts: Lasts::Until(time), ..PLAIN },
            Self::Wait(Wait::Stable(stable)) => OperationTraits {
                exchange: Exchange::WatchesPower,
                needs_light: true,
                detectors: std::slice::from_ref(&stable.detector),
                lasts: Lasts::AtLeast(stable.for_s.get()),
                ..PLAIN
            },
            Self::Wait(Wait::Steady(steady)) => OperationTraits {
                named: Some(Named {
                    name: &steady.to,
                    sends: Sends::Line(&steady.query),
                    role: NamedRole::Waits,
                }),
                lasts: Lasts::AtLeast(steady.for_s.get()),
                ..PLAIN
            },
            Self::Log(_) => PLAIN,
            Self::Prompt(fields) => OperationTraits {
                effect: Effect::Ask,
                bench: BenchEffect::Changes(None),
                lasts: Lasts::Answer,
                question: Question::Prompt(fields),
                ..PLAIN
            },
            Self::Http(fields) => match &fields.destination {
                Destination::Url(url) => {
                    let target = BenchTarget::Resource(fields.method, url);
                    let bench = match fields.effect {
                        Effect::Measure => BenchEffect::Asks(target),
                        Effect::Configure | Effect::Ask => BenchEffect::Changes(Some(target)),
                    };
                    OperationTraits { bench, ..request(fields) }
                }
                Destination::Named { to, path } => for_api(to, path, fields),
            },
            Self::Scpi(fields @ Scpi { to: Some(name), .. }) => for_named(name, fields),
            Self::Scpi(fields) if fields.is_query => OperationTraits {
                effect: fields.effect,
                exchange: Exchange::Values,
                needs_light: true,
                memory: Memory::Unknown,
                lasts: Lasts::Exchanges(6),
                raw: Some(fields),
                line: Some(fields),
                ..PLAIN
            },
            Self::Scpi(fields) => OperationTraits {
                effect: fields.effect,
                exchange: Exchange::Commands,
                needs_light: true,
                emits_light: true,
                lasers: Lasers::Any,
                memory: Memory::Unknown,
                lasts: Lasts::Exchanges(6),
                settings: Settings::Raw(fields),
                bench: BenchEffect::Changes(only_header(&fields.text).map(BenchTarget::Header)),
                raw: Some(fields),
                line: Some(fields),
                ..PLAIN
            },
        }
    }
}

/// A request to another instrument.
fn request(fields: &Http) -> OperationTraits<'_> {
    OperationTraits { effect: fields.effect, lasts: Lasts::Reply, request: Some(fields), ..PLAIN }
}

/// A line for a named instrument. The CTP10 is not used, and no laser is.
fn for_named<'a>(name: &'a str, fields: &'a Scpi) -> OperationTraits<'a> {
    let header = fields.text.split_ascii_whitespace().next().unwrap_or_default().to_ascii_uppercase();
    let role = match fields.effect {
        Effect::Ask => NamedRole::Changes,
        Effect::Configure if !fields.is_query => NamedRole::Sets,
        Effect::Configure | Effect::Measure => reads_or_waits(fields.poll.is_some()),
    };
    OperationTraits {
        effect: fields.effect,
        bench: setting(fields.effect, name, header),
        lasts: Lasts::Reply,
        line: Some(fields),
        named: Some(Named { name, sends: Sends::Line(&fields.text), role }),
        ..PLAIN
    }
}

/// A request to a named instrument.
fn for_api<'a>(name: &'a str, path: &'a ApiPath, fields: &'a Http) -> OperationTraits<'a> {
    let role = match fields.effect {
        Effect::Ask => NamedRole::Changes,
        Effect::Configure => NamedRole::Sets,
        Effect::Measure => reads_or_waits(fields.poll.is_some()),
    };
    OperationTraits {
        bench: setting(fields.effect, name, fields.target_of(path)),
        named: Some(Named { name, sends: Sends::Request(fields, path), role }),
        ..request(fields)
    }
}

fn reads_or_waits(has_poll: bool) -> NamedRole {
    if has_poll { NamedRole::Waits } else { NamedRole::Reads }
}

/// What a step with this effect does to a setting of a named instrument.
fn setting(effect: Effect, name: &str, header: String) -> BenchEffect<'_> {
    match effect {
        Effect::Measure => BenchEffect::None,
        Effect::Configure | Effect::Ask => BenchEffect::Changes(Some(BenchTarget::Setting(name, header))),
    }
}

fn static_laser(fields: &ConfigureLaser) -> Lasers {
    let ConfigureLaser { laser, power_dbm, wavelength_nm, output, fbc: _ } = fields;
    Lasers::Static {
        laser: laser.get(),
        output: *output,
        demand: LaserDemand {
            power_dbm: power_dbm.map(|power| power.get()),
            wavelength_nm: wavelength_nm.map(|nm| nm.get()),
            ..LaserDemand::default()
        },
    }
}

fn source(fields: &ConfigureTls) -> Lasers {
    let ConfigureTls { tls, laser, start_nm, stop_nm, speed_nm_s, power_dbm, trigger_in } = fields;
    Lasers::Source {
        tls: tls.get(),
        laser: laser.map(|laser| laser.get()),
        demand: LaserDemand {
            power_dbm: power_dbm.map(|power| power.get()),
            speed_nm_s: speed_nm_s.map(|speed| speed.get()),
            start_nm: start_nm.map(|nm| nm.get()),
            stop_nm: stop_nm.map(|nm| nm.get()),
            wavelength_nm: None,
            trigger_in: trigger_in.map(|trigger| trigger.get()).filter(|trigger| *trigger > 0),
        },
    }
}

fn readings(fields: &ReadPower) -> Lasts<'static> {
    #[expect(clippy::cast_precision_loss, reason = "a handful of detectors")]
    let count = f64::from(fields.samples) * fields.detectors.len() as f64;
    Lasts::Readings { count, seconds: f64::from(fields.samples.saturating_sub(1)) * fields.interval_s.get() }
}

/// The header of a line with one unit. A line with several units changes several things, which no single header
/// describes.
fn only_header(text: &str) -> Option<String> {
    match &Line::parse(text).ok()?.units[..] {
        [unit] => Some(unit.header().to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_one_unit_has_its_header_as_target_and_one_with_several_has_none() {
        for (text, header) in [
            ("ctp:sens4:chan1:func:trig 1", Some("CTP:SENS4:CHAN:FUNC:TRIG")),
            (":CTP:SENS4:CHAN:FUNC:TRIG 2", Some("CTP:SENS4:CHAN:FUNC:TRIG")),
            ("CTP:SENS4:CHAN1:FUNC:TRIG\t3;", Some("CTP:SENS4:CHAN:FUNC:TRIG")),
            ("*RST", Some("*RST")),
            ("INIT:STAB 1,2;SMOD SING", None),
            ("*CLS;*RST", None),
            ("no(SCPI", None),
        ] {
            assert_eq!(only_header(text).as_deref(), header, "{text}");
        }
    }
}
