//! Reads files of JSON lines: the journal of a run, and the records of its watchdog. All readers follow the same
//! rules:
//!
//! - A torn line is the last line, if it has no line end or consists of NUL bytes. A power cut leaves such lines. It
//!   is ignored.
//! - Any other invalid line is an error with its line number, and reading continues. `resume` and `verify` stop at
//!   such an error; other readers count it.
//! - The records of a journal are numbered 1, 2, 3 …. A missing number is an error too, and the record behind the gap
//!   follows. A record with a repeated number is left out.
//! - An error of the disk ends the reading, because the same read would fail again.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::StoreError;
use crate::files;

/// The longest line that is read, bytes. The first record of a long recipe has a few hundred kilobytes.
pub(super) const LONGEST: u64 = 16 << 20;
/// The largest file that is read, bytes. A run of 100,000 steps writes a hundredth of this.
const LARGEST: u64 = 4 << 30;
/// A line is read in pieces of this size, so that a line that is too long takes little memory.
const PIECE: usize = 64 << 10;

/// Iterates over the records of a file.
#[derive(Debug)]
pub struct Lines<T> {
    path: PathBuf,
    reader: BufReader<File>,
    /// Whether the records are numbered.
    numbered: bool,
    /// Number of the line that was read last, from 1.
    line: u64,
    /// Bytes up to the end of that line.
    whole: u64,
    /// Number of the last record.
    last: u64,
    /// Invalid lines since the last record: each of them may have been a record.
    lost: u64,
    torn: u64,
    /// The record behind a gap.
    waiting: Option<T>,
    over: bool,
    _record: PhantomData<T>,
}

/// A line of the file.
struct Line {
    bytes: Vec<u8>,
    /// The length of the line with its end, even if its bytes were skipped.
    length: u64,
    is_torn: bool,
}

#[derive(Deserialize)]
struct Numbered {
    n: Option<u64>,
}

impl<T: DeserializeOwned> Lines<T> {
    /// Opens a file. `numbered`: whether its records are numbered.
    pub(super) fn open(path: &Path, numbered: bool) -> Result<Self, StoreError> {
        Ok(Self {
            path: path.to_owned(),
            reader: BufReader::with_capacity(PIECE, open(path)?.0),
            numbered,
            line: 0,
            whole: 0,
            last: 0,
            lost: 0,
            torn: 0,
            waiting: None,
            over: false,
            _record: PhantomData,
        })
    }

