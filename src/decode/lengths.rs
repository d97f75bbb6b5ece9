//! Wavelengths in another unit than that of their field: `start_nm: 1.55` is probably in µm, and 193.4 in THz.

use serde_json::Value;

use crate::units::SPEED_OF_LIGHT_M_S;

const LIGHT_NM_THZ: f64 = SPEED_OF_LIGHT_M_S / 1e3;

/// The units in which people write lengths by mistake, by the unit that the name of the field ends in. Others are not
/// typical, and would be guesses.
const MISTAKEN: [(&str, &[&str]); 2] = [("_nm", &["µm", "THz", "GHz", "pm", "m"]), ("_pm", &["nm"])];

/// The value of a length or of an optical frequency in the unit that the name of the field ends in, nm or pm.
pub(super) fn in_unit_of(field: &str, number: f64, unit: &str) -> Option<f64> {
    let unit = unit.to_lowercase();
    let of_length = match unit.as_str() {
        "pm" => Some(number / 1e3),
        "nm" => Some(number),
        "um" | "µm" | "μm" => Some(number * 1e3),
        "m" => Some(number * 1e9),
        _ => None,
    };
    let of_frequency = || match unit.as_str() {
        "thz" => Some(LIGHT_NM_THZ / number),
        "ghz" => Some(LIGHT_NM_THZ / number * 1e3),
        _ => None,
    };
    let value = if field.ends_with("_nm") {
        of_length.or_else(of_frequency)?
    } else if field.ends_with("_pm") {
        // A frequency has no value as a step of the wavelength.
        of_length? * 1e3
    } else {
        return None;
    };
    // More digits than a wavelength meter has would only be those of the conversion.
    Some((value * 1e3).round() / 1e3).filter(|value| value.is_finite())
}

/// The hint for a refused number at a path, if it is accepted after a conversion from a unit that is typical there.
pub(super) fn in_another_unit(
    whole: &Value,
    path: &[String],
    is_accepted: impl Fn(&Value) -> bool,
) -> Option<String> {
    // The numbers of a list have no name of their own.
    let field = path.iter().rev().find(|name| name.parse::<usize>().is_err())?;
    let place = format!("/{}", path.join("/"));
    let given = whole.pointer(&place)?.as_f64()?;
    other_unit(field, given, |converted| {
        let mut changed = whole.clone();
        changed.pointer_mut(&place).map(|number| *number = converted.into()).is_some()
            && is_accepted(&changed)
    })
}

/// The hint for a refused number of a field, if it is accepted after a conversion from a unit that is typical there.
pub fn other_unit(field: &str, given: f64, is_accepted: impl Fn(f64) -> bool) -> Option<String> {
    let (_, units) = MISTAKEN.iter().find(|(ending, _)| field.ends_with(ending))?;
    units.iter().find_map(|unit| {
        let converted = in_unit_of(field, given, unit)?;
        is_accepted(converted).then(|| format!("if you mean {given} {unit}, write {converted}"))
    })
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::json;

    use crate::decode::from_value;
    use crate::units::{Resolution, ScanWavelength};

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Scan {
        start_nm: Option<ScanWavelength>,
        stop_nm: Option<ScanWavelength>,
        resolution_pm: Option<Resolution>,
        centers_nm: Option<Vec<ScanWavelength>>,
    }

    #[test]
    fn a_wavelength_in_another_unit_is_converted_in_the_hint() {
        for (fields, expected) in [
            (json!({ "start_nm": 1.5 }), Some("if you mean 1.5 µm, write 1500")),
            (json!({ "start_nm": 1.55, "stop_nm": 1.6 }), Some("if you mean 1.55 µm, write 1550")),
            (json!({ "start_nm": 193.4 }), Some("if you mean 193.4 THz, write 1550.116")),
            (json!({ "stop_nm": 193_414 }), Some("if you mean 193414 GHz, write 1550.004")),
            (json!({ "stop_nm": 1_550_000 }), Some("if you mean 1550000 pm, write 1550")),
            (json!({ "stop_nm": 1.55e-6 }), Some("if you mean 0.00000155 m, write 1550")),
            (json!({ "centers_nm": [1550, 1.56] }), Some("if you mean 1.56 µm, write 1560")),
            (json!({ "resolution_pm": 0.001 }), Some("if you mean 0.001 nm, write 1")),
            // 1.5 pm is no step of the instrument.
            (json!({ "resolution_pm": 0.0015 }), None),
            (json!({ "resolution_pm": 300 }), None),
            (json!({ "start_nm": 1100 }), None),
            (json!({ "start_nm": 0 }), None),
            (json!({ "start_nm": -1.5 }), None),
        ] {
            let error = from_value::<Scan>(&fields).unwrap_err();
            assert_eq!(error.hint.as_deref(), expected, "{fields}: {error}");
        }
    }
}
