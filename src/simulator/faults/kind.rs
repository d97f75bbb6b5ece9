//! The kinds of faults, and the commands on which they have an effect.

use super::super::call::Command;
use super::pattern::Pattern;

/// The kind of a fault. With all kinds except `Refuse` and `Reboot` the command is executed. A client must cope with
/// the fact that it cannot know this.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::simulator) enum Kind {
    /// The connection is closed instead of a reply, or in the middle of a trace.
    Drop,
    /// The connection stays open, but no reply is ever sent.
    Stall,
    /// The reply is unreadable. With a number, a block is readable but announces this many additional bytes.
    Garble(Option<i32>),
    /// The reply ends early, and the connection is closed.
    Truncate,
    /// The reply is delayed by this many seconds. Without a reply, the following commands are delayed.
    Late(f64),
    /// The instrument restarts, and accepts connections again after this many seconds.
    Reboot(f64),
    /// The command is not executed, and an error is added to the queue.
    Refuse,
    /// An unrelated error is added to the queue.
    ErrorQueue,
    /// The reply is sent at this many bytes per second.
    Slow(f64),
    /// The started scan does not end by itself.
    Hang,
}

/// Longer than a client usually waits for the reply to a query.
const LATE_S: f64 = 8.0;
const REBOOT_S: f64 = 3.0;
/// At this rate, a trace of 60001 points takes 12 s.
const SLOW_BYTES_PER_S: f64 = 20_000.0;
const LONGEST_S: f64 = 3600.0;
const MOST_BYTES: i32 = 1_000_000;

/// Every kind with its default value, in the order of the documentation.
pub(super) const KINDS: [Kind; 10] = [
    Kind::Drop,
    Kind::Stall,
    Kind::Garble(None),
    Kind::Truncate,
    Kind::Late(LATE_S),
    Kind::Reboot(REBOOT_S),
    Kind::Refuse,
    Kind::ErrorQueue,
    Kind::Slow(SLOW_BYTES_PER_S),
    Kind::Hang,
];

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Stall => "stall",
            Self::Garble(_) => "garble",
            Self::Truncate => "truncate",
            Self::Late(_) => "late",
            Self::Reboot(_) => "reboot",
            Self::Refuse => "refuse",
            Self::ErrorQueue => "error-queue",
            Self::Slow(_) => "slow",
            Self::Hang => "hang",
        }
    }

    pub(super) fn value(self) -> Option<String> {
        match self {
            Self::Late(number) | Self::Reboot(number) | Self::Slow(number) => Some(number.to_string()),
            Self::Garble(bytes) => bytes.map(|bytes| bytes.to_string()),
            _ => None,
        }
    }

    /// The same kind with the given value.
    pub(super) fn with_value(self, text: &str) -> Result<Self, String> {
        let refuse = |allowed: &str| format!("value `{text}` is not allowed ({allowed})");
        let number = |from: f64, to: f64, unit: &str| {
            let value = text.parse().ok().filter(|value| (from..=to).contains(value));
            value.ok_or_else(|| refuse(&format!("`{}` accepts {from} to {to} {unit}", self.name())))
        };
        match self {
            Self::Late(_) => number(0.0, LONGEST_S, "seconds").map(Self::Late),
            Self::Reboot(_) => number(0.0, LONGEST_S, "seconds").map(Self::Reboot),
            Self::Slow(_) => number(1.0, 1e9, "bytes per second").map(Self::Slow),
            Self::Garble(_) => {
                let bytes: Option<i32> = text.parse().ok();
                let bytes = bytes.filter(|bytes| *bytes != 0 && (-MOST_BYTES..=MOST_BYTES).contains(bytes));
                bytes.map(|bytes| Self::Garble(Some(bytes))).ok_or_else(|| {
                    refuse(&format!("`garble` accepts -{MOST_BYTES} to {MOST_BYTES} bytes, not 0"))
                })
            }
            _ => Err(refuse(&format!("`{}` accepts no value", self.name()))),
        }
    }

    /// Whether the kind has an effect on a command. A wrong query has no reply either, but this is not known yet.
    pub(super) fn can_hit(self, command: Option<Command<'_>>) -> bool {
        match self {
            Self::Garble(_) | Self::Truncate | Self::Slow(_) => command.is_some_and(|command| command.query),
            Self::Hang => command.is_some_and(|command| !command.query && command.facts.starts_scan),
            _ => true,
        }
    }

    /// Checks whether the kind has an effect on the commands of a pattern.
    pub(super) fn fits(self, pattern: &Pattern) -> Result<(), String> {
        match self {
            Self::Garble(_) | Self::Truncate | Self::Slow(_) if !pattern.query => {
                Err(format!("`{}` needs a reply, but `{pattern}` has none", self.name()))
            }
            Self::Hang if pattern.query || !pattern.headers.iter().all(|header| header.starts_scan) => {
                Err(format!("`{pattern}` starts no scan (`sweep` and `reference` do)"))
            }
            _ => Ok(()),
        }
    }
}
