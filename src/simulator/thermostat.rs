//! The thermostat: it sets the temperature of the chip, which follows with a time constant.
//!
//! - `:SOURce:TEMPerature 30` sets the temperature in °C, `:SOURce:TEMPerature?` gives the setpoint.
//! - `:OUTPut ON|OFF` turns the control on and off. While it is off, the chip returns to the 25 °C of the room.
//! - `:MEASure:TEMPerature?` gives the temperature of the chip at this moment.
//!
//! At power-on and after `*RST` the control is off and the setpoint is 25 °C.

use super::call::Call;
use super::chip::{ROOM_C, SharedChip};
use super::errors::Rejection;
use super::grammar::Node;
use super::part::Part;
use super::peripheral::Model;
use super::value::{boolean, quantity};
use super::vocabulary::{Facts, Vocabulary, headers};

headers! {
    /// The commands of the thermostat.
    ThermostatHeader {
        Both Setpoint = "SOURce:TEMPerature[:LEVel][:IMMediate][:AMPLitude]",
        Both Output = "OUTPut[:STATe]",
        Asked Measure = "MEASure:TEMPerature[:DC]",
    }
}

impl Vocabulary for ThermostatHeader {
    fn lookup(nodes: &[Node]) -> Option<(Self, Vec<Option<u32>>)> {
        Self::find(nodes)
    }

    fn facts(self) -> Facts {
        let (pattern, used) = self.entry();
        Facts::plain(pattern, used)
    }
}

/// The range of the setpoint, °C.
const RANGE_C: std::ops::RangeInclusive<f64> = 5.0..=85.0;

/// The thermostat.
#[derive(Debug)]
pub(super) struct Thermostat {
    chip: SharedChip,
    setpoint_c: f64,
    output: bool,
}

impl Thermostat {
    fn apply(&self) {
        let goal_c = if self.output { self.setpoint_c } else { ROOM_C };
        self.chip.lock().temperature.go_to(goal_c);
    }
}

impl Model for Thermostat {
    type Header = ThermostatHeader;

    const PART: Part = Part::Thermostat;
    const MODEL: &'static str = "THERMOSTAT";

    fn new(chip: SharedChip) -> Self {
        Self { chip, setpoint_c: ROOM_C, output: false }
    }

    fn execute(&mut self, call: &Call<'_, ThermostatHeader>) -> Result<Option<String>, Rejection> {
        if call.query {
            call.none()?;
            return Ok(Some(match call.header {
                ThermostatHeader::Setpoint => format!("{:.3}", self.setpoint_c),
                ThermostatHeader::Output => u8::from(self.output).to_string(),
                ThermostatHeader::Measure => format!("{:.3}", self.chip.lock().temperature.celsius()),
            }));
        }
        let argument = call.one()?;
        match call.header {
            ThermostatHeader::Setpoint => {
                let celsius = quantity(argument, &[("C", 1.0), ("CEL", 1.0)])?;
                if !RANGE_C.contains(&celsius) {
                    return Err(Rejection::OutOfRange);
                }
                self.setpoint_c = celsius;
            }
            ThermostatHeader::Output => self.output = boolean(argument)?,
            ThermostatHeader::Measure => return Err(Rejection::UndefinedHeader),
        }
        self.apply();
        Ok(None)
    }

    fn reset(&mut self) {
        (self.setpoint_c, self.output) = (ROOM_C, false);
        self.apply();
    }
}
