//! The source-meter: it drives the heater of the chip, and measures its voltage and current.
//!
//! The commands are a small subset of those that source-meters of several makers share:
//!
//! - `:SOURce:FUNCtion VOLTage|CURRent` selects the source. The output turns off, because the level of the other source
//!   could harm the device.
//! - `:SOURce:VOLTage`, `:SOURce:CURRent` set the levels, `:SENSe:CURRent:PROTection` and `:SENSe:VOLTage:PROTection`
//!   the limits (compliance). A voltage source has a limit of the current, a current source one of the voltage.
//! - `:OUTPut ON|OFF`
//! - `:MEASure:VOLTage?`, `:MEASure:CURRent?`, `:MEASure:RESistance?` give one value, `:READ?` voltage and current. With
//!   the output off there is no reply, and the error is 803.
//!
//! At power-on and after `*RST` the output is off, the levels are 0, and the limits are 105 µA and 21 V.

use super::call::Call;
use super::chip::{Drive, Point, SharedChip};
use super::errors::Rejection;
use super::grammar::Node;
use super::part::Part;
use super::peripheral::Model;
use super::value::{boolean, quantity, write_reading};
use super::vocabulary::{Facts, Vocabulary, headers};

headers! {
    /// The commands of the source-meter.
    SmuHeader {
        Both Function = "SOURce:FUNCtion[:MODE]",
        Both Voltage = "SOURce:VOLTage[:LEVel][:IMMediate][:AMPLitude]",
        Both Current = "SOURce:CURRent[:LEVel][:IMMediate][:AMPLitude]",
        Both VoltageLimit = "SENSe:VOLTage:PROTection[:LEVel]",
        Both CurrentLimit = "SENSe:CURRent:PROTection[:LEVel]",
        Asked VoltageLimited = "SENSe:VOLTage:PROTection:TRIPped",
        Asked CurrentLimited = "SENSe:CURRent:PROTection:TRIPped",
        Both Output = "OUTPut[:STATe]",
        Asked MeasureVoltage = "MEASure:VOLTage[:DC]",
        Asked MeasureCurrent = "MEASure:CURRent[:DC]",
        Asked MeasureResistance = "MEASure:RESistance",
        Asked Read = "READ",
    }
}

impl Vocabulary for SmuHeader {
    fn lookup(nodes: &[Node]) -> Option<(Self, Vec<Option<u32>>)> {
        Self::find(nodes)
    }

    fn facts(self) -> Facts {
        let (pattern, used) = self.entry();
        Facts::plain(pattern, used)
    }
}

/// The largest voltage, V, and current, A, in both directions.
const MOST_V: f64 = 21.0;
const MOST_A: f64 = 1.05;
/// The smallest limits.
const LEAST_LIMIT_V: f64 = 1e-3;
const LEAST_LIMIT_A: f64 = 1e-9;

const VOLTS: &[(&str, f64)] = &[("V", 1.0), ("MV", 1e-3), ("UV", 1e-6)];
const AMPERES: &[(&str, f64)] = &[("A", 1.0), ("MA", 1e-3), ("UA", 1e-6), ("NA", 1e-9)];

/// The quantity that the source sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Voltage,
    Current,
}

/// The settings.
#[derive(Debug, Clone, PartialEq)]
struct Settings {
    function: Function,
    volts: f64,
    amperes: f64,
    limit_v: f64,
    limit_a: f64,
    output: bool,
}

const POWER_ON: Settings = Settings {
    function: Function::Voltage,
    volts: 0.0,
    amperes: 0.0,
    limit_v: 21.0,
    limit_a: 105e-6,
    output: false,
};

/// The source-meter.
#[derive(Debug)]
pub(super) struct Smu {
    chip: SharedChip,
    settings: Settings,
}

impl Smu {
    pub(super) fn output_is_on(&self) -> bool {
        self.settings.output
    }

    /// Applies the settings to the heater.
    fn apply(&self) -> Point {
        let Settings { function, volts, amperes, limit_v, limit_a, output } = self.settings;
        self.chip.lock().drive(match (output, function) {
            (false, _) => Drive::Off,
            (true, Function::Voltage) => Drive::Voltage { volts, limit_a },
            (true, Function::Current) => Drive::Current { amperes, limit_v },
        })
    }

