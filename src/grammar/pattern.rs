//! Headers as in manuals: `INITiate[:IMMediate]`, `CTP:RLASer#:POWer`.

use super::Header;

/// Whether a header matches a pattern: capitals are the short form, `#` marks a node with a number, brackets enclose
/// an optional node. Returns the numbers in order; an omitted number is 1.
#[must_use]
pub fn matches(pattern: &str, header: &Header) -> Option<Vec<u32>> {
    let mut numbers = Vec::new();
    let mut given = header.0.iter().peekable();
    // `A[:B]:C` as `A`, `[B]`, `C`.
    for expected in pattern.replace("[:", ":[").split(':') {
        let (expected, optional) = match expected.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(inner) => (inner, true),
            None => (expected, false),
        };
        let (long, numbered) = match expected.strip_suffix('#') {
            Some(long) => (long, true),
            None => (expected, false),
        };
        let short: String = long.chars().filter(|c| !c.is_ascii_lowercase()).collect();
        let is_it = given.peek().is_some_and(|node| {
            (node.name == short || node.name.eq_ignore_ascii_case(long)) && (numbered || node.suffix == 1)
        });
        match given.next_if(|_| is_it) {
            Some(node) if numbered => numbers.push(node.suffix),
            Some(_) => {}
            None if optional => {}
            None => return None,
        }
    }
    given.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::Line;

    fn numbers(pattern: &str, header: &str) -> Option<Vec<u32>> {
        matches(pattern, Line::parse(header).unwrap().units[0].header())
    }

    #[test]
    fn a_node_is_written_whole_or_short_and_nothing_between() {
        for header in ["INIT", "initiate", ":Init:Imm", "INITIATE:IMMEDIATE", "INIT1"] {
            assert_eq!(numbers("INITiate[:IMMediate]", header), Some(vec![]), "{header}");
        }
        for header in ["INITI", "INIT:IMMED", "INIT:IMM:X", "INIT2", "ABOR"] {
            assert_eq!(numbers("INITiate[:IMMediate]", header), None, "{header}");
        }
        assert_eq!(numbers("SYSTem:ERRor[:NEXT]", "SYST:ERR:NEXT?"), Some(vec![]));
        assert_eq!(numbers("*RST", "*rst"), Some(vec![]));
    }

    #[test]
    fn a_number_that_is_left_out_is_1() {
        assert_eq!(numbers("CTP:SENSe#:CHANnel#:POWer", "CTP:SENS:CHANNEL2:POW?"), Some(vec![1, 2]));
        assert_eq!(numbers("CTP:RLASer#:POWer", "CTP:RLAS02:POW 3"), Some(vec![2]));
    }
}
