//! Units at the ends of names: `power_dbm`, `speed_nm_s`. Labels, hints and the units of slopes use this one table.

/// The ends of names, in lower case, with the symbols of their units.
const UNITS: [(&str, &str); 43] = [
    ("dbm", "dBm"),
    ("dbma", "dBmA"),
    ("db", "dB"),
    ("db_per_cm", "dB/cm"),
    ("w", "W"),
    ("mw", "mW"),
    ("uw", "\u{b5}W"),
    ("nw", "nW"),
    ("a", "A"),
    ("ma", "mA"),
    ("ua", "\u{b5}A"),
    ("na", "nA"),
    ("v", "V"),
    ("mv", "mV"),
    ("fm", "fm"),
    ("pm", "pm"),
    ("nm", "nm"),
    ("um", "\u{b5}m"),
    ("mm", "mm"),
    ("cm", "cm"),
    ("nm_s", "nm/s"),
    ("um_s", "\u{b5}m/s"),
    ("mm_s", "mm/s"),
    ("fs", "fs"),
    ("ps", "ps"),
    ("ns", "ns"),
    ("us", "\u{b5}s"),
    ("ms", "ms"),
    ("s", "s"),
    ("min", "min"),
    ("h", "h"),
    ("hz", "Hz"),
    ("khz", "kHz"),
    ("mhz", "MHz"),
    ("ghz", "GHz"),
    ("thz", "THz"),
    ("deg", "\u{b0}"),
    ("c", "\u{b0}C"),
    ("k", "K"),
    ("mk", "mK"),
    ("ohm", "\u{3a9}"),
    ("rad", "rad"),
    ("percent", "%"),
];

/// Splits a name such as `power_dbm` into `power` and the symbol `dBm`. Of several ends that fit, the longest is meant:
/// `speed_nm_s` is not in seconds.
#[must_use]
pub fn split(name: &str) -> Option<(&str, &'static str)> {
    let splits = |(end, symbol): &(&str, &'static str)| {
        let (before, found) = name.split_at_checked(name.len().checked_sub(end.len())?)?;
        let before = before.strip_suffix('_').filter(|before| !before.is_empty())?;
        found.eq_ignore_ascii_case(end).then_some((before, *symbol))
    };
    UNITS.iter().filter_map(splits).min_by_key(|(before, _)| before.len())
}

/// Words before a unit of one letter, with the units that they can have. `t`, `i` and `u` are symbols of quantities.
const QUANTITIES: [(&str, &str); 4] = [
    (
        "sh",
        "time wait delay duration soak settle settling dwell pause period interval timeout exposure age t",
    ),
    ("va", "bias heater gate drive supply source offset amplitude voltage current compliance i u"),
    ("w", "power heater"),
    ("ck", "temperature temp stage oven chip tec thermostat setpoint t"),
];

/// Splits a name that a user has chosen, as [`split`] does. A unit of one letter needs a quantity before it: `bias_v` is in
/// volts, and `arm_a` is the name of an arm.
#[must_use]
pub fn split_chosen(name: &str) -> Option<(&str, &'static str)> {
    split(name).filter(|(before, _)| {
        let end = &name[before.len() + 1..].to_lowercase();
        let word = before.rsplit('_').next().unwrap_or(before).to_lowercase();
        let has = |(units, words): &(&str, &str)| {
            units.contains(end.as_str()) && words.split(' ').any(|known| known == word)
        };
        end.len() > 1 || QUANTITIES.iter().any(has)
    })
}

/// The end of a name that is its unit, as it is written there: `dbm` of `power_dbm`. Without a known unit, it is the last
/// word.
#[must_use]
pub fn end(name: &str) -> &str {
    match split(name) {
        Some((before, _)) => &name[before.len() + 1..],
        None => name.rsplit('_').next().unwrap_or(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_of_one_letter_needs_a_quantity_before_it() {
        for (name, expected) in [
            ("arm_a", None),
            ("port_c", None),
            ("cell_k", None),
            ("wafer_w", None),
            ("arm_s", None),
            ("Arm_A", None),
            ("temperature_a", None),
            ("bias_v", Some(("bias", "V"))),
            ("heater_bias_V", Some(("heater_bias", "V"))),
            ("current_a", Some(("current", "A"))),
            ("soak_h", Some(("soak", "h"))),
            ("wait_s", Some(("wait", "s"))),
            ("stage_temperature_c", Some(("stage_temperature", "\u{b0}C"))),
            ("power_dbm", Some(("power", "dBm"))),
            ("speed_nm_s", Some(("speed", "nm/s"))),
        ] {
            assert_eq!(split_chosen(name), expected, "{name}");
        }
    }

    #[test]
    fn the_longest_unit_at_the_end_of_a_name_is_its_unit() {
        for (name, expected) in [
            ("power_dbm", Some(("power", "dBm"))),
            ("speed_nm_s", Some(("speed", "nm/s"))),
            ("soak_min", Some(("soak", "min"))),
            ("length_cm", Some(("length", "cm"))),
            ("grid_GHz", Some(("grid", "GHz"))),
            ("propagation_loss_db_per_cm", Some(("propagation_loss", "dB/cm"))),
            ("nm_s", Some(("nm", "s"))),
            ("_nm", None),
            ("nm", None),
            ("device", None),
            ("\u{b5}", None),
        ] {
            assert_eq!(split(name), expected, "{name}");
        }
        assert_eq!(
            (end("speed_nm_s"), end("heater_mW"), end("x_turns"), end("x")),
            ("nm_s", "mW", "turns", "x")
        );
    }
}
