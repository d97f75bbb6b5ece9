//! From the bytes of a file to its text: UTF-8, with or without a byte order mark.

/// The text of a file in UTF-8. A byte order mark stays, so that copies are identical to the file.
///
/// # Errors
/// The probable other encoding and a hint, as a text that follows the file's name.
pub fn decode(bytes: Vec<u8>) -> Result<String, String> {
    let is_wide = match bytes.as_slice() {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        // Without a mark, every second byte of ASCII text is zero.
        [0, other, ..] | [other, 0, ..] => *other != 0,
        _ => false,
    };
    if is_wide {
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
        let latin = decode(b"name: a\n# caf\xe9\n".to_vec()).unwrap_err();
        assert!(latin.contains("byte 0xE9 in line 2"), "{latin}");
        assert_eq!(decode("\u{feff}\u{b5}".into()).unwrap(), "\u{feff}\u{b5}");
        assert_eq!(without_mark("\u{feff}a"), "a");
    }
}
