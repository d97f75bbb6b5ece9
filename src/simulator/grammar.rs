//! The grammar of a command line: headers in long and short form, suffixes, arguments, several commands per line. The
//! meaning of headers is in `headers`.

use std::fmt;

/// One parsed command of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parsed {
    /// The nodes of the header in capitals, without suffixes. A common command is one node with its `*`.
    pub(super) nodes: Vec<Node>,
    /// True if the header starts with a colon or a star, and does not continue the path of the previous header.
    pub(super) absolute: bool,
    /// True for a query.
    pub(super) query: bool,
    /// The arguments, trimmed and in capitals.
    pub(super) arguments: Vec<String>,
}

/// One node of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) name: String,
    /// The number at its end.
    pub(super) suffix: Option<u32>,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.suffix.map_or(Ok(()), |suffix| write!(f, "{suffix}"))
    }
}

/// Parses a line; `None` for a command without a readable header.
pub(super) fn parse(line: &str) -> Vec<Option<Parsed>> {
    let parts = split(line, ';').into_iter().map(|part| part.trim_matches(is_space));
    parts.filter(|part| !part.is_empty()).map(command).collect()
}

/// White space in IEEE 488.2: the blank and all control characters except the line end.
fn is_space(c: char) -> bool {
    c <= ' '
}

/// Splits at a character outside quotes.
fn split(text: &str, at: char) -> Vec<&str> {
    let (mut parts, mut from, mut quote) = (Vec::new(), 0, None);
    for (index, c) in text.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == at => {
                parts.push(&text[from..index]);
                from = index + c.len_utf8();
            }
            Some(_) | None => {}
        }
    }
    parts.push(&text[from..]);
    parts
}

fn unquoted(text: &str) -> &str {
    let text = text.trim_matches(is_space);
    let inner = |quote| text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}

fn command(text: &str) -> Option<Parsed> {
    let text = text.to_ascii_uppercase();
    let (header, arguments) = match text.split_once(is_space) {
        Some((header, rest)) => (header, rest.trim_matches(is_space)),
        None => (text.as_str(), ""),
    };
    let (header, query) = match header.strip_suffix('?') {
        Some(header) => (header, true),
        None => (header, false),
    };
    let absolute = header.starts_with([':', '*']);
    let nodes =
        header.strip_prefix(':').unwrap_or(header).split(':').map(node).collect::<Option<Vec<_>>>()?;
    let arguments = match arguments {
        "" => Vec::new(),
        text => split(text, ',').into_iter().map(|argument| unquoted(argument).to_owned()).collect(),
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

/// Whether a header matches `pattern`: capitals are the short form, `#` is a suffix, and a node in brackets is
/// optional. Returns the suffixes in order, with `None` for omitted ones.
pub(super) fn matches(pattern: &str, nodes: &[Node]) -> Option<Vec<Option<u32>>> {
    let mut suffixes = Vec::new();
    let mut given = nodes.iter().peekable();
    // `DATA[:Y][:IMMediate]` is split into `DATA[`, `Y][` and `IMMediate]`.
    for expected in pattern.split(':').map(|expected| expected.trim_end_matches('[')) {
        let (expected, optional) = match expected.strip_suffix(']') {
            Some(expected) => (expected, true),
            None => (expected, false),
        };
        let (long, numbered) = match expected.strip_suffix('#') {
            Some(long) => (long, true),
            None => (expected, false),
        };
        match given.next_if(|node| is_written(long, &node.name) && (numbered || node.suffix.is_none())) {
            Some(node) if numbered => suffixes.push(node.suffix),
            Some(_) => {}
            None if optional => {}
            None => return None,
        }
    }
    given.next().is_none().then_some(suffixes)
}

/// Whether a name is the long or the short form of a node.
fn is_written(long: &str, name: &str) -> bool {
    let short = long.bytes().filter(|byte| !byte.is_ascii_lowercase());
    name.eq_ignore_ascii_case(long) || name.bytes().eq(short)
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
    fn a_node_in_brackets_may_be_left_out() {
        let pattern = "TRACe:TYPE#:DATA[:Y][:IMMediate]";
        for header in
            ["TRAC:TYPE1:DATA?", "TRAC:TYPE1:DATA:Y?", "TRAC:TYPE1:DATA:IMM?", "TRAC:TYPE1:DATA:Y:IMMEDIATE?"]
        {
            assert_eq!(suffixes(pattern, header), Some(vec![Some(1)]), "{header}");
        }
        for header in ["TRAC:TYPE1:DATA:X?", "TRAC:TYPE1:DATA:IMM:Y?", "TRAC:TYPE1:Y?", "TRAC:TYPE1:DATA:Y1?"]
        {
            assert_eq!(suffixes(pattern, header), None, "{header}");
        }
    }

    #[test]
    fn what_is_no_header_is_none_and_quotes_hold_separators() {
        for text in [
            "*IDN??",
            "::INIT",
            "INIT:",
            ":",
            "?",
            "INIT:\u{1}WAV",
            "1INIT",
            "TLS99999999999:ID",
            "DATA:X[:IMM]?",
        ] {
            assert_eq!(parse(text), [None], "{text:?}");
        }
        let parsed = parse("\u{0}\tSAVE \"a;b\" , 'c,d';*CLS\r");
        assert_eq!(parsed.len(), 2);
        assert_eq!(parsed[0].as_ref().unwrap().arguments, ["A;B", "C,D"]);
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
