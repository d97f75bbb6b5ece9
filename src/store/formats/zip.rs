//! A ZIP archive with uncompressed members, written in one pass. All sizes have 64 bits, so that an archive of many
//! traces may be larger than 4 GiB.

use std::io::{self, Write};

use flate2::Crc;

/// Version 4.5 of the format has 64-bit sizes.
const VERSION: u16 = 45;
/// The check sum and the sizes follow the data, and names are UTF-8.
const FLAGS: u16 = 1 << 3 | 1 << 11;
/// 1 January 1980: the archive states no time of its members, so equal traces give equal files.
const DATE: u16 = 1 << 5 | 1;
/// A size or offset that is in the field for 64 bits.
const ELSEWHERE: u32 = u32::MAX;

struct Member {
    name: String,
    offset: u64,
    crc: Crc,
    bytes: u64,
}

/// Writes an archive.
pub(super) struct Zip<W: Write> {
    out: W,
    written: u64,
    /// The last one is open.
    members: Vec<Member>,
}

impl<W: Write> Zip<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, written: 0, members: Vec::new() }
    }

    /// Begins a member. What is written afterwards is its content.
    pub(super) fn begin(&mut self, name: &str) -> io::Result<()> {
        self.end()?;
        let offset = self.written;
        let mut head = Vec::from(*b"PK\x03\x04");
        for short in [VERSION, FLAGS, 0, 0, DATE] {
            head.extend(short.to_le_bytes());
        }
        for long in [0, ELSEWHERE, ELSEWHERE] {
            head.extend(long.to_le_bytes());
        }
        head.extend(short(name.len())?.to_le_bytes());
        // The field for 64 bits: its tag, its length, both sizes, which are not known yet.
        head.extend(20_u16.to_le_bytes());
        head.extend(name.as_bytes());
        head.extend([1, 0, 16, 0]);
        head.extend([0; 16]);
        self.put(&head)?;
        self.members.push(Member { name: name.to_owned(), offset, crc: Crc::new(), bytes: 0 });
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    /// Ends the member that is open.
    fn end(&mut self) -> io::Result<()> {
        if let Some(member) = self.members.last() {
            let mut tail = Vec::from(*b"PK\x07\x08");
            tail.extend(member.crc.sum().to_le_bytes());
            tail.extend(member.bytes.to_le_bytes());
            tail.extend(member.bytes.to_le_bytes());
            self.put(&tail)?;
        }
        Ok(())
    }

    /// Writes the directory of the members.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.end()?;
        let (start, members) = (self.written, std::mem::take(&mut self.members));
        for member in &members {
            let mut entry = Vec::from(*b"PK\x01\x02");
            for short in [VERSION, VERSION, FLAGS, 0, 0, DATE] {
                entry.extend(short.to_le_bytes());
            }
            for long in [member.crc.sum(), ELSEWHERE, ELSEWHERE] {
                entry.extend(long.to_le_bytes());
            }
            // Lengths of the name, of the field for 64 bits and of the comment; disk; attributes.
            for short in [short(member.name.len())?, 28, 0, 0, 0, 0, 0] {
                entry.extend(short.to_le_bytes());
            }
            entry.extend(ELSEWHERE.to_le_bytes());
            entry.extend(member.name.as_bytes());
            entry.extend([1, 0, 24, 0]);
            for size in [member.bytes, member.bytes, member.offset] {
                entry.extend(size.to_le_bytes());
            }
            self.put(&entry)?;
        }
        let (end, count) = (self.written, members.len() as u64);
        let mut tail = Vec::from(*b"PK\x06\x06");
        tail.extend(44_u64.to_le_bytes());
        tail.extend([VERSION.to_le_bytes(), VERSION.to_le_bytes()].concat());
        tail.extend([0; 8]);
        for size in [count, count, end - start, start] {
            tail.extend(size.to_le_bytes());
        }
        tail.extend(*b"PK\x06\x07");
        tail.extend([0; 4]);
        tail.extend(end.to_le_bytes());
        tail.extend(1_u32.to_le_bytes());
        tail.extend(*b"PK\x05\x06");
        tail.extend([0; 4]);
        tail.extend([0xff; 12]);
        tail.extend([0; 2]);
        self.put(&tail)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

fn short(length: usize) -> io::Result<u16> {
    u16::try_from(length).map_err(|_| io::Error::other("a name in the archive is too long"))
}

impl<W: Write> Write for Zip<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes)?;
        if let Some(member) = self.members.last_mut() {
            member.crc.update(bytes);
            member.bytes += bytes.len() as u64;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
