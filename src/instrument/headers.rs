//! The effects of the SCPI headers of a CTP10, in one table. The limits and the classification of raw text use it.

use super::setting::Setting;
use crate::grammar::{self, Header, Unit};
use crate::measurement::Detector;

/// The effect of one unit of a raw line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// Sets this setting.
    Sets(Setting),
    /// Sets the power of every TLS of the scan.
    SetsEveryPower,
    /// Switches another laser to the output of static control.
    SelectsLaser,
    /// Starts a scan.
    Scans,
    /// Starts the scan of a reference.
    ScansReference(Detector),
    /// Resets everything to the defaults of the instrument.
    Resets,
    /// Recalls settings that were saved before.
    Recalls,
    /// Assigns a number to another laser.
    Renumbers,
    /// Sets something that does not affect light.
    SetsOther,
    /// Neither sets anything nor affects light.
    Nothing,
    /// A query without side effects.
    Asks,
    /// A query that tests or calibrates, which may use light.
    Tests,
}

type Numbers = [u8];
type Command = (&'static str, fn(&Numbers) -> Does);

/// All known commands. The numbers in the header identify the laser, TLS or detector.
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
    ("CTP:SENSe:FBC", |_| Does::Sets(Setting::FeedbackLaser)),
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
    ("SYSTem:ANLG:OUT#:SOURce", |n| Does::Sets(Setting::AnalogOutput(n[0]))),
    ("REFerence:SENSe#:CHANnel#:INITiate[:IMMediate]", |n| Does::ScansReference(detector(n))),
    ("TRACe:SENSe#:CHANnel#:TYPE#:SAVE", |_| Does::Nothing),
];

/// Queries with side effects.
const TESTS: [&str; 2] = ["*TST", "*CAL"];

fn detector(numbers: &Numbers) -> Detector {
    Detector { module: numbers[0], channel: numbers[1] }
}

/// The effect of a unit; `None` if the driver does not know its header.
#[must_use]
pub fn does(unit: &Unit) -> Option<Does> {
    if unit.is_query {
        let tests = |pattern| grammar::matches(pattern, unit.header()).is_some();
        return Some(if TESTS.into_iter().any(tests) { Does::Tests } else { Does::Asks });
    }
    known(unit).map(|(_, (_, does), numbers)| does(&numbers))
}

/// A unit written as its own line, and a key that is the same for all spellings of its header.
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
        // A lenient instrument also reads a header without a colon from the root.
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
