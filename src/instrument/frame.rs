//! Splits a stream of bytes into replies: lines of text, and IEEE 488.2 definite-length blocks. Pure and incremental:
//! bytes are added in any pieces.
//!
//! A block is never collected: its bytes are handed out as they arrive. Some units send a line end after a block. It
//! is skipped before the next reply, and never taken for an empty reply.

use crate::measurement::finite_or_nan;

/// Longest reply line, bytes. A longer line cannot be the reply to any query.
const MAX_LINE: usize = 1 << 20;

/// Longest excerpt of invalid bytes in a message.
const EXCERPT: usize = 40;

/// Bytes that are not a valid reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A block was expected, but the reply starts with other text.
    #[error("expected a binary block (`#…`), got `{0}`")]
    NotABlock(String),
    /// The header is `#` and a digit, but fewer digits follow.
    #[error("the header of the binary block is malformed: `{0}`")]
    BlockHeader(String),
    /// A line has no end.
    #[error("a reply line is longer than {MAX_LINE} bytes")]
    LineTooLong,
}

/// Bytes that have arrived and have not been consumed.
#[derive(Debug, Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    taken: usize,
}

impl Buffer {
    /// Adds bytes that have arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.compact();
        self.bytes.extend_from_slice(bytes);
    }

    /// The bytes so far, with space for `length` more. The next read appends to them. The space is not filled with zeros,
    /// which would take longer than a short exchange.
    pub fn for_reading(&mut self, length: usize) -> &mut Vec<u8> {
        self.compact();
        self.bytes.reserve(length);
        &mut self.bytes
    }

    /// True if every byte has been consumed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    /// The beginning of the unconsumed bytes; `None` if there are only line ends.
    pub fn unread(&mut self) -> Option<String> {
        self.skip_line_ends();
        if self.is_empty() { None } else { Some(self.excerpt()) }
    }

    /// Takes a text reply without its line end, once the whole line has arrived. Empty lines are skipped.
    ///
    /// # Errors
    /// If the line is too long.
    pub fn line(&mut self) -> Result<Option<String>, FrameError> {
        self.line_to(b'\n')
    }

    /// The same for lines that end with another byte.
    ///
    /// # Errors
    /// If the line is too long.
    pub fn line_to(&mut self, last: u8) -> Result<Option<String>, FrameError> {
        self.skip_line_ends();
        let Some(end) = self.rest().iter().position(|byte| *byte == last) else {
            return if self.rest().len() > MAX_LINE { Err(FrameError::LineTooLong) } else { Ok(None) };
        };
        let line = String::from_utf8_lossy(&self.rest()[..end]).trim().to_owned();
        self.taken += end + 1;
        if line.is_empty() { self.line_to(last) } else { Ok(Some(line)) }
    }

    /// The length of a block in bytes, once its header has arrived. The header is consumed.
    ///
    /// # Errors
    /// If the reply is not a definite-length block.
    pub fn block_header(&mut self) -> Result<Option<u64>, FrameError> {
        self.skip_line_ends();
        let rest = self.rest();
        match rest {
            [] | [b'#'] => return Ok(None),
            [b'#', b'1'..=b'9', ..] => {}
            [b'#', ..] => return Err(FrameError::BlockHeader(self.excerpt())),
            _ => return Err(FrameError::NotABlock(self.excerpt())),
        }
        let digits = usize::from(rest[1] - b'0');
        let Some(number) = rest.get(2..2 + digits) else { return Ok(None) };
        let number = std::str::from_utf8(number).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        let Some(length) = number.and_then(|text| text.parse().ok()) else {
            return Err(FrameError::BlockHeader(self.excerpt()));
        };
        self.taken += 2 + digits;
        Ok(Some(length))
    }

    /// Takes up to `most` bytes of a block: as many whole values of `size` bytes as have arrived.
    pub fn values(&mut self, most: u64, size: usize) -> &[u8] {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let length = self.rest().len().min(most) / size * size;
        let start = self.taken;
        self.taken += length;
        &self.bytes[start..start + length]
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    fn skip_line_ends(&mut self) {
        self.taken += self.rest().iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    }

    fn compact(&mut self) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
    }

    fn excerpt(&self) -> String {
        let rest = self.rest();
        let text = String::from_utf8_lossy(&rest[..rest.len().min(EXCERPT)]);
        text.trim_end().escape_default().to_string()
    }
}

