//! What the headers of a CTP10 do, as far as the driver knows them: one table, for whoever judges or sorts raw text.

use super::setting::Setting;
use crate::grammar::{self, Header, Unit};
use crate::measurement::Detector;

/// What a unit of a raw line does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// Sets this.
    Sets(Setting),
    /// Sets the power of every source of the scan.
    SetsEveryPower,
    /// Puts another laser onto the output of static control.
    SelectsLaser,
    /// Starts a scan of the sources.
    Scans,
    /// Starts the scan of a reference.
    ScansReference(Detector),
    /// Sets everything to what the instrument has as its defaults.
    Resets,
    /// Sets everything to what was saved before.
    Recalls,
    /// Sets which laser a number stands for.
    Renumbers,
    /// Sets something that has no bearing on light.
    SetsOther,
    /// Neither sets anything nor has a bearing on light.
    Nothing,
    /// It asks. Questions change nothing, but for those that test and calibrate.
    Asks,
    /// It asks for a test or a calibration, which may use light.
    Tests,
}

type Numbers = [u8];
type Command = (&'static str, fn(&Numbers) -> Does);

/// Every header that is known as a command. A laser, TLS or detector is named by the numbers in the header.
const COMMANDS: &[Command] = &[
    ("*CLS", |_| Does::Nothing),
    ("*ESE", |_| Does::Nothing),
    ("*OPC", |_| Does::Nothing),
    ("*RCL", |_| Does::Recalls),
    ("*RST", |_| Does::Resets),
    ("*SAV", |_| Does::Nothing),
    ("*SRE", |_| Does::Nothing),
    ("*TRG", |_| Does::Scans),
    ("*WAI", |_| Does::Nothing),
    ("ABORt", |_| Does::Nothing),
    ("CLE", |_| Does::Nothing),
    ("INITiate[:IMMediate]", |_| Does::Scans),
    ("INITiate:SMODe", |_| Does::Sets(Setting::ScanMode)),
    ("INITiate:WAVelength:STARt", |_| Does::Sets(Setting::ScanStart)),
    ("INITiate:WAVelength:STOP", |_| Does::Sets(Setting::ScanStop)),
    ("INITiate:WAVelength:SAMPling", |_| Does::Sets(Setting::Resolution)),
    ("INITiate:STABilization", |_| Does::Sets(Setting::Stabilization)),
    ("INITiate:TLS#:IDentifier", |n| Does::Sets(Setting::TlsLaser(n[0]))),
    ("INITiate:TLS#:WAVelength:STARt", |n| Does::Sets(Setting::TlsStart(n[0]))),
    ("INITiate:TLS#:WAVelength:STOP", |n| Does::Sets(Setting::TlsStop(n[0]))),
    ("INITiate:TLS#:SPEed", |n| Does::Sets(Setting::TlsSpeed(n[0]))),
    ("INITiate:TLS#:POWer", |n| Does::Sets(Setting::TlsPower(n[0]))),
    ("INITiate:TLS#:TRIGin", |n| Does::Sets(Setting::TlsTrigger(n[0]))),
    ("INITiate:LASer:POWer", |_| Does::SetsEveryPower),
    ("INITiate:FBC:SENSe", |_| Does::SelectsLaser),
    ("CTP:SENSe:FBC", |_| Does::SelectsLaser),
    ("CTP:RLASer#:POWer", |n| Does::Sets(Setting::LaserPower(n[0]))),
    ("CTP:RLASer#:POWer:STATe", |n| Does::Sets(Setting::LaserOutput(n[0]))),
    ("CTP:RLASer#:WAVelength", |n| Does::Sets(Setting::LaserWavelength(n[0]))),
    ("CTP:RLASer#:TYPE", |_| Does::Renumbers),
    ("CTP:SENSe#:CHANnel#:UNIT:X", |n| Does::Sets(Setting::SpectralUnit(detector(n)))),
    ("CTP:SENSe#:CHANnel#:UNIT:Y", |n| Does::Sets(Setting::PowerUnit(detector(n)))),
    ("CTP:SENSe#:CHANnel#:WAVelength", |n| Does::Sets(Setting::DetectorWavelength(detector(n)))),
    ("CTP:SENSe#:CHANnel#:FUNCtion:TRIGger", |n| Does::Sets(Setting::DetectorTrigger(detector(n)))),
    ("CTP:FUNCtion:STATe", |_| Does::SetsOther),
    ("CTP:SENSe#:CHANnel#:FUNCtion:STATe", |_| Does::SetsOther),
    ("SYSTem:ANLG:OUT#:SOURce", |_| Does::SetsOther),
    ("REFerence:SENSe#:CHANnel#:INITiate[:IMMediate]", |n| Does::ScansReference(detector(n))),
    ("TRACe:SENSe#:CHANnel#:TYPE#:SAVE", |_| Does::Nothing),
];

/// Questions that do more than ask.
const TESTS: [&str; 2] = ["*TST", "*CAL"];

fn detector(numbers: &Numbers) -> Detector {
    Detector { module: numbers[0], channel: numbers[1] }
}

/// What a unit does; `None` where the driver does not know its header.
#[must_use]
pub fn does(unit: &Unit) -> Option<Does> {
    if unit.is_query {
        let tests = |pattern| grammar::matches(pattern, unit.header()).is_some();
        return Some(if TESTS.into_iter().any(tests) { Does::Tests } else { Does::Asks });
    }
    known(unit).map(|(_, (_, does), numbers)| does(&numbers))
}

/// A unit as a line of its own, and what is the same of all ways to write its header.
#[must_use]
pub fn alone(unit: &Unit) -> (String, String) {
    match known(unit) {
        Some((header, (pattern, _), numbers)) => (format!("{pattern} {numbers:?}"), unit.alone(header)),
        None => (unit.header().to_string(), unit.alone(unit.header())),
    }
}

fn known(unit: &Unit) -> Option<(&Header, &'static Command, Vec<u8>)> {
    unit.headers().find_map(|header| {
        COMMANDS.iter().find_map(|command| {
            let numbers = grammar::matches(command.0, header)?;
            let numbers = numbers.into_iter().map(|number| u8::try_from(number).ok().filter(|n| *n > 0));
            Some((header, command, numbers.collect::<Option<Vec<_>>>()?))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::Line;

    fn all(line: &str) -> Vec<Option<Does>> {
        Line::parse(line).unwrap().units.iter().map(does).collect()
    }

    #[test]
    fn headers_are_known_in_every_form_and_by_their_path() {
        assert_eq!(
            all("INIT:TLS1:WAV:STAR 1520NM;STOP 1630NM;:init:imm;*RST"),
            [
                Some(Does::Sets(Setting::TlsStart(1))),
                Some(Does::Sets(Setting::TlsStop(1))),
                Some(Does::Scans),
                Some(Does::Resets)
            ]
        );
        // A lenient instrument takes a header without a colon from the root too.
        assert_eq!(all("INIT:TLS2:SPE 50;CTP:RLAS2:POW 1")[1], Some(Does::Sets(Setting::LaserPower(2))));
        assert_eq!(
            all("reference:sense4:chan1:initiate"),
            [Some(Does::ScansReference(Detector { module: 4, channel: 1 }))]
        );
        assert_eq!(
            all("*TST?;:CTP:RLAS1:POW? MAX;:NO:SUCH?"),
            [Some(Does::Tests), Some(Does::Asks), Some(Does::Asks)]
        );
        assert_eq!(all("NO:SUCH;:INITI;:INIT:TLS0:POW 1;:CTP:RLAS999:POW 1"), [None; 4]);
    }
}
