//! Numbers as text, without the machinery of `format!`: a trace has two million of them.

use crate::measurement::Axis;

/// Room for the digits of a 64-bit number and a decimal point.
const ROOM: usize = 24;
/// Femtometres of a nanometre.
const FM: u64 = 1_000_000;
/// Decimal places of a wavelength in nanometres.
const PLACES: u32 = 6;
/// Above this, a double does not contain all integers.
const LARGEST_FM: i64 = 9_000_000_000_000_000;

/// Writes numbers one after the other into the same bytes.
#[derive(Default)]
pub(super) struct Digits {
    decimal: [u8; ROOM],
    shortest: zmij::Buffer,
}

impl Digits {
    /// The wavelength of a point. These are the fewest digits that give the same double again, because a wavelength is a
    /// whole number of femtometres.
    pub(super) fn wavelength_nm(&mut self, axis: Axis, index: u64) -> &[u8] {
        let fm = axis.fm(index);
        if (0..LARGEST_FM).contains(&fm) {
            self.nanometres(fm.cast_unsigned())
        } else {
            self.shortest.format(axis.nm(index)).as_bytes()
        }
    }

    fn nanometres(&mut self, fm: u64) -> &[u8] {
        let (mut whole, mut fraction) = (fm / FM, fm % FM);
        let mut places = PLACES;
        while places > 1 && fraction.is_multiple_of(10) {
            fraction /= 10;
            places -= 1;
        }
        let mut at = ROOM;
        let mut put = |digit: u8| {
            at -= 1;
            self.decimal[at] = digit;
        };
        for _ in 0..places {
            put(b'0' + (fraction % 10) as u8);
            fraction /= 10;
        }
        put(b'.');
        loop {
            put(b'0' + (whole % 10) as u8);
            whole /= 10;
            if whole == 0 {
                break;
            }
        }
        &self.decimal[at..]
    }

    /// A finite level in dB or dBm, with the fewest digits that give the same float again.
    pub(super) fn level(&mut self, value: f32) -> &[u8] {
        self.shortest.format_finite(value).as_bytes()
    }
}

/// A number without its `.0`.
pub(super) fn without_fraction(number: &[u8]) -> &[u8] {
    number.strip_suffix(b".0").unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::Grid;

    #[test]
    fn numbers_are_written_as_the_standard_library_writes_them() {
        let mut digits = Digits::default();
        for (start_nm, step_pm) in
            [(1520.0, 1.0), (1_502.123_456, 0.1), (1240.0, 250.0), (1260.5, 0.063_829_787_2)]
        {
            let grid = Grid { start_nm, step_pm, points: 100_000 };
            for index in (0..1000).chain([9_999, 10_000, 65_536, 99_999]) {
                let expected = format!("{:?}", grid.wavelength_nm(index));
                assert_eq!(String::from_utf8_lossy(digits.wavelength_nm(grid.axis(), index)), expected);
                let expected = format!("{}", grid.wavelength_nm(index));
                let shown = without_fraction(digits.wavelength_nm(grid.axis(), index));
                assert_eq!(String::from_utf8_lossy(shown), expected);
            }
        }
        for value in [0.0, -0.0, -3.5, 27.0, -27.251_3, 1e-3, 0.1, -89.999_99, f32::MAX, f32::MIN_POSITIVE] {
            let shown = String::from_utf8_lossy(digits.level(value)).into_owned();
            assert_eq!(shown.parse::<f32>().unwrap().to_bits(), value.to_bits(), "{shown}");
            if value == 0.0 || (1e-3..1e6).contains(&value.abs()) {
                assert_eq!(shown, format!("{value:?}"));
            }
        }
    }

    #[test]
    fn a_wavelength_that_no_instrument_has_is_written_too() {
        let grid = Grid { start_nm: -1.5, step_pm: 1.0, points: 2 };
        assert_eq!(Digits::default().wavelength_nm(grid.axis(), 0), b"-1.5");
    }
}
