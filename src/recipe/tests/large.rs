//! Recipes that are too large or nested too deeply.

use std::time::{Duration, Instant};

use super::*;

#[test]
fn a_recipe_that_is_too_large_is_refused_before_it_is_read() {
    let files = folder(&[]);
    for name in ["large.yaml", "large.rhai"] {
        let path = files.path().join(name);
        fs::File::create(&path).unwrap().set_len(100 << 20).unwrap();
        let begin = Instant::now();
        let found = Recipe::load(&path, &[]).unwrap_err();
        assert!(found[0].message.contains("is larger than 1 MiB"), "{}", found[0].message);
        assert!(begin.elapsed() < Duration::from_secs(5));
    }
    let text = " ".repeat((1 << 20) + 1);
    assert!(Recipe::from_text("r.yaml", &text, None, &[]).unwrap_err()[0].message.contains("larger"));
    let found = Recipe::load(files.path(), &[]).unwrap_err();
    assert!(found[0].message.contains("is not a recipe"), "{}", found[0].message);
    let found = Recipe::load(&files.path().join("none.yaml"), &[]).unwrap_err();
    assert!(found[0].message.contains("cannot read"), "{}", found[0].message);
}

#[test]
fn recipes_and_steps_that_nest_deep_are_read_on_an_ordinary_stack() {
    let files: Vec<(String, String)> = (0..20)
        .map(|n| {
            (
                format!("r{n}.yaml"),
                format!("name: r\nsteps: [{{ run_recipe: {{ path: r{}.yaml }} }}]\n", n + 1),
            )
        })
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let nested = folder(&files);
    let found = Recipe::load(&nested.path().join("r0.yaml"), &[]).unwrap_err();
    assert!(found[0].message.contains("more than 16 deep"), "{}", found[0].message);
    let mut steps = "[{ sweep: }]".to_owned();
    for _ in 0..30 {
        steps = format!("[{{ repeat: {{ times: 1, steps: {steps} }} }}]");
    }
    assert_eq!(told(&format!("steps: {steps}\n")), ["sweep"]);
}
