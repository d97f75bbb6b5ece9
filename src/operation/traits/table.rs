//! The properties of each operation, in one table. A new operation gets one entry here.

use super::{
    BenchEffect, Exchange, LaserDemand, Lasers, Lasts, Memory, OperationTraits, Question, Settings, Target,
};
use crate::operation::{ConfigureDetector, ConfigureLaser, ConfigureTls, Effect, Operation, Wait};

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
    lasts: Lasts::Exchanges,
    question: Question::None,
    request: None,
    raw: None,
    name: None,
};

/// An operation that sets absolute values and reads them back.
const CONFIGURE: OperationTraits<'static> = OperationTraits {
    effect: Effect::Configure,
    exchange: Exchange::Values,
    settings: Settings::Typed,
    ..PLAIN
};

impl Operation {
    /// The properties of this operation.
    #[must_use]
    pub fn traits(&self) -> OperationTraits<'_> {
        match self {
            Self::ConfigureLaser(fields) => OperationTraits {
                emits_light: fields.output == Some(true),
                lasers: static_laser(fields),
                ..CONFIGURE
            },
            Self::ConfigureTls(fields) => OperationTraits { lasers: source(fields), ..CONFIGURE },
            Self::ConfigureScan(fields) => OperationTraits { scan: Some(fields), ..CONFIGURE },
            Self::ConfigureDetector(ConfigureDetector { detector, .. }) => {
                OperationTraits { detectors: std::slice::from_ref(detector), ..CONFIGURE }
            }
            Self::CreateReference(fields) => OperationTraits {
                effect: if fields.connect.is_some() { Effect::Ask } else { Effect::Measure },
                exchange: Exchange::Values,
                needs_light: true,
                emits_light: true,
                lasers: Lasers::OfScan,
                memory: Memory::ReplacesReference(fields),
                bench: BenchEffect::Changes(Some(Target::Reference(fields.detector))),
                detectors: std::slice::from_ref(&fields.detector),
                lasts: Lasts::Scan,
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
                lasts: Lasts::Scan,
                ..PLAIN
            },
            Self::FetchTrace(fields) => OperationTraits {
                exchange: Exchange::Traces,
                memory: Memory::Reads(fields),
                detectors: &fields.detectors,
                name: fields.name.as_deref(),
                ..PLAIN
            },
            Self::ReadPower(fields) => OperationTraits {
                exchange: Exchange::Readings,
                needs_light: true,
                detectors: &fields.detectors,
                lasts: Lasts::AtLeast(f64::from(fields.samples.saturating_sub(1)) * fields.interval_s.get()),
                name: fields.name.as_deref(),
                ..PLAIN
            },
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
            Self::Log(_) => OperationTraits { lasts: Lasts::AtLeast(0.0), ..PLAIN },
            Self::Prompt(fields) => OperationTraits {
                effect: Effect::Ask,
                bench: BenchEffect::Changes(None),
                lasts: Lasts::Answer,
                question: Question::Prompt(fields),
                ..PLAIN
            },
            Self::Http(fields) => {
                let target = Target::Resource(fields.method, &fields.url);
                let bench = match fields.effect {
                    Effect::Measure => BenchEffect::Asks(target),
                    Effect::Configure | Effect::Ask => BenchEffect::Changes(Some(target)),
                };
                OperationTraits { effect: fields.effect, bench, request: Some(fields), ..PLAIN }
            }
            Self::Scpi(fields) if fields.is_query => OperationTraits {
                effect: fields.effect,
                exchange: Exchange::Values,
                needs_light: true,
                memory: Memory::Unknown,
                raw: Some(fields),
                ..PLAIN
            },
            Self::Scpi(fields) => OperationTraits {
                effect: fields.effect,
                exchange: Exchange::Commands,
                needs_light: true,
                emits_light: true,
                lasers: Lasers::Any,
                memory: Memory::Unknown,
                settings: Settings::Raw(fields),
                bench: BenchEffect::Changes(Some(Target::Header(header(&fields.text)))),
                raw: Some(fields),
                ..PLAIN
            },
        }
    }
}

fn static_laser(fields: &ConfigureLaser) -> Lasers {
    let ConfigureLaser { laser, power_dbm, wavelength_nm, output } = fields;
    Lasers::Static {
        laser: laser.get(),
        output: *output,
        demand: LaserDemand {
            power_dbm: power_dbm.map(|power| power.get()),
            speed_nm_s: None,
            wavelengths_nm: wavelength_nm.iter().map(|nm| nm.get()).collect(),
        },
    }
}

fn source(fields: &ConfigureTls) -> Lasers {
    let ConfigureTls { tls, laser, start_nm, stop_nm, speed_nm_s, power_dbm, trigger_in: _ } = fields;
    Lasers::Source {
        tls: tls.get(),
        laser: laser.map(|laser| laser.get()),
        demand: LaserDemand {
            power_dbm: power_dbm.map(|power| power.get()),
            speed_nm_s: speed_nm_s.map(|speed| speed.get()),
            wavelengths_nm: start_nm.iter().chain(stop_nm).map(|nm| nm.get()).collect(),
        },
    }
}

fn header(text: &str) -> Option<String> {
    text.split_whitespace().next().map(str::to_uppercase)
}
