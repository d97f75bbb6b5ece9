//! A ring and a loopback that were measured, against values of scipy.

use super::support::{Owned, named, spectrum, values};
use crate::analysis::extrema::Search;
use crate::analysis::floor::Floor;
use crate::analysis::request::{Analysis, Request};
use crate::analysis::several::moving_mean;

/// Resonance nm, Q through, Q drop, raw 3 dB width of the drop peak pm, prominence of the dip dB.
const RING: [(f64, f64, f64, f64, f64); 6] = [
    (1530.7171, 10668.0, 11014.0, 137.49, 22.36),
    (1539.6930, 9991.0, 9919.0, 156.20, 23.72),
    (1548.7730, 9588.0, 9397.0, 161.81, 25.58),
    (1557.9544, 8800.0, 8706.0, 175.32, 25.08),
    (1567.2400, 8426.0, 8174.0, 187.90, 25.51),
    (1576.6378, 7198.0, 7429.0, 206.67, 22.33),
];
/// Distances of the resonances, nm.
const SPACINGS_NM: [f64; 5] = [8.9759, 9.0801, 9.1813, 9.2856, 9.3979];

fn request(prominence_db: Option<f64>) -> Request {
    let search = Search { prominence_db, ..Search::default() };
    Request {
        band_nm: Some((1525.0, 1580.0)),
        search,
        length_um: Some(20.0 * std::f64::consts::PI),
        ..Request::default()
    }
}

/// Raw 3 dB widths of the peaks between the dips, nm.
const THROUGH_WIDTHS_NM: [f64; 6] = [3.621_038, 6.356_926, 8.851_803, 8.979_404, 8.130_599, 5.164_644];

fn assert_spacings(found: &Analysis) {
    let ranges = values(found, "fsr_nm");
    assert_eq!(ranges.len(), SPACINGS_NM.len());
    for (fsr, expected) in ranges.iter().zip(SPACINGS_NM) {
        assert!((fsr - expected).abs() < 0.010, "{fsr} nm, {expected} nm");
    }
}

#[test]
fn the_six_dips_of_a_measured_ring_have_the_values_of_scipy() {
    let Some(ring) = spectrum("ring_r10g100_through.csv") else { return };
    for prominence_db in [Some(3.0), None] {
        let found = ring.analyze("dips,fsr,q,peaks,bandwidth@3,group_index", request(prominence_db));
        let resonances = values(&found, "resonance_nm");
        assert_eq!((resonances.len(), named(&found, "q_loaded").len()), (6, 6));
        for ((place, own), figure) in RING.iter().enumerate().zip(named(&found, "q_loaded")) {
            assert!((resonances[place] - own.0).abs() < 0.005, "{} nm, {} nm", resonances[place], own.0);
            let q = figure.value.unwrap();
            assert!((q / own.1 - 1.0).abs() < 0.08, "{q}, {}", own.1);
            assert!(figure.error.unwrap() < 0.25 * q);
            let prominence = named(&found, "prominence_db")[place].value.unwrap();
            assert!((prominence - own.4).abs() < 0.01, "{prominence} dB, {} dB", own.4);
        }
        assert_spacings(&found);
        let widths = values(&found, "bandwidth_3db_nm");
        assert_eq!(widths.len(), THROUGH_WIDTHS_NM.len());
        for (width, expected) in widths.iter().zip(THROUGH_WIDTHS_NM) {
            assert!((width - expected).abs() < 1e-5, "{width} nm, {expected} nm");
        }
        assert!((values(&found, "fsr_mean_nm")[0] - 9.1841).abs() < 0.001);
        let indices = values(&found, "group_index");
        assert_eq!(indices.len(), 5);
        assert!(indices.iter().all(|index| (4.178..4.186).contains(index)));
        let extinctions = values(&found, "extinction_db");
        let mean = extinctions.iter().sum::<f64>() / 6.0;
        assert!((mean - 24.10).abs() < 0.5, "{mean} dB");
    }
}

#[test]
fn the_six_peaks_of_a_measured_drop_port_have_the_values_of_scipy() {
    let Some(ring) = spectrum("ring_r10g100_drop.csv") else { return };
    for prominence_db in [Some(15.0), None] {
        // The kind of the resonances is found: dips of the noise between the peaks are broader than the peaks.
        let found = ring.analyze("dips,fsr,q,peaks,bandwidth@3", request(prominence_db));
        let resonances = values(&found, "resonance_nm");
        assert_eq!(resonances.len(), 6, "{prominence_db:?}");
        for (place, own) in RING.iter().enumerate() {
            assert!((resonances[place] - own.0).abs() < 0.0055, "{} nm, {} nm", resonances[place], own.0);
            let q = values(&found, "q_loaded")[place];
            assert!((q / own.2 - 1.0).abs() < 0.04, "{q}, {}", own.2);
            let width_pm = values(&found, "bandwidth_3db_nm")[place] * 1e3;
            assert!((width_pm - own.3).abs() < 0.01, "{width_pm} pm, {} pm", own.3);
        }
        assert_spacings(&found);
    }
}

#[test]
fn noise_that_counts_as_peaks_gives_no_free_spectral_range() {
    let Some(ring) = spectrum("ring_r10g100_drop.csv") else { return };
    let whole = Request { band_nm: None, ..request(Some(3.0)) };
    let found = ring.analyze("peaks,fsr", whole);
    assert_eq!(values(&found, "peak_nm").len(), 95);
    let fsr = named(&found, "fsr_mean_nm");
    assert!(fsr[0].not_measured.as_ref().unwrap().contains("leaves out 2224 peaks"), "{fsr:?}");
    // The floor is a value that repeats: the prominence of a peak on it is a lower bound.
    assert_eq!(found.settings.floor_db, Some(-64.55739097));
}

#[test]
fn the_band_of_a_smoothed_loopback_has_the_values_of_its_description() {
    let Some(loopback) = spectrum("gc_loopback_te1550.csv") else { return };
    let smooth = moving_mean(&loopback.trace(), 101, Floor::default()).unwrap().levels_db;
    let smooth = Owned { nm: loopback.nm, db: smooth.into_iter().map(f64::from).collect() };
    let found = smooth.analyze("loss,bandwidth@3", Request::default());
    let lowest = named(&found, "insertion_loss_min_db")[0];
    assert!(
        (lowest.value.unwrap() - 19.572).abs() < 0.001 && (lowest.nm.unwrap() - 1552.392).abs() < 1e-6,
        "{lowest:?}"
    );
    let width = named(&found, "bandwidth_3db_nm")[0].window.unwrap();
    assert!((width.from_nm - 1539.226).abs() < 0.005 && (width.to_nm - 1567.073).abs() < 0.005, "{width:?}");
}