    /// Begins to read what the file has gained since its end was reached, and returns true. Returns false if another file,
    /// which is shorter, has taken its place.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn read_on(&mut self) -> Result<bool, StoreError> {
        let (mut file, size) = open(&self.path)?;
        if size < self.whole {
            return Ok(false);
        }
        file.seek(SeekFrom::Start(self.whole)).map_err(|source| StoreError::read(&self.path, source))?;
        self.reader = BufReader::with_capacity(PIECE, file);
        (self.torn, self.over) = (0, false);
        Ok(true)
    }

    /// Number of the record that was read last.
    pub(super) fn last_number(&self) -> u64 {
        self.last
    }

    /// Bytes up to the end of the line that was read last.
    pub(super) fn whole_bytes(&self) -> u64 {
        self.whole
    }

    /// Bytes of a torn last line, known at the end.
    pub(super) fn torn_bytes(&self) -> u64 {
        self.torn
    }

    fn read_line(&mut self) -> io::Result<Option<Line>> {
        let (mut bytes, mut length) = (Vec::new(), 0);
        let (mut ended, mut is_empty) = (false, true);
        while !ended {
            let start = bytes.len();
            let read = (&mut self.reader).take(PIECE as u64).read_until(b'\n', &mut bytes)?;
            if read == 0 {
                break;
            }
            let piece = &bytes[start..];
            ended = piece.ends_with(b"\n");
            is_empty &= is_nul(piece.strip_suffix(b"\n").unwrap_or(piece));
            length += read as u64;
            if length > LONGEST {
                bytes.clear();
            }
        }
        if length == 0 {
            return Ok(None);
        }
        let is_last = !ended || self.reader.fill_buf()?.is_empty();
        Ok(Some(Line { is_torn: is_last && (!ended || is_empty && length > 1), bytes, length }))
    }

    fn wrong(&self, what: impl Into<String>) -> StoreError {
        StoreError::Line { path: self.path.clone(), line: self.line, what: what.into() }
    }

    /// Parses the record of a line.
    fn parse(&mut self, line: &Line) -> Result<T, StoreError> {
        if line.length > LONGEST {
            self.lost += 1;
            return Err(self.wrong(format!("is longer than {} MiB", LONGEST >> 20)));
        }
        let number = match number_in_front(&line.bytes).filter(|_| self.numbered) {
            Some(number) => Ok(Numbered { n: Some(number) }),
            None if self.numbered => serde_json::from_slice::<Numbered>(&line.bytes),
            None => Ok(Numbered { n: None }),
        };
        let parsed = number.and_then(|number| Ok((number.n, serde_json::from_slice::<T>(&line.bytes)?)));
        let (number, record) = match parsed {
            Ok(known) => known,
            Err(error) => {
                self.lost += 1;
                return Err(self.wrong(parse_problem(&error)));
            }
        };
        if !self.numbered {
            return Ok(record);
        }
        let Some(number) = number else {
            self.lost += 1;
            return Err(self.wrong("has no number `n`"));
        };
        let next = self.last + 1;
        if number < next {
            return Err(self.wrong(format!("has number {number} again: {next} is expected here")));
        }
        let most = next + self.lost;
        (self.last, self.lost) = (number, 0);
        if number > most {
            self.waiting = Some(record);
            let missing = if next + 1 == number {
                format!("record {next} is")
            } else {
                format!("records {next} to {} are", number - 1)
            };
            return Err(
                self.wrong(format!("has number {number}, but {next} is expected here: {missing} missing"))
            );
        }
        Ok(record)
    }
}

impl<T: DeserializeOwned> Iterator for Lines<T> {
    type Item = Result<T, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(record) = self.waiting.take() {
            return Some(Ok(record));
        }
        if self.over {
            return None;
        }
        match self.read_line() {
            Ok(Some(line)) if !line.is_torn => {
                self.line += 1;
                self.whole += line.length;
                Some(self.parse(&line))
            }
            Ok(line) => {
                self.over = true;
                self.torn = line.map_or(0, |line| line.length);
                None
            }
            Err(source) => {
                self.over = true;
                Some(Err(StoreError::read(&self.path, source)))
            }
        }
    }
}

/// The number of a record that is written as the program writes it: at the beginning, in at most 19 digits. With it, a line is
/// parsed once instead of twice.
fn number_in_front(line: &[u8]) -> Option<u64> {
    let digits = line.strip_prefix(b"{\"n\":")?;
    let length = digits.iter().take(20).position(|byte| !byte.is_ascii_digit())?;
    let is_whole = digits[length] == b',' && (1..20).contains(&length) && (length == 1 || digits[0] != b'0');
    str::from_utf8(&digits[..length]).ok()?.parse().ok().filter(|_| is_whole)
}

/// Opens a file that is not too large, and returns its size.
fn open(path: &Path) -> Result<(File, u64), StoreError> {
    let failed = |source| StoreError::read(path, source);
    let file = files::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    if size > LARGEST {
        let reason = format!("it has {size} bytes; at most {LARGEST} are allowed");
        return Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, reason)));
    }
    Ok((file, size))
}

/// Leaves out invalid lines; other errors stay. For readers that show a run.
pub fn skip_damaged<T>(
    lines: impl Iterator<Item = Result<T, StoreError>>,
) -> impl Iterator<Item = Result<T, StoreError>> {
    lines.filter(|line| !matches!(line, Err(StoreError::Line { .. })))
}

fn is_nul(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// The error of a line, without the line number of serde, which is always 1.
fn parse_problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&place) {
        Some(text) => format!("is not valid: {text} (column {})", error.column()),
        None => format!("is not valid: {text}"),
    }
}

#[cfg(test)]
mod tests;
