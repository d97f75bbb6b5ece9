//! The optical switch, 1 × 4: it decides which device is in the path.
//!
//! - `ROUTe:CLOSe (@2)` connects the input with output 2, and disconnects the output before it.
//! - `ROUTe:CLOSe? (@2)` is 1 if output 2 is connected, and 0 if not.
//! - `ROUTe:CLOSe:STATe?` gives the connected output, `(@2)`, or `(@)`.
//! - `ROUTe:OPEN (@2)` disconnects output 2 if it is connected, `ROUTe:OPEN:ALL` any. Then no light arrives.
//!
//! At power-on and after `*RST`, output 1 is connected.

use super::call::Call;
use super::chip::SharedChip;
use super::errors::Rejection;
use super::grammar::Node;
use super::part::Part;
use super::peripheral::Model;
use super::vocabulary::{Facts, Vocabulary, headers};

headers! {
    /// The commands of the switch.
    SwitchHeader {
        Both Close = "ROUTe:CLOSe",
        Asked State = "ROUTe:CLOSe:STATe",
        Told Open = "ROUTe:OPEN",
        Told OpenAll = "ROUTe:OPEN:ALL",
    }
}

impl Vocabulary for SwitchHeader {
    fn lookup(nodes: &[Node]) -> Option<(Self, Vec<Option<u32>>)> {
        Self::find(nodes)
    }

    fn facts(self) -> Facts {
        let (pattern, used) = self.entry();
        Facts::plain(pattern, used)
    }
}

/// The number of outputs.
pub(super) const OUTPUTS: u8 = 4;

/// The switch. Its position is that of the chip, which the CTP10 sees.
#[derive(Debug)]
pub(super) struct Switch {
    chip: SharedChip,
}

/// Reads `(@2)`. Only one output can be connected, so that a list or a range is refused.
fn output(argument: &str) -> Result<u8, Rejection> {
    let inner = argument.strip_prefix("(@").and_then(|rest| rest.strip_suffix(')'));
    let digits = inner.ok_or(Rejection::IllegalParameter)?.trim();
    let number: u8 = digits.parse().map_err(|_| Rejection::IllegalParameter)?;
    if (1..=OUTPUTS).contains(&number) { Ok(number) } else { Err(Rejection::OutOfRange) }
}

impl Model for Switch {
    type Header = SwitchHeader;

    const PART: Part = Part::Switch;
    const MODEL: &'static str = "OPTICAL-SWITCH";

    fn new(chip: SharedChip) -> Self {
        Self { chip }
    }

    fn execute(&mut self, call: &Call<'_, SwitchHeader>) -> Result<Option<String>, Rejection> {
        let mut chip = self.chip.lock();
        match (call.header, call.query) {
            (SwitchHeader::Close, true) => {
                let connected = chip.position == Some(output(call.one()?)?);
                return Ok(Some(u8::from(connected).to_string()));
            }
            (SwitchHeader::State, _) => {
                call.none()?;
                let connected = chip.position.map_or(String::new(), |position| position.to_string());
                return Ok(Some(format!("(@{connected})")));
            }
            (SwitchHeader::Close, false) => chip.position = Some(output(call.one()?)?),
            (SwitchHeader::Open, _) => {
                let opened = output(call.one()?)?;
                chip.position = chip.position.filter(|position| *position != opened);
            }
            (SwitchHeader::OpenAll, _) => {
                call.none()?;
                chip.position = None;
            }
        }
        Ok(None)
    }

    fn reset(&mut self) {
        self.chip.lock().position = Some(1);
    }
}
