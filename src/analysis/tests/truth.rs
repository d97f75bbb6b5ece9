//! Devices whose figures follow from formulas, at several samplings and levels of noise.

use super::support::{Owned, named, values};
use crate::analysis::extrema::{Kind, Search};
use crate::analysis::request::Request;
use crate::analysis::resonance::Topology;

/// A ring: field transmission of each coupler, round-trip field loss, circumference, group index.
struct Ring {
    first: f64,
    second: f64,
    loss: f64,
    length_um: f64,
    index: f64,
}

impl Ring {
    /// The round-trip phase. Without dispersion, so that the group index is the index.
    fn phase(&self, nm: f64) -> f64 {
        std::f64::consts::TAU * self.index * self.length_um * 1e3 / nm
    }

    fn denominator(&self, nm: f64) -> f64 {
        let round = self.first * self.second * self.loss;
        1.0 - 2.0 * round * self.phase(nm).cos() + round * round
    }

    fn through(&self, nm: f64) -> f64 {
        let beyond = self.second * self.loss;
        (beyond * beyond - 2.0 * self.first * beyond * self.phase(nm).cos() + self.first * self.first)
            / self.denominator(nm)
    }

    fn drop(&self, nm: f64) -> f64 {
        (1.0 - self.first * self.first) * (1.0 - self.second * self.second) * self.loss / self.denominator(nm)
    }

    /// Resonances within a band, nm, and the width of the Lorentzian that the Airy line approaches, nm.
    fn resonances(&self, from_nm: f64, to_nm: f64) -> Vec<(f64, f64)> {
        let optical_nm = self.index * self.length_um * 1e3;
        let orders = (optical_nm / to_nm).ceil() as u32..=(optical_nm / from_nm).floor() as u32;
        let round = self.first * self.second * self.loss;
        let half_phase = (1.0 - round) / round.sqrt();
        let at = |order: u32| {
            let nm = optical_nm / f64::from(order);
            (nm, half_phase * nm * nm / (std::f64::consts::PI * optical_nm))
        };
        orders.rev().map(at).collect()
    }
}

const BAND: (f64, f64) = (1545.0, 1553.0);

fn request(kind: Kind, length_um: f64) -> Request {
    Request { lines: Some(kind), length_um: Some(length_um), ..Request::default() }
}

/// One line of the table of errors: device, sampling, noise; error of the centre in FWHM, of the FWHM, of the FSR.
fn tabulate(device: &str, step_pm: f64, noise: f64, errors: [f64; 3]) {
    let [center, width, fsr] = errors;
    println!(
        "{device:<22} step {step_pm:>5} pm, noise {noise:>6}: centre {center:.5} FWHM, FWHM {width:.5}, FSR {fsr:.6}"
    );
}

#[test]
fn rings_have_their_resonances_widths_and_free_spectral_ranges() {
    let all_pass = Ring { first: 0.985, second: 1.0, loss: 0.99, length_um: 300.0, index: 4.2 };
    let add_drop = Ring { first: 0.98, second: 0.98, loss: 0.995, length_um: 300.0, index: 4.2 };
    type Port<'a> = (&'a str, &'a Ring, Kind, fn(&Ring, f64) -> f64);
    let ports: [Port<'_>; 3] = [
        ("all-pass ring, through", &all_pass, Kind::Dip, Ring::through),
        ("add-drop ring, through", &add_drop, Kind::Dip, Ring::through),
        ("add-drop ring, drop", &add_drop, Kind::Peak, Ring::drop),
    ];
    for (device, ring, kind, port) in ports {
        for (step_pm, noise, most_center, most_width) in
            [(1.0, 0.005, 0.01, 0.02), (2.0, 0.005, 0.015, 0.03), (2.5, 0.0, 0.001, 0.01)]
        {
            let trace = Owned::sampled(BAND.0, BAND.1, step_pm, |nm| port(ring, nm)).noisy(0.0, noise);
            let found = trace.analyze("q,fsr,group_index", request(kind, ring.length_um));
            let truth = ring.resonances(BAND.0 + 0.1, BAND.1 - 0.1);
            let centers = values(&found, "resonance_nm");
            let centers: Vec<f64> =
                centers.into_iter().filter(|nm| (BAND.0 + 0.1..BAND.1 - 0.1).contains(nm)).collect();
            assert_eq!(centers.len(), truth.len(), "{device} {step_pm} {noise}: {centers:?} {truth:?}");
            let mut errors = [0.0f64; 3];
            for (center, (nm, fwhm_nm)) in centers.iter().zip(&truth) {
                errors[0] = errors[0].max((center - nm).abs() / fwhm_nm);
                let own =
                    named(&found, "fwhm_nm").into_iter().find(|figure| figure.nm == Some(*center)).unwrap();
                errors[1] = errors[1].max((own.value.unwrap() / fwhm_nm - 1.0).abs());
                assert!(own.error.unwrap() < 0.1 * fwhm_nm);
            }
            let expected_fsr = (truth[truth.len() - 1].0 - truth[0].0) / (truth.len() - 1) as f64;
            errors[2] = (values(&found, "fsr_mean_nm")[0] / expected_fsr - 1.0).abs();
            tabulate(device, step_pm, noise, errors);
            assert!(errors[0] < most_center && errors[1] < most_width && errors[2] < 2e-2, "{errors:?}");
            assert!(
                values(&found, "group_index").iter().all(|index| (index / ring.index - 1.0).abs() < 0.01)
            );
        }
    }
}

