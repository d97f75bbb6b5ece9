//! The grammar of a command line: headers in long and short form, suffixes, arguments, several commands in a row.
//! Pure text; what a header means is in `headers`.

use std::fmt;

/// One command of a line, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parsed {
    /// The nodes of its header in capitals, without suffixes; a common command is one node with its `*`.
    pub(super) nodes: Vec<Node>,
    /// True when it started with a colon or a star: it does not continue the path of the one before.
    pub(super) absolute: bool,
    /// True when it asks.
    pub(super) query: bool,
    /// Its arguments, trimmed, in capitals.
    pub(super) arguments: Vec<String>,
}

/// One node of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) name: String,
    /// The number behind it.
    pub(super) suffix: Option<u32>,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.suffix.map_or(Ok(()), |suffix| write!(f, "{suffix}"))
    }
}

/// Takes a line apart; `None` in place of a command that has no readable header.
pub(super) fn parse(line: &str) -> Vec<Option<Parsed>> {
    line.split(';').map(str::trim).filter(|part| !part.is_empty()).map(command).collect()
}

fn command(text: &str) -> Option<Parsed> {
    let text = text.to_ascii_uppercase();
    let (header, arguments) = match text.split_once(char::is_whitespace) {
        Some((header, rest)) => (header, rest.trim()),
        None => (text.as_str(), ""),
    };
    let query = header.ends_with('?');
    let header = header.trim_end_matches('?');
    let absolute = header.starts_with([':', '*']);
    let nodes = header.trim_start_matches(':').split(':').map(node).collect::<Option<Vec<_>>>()?;
    let arguments = match arguments {
        "" => Vec::new(),
        text => text.split(',').map(|argument| argument.trim().trim_matches('"').to_owned()).collect(),
    };
    Some(Parsed { nodes, absolute, query, arguments })
}

fn node(text: &str) -> Option<Node> {
    let name = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = &text[name.len()..];
    let letters = name.strip_prefix('*').unwrap_or(name);
    if letters.is_empty() || !letters.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_') {
        return None;
    }
    let suffix = if digits.is_empty() { None } else { Some(digits.parse().ok()?) };
    Some(Node { name: name.to_owned(), suffix })
}

/// Whether a header is written as `pattern` says: capitals are the short form, `#` marks a node with a suffix.
/// Gives the suffixes in order, `None` for those left out.
pub(super) fn matches(pattern: &str, nodes: &[Node]) -> Option<Vec<Option<u32>>> {
    let mut suffixes = Vec::new();
    let mut given = nodes.iter();
    for expected in pattern.split(':') {
        let node = given.next()?;
        let (long, numbered) = match expected.strip_suffix('#') {
            Some(long) => (long, true),
            None => (expected, false),
        };
        let short: String = long.chars().filter(|c| !c.is_ascii_lowercase()).collect();
        if node.name != short && node.name != long.to_ascii_uppercase() {
            return None;
        }
        match (numbered, node.suffix) {
            (true, suffix) => suffixes.push(suffix),
            (false, None) => {}
            (false, Some(_)) => return None,
        }
    }
    given.next().is_none().then_some(suffixes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suffixes(pattern: &str, header: &str) -> Option<Vec<Option<u32>>> {
        matches(pattern, &parse(header)[0].clone()?.nodes)
    }

    #[test]
    fn a_node_is_written_whole_or_short_and_nothing_between() {
        let pattern = "INITiate:WAVelength:STARt";
        for header in ["INIT:WAV:STAR", "initiate:wavelength:start", ":Init:WAVelength:star?"] {
            assert_eq!(suffixes(pattern, header), Some(vec![]), "{header}");
        }
        for header in ["INITI:WAV:STAR", "INIT:WAV", "INIT:WAV:STAR:X", "INIT1:WAV:STAR"] {
            assert_eq!(suffixes(pattern, header), None, "{header}");
        }
    }

    #[test]
    fn suffixes_are_read_and_may_be_left_out() {
        let pattern = "TRACe:SENSe#:CHANnel#:TYPE#:DATA";
        assert_eq!(
            suffixes(pattern, "TRAC:SENS4:CHAN2:TYPE11:DATA? BIN,DB"),
            Some(vec![Some(4), Some(2), Some(11)])
        );
        assert_eq!(suffixes(pattern, "TRAC:SENS4:CHAN:TYPE:DATA?"), Some(vec![Some(4), None, None]));
    }

    #[test]
    fn several_commands_stand_on_one_line() {
        let parsed = parse(" INIT:WAV:STAR 1520 NM ; STOP 1580NM;*CLS; ?? ");
        assert_eq!(parsed.len(), 4);
        assert_eq!(parsed[0].as_ref().unwrap().arguments, ["1520 NM"]);
        assert!(!parsed[1].as_ref().unwrap().absolute);
        assert!(parsed[2].as_ref().unwrap().absolute);
        assert_eq!(parsed[3], None);
    }
}
