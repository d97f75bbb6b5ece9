//! The error queue and its errors.

use std::collections::VecDeque;

/// The capacity of the queue. When it is full, the last entry reports the overflow.
const CAPACITY: usize = 32;

/// Why a command was refused, or another error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rejection {
    Syntax,
    ParameterNotAllowed,
    MissingParameter,
    UndefinedHeader,
    Execution,
    InitIgnored,
    SettingsConflict,
    OutOfRange,
    IllegalParameter,
    StaleData,
    HardwareMissing,
    /// A source-meter measures only with its output on.
    OutputOff,
    /// An error that no client caused.
    System,
}

impl Rejection {
    /// SCPI-99 number and text.
    pub(super) fn code_and_text(self) -> (i32, &'static str) {
        match self {
            Self::Syntax => (-102, "Syntax error"),
            Self::ParameterNotAllowed => (-108, "Parameter not allowed"),
            Self::MissingParameter => (-109, "Missing parameter"),
            Self::UndefinedHeader => (-113, "Undefined header"),
            Self::Execution => (-200, "Execution error"),
            Self::InitIgnored => (-213, "Init ignored"),
            Self::SettingsConflict => (-221, "Settings conflict"),
            Self::OutOfRange => (-222, "Data out of range"),
            Self::IllegalParameter => (-224, "Illegal parameter value"),
            Self::StaleData => (-230, "Data corrupt or stale"),
            Self::HardwareMissing => (-241, "Hardware missing"),
            Self::OutputOff => (803, "Not permitted with output off"),
            Self::System => (-310, "System error"),
        }
    }
}

/// The error queue, oldest entry first. All connections share it.
#[derive(Debug, Default)]
pub(super) struct ErrorQueue {
    entries: VecDeque<(i32, String)>,
}

impl ErrorQueue {
    pub(super) fn push(&mut self, rejection: Rejection, about: &str) {
        if self.entries.len() + 1 >= CAPACITY {
            self.entries.truncate(CAPACITY - 1);
            self.entries.push_back((-350, "Queue overflow".to_owned()));
            return;
        }
        let (code, text) = rejection.code_and_text();
        // An entry is one line of printable text, whatever the command contained.
        let about: String = about.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        let text = if about.is_empty() { text.to_owned() } else { format!("{text}; {about}") };
        self.entries.push_back((code, text));
    }

    /// Removes the oldest entry and formats it as the reply to `SYSTem:ERRor?`.
    pub(super) fn next(&mut self) -> String {
        self.entries
            .pop_front()
            .map_or_else(|| "0,No error".to_owned(), |(code, text)| format!("{code},{text}"))
    }

    /// Removes all entries and formats them as the reply to `SYSTem:ERRor:ALL?`.
    pub(super) fn all(&mut self) -> String {
        let entries: Vec<String> =
            self.entries.drain(..).map(|(code, text)| format!("{code},{text}")).collect();
        if entries.is_empty() { "0,No error".to_owned() } else { entries.join(",") }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_says_so_and_keeps_the_oldest() {
        let mut queue = ErrorQueue::default();
        for _ in 0..100 {
            queue.push(Rejection::OutOfRange, "");
        }
        assert_eq!(queue.next(), "-222,Data out of range");
        let rest: Vec<String> = (1..CAPACITY).map(|_| queue.next()).collect();
        assert_eq!(rest.last().unwrap(), "-350,Queue overflow");
        assert_eq!(queue.next(), "0,No error");
    }
}
