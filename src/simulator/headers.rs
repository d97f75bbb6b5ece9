//! The headers of the CTP10.

use super::call::Call;
use super::errors::Rejection;
use super::grammar::Node;
use super::state::Place;
use super::vocabulary::{Facts, Use, Vocabulary, headers};

headers! {
    /// The subject of a command, independent of the spelling of its header.
    Header {
        Asked Identity = "*IDN",
        Told Clear = "*CLS",
        Told Reset = "*RST",
        Both Complete = "*OPC",
        Told Wait = "*WAI",
        Asked EventStatus = "*ESR",
        Both EventEnable = "*ESE",
        Both ServiceEnable = "*SRE",
        Asked StatusByte = "*STB",
        Asked SelfTest = "*TST",
        Asked InstalledOptions = "*OPT",
        Asked Error = "SYSTem:ERRor[:NEXT]",
        Asked AllErrors = "SYSTem:ERRor:ALL",
        Asked ErrorCount = "SYSTem:ERRor:COUNt",
        Asked Version = "SYSTem:VERSion",
        Both AnalogOutput = "SYSTem:ANLG:OUT#:SOURce",
        Asked Condition = "STATus:OPERation:CONDition",
        Asked OperationEvent = "STATus:OPERation[:EVENt]",
        Both OperationEnable = "STATus:OPERation:ENABle",
        Asked QuestionableCondition = "STATus:QUEStionable:CONDition",
        Asked QuestionableEvent = "STATus:QUEStionable[:EVENt]",
        Both QuestionableEnable = "STATus:QUEStionable:ENABle",
        Told Preset = "STATus:PRESet",
        Told Initiate = "INITiate[:IMMediate]",
        Told Abort = "ABORt",
        Told ClearTraces = "CLE",
        Set ScanMode = "INITiate:SMODe",
        Set ScanStart = "INITiate:WAVelength:STARt",
        Set ScanStop = "INITiate:WAVelength:STOP",
        Set Sampling = "INITiate:WAVelength:SAMPling",
        Set Stabilization = "INITiate:STABilization",
        Set TlsLaser = "INITiate:TLS#:IDentifier",
        Set TlsStart = "INITiate:TLS#:WAVelength:STARt",
        Set TlsStop = "INITiate:TLS#:WAVelength:STOP",
        Set TlsSpeed = "INITiate:TLS#:SPEed",
        Set TlsPower = "INITiate:TLS#:POWer",
        Set TlsTrigger = "INITiate:TLS#:TRIGin",
        Set AllTlsPower = "INITiate:LASer:POWer",
        Set FeedbackSense = "INITiate:FBC:SENSe",
        Set FeedbackLaser = "CTP:SENSe:FBC",
        Set Logging = "CTP:FUNCtion:STATe",
        Asked LaserIdentity = "CTP:RLASer#:IDN",
        Set LaserType = "CTP:RLASer#:TYPE",
        Set LaserPower = "CTP:RLASer#:POWer",
        Set LaserState = "CTP:RLASer#:POWer:STATe",
        Set LaserWavelength = "CTP:RLASer#:WAVelength",
        Asked Power = "CTP:SENSe#:CHANnel#:POWer",
        Set SpectralUnit = "CTP:SENSe#:CHANnel#:UNIT:X",
        Set PowerUnit = "CTP:SENSe#:CHANnel#:UNIT:Y",
        Set DetectorWavelength = "CTP:SENSe#:CHANnel#:WAVelength",
        Set DetectorTrigger = "CTP:SENSe#:CHANnel#:FUNCtion:TRIGger",
        Told ReferenceStart = "REFerence:SENSe#:CHANnel#:INITiate[:IMMediate]",
        Asked ReferenceResult = "REFerence:SENSe#:CHANnel#:RESult",
        Asked TraceLength = "TRACe:SENSe#[:CHANnel#]:TYPE#:DATA:LENGth",
        Asked TraceSampling = "TRACe:SENSe#[:CHANnel#]:TYPE#:DATA:SAMPling",
        Asked TraceStart = "TRACe:SENSe#[:CHANnel#]:TYPE#:DATA:STARt",
        Asked TraceX = "TRACe:SENSe#[:CHANnel#]:TYPE#:DATA:X[:IMMediate]",
        Asked TraceY = "TRACe:SENSe#[:CHANnel#]:TYPE#:DATA[:Y][:IMMediate]",
        Both CouplingLoss = "SIMulator:COUPling:LOSS",
        Told TraceSave = "TRACe:SENSe#[:CHANnel#]:TYPE#:SAVE",
    }
}

impl Header {
    /// Whether the header is a setting of the scan, the lasers or the detectors.
    pub(super) fn is_setting(self) -> bool {
        self.facts().used == Use::Set
    }