/// A value of a binary block, big-endian on the wire. A measured value that is not a number becomes NaN.
pub trait Sample: Sized + Send + 'static {
    /// Bytes per value.
    const SIZE: usize;

    /// Decodes whole values. An incomplete value at the end is left out.
    fn decode(bytes: &[u8]) -> Vec<Self>;
}

impl Sample for f32 {
    const SIZE: usize = 4;

    fn decode(bytes: &[u8]) -> Vec<Self> {
        bytes.as_chunks().0.iter().map(|chunk| finite_or_nan(Self::from_be_bytes(*chunk))).collect()
    }
}

impl Sample for f64 {
    const SIZE: usize = 8;

    fn decode(bytes: &[u8]) -> Vec<Self> {
        bytes.as_chunks().0.iter().map(|chunk| Self::from_be_bytes(*chunk)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A line, a block of floats with a stray line end, and another line, cut into pieces.
    fn replies(floats: &[f32], stray: &str) -> Vec<u8> {
        let payload: Vec<u8> = floats.iter().flat_map(|value| value.to_be_bytes()).collect();
        let count = payload.len().to_string();
        let mut bytes = format!("first\r\n#{}{count}", count.len()).into_bytes();
        bytes.extend(payload);
        bytes.extend(format!("{stray}0,No error\r\n").bytes());
        bytes
    }

    proptest! {
        #[test]
        fn replies_come_out_whole_however_they_are_cut(
            floats in prop::collection::vec(-100.0f32..10.0, 1..200),
            stray in prop::sample::select(vec!["", "\r\n", "\n"]),
            pieces in prop::collection::vec(1usize..50, 1..400),
        ) {
            let bytes = replies(&floats, stray);
            let mut sent = 0;
            let mut pieces = pieces.into_iter().cycle();
            let mut buffer = Buffer::default();
            let mut more = |buffer: &mut Buffer| {
                let end = (sent + pieces.next().unwrap()).min(bytes.len());
                buffer.push(&bytes[sent..end]);
                sent = end;
            };
            let first = loop {
                if let Some(line) = buffer.line().unwrap() { break line }
                more(&mut buffer);
            };
            prop_assert_eq!(first, "first");
            let length = loop {
                if let Some(length) = buffer.block_header().unwrap() { break length }
                more(&mut buffer);
            };
            prop_assert_eq!(length, floats.len() as u64 * 4);
            let (mut left, mut values) = (length, Vec::new());
            while left > 0 {
                let part = buffer.values(left, 4);
                left -= part.len() as u64;
                values.extend(f32::decode(part));
                if left > 0 { more(&mut buffer); }
            }
            prop_assert_eq!(values, floats);
            let last = loop {
                if let Some(line) = buffer.line().unwrap() { break line }
                more(&mut buffer);
            };
            prop_assert_eq!(last, "0,No error");
        }

        #[test]
        fn bytes_that_are_no_reply_are_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut buffer = Buffer::default();
            buffer.push(&bytes);
            let _ = buffer.block_header();
            let _ = buffer.line();
        }
    }

    #[test]
    fn a_text_where_a_block_was_expected_is_quoted() {
        let mut buffer = Buffer::default();
        buffer.push(b"-113,Undefined header\r\n");
        let error = buffer.block_header().unwrap_err();
        assert_eq!(error.to_string(), "expected a binary block (`#…`), got `-113,Undefined header`");
    }
}
