//! Which headers there are, and which command a text means.

use super::bench::Place;
use super::errors::Rejection;
use super::grammar::{Node, Parsed, matches};

macro_rules! headers {
    ($($name:ident = $($pattern:literal)|+),+ $(,)?) => {
        /// What a command is about, whichever way its header is written.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Header { $($name),+ }

        /// Every header: capitals are the short form, `#` stands for a number.
        const HEADERS: &[(&str, Header)] = &[$($(($pattern, Header::$name)),+),+];
    };
}

headers! {
    Identity = "*IDN",
    Clear = "*CLS",
    Reset = "*RST",
    Complete = "*OPC",
    EventStatus = "*ESR",
    Error = "SYSTem:ERRor" | "SYSTem:ERRor:NEXT",
    AnalogOutput = "SYSTem:ANLG:OUT#:SOURce",
    Condition = "STATus:OPERation:CONDition",
    Initiate = "INITiate" | "INITiate:IMMediate",
    Abort = "ABORt",
    ClearTraces = "CLE",
    ScanMode = "INITiate:SMODe",
    ScanStart = "INITiate:WAVelength:STARt",
    ScanStop = "INITiate:WAVelength:STOP",
    Sampling = "INITiate:WAVelength:SAMPling",
    Stabilization = "INITiate:STABilization",
    TlsLaser = "INITiate:TLS#:IDentifier",
    TlsStart = "INITiate:TLS#:WAVelength:STARt",
    TlsStop = "INITiate:TLS#:WAVelength:STOP",
    TlsSpeed = "INITiate:TLS#:SPEed",
    TlsPower = "INITiate:TLS#:POWer",
    TlsTrigger = "INITiate:TLS#:TRIGin",
    AllTlsPower = "INITiate:LASer:POWer",
    Feedback = "INITiate:FBC:SENSe" | "CTP:SENSe:FBC",
    LaserIdentity = "CTP:RLASer#:IDN",
    LaserPower = "CTP:RLASer#:POWer",
    LaserState = "CTP:RLASer#:POWer:STATe",
    LaserWavelength = "CTP:RLASer#:WAVelength",
    Power = "CTP:SENSe#:CHANnel#:POWer",
    SpectralUnit = "CTP:SENSe#:CHANnel#:UNIT:X",
    PowerUnit = "CTP:SENSe#:CHANnel#:UNIT:Y",
    DetectorWavelength = "CTP:SENSe#:CHANnel#:WAVelength",
    DetectorTrigger = "CTP:SENSe#:CHANnel#:FUNCtion:TRIGger",
    ReferenceStart = "REFerence:SENSe#:CHANnel#:INITiate",
    ReferenceResult = "REFerence:SENSe#:CHANnel#:RESult",
    TraceLength = "TRACe:SENSe#:CHANnel#:TYPE#:DATA:LENGth",
    TraceSampling = "TRACe:SENSe#:CHANnel#:TYPE#:DATA:SAMPling",
    TraceStart = "TRACe:SENSe#:CHANnel#:TYPE#:DATA:STARt",
    TraceX = "TRACe:SENSe#:CHANnel#:TYPE#:DATA:X",
    TraceY = "TRACe:SENSe#:CHANnel#:TYPE#:DATA" | "TRACe:SENSe#:CHANnel#:TYPE#:DATA:Y",
    TraceSave = "TRACe:SENSe#:CHANnel#:TYPE#:SAVE",
}

impl Header {
    /// Whether it can be a question.
    pub(super) fn is_asked(self) -> bool {
        !matches!(
            self,
            Self::Clear
                | Self::Reset
                | Self::Initiate
                | Self::Abort
                | Self::ClearTraces
                | Self::ReferenceStart
                | Self::TraceSave
        )
    }

    /// Whether its reply is the data of a trace.
    pub(super) fn is_trace(self) -> bool {
        matches!(self, Self::TraceX | Self::TraceY)
    }

