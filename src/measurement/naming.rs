//! Names that become part of the names of files.

/// Longest name of a trace in the name of its file.
const LONGEST: usize = 80;

fn is_fit(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '+' | '-')
}

/// Checks a name that is written in a recipe.
///
/// # Errors
/// If the name contains characters that are not allowed in a file name.
pub fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > LONGEST || name.starts_with('.') || !name.chars().all(is_fit) {
        return Err(format!(
            "name `{name}` is not allowed (1 to {LONGEST} of letters, digits, `.`, `_`, `+`, `-`, not starting with `.`)"
        ));
    }
    Ok(())
}

/// Checks the written part of a name whose rest comes from an expression.
///
/// # Errors
/// If the name contains characters that are not allowed in a file name.
pub fn check_part_of_name(part: &str) -> Result<(), String> {
    match part.chars().find(|letter| !is_fit(*letter)) {
        Some(letter) => {
            Err(format!("`{letter}` is not allowed in a name (letters, digits, `.`, `_`, `+`, `-`)"))
        }
        None => Ok(()),
    }
}

/// The part of a name for a file name. Each run of other characters becomes one `_`, `_` at either end is removed,
/// and long names are cut. The result may be empty, and two names may have the same result.
#[must_use]
pub fn fit_for_file(name: &str) -> String {
    if check_name(name).is_ok() {
        return name.to_owned();
    }
    let mut fit = String::new();
    for letter in name.chars() {
        match is_fit(letter) {
            true => fit.push(letter),
            false if !fit.ends_with('_') => fit.push('_'),
            false => {}
        }
    }
    let start = fit.trim_start_matches(['_', '.']);
    start.chars().take(LONGEST).collect::<String>().trim_end_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_made_fit_for_a_file() {
        for (name, fit) in [
            ("die_A1+x.2-b", "die_A1+x.2-b"),
            ("chip 3/4 (left)", "chip_3_4_left"),
            ("../../etc/passwd", "etc_passwd"),
            ("a\nb\0c", "a_b_c"),
            ("_kept_", "_kept_"),
            ("\u{82af}\u{7247}3", "3"),
            ("\u{b5}m", "m"),
            ("///", ""),
            ("", ""),
            (".hidden", "hidden"),
            ("CON", "CON"),
        ] {
            assert_eq!(fit_for_file(name), fit, "{name}");
        }
        assert_eq!(fit_for_file(&"long ".repeat(100)).len(), 79);
    }

    proptest! {
        #[test]
        fn what_is_fit_is_empty_or_a_name_and_stays_as_it_is(name in ".{0,200}") {
            let fit = fit_for_file(&name);
            prop_assert!(fit.is_empty() || check_name(&fit).is_ok(), "{fit}");
            prop_assert_eq!(fit_for_file(&fit), fit);
        }
    }
}