#[test]
fn the_q_of_each_coupling_is_found() {
    // 1/Q_L = 1/Q_i + 1/Q_c, with Q = π·n·L / (λ·loss of one round), for small losses.
    let q_of = |ring: &Ring, field: f64, nm: f64| {
        std::f64::consts::PI * ring.index * ring.length_um * 1e3 / (nm * -2.0 * field.ln()) * 2.0
    };
    let analyzed = |ring: &Ring, topology| {
        let trace = Owned::sampled(1549.0, 1552.0, 0.2, |nm| ring.through(nm));
        trace.analyze("q", Request { topology: Some(topology), ..request(Kind::Dip, ring.length_um) })
    };
    // Undercoupled: the intrinsic Q is the smaller one.
    let ring = Ring { first: 0.995, second: 1.0, loss: 0.99, length_um: 300.0, index: 4.2 };
    let found = analyzed(&ring, Topology::AllPass);
    let nm = values(&found, "resonance_nm")[0];
    let (intrinsic, coupling) = (q_of(&ring, ring.loss, nm), q_of(&ring, ring.first, nm));
    let (low, high) = (values(&found, "q_branch_low")[0], values(&found, "q_branch_high")[0]);
    assert!(
        (low / intrinsic - 1.0).abs() < 0.01 && (high / coupling - 1.0).abs() < 0.01,
        "{low} {intrinsic} {high} {coupling}"
    );
    let ring = Ring { first: 0.99, second: 0.99, loss: 0.995, length_um: 300.0, index: 4.2 };
    let found = analyzed(&ring, Topology::AddDrop);
    let (intrinsic, coupling) = (values(&found, "q_intrinsic")[0], values(&found, "q_coupling")[0]);
    assert!((intrinsic / q_of(&ring, ring.loss, nm) - 1.0).abs() < 0.02, "{intrinsic}");
    assert!((coupling / q_of(&ring, ring.first, nm) - 1.0).abs() < 0.02, "{coupling}");
}

#[test]
fn a_doublet_is_told_from_one_line_and_from_an_asymmetric_one() {
    let lorentzian = |nm: f64, center: f64| 1.0 / (1.0 + (2.0 * (nm - center) / 0.02).powi(2));
    let split = |half: f64| {
        let trace = Owned::sampled(1549.0, 1551.0, 1.0, |nm| {
            1.0 - 0.6 * lorentzian(nm, 1550.0 - half) - 0.39 * lorentzian(nm, 1550.0 + half)
        });
        trace.noisy(0.0, 0.003).analyze("q", Request::default())
    };
    let found = split(0.012);
    assert!((values(&found, "doublet_splitting_nm")[0] - 0.024).abs() < 0.001);
    assert!((values(&found, "fwhm_nm")[0] - 0.020).abs() < 0.001);
    assert!(split(0.0).figures.iter().all(|figure| figure.name != "doublet_splitting_nm"));
    // A Fano line has one centre.
    let skewed = Owned::sampled(1549.0, 1551.0, 1.0, |nm| {
        let v = 2.0 * (nm - 1550.0) / 0.02;
        1.0 - (0.8 - 0.2 * v) / (1.0 + v * v)
    });
    let found = skewed.noisy(0.0, 0.003).analyze("q", Request::default());
    assert!(found.figures.iter().all(|figure| figure.name != "doublet_splitting_nm"), "{:#?}", found.figures);
    assert!((values(&found, "fano_asymmetry")[0] + 0.25).abs() < 0.02);
}

