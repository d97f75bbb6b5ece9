//! Whether lines that the least distance excludes belong to the comb.

use super::modes::number;

/// Fewest lines that show a comb.
const FEWEST: usize = 4;
/// A line that is nearer to another than this part of the spacing is a second line of the same resonance.
const BESIDE: f64 = 0.25;

/// Whether these lines, given in the order of wavelength, are an even comb: more than two thirds of their spacings are
/// one mode. Pairs of split resonances have fewer, because every second spacing is wide.
#[must_use]
pub fn is_even(wavelengths_nm: &[f64]) -> bool {
    let is_single = |pair: &&[u32]| pair[1] - pair[0] == 1;
    wavelengths_nm.len() >= FEWEST
        && number(wavelengths_nm).is_ok_and(|spacings| {
            let singles = spacings.modes.windows(2).filter(is_single).count();
            3 * singles > 2 * (wavelengths_nm.len() - 1)
        })
}

/// Whether the comb of the lines `kept` may have more lines: some of the lines `near` are well between two of them, in at
/// least a quarter of the gaps. Fewer are wrong lines. Both are in the order of wavelength.
#[must_use]
pub fn may_be_denser(kept: &[f64], near: &[f64]) -> bool {
    if kept.len() < 2 {
        return !near.is_empty();
    }
    let gap_of = |nm: &f64| {
        let after = kept.partition_point(|other| other < nm);
        // Beyond the first and the last line the outermost spacing counts.
        let gap = after.clamp(1, kept.len() - 1) - 1;
        let (from, to) = (kept[gap], kept[gap + 1]);
        ((nm - from).abs().min((to - nm).abs()) > BESIDE * (to - from)).then_some(gap)
    };
    let mut gaps: Vec<usize> = near.iter().filter_map(gap_of).collect();
    gaps.dedup();
    4 * gaps.len() >= kept.len() - 1 && !gaps.is_empty()
}
