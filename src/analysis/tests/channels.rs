//! Grids, and the figures of multiplexers.

use std::time::Instant;

use super::support::Owned;
use crate::analysis::channels::{Channel, Grid, nearest_channel, port};
use crate::analysis::figure::Figure;
use crate::analysis::floor::Floor;
use crate::analysis::{AxisNm, Bound, LevelsDb, Trace};

fn cwdm() -> Vec<Channel> {
    Grid::Cwdm { first_nm: 1511.0, channels: 4, half_width_nm: 5.0 }.channels().unwrap()
}

/// A port whose passband is at a channel: super-Gaussian, with a pedestal.
fn passband(center_nm: f64, loss_db: f64, pedestal_db: f64) -> Owned {
    Owned::sampled(1490.0, 1590.0, 20.0, |nm| {
        let level = -loss_db - 3.0 * ((nm - center_nm) / 7.0).powi(8);
        10f64.powf(level.max(pedestal_db) / 10.0)
    })
}

fn value(figures: &[Figure], name: &str) -> f64 {
    let found = figures.iter().find(|figure| figure.name == name);
    found.and_then(|figure| figure.value).unwrap_or_else(|| panic!("{name}: {found:#?}"))
}

#[test]
fn a_grid_has_the_channels_of_its_recommendation() {
    let dwdm = |spacing_ghz, first_ghz, channels| Grid::Dwdm {
        spacing_ghz,
        first_ghz,
        channels,
        half_width_ghz: 12.5,
    };
    let channels = dwdm(100.0, 193_100.0, 2).channels().unwrap();
    assert_eq!(channels[1].name, "193.1 THz");
    assert!(
        (channels[1].center_nm - 1_552.524_380_6).abs() < 1e-6
            && channels[0].center_nm < channels[1].center_nm
    );
    assert!((channels[1].center_ghz() - 193_100.0).abs() < 1e-6);
    assert_eq!(
        cwdm().iter().map(|channel| channel.center_nm).collect::<Vec<_>>(),
        [1511.0, 1531.0, 1551.0, 1571.0]
    );
    for (grid, said) in [
        (dwdm(30.0, 193_100.0, 2), "30 GHz is not in G.694.1"),
        (dwdm(100.0, 193_140.0, 2), "nearest channel is 193100 GHz"),
        (dwdm(12.5, 193_100.0, 2), "overlap"),
        (dwdm(100.0, 193_100.0, 0), "at least one"),
        (dwdm(100.0, f64::NAN, 1), "positive"),
        (Grid::Cwdm { first_nm: 1531.5, channels: 1, half_width_nm: 5.0 }, "nearest is 1531 nm"),
        (Grid::Cwdm { first_nm: 1591.0, channels: 3, half_width_nm: 5.0 }, "there are 2 channels, not 3"),
        (Grid::Listed { centers_nm: vec![1550.0], half_width_nm: 0.0 }, "positive"),
    ] {
        let error = grid.channels().unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn isolation_crosstalk_offset_and_shape_follow_their_definitions() {
    let channels = cwdm();
    let owned = passband(1531.5, 1.0, -41.0);
    let trace = owned.trace();
    assert_eq!(nearest_channel(&trace, &channels), Some(1));
    let figures = port(&trace, &channels, 1, &[3.0], Floor::default());
    let worst_db = -1.0 - 3.0 * (5.5f64 / 7.0).powi(8);
    assert!((value(&figures, "insertion_loss_max_db") + worst_db).abs() < 1e-6);
    assert!((value(&figures, "insertion_loss_min_db") - 1.0).abs() < 1e-6);
    assert!((value(&figures, "ripple_db") - (-1.0 - worst_db)).abs() < 1e-6);
    // The port is at its pedestal in every other window.
    let isolation = worst_db + 41.0;
    assert!((value(&figures, "isolation_adjacent_db") - isolation).abs() < 1e-6);
    assert!((value(&figures, "isolation_non_adjacent_db") - isolation).abs() < 1e-6);
    assert!((value(&figures, "crosstalk_cumulative_db") - (isolation - 10.0 * 3f64.log10())).abs() < 1e-6);
    assert!((value(&figures, "center_offset_nm") - 0.5).abs() < 1e-3);
    assert!((value(&figures, "bandwidth_3db_nm") - 14.0).abs() < 1e-3);
    assert!(value(&figures, "bandwidth_defined_3db_nm") > 13.9);
    let shape = (1.0f64 / 10.0).powf(1.0 / 8.0);
    assert!((value(&figures, "shape_factor") - shape).abs() < 1e-3);
    assert!(figures.iter().all(|figure| figure.of.as_deref() == Some("channel 1531 nm")));
    // The last channel has one neighbour.
    let last = passband(1571.0, 2.5, -50.0);
    let more = port(&last.trace(), &channels, 3, &[3.0], Floor::default());
    assert!(more.iter().all(|figure| figure.name != "isolation_non_adjacent_db" || figure.is_measured()));
}

#[test]
fn an_isolation_at_the_floor_is_a_bound_and_a_window_beyond_the_trace_is_named() {
    let channels = cwdm();
    let owned = passband(1531.0, 1.0, -60.0);
    let trace = owned.trace();
    let figures = port(&trace, &channels, 1, &[3.0], Floor::of(&trace, None));
    for name in ["isolation_adjacent_db", "crosstalk_cumulative_db"] {
        assert_eq!(figures.iter().find(|figure| figure.name == name).unwrap().bound, Some(Bound::AtLeast));
    }
    let short = trace.band(1490.0, 1570.0).unwrap();
    let figures = port(&short, &channels, 1, &[3.0], Floor::default());
    assert!((value(&figures, "insertion_loss_min_db") - 1.0).abs() < 1e-6);
    let isolation = figures.iter().find(|figure| figure.name == "isolation_adjacent_db").unwrap();
    assert!(
        isolation
            .not_measured
            .as_ref()
            .unwrap()
            .contains("channel 1571 nm, 1566.0000 to 1576.0000 nm, is not within")
    );
    let outside = port(&short, &channels, 3, &[3.0], Floor::default());
    assert!(outside.iter().all(|figure| !figure.is_measured()));
}

#[test]
fn a_port_at_the_floor_in_its_own_window_has_at_most_its_isolation() {
    let channels = cwdm();
    let owned = passband(1531.0, 1.0, -60.0);
    let floor = Floor::of(&owned.trace(), None);
    // The window of channel 1551 is at the floor, as those of 1511 and 1571 are; light is only in that of 1531.
    let figures = port(&owned.trace(), &channels, 2, &[3.0], floor);
    let figure = |name: &str| figures.iter().find(|figure| figure.name == name).unwrap();
    assert_eq!(figure("isolation_adjacent_db").bound, Some(Bound::AtMost));
    assert!((value(&figures, "isolation_adjacent_db") + 59.0).abs() < 1e-6);
    for name in ["isolation_non_adjacent_db", "crosstalk_cumulative_db"] {
        assert!(figure(name).not_measured.as_ref().unwrap().contains("at the floor in both"), "{name}");
    }
    for name in ["insertion_loss_center_db", "insertion_loss_min_db", "insertion_loss_max_db"] {
        assert_eq!(figure(name).bound, Some(Bound::AtLeast), "{name}");
    }
}

#[test]
fn a_defined_bandwidth_below_the_floor_is_at_least_the_width_at_the_floor() {
    let channels = cwdm();
    let owned = passband(1531.0, 1.0, -20.0);
    let figures = port(&owned.trace(), &channels, 1, &[30.0], Floor::of(&owned.trace(), None));
    for name in ["bandwidth_30db_nm", "bandwidth_defined_30db_nm"] {
        let width = figures.iter().find(|figure| figure.name == name).unwrap();
        assert_eq!((width.value, width.bound), (None, Some(Bound::AtLeast)), "{width:?}");
        // −1 − 3·(v/7)⁸ reaches −20 dB at v = 7·(19/3)^(1/8).
        let at_floor = 14.0 * (19.0f64 / 3.0).powf(1.0 / 8.0);
        assert!((width.bound_value.unwrap() - at_floor).abs() < 0.05, "{width:?}");
    }
}

#[test]
fn ninety_six_channels_on_a_long_trace_take_little_time() {
    // Without optimisation a tenth of the samples is slow enough.
    let thinner = if cfg!(debug_assertions) { 10 } else { 1 };
    let points = 940_000 / thinner + 1;
    let step_pm = 0.1 * thinner as f64;
    let axis = AxisNm::Regular { start_nm: 1520.0, step_pm, points };
    let channels =
        Grid::Dwdm { spacing_ghz: 100.0, first_ghz: 187_600.0, channels: 96, half_width_ghz: 25.0 }
            .channels()
            .unwrap();
    let levels: Vec<f32> = (0..points)
        .map(|point| {
            let ghz = 299_792_458.0 / (1520.0 + step_pm * 1e-3 * point as f64);
            let phase = std::f64::consts::PI * (ghz - 193_100.0) / 100.0;
            (-1.0 - 30.0 * phase.sin().powi(4)) as f32
        })
        .collect();
    let trace = Trace::new(axis, LevelsDb::Single(&levels)).unwrap();
    let begun = Instant::now();
    let figures: Vec<Figure> =
        (0..96).flat_map(|own| port(&trace, &channels, own, &[3.0], Floor::default())).collect();
    println!("96 channels on {points} samples: {:?}", begun.elapsed());
    let bands = figures.iter().filter(|figure| figure.name == "bandwidth_3db_nm");
    assert_eq!(bands.filter(|figure| figure.is_measured()).count(), 96);
    // Each channel of a comb filter passes in all windows: nothing is isolated.
    assert!(
        figures
            .iter()
            .filter(|figure| figure.name == "isolation_adjacent_db")
            .all(|figure| figure.value < Some(0.0))
    );
}

#[test]
fn a_bandwidth_about_the_centre_begins_between_the_samples() {
    // Samples in nm beside 1550 nm and dB; lower and upper crossing of the level -7 dB beside 1550 nm.
    type Case<'a> = (&'a [(f64, f64)], Result<(f64, f64), &'a str>);
    let on_slope = (-0.1 - 0.9 * 6.0 / 39.0, -0.1 + 0.5 * 6.0 / 19.0);
    let cases: [Case<'_>; 7] = [
        // The sample after the centre is below the level, and the centre is not; and mirrored.
        (&[(-1.0, -40.0), (-0.1, -1.0), (0.4, -20.0), (1.0, -40.0)], Ok(on_slope)),
        (&[(-1.0, -40.0), (-0.4, -20.0), (0.1, -1.0), (1.0, -40.0)], Ok((-on_slope.1, -on_slope.0))),
        // The samples on both sides are below the level only further out.
        (&[(-1.0, -13.0), (-0.1, -1.0), (0.1, -1.0), (1.0, -13.0)], Ok((-0.55, 0.55))),
        // The centre is a sample.
        (&[(-1.0, -13.0), (0.0, -1.0), (0.5, -13.0), (1.0, -40.0)], Ok((-0.5, 0.25))),
        // The trace ends above the level.
        (&[(-1.0, -13.0), (0.0, -1.0), (1.0, -3.0)], Err("is not reached towards longer wavelengths")),
        (&[(-0.1, -3.0), (0.1, -1.0), (0.6, -13.0)], Err("is not reached towards shorter wavelengths")),
        // The centre is below the level.
        (&[(-1.0, -40.0), (-0.1, -1.0), (0.1, -40.0), (1.0, -40.0)], Err("is not above the level -7.00 dB")),
    ];
    let channels = Grid::Listed { centers_nm: vec![1550.0], half_width_nm: 0.1 }.channels().unwrap();
    for (samples, expected) in cases {
        let (nm, db) = samples.iter().map(|(beside, level)| (1550.0 + beside, *level)).unzip();
        let figures = port(&Owned { nm, db }.trace(), &channels, 0, &[6.0], Floor::default());
        let found = figures.iter().find(|figure| figure.name == "bandwidth_defined_6db_nm").unwrap();
        match expected {
            Ok((lower, upper)) => {
                let window = found.window.unwrap();
                let errors = [found.value.unwrap() - (upper - lower), window.from_nm - 1550.0 - lower];
                assert!(errors.iter().all(|error| error.abs() < 1e-6), "{samples:?}: {found:?}");
            }
            Err(said) => {
                assert!(found.not_measured.as_ref().unwrap().contains(said), "{samples:?}: {found:?}");
            }
        }
    }
}
