//! Figures as text for people: `≥` for bounds, the limits in words.

use super::figure::Figure;
use super::verdict::Limit;
use crate::shown::{digits, number, quantity, with_unit};

/// The name without its unit, for a text that shows the unit behind the value.
#[must_use]
pub fn short_name<'a>(name: &'a str, unit: &str) -> &'a str {
    let ends_with = |name: &'a str| name.strip_suffix(&unit.to_lowercase())?.strip_suffix('_');
    ends_with(name).filter(|short| !short.is_empty()).unwrap_or(name)
}

fn error_of(figure: &Figure) -> Option<f64> {
    figure.error.filter(|error| *error > 0.0)
}

/// The value of a figure with the sign of a bound, without its error and unit. `None`: there is no value.
#[must_use]
pub fn bare_value(figure: &Figure) -> Option<String> {
    let sign = figure.bound.map(|bound| format!("{} ", bound.sign())).unwrap_or_default();
    figure.value.map(|value| format!("{sign}{}", number(value, error_of(figure), &figure.unit)))
}

/// The value of a figure with its error and the sign of a bound, for a table that has the unit beside it.
#[must_use]
pub fn value_without_unit(figure: &Figure) -> Option<String> {
    // Two digits of an error make sense.
    let spread = error_of(figure).map(|error| format!(" ± {}", digits(error, 2)));
    bare_value(figure).map(|value| format!("{value}{}", spread.unwrap_or_default()))
}

/// The value of a figure with its unit, its error and the sign of a bound. `None`: there is no value.
#[must_use]
pub fn value(figure: &Figure) -> Option<String> {
    value_without_unit(figure).map(|text| with_unit(&text, &figure.unit))
}

/// The bound of a figure that was not measured, with its unit.
#[must_use]
pub fn bound(figure: &Figure) -> Option<String> {
    let (bound, value) = figure.bound.zip(figure.bound_value)?;
    Some(format!("{} {}", bound.sign(), quantity(value, None, &figure.unit)))
}

/// The limits in words: `min 12`, `max 1.5`, `1.2 to 1.5`.
#[must_use]
pub fn limits(limit: &Limit) -> String {
    match (limit.min, limit.max) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("min {min}"),
        (None, Some(max)) => format!("max {max}"),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::figure::Bound;
    use crate::analysis::registry;

    fn figure(name: &str, value: f64) -> Figure {
        let (definition, level_db) = registry::find(name).unwrap();
        Figure::measured_at(definition, level_db, value)
    }

    #[test]
    fn a_value_shows_its_bound_its_error_and_its_unit() {
        let loaded = figure("q_loaded", 12_345.6).with_error(123.0);
        assert_eq!(value(&loaded).unwrap(), "12346 ± 123");
        let spacing = figure("fsr_mean_nm", 9.031_34).with_error(0.000_008_247);
        assert_eq!(value_without_unit(&spacing).unwrap(), "9.0313400 ± 0.0000082");
        assert_eq!(bare_value(&spacing).unwrap(), "9.0313400");
        let bounded = figure("insertion_loss_max_db", 42.0).bounded(Some(Bound::AtLeast));
        assert_eq!(
            (value(&bounded), bare_value(&bounded)),
            (Some("≥ 42.00 dB".to_owned()), Some("≥ 42.00".to_owned()))
        );
        let missing = registry::find("q_loaded").unwrap().0;
        let missing = Figure::missing(missing, "too few samples").with_bound(Bound::AtLeast, 20_000.0);
        assert_eq!((value(&missing), bound(&missing)), (None, Some("≥ 20000".to_owned())));
    }

    #[test]
    fn the_unit_is_not_said_twice() {
        assert_eq!(short_name("insertion_loss_max_db", "dB"), "insertion_loss_max");
        assert_eq!(short_name("bandwidth_3db_nm", "nm"), "bandwidth_3db");
        assert_eq!(short_name("q_loaded", "1"), "q_loaded");
    }
}