    fn measure(&self) -> Result<Point, Rejection> {
        if self.settings.output { Ok(self.apply()) } else { Err(Rejection::OutputOff) }
    }

    fn set(&mut self, call: &Call<'_, SmuHeader>) -> Result<(), Rejection> {
        let (argument, settings) = (call.one()?, &mut self.settings);
        match call.header {
            SmuHeader::Function => {
                settings.function = match argument {
                    "VOLT" | "VOLTAGE" => Function::Voltage,
                    "CURR" | "CURRENT" => Function::Current,
                    _ => return Err(Rejection::IllegalParameter),
                };
                settings.output = false;
            }
            SmuHeader::Voltage => settings.volts = within(quantity(argument, VOLTS)?, -MOST_V, MOST_V)?,
            SmuHeader::Current => settings.amperes = within(quantity(argument, AMPERES)?, -MOST_A, MOST_A)?,
            SmuHeader::VoltageLimit => {
                settings.limit_v = within(quantity(argument, VOLTS)?, LEAST_LIMIT_V, MOST_V)?;
            }
            SmuHeader::CurrentLimit => {
                settings.limit_a = within(quantity(argument, AMPERES)?, LEAST_LIMIT_A, MOST_A)?;
            }
            SmuHeader::Output => settings.output = boolean(argument)?,
            SmuHeader::VoltageLimited
            | SmuHeader::CurrentLimited
            | SmuHeader::MeasureVoltage
            | SmuHeader::MeasureCurrent
            | SmuHeader::MeasureResistance
            | SmuHeader::Read => return Err(Rejection::UndefinedHeader),
        }
        self.apply();
        Ok(())
    }

    fn ask(&self, header: SmuHeader) -> Result<String, Rejection> {
        let settings = &self.settings;
        let tripped = |function| {
            let limited = settings.function == function && self.apply().limited;
            u8::from(limited).to_string()
        };
        Ok(match header {
            SmuHeader::Function => match settings.function {
                Function::Voltage => "VOLT".to_owned(),
                Function::Current => "CURR".to_owned(),
            },
            SmuHeader::Voltage => write_reading(settings.volts),
            SmuHeader::Current => write_reading(settings.amperes),
            SmuHeader::VoltageLimit => write_reading(settings.limit_v),
            SmuHeader::CurrentLimit => write_reading(settings.limit_a),
            SmuHeader::VoltageLimited => tripped(Function::Current),
            SmuHeader::CurrentLimited => tripped(Function::Voltage),
            SmuHeader::Output => u8::from(settings.output).to_string(),
            SmuHeader::MeasureVoltage => write_reading(self.measure()?.volts),
            SmuHeader::MeasureCurrent => write_reading(self.measure()?.amperes),
            SmuHeader::MeasureResistance => {
                let Point { volts, amperes, .. } = self.measure()?;
                if amperes == 0.0 { SCPI_NAN.to_owned() } else { write_reading(volts / amperes) }
            }
            SmuHeader::Read => {
                let Point { volts, amperes, .. } = self.measure()?;
                format!("{},{}", write_reading(volts), write_reading(amperes))
            }
        })
    }
}

/// SCPI-99: not a number.
const SCPI_NAN: &str = "+9.910000E+37";

fn within(value: f64, low: f64, high: f64) -> Result<f64, Rejection> {
    if (low..=high).contains(&value) { Ok(value) } else { Err(Rejection::OutOfRange) }
}

impl Model for Smu {
    type Header = SmuHeader;

    const PART: Part = Part::Smu;
    const MODEL: &'static str = "SOURCE-METER";

    fn new(chip: SharedChip) -> Self {
        Self { chip, settings: POWER_ON }
    }

    fn execute(&mut self, call: &Call<'_, SmuHeader>) -> Result<Option<String>, Rejection> {
        if call.query {
            call.none()?;
            self.ask(call.header).map(Some)
        } else {
            self.set(call).map(|()| None)
        }
    }

    fn reset(&mut self) {
        self.settings = POWER_ON;
        self.apply();
    }
}