    /// Whether the reply is the data of a trace.
    pub(super) fn is_trace(self) -> bool {
        matches!(self, Self::TraceX | Self::TraceY)
    }

    /// Whether it starts a scan.
    pub(super) fn starts_scan(self) -> bool {
        matches!(self, Self::Initiate | Self::ReferenceStart)
    }

    /// Whether the header concerns a laser in static control.
    pub(super) fn is_laser(self) -> bool {
        matches!(
            self,
            Self::LaserIdentity
                | Self::LaserType
                | Self::LaserPower
                | Self::LaserState
                | Self::LaserWavelength
        )
    }

    /// Whether the command needs the result of a scan, and so waits for the end of the analysis.
    pub(super) fn needs_analysis(self) -> bool {
        self.starts_scan()
            || self.is_trace()
            || matches!(
                self,
                Self::ClearTraces
                    | Self::ReferenceResult
                    | Self::TraceLength
                    | Self::TraceSampling
                    | Self::TraceStart
                    | Self::TraceSave
            )
    }
}

impl Vocabulary for Header {
    fn lookup(nodes: &[Node]) -> Option<(Self, Vec<Option<u32>>)> {
        Self::find(nodes)
    }

    fn facts(self) -> Facts {
        let (pattern, used) = self.entry();
        Facts { is_trace: self.is_trace(), starts_scan: self.starts_scan(), ..Facts::plain(pattern, used) }
    }
}

impl Call<'_> {
    /// The detector in the header.
    pub(super) fn place(&self) -> Result<Place, Rejection> {
        let part = |index| u8::try_from(self.suffix(index)).map_err(|_| Rejection::HardwareMissing);
        Ok((part(0)?, part(1)?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::call::resolve;
    use super::super::chip::SharedChip;
    use super::super::grammar::parse;
    use super::super::simulated::Simulated;
    use super::super::state::SimulatorState;
    use super::*;

    fn meant(line: &str) -> Vec<Option<Header>> {
        let mut path = Vec::new();
        let parsed = parse(line).into_iter().map(|parsed| parsed.expect(line));
        parsed.map(|parsed| resolve::<Header>(&parsed, &mut path).ok().map(|call| call.header)).collect()
    }

    #[test]
    fn a_header_without_a_colon_continues_the_one_before() {
        use Header::{Abort, Clear, Error, Initiate, ScanStart, ScanStop, TlsPower, TlsSpeed};
        for (line, expected) in [
            ("INIT:WAV:STAR 1NM;STOP 2NM", vec![Some(ScanStart), Some(ScanStop)]),
            ("INIT:WAV:STAR?;STOP?", vec![Some(ScanStart), Some(ScanStop)]),
            ("INIT:TLS2:POW 1;SPE 2;:ABOR", vec![Some(TlsPower), Some(TlsSpeed), Some(Abort)]),
            // A common command does not change the path, and a colon resets it.
            ("INIT:WAV:STAR 1NM;*CLS;STOP 2NM", vec![Some(ScanStart), Some(Clear), Some(ScanStop)]),
            ("INIT:WAV:STAR 1NM;:STOP 2NM", vec![Some(ScanStart), None]),
            ("INIT:WAV:STAR 1NM;SYST:ERR?", vec![Some(ScanStart), None]),
            ("INIT:WAV:STAR 1NM;:SYST:ERR?;NEXT?", vec![Some(ScanStart), Some(Error), None]),
            ("INIT:IMM;WAV:STAR 1NM", vec![Some(Initiate), Some(ScanStart)]),
            ("*CLS;INIT:IMM;ABOR", vec![Some(Clear), Some(Initiate), None]),
            // An unknown header does not change the path.
            ("INIT:WAV:STAR 1NM;NO:SUCH;STOP 2NM", vec![Some(ScanStart), None, Some(ScanStop)]),
        ] {
            assert_eq!(meant(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_said_of_a_header_is_what_the_instrument_does_with_it() {
        for header in Header::ALL {
            let facts = header.facts();
            for (query, known) in [(true, facts.is_asked()), (false, facts.is_told())] {
                let mut state =
                    SimulatorState::new(super::super::SimulatorOptions::default(), SharedChip::default());
                // Channel 1 of module 4, and laser 1: all of them exist.
                let suffixes = vec![Some(if facts.pattern.contains("SENSe#") { 4 } else { 1 }), None, None];
                let call = Call { header: *header, suffixes, query, immediate: false, arguments: &[] };
                let undefined = state.execute(&call, false).err() == Some(Rejection::UndefinedHeader);
                assert_ne!(undefined, known, "{header:?}, query: {query}");
            }
        }
    }
}