    /// Whether it can be something to do or to set.
    pub(super) fn is_told(self) -> bool {
        !matches!(
            self,
            Self::Identity
                | Self::EventStatus
                | Self::Error
                | Self::Condition
                | Self::LaserIdentity
                | Self::Power
                | Self::ReferenceResult
                | Self::TraceLength
                | Self::TraceSampling
                | Self::TraceStart
                | Self::TraceX
                | Self::TraceY
        )
    }
}

/// One command on its way to the bench.
#[derive(Debug, Clone)]
pub(super) struct Call<'a> {
    pub(super) header: Header,
    /// The numbers in its header, in order; `None` where one was left out.
    pub(super) suffixes: Vec<Option<u32>>,
    pub(super) query: bool,
    pub(super) arguments: &'a [String],
}

/// Finds out which command is meant. `path` is the header of the one before on the same line, which a header without
/// a colon may continue (`INIT:WAV:STAR 1520NM;STOP 1580NM`).
pub(super) fn resolve<'a>(parsed: &'a Parsed, path: &mut Vec<Node>) -> Result<Call<'a>, Rejection> {
    let relative: Option<Vec<Node>> = (!parsed.absolute && !path.is_empty())
        .then(|| path[..path.len() - 1].iter().chain(&parsed.nodes).cloned().collect());
    let found = relative
        .into_iter()
        .chain([parsed.nodes.clone()])
        .find_map(|nodes| lookup(&nodes).map(|(header, suffixes)| (nodes, header, suffixes)));
    let (nodes, header, suffixes) = found.ok_or(Rejection::UndefinedHeader)?;
    if !nodes[0].name.starts_with('*') {
        *path = nodes;
    }
    Ok(Call { header, suffixes, query: parsed.query, arguments: &parsed.arguments })
}

/// The header that nodes spell.
pub(super) fn lookup(nodes: &[Node]) -> Option<(Header, Vec<Option<u32>>)> {
    HEADERS.iter().find_map(|(pattern, header)| Some((*header, matches(pattern, nodes)?)))
}

impl Call<'_> {
    /// The only argument.
    pub(super) fn one(&self) -> Result<&str, Rejection> {
        match self.arguments {
            [] => Err(Rejection::MissingParameter),
            [only] => Ok(only),
            _ => Err(Rejection::ParameterNotAllowed),
        }
    }

    /// No argument at all.
    pub(super) fn none(&self) -> Result<(), Rejection> {
        if self.arguments.is_empty() { Ok(()) } else { Err(Rejection::ParameterNotAllowed) }
    }

    /// The number at a place of the header; one that was left out means 1.
    pub(super) fn suffix(&self, index: usize) -> u32 {
        self.suffixes.get(index).copied().flatten().unwrap_or(1)
    }

    /// The detector that the header names.
    pub(super) fn place(&self) -> Result<Place, Rejection> {
        let part = |index| u8::try_from(self.suffix(index)).map_err(|_| Rejection::HardwareMissing);
        Ok((part(0)?, part(1)?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::bench::Bench;
    use super::super::commands::execute;
    use super::super::device::Device;
    use super::*;

    #[test]
    fn what_is_said_of_a_header_is_what_the_instrument_does_with_it() {
        for (pattern, header) in HEADERS {
            for (query, known) in [(true, header.is_asked()), (false, header.is_told())] {
                let mut bench = Bench::new(super::super::SimulatorOptions::default(), Device::Ring);
                // Channel 1 of module 4, laser 1: all of them are there.
                let suffixes = vec![Some(if pattern.contains("SENSe#") { 4 } else { 1 }), None, None];
                let call = Call { header: *header, suffixes, query, arguments: &[] };
                let undefined = execute(&mut bench, &call).err() == Some(Rejection::UndefinedHeader);
                assert_ne!(undefined, known, "{pattern}, query: {query}");
            }
        }
    }
}
