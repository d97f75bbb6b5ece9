//! From the bytes of a file to its text: UTF-8, with or without a byte order mark.

/// The text of a file in UTF-8. A byte order mark stays, so that copies are identical to the file.
///
/// # Errors
/// The probable other encoding and a hint, as a text that follows the file's name.
pub fn decode(bytes: Vec<u8>) -> Result<String, String> {
    if wide(&bytes).is_some() {
        return Err("is in UTF-16: save the file as UTF-8".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = &error.as_bytes()[..valid];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let byte = error.as_bytes().get(valid).copied().unwrap_or_default();
        format!(
            "is not UTF-8: byte 0x{byte:02X} in line {line} belongs to another encoding. Save the file as UTF-8"
        )
    })
}

/// The order of the bytes of a text in UTF-16; `None` for another text.
fn wide(bytes: &[u8]) -> Option<fn([u8; 2]) -> u16> {
    match bytes {
        [0xff, 0xfe, ..] => Some(u16::from_le_bytes),
        [0xfe, 0xff, ..] => Some(u16::from_be_bytes),
        // Without a mark, every second byte of ASCII text is zero.
        [0, other, ..] if *other != 0 => Some(u16::from_be_bytes),
        [other, 0, ..] if *other != 0 => Some(u16::from_le_bytes),
        _ => None,
    }
}

/// A character of the encoding of Windows. Its other bytes are those of Latin-1.
fn windows_1252(byte: u8) -> char {
    const FROM_0X80: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
        '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    byte.checked_sub(0x80)
        .and_then(|index| FROM_0X80.get(usize::from(index)).copied())
        .unwrap_or(char::from(byte))
}

/// The text of a file of numbers that another program wrote: UTF-8, UTF-16, or the encoding of Windows, which contains
/// Latin-1. A byte order mark is left out.
///
/// # Errors
/// The file is no text, as a text that follows the file's name.
pub fn decode_data(bytes: Vec<u8>) -> Result<String, String> {
    let text = if let Some(unit) = wide(&bytes) {
        let (pairs, rest) = bytes.as_chunks();
        let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
        let text = String::from_utf16(&units).ok().filter(|_| rest.is_empty());
        text.ok_or_else(|| "is in UTF-16, but damaged".to_owned())?
    } else {
        String::from_utf8(bytes)
            .unwrap_or_else(|error| error.into_bytes().into_iter().map(windows_1252).collect())
    };
    if text.contains('\0') {
        return Err("is no text file".to_owned());
    }
    Ok(without_mark(&text).to_owned())
}

/// A text without the byte order mark that some editors add.
#[must_use]
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf_16_is_named_and_another_encoding_with_its_line() {
        let wide = |little: bool, mark: bool| -> Vec<u8> {
            let text = format!("{}name: a\n", if mark { "\u{feff}" } else { "" });
            let unit = |unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
            text.encode_utf16().flat_map(unit).collect()
        };
        for (little, mark) in [(true, true), (true, false), (false, true), (false, false)] {
            assert_eq!(decode(wide(little, mark)).unwrap_err(), "is in UTF-16: save the file as UTF-8");
        }
        for (little, mark) in [(true, true), (true, false), (false, true), (false, false)] {
            assert_eq!(decode_data(wide(little, mark)).unwrap(), "name: a\n");
        }
        assert_eq!(decode_data(b"\x80 \x96 \xb5m \xff".to_vec()).unwrap(), "€ – µm ÿ");
        assert_eq!(decode_data(b"a\0b\0c".to_vec()).unwrap_err(), "is in UTF-16, but damaged");
        for bytes in [&b"\xef\xbb\xbf\xc2\xb5m"[..], b"\xc2\xb5m", b"\xb5m"] {
            assert_eq!(decode_data(bytes.to_vec()).unwrap(), "\u{b5}m");
        }
        assert!(decode_data(b"ab\x00\xff".to_vec()).unwrap_err().contains("is no text"));
        let latin = decode(b"name: a\n# caf\xe9\n".to_vec()).unwrap_err();
        assert!(latin.contains("byte 0xE9 in line 2"), "{latin}");
        assert_eq!(decode("\u{feff}\u{b5}".into()).unwrap(), "\u{feff}\u{b5}");
        assert_eq!(without_mark("\u{feff}a"), "a");
    }
}
