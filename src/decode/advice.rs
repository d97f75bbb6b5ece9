//! Hints for values that people write in another form than the recipe language: `off`, `10 min`, `5 dBm`.

use serde_json::Value;

use super::lengths;
use crate::units;

/// The hint for a value that was refused with this message. `field` is the name of its field.
pub(super) fn for_value(field: Option<&str>, given: &Value, message: &str) -> Option<String> {
    let text = given.as_str()?.trim();
    if message.contains("expected `true` or `false`") {
        return truth(text).map(|truth| format!("write `{truth}`"));
    }
    let wants_number = message.contains("expected a number") || message.contains("expected a whole number");
    let (number, unit) = number_and_unit(text).filter(|_| wants_number)?;
    let field = field?;
    let converted = in_unit_of(field, number, unit);
    Some(converted.map_or_else(
        || "write a number without a unit, in the unit that the name of the field ends in".to_owned(),
        |converted| format!("write `{field}: {converted}`: the name of the field ends in its unit"),
    ))
}

/// What a text says in place of a truth value. YAML 1.1 accepted these words.
fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "on" | "yes" | "y" => Some(true),
        "off" | "no" | "n" => Some(false),
        _ => None,
    }
}

/// A number with a unit behind it.
pub(crate) fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let length = text.find(|letter: char| !(letter.is_ascii_digit() || matches!(letter, '.' | '-' | '+')))?;
    let unit = text[length..].trim();
    let is_unit =
        !unit.is_empty() && unit.chars().all(|letter| letter.is_alphabetic() || "/µ%°".contains(letter));
    Some((text[..length].trim().parse().ok()?, unit)).filter(|_| is_unit)
}

/// A duration in seconds.
pub(crate) fn seconds(number: f64, unit: &str) -> Option<f64> {
    let factor = match unit.to_ascii_lowercase().as_str() {
        "ms" => 1e-3,
        "s" | "sec" | "second" | "seconds" => 1.0,
        "min" | "m" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3_600.0,
        "d" | "day" | "days" => 86_400.0,
        _ => return None,
    };
    Some(number * factor)
}

/// The number in the unit that the name of the field ends in; `None` if the units are not of one kind.
fn in_unit_of(field: &str, number: f64, unit: &str) -> Option<f64> {
    let wanted = if field == "seconds" { "s" } else { units::split(field)?.1 };
    let given = format!("given_{}", unit.replace('/', "_").replace(['\u{b5}', '\u{3bc}'], "u"));
    match wanted {
        "s" => seconds(number, unit),
        "min" => seconds(number, unit).map(|seconds| seconds / 60.0),
        _ if units::split(&given).is_some_and(|(_, given)| given == wanted) => Some(number),
        _ => lengths::in_unit_of(field, number, unit),
    }
}

/// The allowed name that differs from `word` in its unit only, with its unit and the unit of `word`.
pub(super) fn in_another_unit<'a>(
    word: &str,
    allowed: impl IntoIterator<Item = &'a str>,
) -> Option<(&'a str, &'static str, &'static str)> {
    let word = word.to_ascii_lowercase();
    let (stem, given) = units::split(&word)?;
    let known = allowed.into_iter().filter_map(|known| Some((known, units::split(known)?)));
    let mut alike = known.filter(|(_, (other, unit))| *other == stem && *unit != given);
    alike.next().map(|(known, (_, unit))| (known, unit, given))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::decode::suggestion;

    #[test]
    fn a_field_in_another_unit_is_suggested_with_both_units() {
        let fields = ["power_dbm", "resolution_pm", "speed_nm_s", "timeout_s", "name"];
        for (word, expected) in [
            ("power_mw", "did you mean `power_dbm`? Its unit is dBm, not mW"),
            ("resolution_nm", "did you mean `resolution_pm`? Its unit is pm, not nm"),
            ("timeout_min", "did you mean `timeout_s`? Its unit is s, not min"),
            ("power_dBm", "did you mean `power_dbm`?"),
            ("power", "did you mean `power_dbm`?"),
            ("save", "allowed: `power_dbm`, `resolution_pm`, `speed_nm_s`, `timeout_s`, `name`"),
        ] {
            assert_eq!(suggestion(word, fields), expected, "{word}");
        }
    }

    #[test]
    fn values_in_another_form_get_the_form_of_the_recipe() {
        let boolean = "invalid type: text \"off\", expected `true` or `false`";
        let number = "invalid type: text, expected a number for the duration";
        let whole = |text: &str| format!("write `{text}`: the name of the field ends in its unit");
        let other =
            "write a number without a unit, in the unit that the name of the field ends in".to_owned();
        for (field, given, message, expected) in [
            ("output", "off", boolean, Some("write `false`".to_owned())),
            ("output", "Yes", boolean, Some("write `true`".to_owned())),
            ("output", "perhaps", boolean, None),
            ("timeout_s", "1h", number, Some(whole("timeout_s: 3600"))),
            ("seconds", "10 min", number, Some(whole("seconds: 600"))),
            ("max_age_min", "2 h", number, Some(whole("max_age_min: 120"))),
            ("power_dbm", "5 dBm", number, Some(whole("power_dbm: 5"))),
            ("speed_nm_s", "50 nm/s", number, Some(whole("speed_nm_s: 50"))),
            ("start_nm", "1.55 µm", number, Some(whole("start_nm: 1550"))),
            ("start_nm", "193.4THz", number, Some(whole("start_nm: 1550.116"))),
            ("resolution_pm", "0.02 nm", number, Some(whole("resolution_pm: 20"))),
            ("resolution_pm", "1 GHz", number, Some(other.clone())),
            ("speed_nm_s", "5 nm", number, Some(other.clone())),
            ("power_uw", "5 µW", number, Some(whole("power_uw: 5"))),
            ("power_dbm", "5 mW", number, Some(other.clone())),
            ("timeout_s", "5 nm", number, Some(other)),
            ("seconds", "ten", number, None),
        ] {
            assert_eq!(for_value(Some(field), &json!(given), message), expected, "{field}: {given}");
        }
    }
}