#[test]
fn a_mach_zehnder_interferometer_has_its_free_spectral_range() {
    let (index, difference_um) = (4.2, 100.0);
    for (step_pm, noise_db) in [(10.0, 0.0), (20.0, 0.05), (50.0, 0.0)] {
        let phase = |nm: f64| std::f64::consts::PI * index * difference_um * 1e3 / nm;
        let trace = Owned::sampled(1500.0, 1600.0, step_pm, |nm| 0.01 + 0.49 * phase(nm).cos().powi(2))
            .noisy(noise_db, 0.0);
        let request = Request { length_um: Some(difference_um), ..Request::default() };
        let found = trace.analyze("fsr,group_index", request);
        assert_eq!(found.settings.lines, Some(Kind::Dip));
        assert!(
            values(&found, "group_index").iter().all(|found| (found / index - 1.0).abs() < 0.02),
            "{step_pm}"
        );
        let expected_ghz = 299_792_458.0 / (index * difference_um * 1e3);
        assert!((values(&found, "fsr_mean_ghz")[0] / expected_ghz - 1.0).abs() < 5e-3);
    }
}

#[test]
fn a_bragg_grating_has_its_stop_band() {
    // Coupled-mode theory: T = 1 − κ²·sinh²(sL)/(s²·cosh²(sL) + δ²·sinh²(sL)), s² = κ² − δ².
    let (kappa_per_mm, length_mm, index, bragg_nm) = (8.0, 0.5, 4.2, 1550.0);
    let transmission = |nm: f64| {
        let detuning = std::f64::consts::TAU * index * (1.0 / nm - 1.0 / bragg_nm) * 1e6;
        let square = kappa_per_mm * kappa_per_mm - detuning * detuning;
        let reach = square.abs().sqrt() * length_mm;
        let (sine, cosine) =
            if square > 0.0 { (reach.sinh(), reach.cosh()) } else { (reach.sin(), reach.cos()) };
        let term = kappa_per_mm * kappa_per_mm * sine * sine;
        1.0 - term / (square.abs() * cosine * cosine + detuning * detuning * sine * sine)
    };
    let trace = Owned::sampled(1540.0, 1560.0, 5.0, transmission).noisy(0.01, 0.0);
    let found = trace.analyze(
        "dips,notch@10",
        Request { search: Search { prominence_db: Some(20.0), ..Search::default() }, ..Request::default() },
    );
    let dip = named(&found, "dip_nm");
    assert_eq!(dip.len(), 1);
    assert!((dip[0].value.unwrap() - bragg_nm).abs() < 0.1);
    let depth_db = 20.0 * (kappa_per_mm * length_mm).cosh().log10();
    assert!((values(&found, "prominence_db")[0] - depth_db).abs() < 0.1);
    // The level is crossed where the formula has it.
    let crossing = (0..100_000)
        .map(|point| bragg_nm + f64::from(point) * 1e-4)
        .find(|nm| transmission(*nm) > 0.1)
        .unwrap();
    assert!((values(&found, "notch_width_10db_nm")[0] - 2.0 * (crossing - bragg_nm)).abs() < 0.02);
}

#[test]
fn a_flat_top_filter_has_its_bandwidths() {
    // Super-Gaussian of order 4: T = −3 dB · (2·d/width)⁸.
    let width_nm = 12.0;
    let level = |nm: f64| -1.2 - 3.0 * (2.0 * (nm - 1550.0) / width_nm).powi(8);
    for step_pm in [1.0, 10.0, 100.0] {
        let trace = Owned::sampled(1530.0, 1570.0, step_pm, |nm| 10f64.powf(level(nm).max(-60.0) / 10.0));
        let found =
            trace.analyze("bandwidth@3,bandwidth@1,bandwidth@0.5,bandwidth@20,loss", Request::default());
        for (name, x_db) in [
            ("bandwidth_3db_nm", 3.0),
            ("bandwidth_1db_nm", 1.0),
            ("bandwidth_0_5db_nm", 0.5),
            ("bandwidth_20db_nm", 20.0f64),
        ] {
            let expected = width_nm * (x_db / 3.0).powf(1.0 / 8.0);
            let value = values(&found, name)[0];
            assert!(
                (value - expected).abs() < 0.01 * step_pm.max(1.0).sqrt(),
                "{name}: {value}, {expected}, {step_pm}"
            );
            let center = name.replace("_nm", "_center_nm");
            assert!((values(&found, &center)[0] - 1550.0).abs() < 1e-3);
        }
        assert!((values(&found, "insertion_loss_min_db")[0] - 1.2).abs() < 1e-6);
    }
}
