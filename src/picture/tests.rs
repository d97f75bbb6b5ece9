//! Axes, colours, texts and files.

use super::axis::Axis;
use super::*;

fn curve(label: &str, levels: &[f32]) -> Curve {
    let nm = |index: usize| 1550.0 + index as f64;
    let samples = levels.iter().enumerate().map(|(index, level)| (nm(index), *level));
    Curve { label: label.to_owned(), envelope: Envelope::of_samples(samples, 1) }
}

fn plot(levels: &[f32]) -> Plot {
    Plot { unit: "dB".to_owned(), curves: vec![curve("", levels)], ..Plot::default() }
}

const SIZE: Size = Size { width: 400, height: 300 };

#[test]
fn an_axis_has_round_ticks_and_ends_around_all_values_or_at_them() {
    let around = |low, high| {
        let axis = Axis::around((low, high), 5);
        (axis.low, axis.high, axis.ticks.len())
    };
    assert_eq!(around(-27.9, -3.4), (-30.0, 0.0, 7));
    assert_eq!(around(-3.4, -1.1), (-3.5, -1.0, 6));
    assert!(around(-3.0, -3.0).1 > -3.0, "a flat trace has an axis, too");
    let within = Axis::within((1520.0, 1580.004), 6);
    assert_eq!((within.low, within.high), (1520.0, 1580.004));
    assert_eq!(within.ticks, [1520.0, 1530.0, 1540.0, 1550.0, 1560.0, 1570.0, 1580.0]);
    let narrow = Axis::within((1550.0, 1550.01), 5);
    assert_eq!(narrow.ticks.iter().map(|nm| narrow.label(*nm)).next_back().unwrap(), "1550.010");
    assert_eq!(Axis::around((-1.0, 0.0), 2).label(-0.0), "0.0");
}

#[test]
fn a_picture_needs_a_finite_value() {
    for levels in [&[][..], &[f32::NAN, f32::INFINITY]] {
        assert_eq!(plot(levels).svg(SIZE, Theme::Light), Err(PictureError::Nothing));
        assert_eq!(plot(levels).png(SIZE, Theme::Dark), Err(PictureError::Nothing));
        assert_eq!(plot(levels).thumbnail(), Err(PictureError::Nothing));
    }
    for levels in [&[-3.0][..], &[-3.0, -3.0], &[-3.0, f32::NAN, -90.0]] {
        assert!(plot(levels).svg(SIZE, Theme::Light).unwrap().ends_with("</svg>\n"));
        assert!(plot(levels).thumbnail().unwrap().len() < 6000);
    }
}

#[test]
fn every_text_of_a_picture_is_escaped() {
    let evil = "<script>&\"'";
    let marks = vec![Mark { nm: 1550.5, level: -4.0, is_below: true, text: evil.to_owned() }];
    let curves = vec![curve(evil, &[-3.0, -4.0]), curve(evil, &[-3.0, -5.0])];
    let plot = Plot {
        title: evil.to_owned(),
        unit: evil.to_owned(),
        curves,
        marks,
        simulated: true,
        range_nm: None,
        ..Plot::default()
    };
    let whole = plot.svg(SIZE, Theme::Light).unwrap();
    assert!(whole.contains("SIMULATED") && whole.matches("&lt;script&gt;&amp;").count() >= 5, "{whole}");
    for svg in [whole, plot.thumbnail().unwrap()] {
        assert!(!svg.contains("<script"), "{svg}");
    }
}

#[test]
fn the_style_sheet_of_the_report_replaces_all_colours_of_a_thumbnail() {
    let style = include_str!("../report/page/style.css");
    let svg = plot(&[-3.0, -10.0, -4.0]).thumbnail().unwrap();
    let colours: Vec<&str> =
        svg.split("stroke=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(colours.len() > 3);
    for colour in colours {
        assert!(style.contains(&format!("[stroke=\"{colour}\"]")), "{colour}");
    }
    assert!(!svg.contains("<rect"), "the page shows through");
}

#[test]
fn a_png_file_has_its_size_and_smooth_colours() {
    let file = plot(&[-3.0, -10.0, -4.0]).png(SIZE, Theme::Light).unwrap();
    assert_eq!(file[..8], *b"\x89PNG\r\n\x1a\n");
    assert_eq!(file[16..24], [0, 0, 1, 144, 0, 0, 1, 44]);
    let pixels = [[0_u8; 6], [255; 6], [0, 0, 0, 30, 30, 30], [0, 0, 0, 90, 90, 90]].concat();
    assert_eq!(png::averaged(&pixels, 2, 2), [127, 127, 127, 30, 30, 30]);
}

#[test]
fn bands_and_limits_are_drawn_and_a_limit_that_is_far_away_does_not_flatten_the_curve() {
    let limit = |level: f64| LimitLine { from_nm: 1550.0, to_nm: 1552.0, level };
    let marked = |limits: Vec<LimitLine>| {
        let bands = vec![(1550.5, 1551.5)];
        Plot { bands, limits, ..plot(&[-3.0, -20.0, -3.0]) }
    };
    let near = marked(vec![limit(-1.5)]);
    let text = near.thumbnail().unwrap();
    assert!(text.contains("#F0F3F7") && text.contains("#C00000"), "{text}");
    assert_eq!(near.ranges().unwrap()[1], (-20.0, -1.5));
    let far = marked(vec![limit(-90.0)]);
    assert_eq!(far.ranges().unwrap()[1], (-20.0, -3.0));
    assert!(!far.thumbnail().unwrap().contains("#C00000"));
}
