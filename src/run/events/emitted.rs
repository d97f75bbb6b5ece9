//! An event on its way to the watchers.

use std::io;
use std::ops::Deref;

use super::Record;

/// The usual size of a text, so that it need not grow.
const USUAL: usize = 512;

/// A record that was emitted, with its text. The journal and the terminal share the text.
#[derive(Debug, Clone, PartialEq)]
pub struct Emitted {
    record: Record,
    json: String,
}

impl Emitted {
    /// # Errors
    /// If the record cannot be written as JSON.
    pub(super) fn new(record: Record) -> serde_json::Result<Self> {
        let mut json = Text(Vec::with_capacity(USUAL));
        serde_json::to_writer(&mut json, &record)?;
        // JSON is UTF-8.
        let json = String::from_utf8(json.0).unwrap_or_default();
        Ok(Self { record, json })
    }

    /// The record as JSON, on one line: the line of the journal, if the journal keeps the event.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }
}

/// A text that grows in memory. JSON is written with many single quotes, colons and commas: they do not take the way of
/// longer texts.
struct Text(Vec<u8>);

impl io::Write for Text {
    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match bytes {
            [byte] => self.0.push(*byte),
            bytes => self.0.extend_from_slice(bytes),
        }
        Ok(())
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Deref for Emitted {
    type Target = Record;

    fn deref(&self) -> &Record {
        &self.record
    }
}
