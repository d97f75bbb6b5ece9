//! PNG files: 8 bits for red, green and blue.

use std::io::{self, Write};

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

use super::Size;

/// Averages squares of `factor` by `factor` pixels to one, which smooths all edges.
#[expect(clippy::cast_possible_truncation, reason = "a mean of bytes is a byte")]
pub(super) fn averaged(pixels: &[u8], across: usize, factor: usize) -> Vec<u8> {
    let (width, row) = (across / factor, across * 3);
    let area = (factor * factor) as u32;
    let mut out = Vec::with_capacity(pixels.len() / (factor * factor));
    for rows in pixels.chunks_exact(row * factor) {
        for column in 0..width {
            for colour in 0..3 {
                let sum: u32 = rows
                    .chunks_exact(row)
                    .flat_map(|line| line[column * factor * 3..(column + 1) * factor * 3].chunks_exact(3))
                    .map(|pixel| u32::from(pixel[colour]))
                    .sum();
                out.push((sum / area) as u8);
            }
        }
    }
    out
}

/// The file of these pixels, row by row.
pub(super) fn encode(pixels: &[u8], size: Size) -> io::Result<Vec<u8>> {
    let mut file = Vec::from(*b"\x89PNG\r\n\x1a\n");
    // Depth, colour type, compression, filter, interlace.
    let head = [&size.width.to_be_bytes()[..], &size.height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    chunk(&mut file, b"IHDR", &head)?;
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    for row in pixels.chunks_exact(size.width as usize * 3) {
        // Each row begins with its filter: none.
        packed.write_all(&[0])?;
        packed.write_all(row)?;
    }
    chunk(&mut file, b"IDAT", &packed.finish()?)?;
    chunk(&mut file, b"IEND", &[])?;
    Ok(file)
}

fn chunk(file: &mut Vec<u8>, kind: &[u8; 4], content: &[u8]) -> io::Result<()> {
    let length = u32::try_from(content.len()).map_err(|_| io::Error::other("the picture is too large"))?;
    let mut crc = Crc::new();
    crc.update(kind);
    crc.update(content);
    file.extend(length.to_be_bytes());
    file.extend(kind);
    file.extend(content);
    file.extend(crc.sum().to_be_bytes());
    Ok(())
}
