//! One fault that waits for its command.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::call::Command;
use super::kind::{KINDS, Kind};
use super::pattern::Pattern;
use super::spec::{FaultSpec, Spec, Which};

/// At this rate, a number takes two seconds.
const LINE_BYTES_PER_S: f64 = 10.0;

#[derive(Debug)]
pub(super) enum Armed {
    /// At commands that match.
    At { kind: Kind, pattern: Option<Pattern>, which: Which, met: u64, spent: bool },
    /// At random commands.
    Random { generator: Box<ChaCha8Rng>, rate: f64 },
}

impl Armed {
    pub(super) fn new(spec: &FaultSpec) -> Self {
        match spec.spec.clone() {
            Spec::At { kind, pattern, which } => Self::At { kind, pattern, which, met: 0, spent: false },
            Spec::Random { seed, rate } => {
                Self::Random { generator: Box::new(ChaCha8Rng::seed_from_u64(seed)), rate }
            }
        }
    }

    /// Counts a command and returns the effect of this fault on it. `taken`: another fault already occurs at this
    /// command.
    pub(super) fn next(&mut self, command: Option<Command<'_>>, taken: bool) -> Option<Kind> {
        match self {
            Self::At { kind, pattern, which, met, spent } => {
                if !pattern
                    .as_ref()
                    .is_none_or(|pattern| command.is_some_and(|command| pattern.means(command)))
                {
                    return None;
                }
                *met += 1;
                // If the command is taken, or the kind has no effect on it, the fault waits for the next match. No
                // fault is lost.
                let due = match *which {
                    Which::Nth(number) => !*spent && *met >= number,
                    Which::Every => true,
                };
                let hits = due && !taken && kind.can_hit(command);
                *spent |= hits;
                hits.then_some(*kind)
            }
            Self::Random { generator, rate } => {
                // Drawn for a taken command too, so that the sequence depends only on the commands.
                let hits = generator.random::<f64>() < *rate;
                hits.then(|| any(generator, command)).flatten().filter(|_| !taken)
            }
        }
    }
}

/// A random kind that has an effect on a command.
fn any(generator: &mut ChaCha8Rng, command: Option<Command<'_>>) -> Option<Kind> {
    let possible: Vec<Kind> = KINDS.into_iter().filter(|kind| kind.can_hit(command)).collect();
    match possible.get(generator.random_range(0..possible.len()))? {
        // Unreadable, or with a block that announces one sample more or less.
        Kind::Garble(_) => Some(Kind::Garble([None, Some(4), Some(-4)][generator.random_range(0..3)])),
        // Slow enough to be noticed with a short line.
        Kind::Slow(_) if !command.is_some_and(|command| command.facts.is_trace) => {
            Some(Kind::Slow(LINE_BYTES_PER_S))
        }
        other => Some(*other),
    }
}
