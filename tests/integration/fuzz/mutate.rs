//! Inputs as mutations of others.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// What is put into an input: what people paste, what programs are surprised by.
const PIECES: [&str; 58] = [
    "\u{a0}",
    "\u{2009}",
    "\u{202f}",
    "\u{3000}",
    "\u{200b}",
    "\u{200d}",
    "\u{feff}",
    "\u{ad}",
    "\u{2028}",
    "\u{2029}",
    "\u{85}",
    "\u{201c}",
    "\u{201d}",
    "\u{2019}",
    "\u{ab}",
    "\u{2212}",
    "\u{2013}",
    "\u{ff11}",
    "\u{ff1a}",
    "\u{661}",
    "\u{430}",
    "\u{e9}",
    "e\u{301}",
    "\u{1f600}",
    "\u{1f468}\u{200d}\u{1f469}",
    "\u{202e}",
    "\u{10ffff}",
    "\t",
    "\r",
    "\n",
    "\r\n",
    "\0",
    "\u{1b}[31m",
    "\"",
    "'",
    "`",
    "\\",
    "${",
    "}",
    "{",
    "[",
    "]",
    "(",
    ")",
    ":",
    ",",
    ";",
    "#",
    "- ",
    "&a ",
    "*a",
    "!t ",
    "-1",
    "0",
    "1e999",
    "18446744073709551616",
    "nan",
    "true",
];

#[derive(Debug, Clone)]
enum Mutation {
    /// One of the pieces, or arbitrary bytes, at a place.
    Insert(Index, Vec<u8>),
    /// So many bytes go.
    Delete(Index, usize),
    /// A part is repeated somewhere else.
    Copy(Index, usize, Index),
    /// It ends early.
    Cut(Index),
    /// A byte becomes another.
    Change(Index, u8),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let piece = select(&PIECES[..]).prop_map(|piece| piece.as_bytes().to_vec());
    let bytes = vec(any::<u8>(), 1..4);
    let at = any::<Index>;
    prop_oneof![
        8 => (at(), piece).prop_map(|(place, piece)| Mutation::Insert(place, piece)),
        1 => (at(), bytes).prop_map(|(place, bytes)| Mutation::Insert(place, bytes)),
        3 => (at(), 1..12_usize).prop_map(|(place, length)| Mutation::Delete(place, length)),
        2 => (at(), 1..60_usize, at()).prop_map(|(from, length, to)| Mutation::Copy(from, length, to)),
        1 => at().prop_map(Mutation::Cut),
        2 => (at(), any::<u8>()).prop_map(|(place, byte)| Mutation::Change(place, byte)),
    ]
}

impl Mutation {
    fn apply(&self, input: &mut Vec<u8>) {
        // A place between two bytes; text is read with its broken characters replaced.
        let place = |index: &Index, input: &[u8]| index.index(input.len() + 1);
        match self {
            Self::Insert(at, bytes) => {
                let at = place(at, input);
                input.splice(at..at, bytes.iter().copied());
            }
            Self::Delete(at, length) => {
                let at = place(at, input);
                input.drain(at..(at + length).min(input.len()));
            }
            Self::Copy(from, length, to) => {
                let from = place(from, input);
                let part = input[from..(from + length).min(input.len())].to_vec();
                let to = place(to, input);
                input.splice(to..to, part);
            }
            Self::Cut(at) => {
                let at = place(at, input);
                input.truncate(at);
            }
            Self::Change(at, byte) => {
                let at = place(at, input);
                if let Some(changed) = input.get_mut(at) {
                    *changed = *byte;
                }
            }
        }
    }
}

/// Inputs that come from these.
pub(super) fn inputs(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (select(seeds), vec(mutation(), 0..6)).prop_map(|(mut input, mutations)| {
        mutations.iter().for_each(|mutation| mutation.apply(&mut input));
        input
    })
}
