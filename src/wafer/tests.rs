//! The picture of a map: every die is there once, and its text is escaped.

use super::*;

fn die(name: &str, x: f64, y: f64, state: DieState, loss_db: Option<f64>) -> Die {
    let text = loss_db.map_or_else(|| "not measured: too dark".to_owned(), |loss| format!("{loss:.2} dB"));
    let figure =
        DieFigure { value: loss_db, bound: None, text, unit: "dB".to_owned(), verdict: Some(Verdict::Pass) };
    Die { name: name.to_owned(), x, y, state, figures: [("insertion_loss_max_db".to_owned(), figure)].into() }
}

fn map(dies: Vec<Die>) -> WaferMap {
    WaferMap { wafer: Some("W12".to_owned()), axes: Axes::Micrometres, dies }
}

fn picture(map: &WaferMap, shade: Shade<'_>) -> String {
    svg(map, shade).into_string()
}

#[test]
fn every_state_has_its_colour_its_mark_and_its_count() {
    let states = DieState::ALL.into_iter().zip(0_u32..);
    let dies = states.map(|(state, x)| die("A", f64::from(x) * 5000.0, 0.0, state, Some(1.0))).collect();
    let text = picture(&map(dies), Shade::Verdict);
    for state in DieState::ALL {
        assert!(text.contains(&format!("{}: 1", state.word())), "{text}");
        assert!(text.contains(scale::of_state(state)));
    }
    assert_eq!(text.matches("<title>").count(), 6);
}

#[test]
fn values_have_a_scale_with_units_and_a_die_without_a_value_is_hollow() {
    let dies = vec![
        die("A1", 0.0, 0.0, DieState::Pass, Some(0.5)),
        die("A2", 5000.0, 0.0, DieState::Fail, Some(2.25)),
        die("A3", 5000.0, 4000.0, DieState::NotMeasured, None),
    ];
    let text = picture(&map(dies), Shade::Figure("insertion_loss_max_db"));
    assert!(text.contains("0.50 dB") && text.contains("2.25 dB") && text.contains("no value: 1"), "{text}");
    assert!(text.contains(&scale::of_step(0)) && text.contains(&scale::of_step(scale::STEPS - 1)));
    assert!(text.contains("not measured: too dark"));
}

#[test]
fn a_value_that_is_only_a_bound_is_marked_and_counted() {
    let bounded = |x: f64, bound: Option<Bound>| {
        let mut die = die("A", x, 0.0, DieState::Pass, Some(x));
        die.figures.values_mut().for_each(|figure| figure.bound = bound);
        die
    };
    let (exact, least, most) = (None, Some(Bound::AtLeast), Some(Bound::AtMost));
    for (bounds, signs) in [
        ([exact, exact, exact], vec![]),
        ([exact, least, least], vec!["bound ≥: 2"]),
        ([most, exact, least], vec!["bound ≥: 1", "bound ≤: 1"]),
    ] {
        let dies = (0_u32..).zip(bounds).map(|(x, bound)| bounded(f64::from(x), bound)).collect();
        let text = picture(&map(dies), Shade::Figure("insertion_loss_max_db"));
        assert_eq!(text.matches("bound ").count(), signs.len(), "{text}");
        assert!(signs.iter().all(|sign| text.contains(sign)), "{text}");
        let has_marks = bounds.iter().any(Option::is_some);
        assert_eq!(text.contains("class=\"mark\""), has_marks, "the dies themselves are marked: {text}");
    }
}

#[test]
fn a_map_says_what_its_colours_show_with_the_unit() {
    let mut one = die("A1", 0.0, 0.0, DieState::Pass, Some(0.5));
    let plain = DieFigure { unit: "1".to_owned(), ..one.figures["insertion_loss_max_db"].clone() };
    one.figures.insert("q_loaded".to_owned(), plain);
    let map = map(vec![one]);
    for (shade, shown) in [
        (Shade::Verdict, "verdict"),
        (Shade::Figure("insertion_loss_max_db"), "insertion_loss_max_db in dB"),
        (Shade::Figure("q_loaded"), "q_loaded"),
    ] {
        let text = picture(&map, shade);
        let label = format!("role=\"img\" aria-label=\"Wafer W12: {shown}, 1 die\"");
        assert!(text.contains(&label) && text.contains(&format!(">{shown}</text>")), "{text}");
    }
}

#[test]
fn the_names_of_dies_and_wafers_cannot_break_the_page() {
    let mut map = map(vec![die("<script>alert(1)</script>", 0.0, 0.0, DieState::Pass, Some(1.0))]);
    map.wafer = Some("\"><img src=x>".to_owned());
    let text = picture(&map, Shade::Verdict);
    assert!(!text.contains("<script>") && !text.contains("<img"), "{text}");
}

#[test]
fn ten_thousand_dies_stay_small_and_a_single_one_is_drawn() {
    let many = (0_u32..10_000)
        .map(|n| die("d", f64::from(n % 100), f64::from(n / 100), DieState::Pass, Some(f64::from(n))))
        .collect();
    let many = WaferMap { wafer: None, axes: Axes::RowsAndColumns, dies: many };
    for shade in [Shade::Verdict, Shade::Figure("insertion_loss_max_db")] {
        let text = picture(&many, shade);
        assert!(text.len() < 500_000, "{} bytes", text.len());
        assert!(text.matches('z').count() >= 10_000);
    }
    let one = picture(&map(vec![die("A1", 3.0, 7.0, DieState::Fail, None)]), Shade::Verdict);
    assert!(one.contains("A1: fail") && !one.contains("NaN") && !one.contains("inf"), "{one}");
}

#[test]
fn y_points_up_and_rows_are_counted_down() {
    let dies =
        || vec![die("low", 0.0, 0.0, DieState::Pass, None), die("high", 0.0, 1.0, DieState::Pass, None)];
    let first_y = |axes: Axes| {
        let text = picture(&WaferMap { wafer: None, axes, dies: dies() }, Shade::Verdict);
        let path = text.split("<path d=\"M").nth(1).unwrap();
        path.split(['h', ' ']).nth(1).unwrap().parse::<f64>().unwrap()
    };
    assert!(first_y(Axes::Micrometres) > first_y(Axes::RowsAndColumns));
}

#[test]
fn figures_with_limits_come_first() {
    let mut one = die("A1", 0.0, 0.0, DieState::Pass, Some(1.0));
    let without = DieFigure { verdict: None, ..one.figures["insertion_loss_max_db"].clone() };
    one.figures.insert("dip_nm".to_owned(), without);
    let maps = [map(vec![one])];
    assert_eq!(figures(&maps), ["insertion_loss_max_db", "dip_nm"]);
    assert_eq!(main_figures(&maps), ["insertion_loss_max_db"]);
}
