//! Replies that never end, line by line: streams of events.

use std::collections::VecDeque;
use std::time::Duration;

use super::HttpError;

/// Longest line, in bytes.
const LONGEST_LINE: usize = 64 * 1024;

/// A reply that is read line by line while it arrives.
#[derive(Debug)]
pub struct Lines {
    response: reqwest::Response,
    host: String,
    silence: Duration,
    cut: Cut,
}

impl Lines {
    pub(super) fn new(response: reqwest::Response, host: String, silence: Duration) -> Self {
        Self { response, host, silence, cut: Cut::default() }
    }

    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// The next line without its end; `None` at the end of the reply.
    ///
    /// # Errors
    /// If nothing arrives for the longest silence, if the connection is lost, or if a line is too long.
    pub async fn next(&mut self) -> Result<Option<String>, HttpError> {
        loop {
            if let Some(line) = self.cut.whole.pop_front() {
                return Ok(Some(line));
            }
            let piece = tokio::time::timeout(self.silence, self.response.chunk()).await;
            let timed_out = || HttpError::TimedOut { host: self.host.clone(), limit: self.silence };
            let piece = piece.map_err(|_| timed_out())?;
            let piece = piece.map_err(|error| super::failure(&error, &self.host, self.silence))?;
            let Some(piece) = piece else { return Ok(None) };
            if !self.cut.take(&piece) {
                let cause = format!("has a line of more than {} KiB", LONGEST_LINE >> 10);
                return Err(HttpError::NotUnderstood(cause));
            }
        }
    }
}

/// Cuts pieces of any length into lines.
#[derive(Debug, Default)]
struct Cut {
    whole: VecDeque<String>,
    begun: Vec<u8>,
}

impl Cut {
    /// Adds a piece; false if a line is too long.
    fn take(&mut self, piece: &[u8]) -> bool {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(part);
            if self.begun.len() > LONGEST_LINE {
                return false;
            }
            if self.begun.ends_with(b"\n") {
                let line = std::mem::take(&mut self.begun);
                self.whole
                    .push_back(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned());
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lines_are_the_same_however_the_text_was_cut(text in "[aé\r\n]{0,60}", at in prop::collection::vec(0usize..80, 0..6)) {
            let bytes = text.as_bytes();
            let mut at: Vec<usize> = at.into_iter().map(|at| at.min(bytes.len())).chain([0, bytes.len()]).collect();
            at.sort_unstable();
            let mut cut = Cut::default();
            for ends in at.windows(2) {
                prop_assert!(cut.take(&bytes[ends[0]..ends[1]]));
            }
            let mut expected: Vec<&str> = text.split('\n').map(|line| line.trim_end_matches('\r')).collect();
            expected.pop();
            prop_assert_eq!(Vec::from(cut.whole), expected);
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut cut = Cut::default();
        assert!(cut.take(&[b'x'; LONGEST_LINE]));
        assert!(!cut.take(b"x"));
    }
}
