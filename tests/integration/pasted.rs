//! Words that come from elsewhere: pasted characters, marks and encodings of other editors, spectra in other units.

use serde_json::json;

use crate::sidecar::{request, serve};
use crate::support::{Bench, text};

const SHORT: &str = "name: short\nsteps:\n  - log: hello\n";

#[test]
fn a_pasted_character_is_named_with_what_to_write() {
    let bench = Bench::new();
    for (file, content, said) in [
        (
            "a.rhai",
            "recipe(#{ name: \"a\" });\nlet x\u{a0}= 1;\n",
            "U+00A0 no-break space; write a plain space",
        ),
        (
            "a.yaml",
            "name: a\nsteps:\n  - wait: { seconds:\u{a0}1 }\n",
            "U+00A0 no-break space; write a plain space",
        ),
        ("b.yaml", "name: a\nsteps:\n  - wait:\u{2009}{ seconds: 1 }\n", "U+2009 thin space"),
        ("c.yaml", "name: a\nsteps:\n  - swe\u{200b}ep:\n", "U+200B zero width space; delete it"),
        ("d.yaml", "name: \u{201c}a\u{201d}\nsteps: []\n", "U+201C typographic quotation mark"),
        (
            "e.yaml",
            "name: a\nsteps:\n  - wait: { seconds: \u{ff15} }\n",
            "U+FF15 full-width character; write `5`",
        ),
        ("f.yaml", "name: a\nsteps:\n  - log: \"${1 \u{2212} 2}\"\n", "U+2212 minus sign; write `-`"),
        ("g.yaml", "name: a # one\u{2028}two\nsteps: []\n", "U+2028 line separator"),
        ("h.yaml", "name: a\nsteps:\n\t- sweep:\n", "U+0009 tab"),
        ("night.yaml", "name: n\nitems:\n  - { recipe:\u{a0}a.yaml }\n", "U+00A0 no-break space"),
    ] {
        bench.write(file, content);
        let check: &[&str] = if file == "night.yaml" { &["batch", "check"] } else { &["check"] };
        let output = bench.run(&[check, &[file]].concat());
        let told = text(&output.stderr);
        assert!(output.status.code() != Some(101) && !output.status.success(), "{file}: {told}");
        assert!(told.contains(said), "{file}: {told}");
    }
    let server = serve(&bench, &["--instrument", "sim"]);
    let recipe = "recipe(#{ name: \"a\" });\nlet x\u{a0}= 1;\n";
    let (status, reply) =
        request(&server.address, "POST", "/check", Some(&json!({ "recipe": recipe, "format": "rhai" })));
    assert_eq!((status, &reply["errors"]), (200, &json!(1)), "{reply}");
    assert!(reply["findings"][0]["text"].as_str().unwrap().contains("U+00A0"), "{reply}");
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_text_and_utf_16_is_named() {
    let bench = Bench::new();
    let marked = |text: &str| format!("\u{feff}{text}");
    let recipe = "name: outer\nsteps:\n  - run_recipe: { path: inner.yaml }\n  - script: tell.rhai\n  - repeat: { for: die, in_csv: dies.csv, steps: [ { log: 'at ${die.die}' } ] }\n";
    bench.write("inner.yaml", &marked(SHORT));
    bench.write("tell.rhai", &marked("log(\"told\");\n"));
    bench.write("dies.csv", &marked("die\nA1\n"));
    bench.write("outer.yaml", &marked(recipe));
    bench.write("whole.rhai", &marked("recipe(#{ name: \"whole\" });\nlog(\"told\");\n"));
    bench.write("night.yaml", &marked("name: night\nitems: [ { recipe: outer.yaml } ]\n"));
    bench.write("ctp10.toml", &marked("out = \"elsewhere\"\n"));
    for arguments in [
        &["run", "outer.yaml", "--instrument", "sim"][..],
        &["run", "whole.rhai", "--instrument", "sim"],
        &["batch", "night.yaml", "--instrument", "sim"],
    ] {
        let output = bench.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    }
    assert!(bench.folder.path().join("elsewhere").is_dir());

    let server = serve(&bench, &["--instrument", "sim"]);
    let body = json!({ "recipe": marked(SHORT) });
    let (status, reply) = request(&server.address, "POST", "/check", Some(&body));
    assert_eq!((status, &reply["errors"]), (200, &json!(0)), "{reply}");

    let wide: Vec<u8> = marked(SHORT).encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (file, arguments) in [
        ("wide.yaml", &["check", "wide.yaml"][..]),
        ("wide.rhai", &["check", "wide.rhai"]),
        ("wide-night.yaml", &["batch", "check", "wide-night.yaml"]),
        ("dies.csv", &["check", "outer.yaml"]),
        ("ctp10.toml", &["check", "whole.rhai"]),
    ] {
        std::fs::write(bench.folder.path().join(file), &wide).unwrap();
        let output = bench.run(arguments);
        let told = text(&output.stderr);
        assert!(!output.status.success() && told.contains("UTF-16"), "{file}: {told}");
        assert!(told.contains(file), "{file}: {told}");
    }
}

#[test]
fn a_field_that_a_reading_of_several_samples_lacks_is_an_error_of_the_check() {
    let bench = Bench::new();
    bench.write(
        "a.yaml",
        "name: a\nsteps:\n  - read_power: { detector: 4/1, samples: 3, id: p }\n  - if: { condition: \"steps.p.value < 0\", then: [] }\n",
    );
    let output = bench.run(&["check", "a.yaml"]);
    let told = text(&output.stderr);
    assert!(!output.status.success() && told.contains("a.yaml:4:"), "{told}");
    assert!(told.contains("has no `value`: it has `failed`, `readings`"), "{told}");
}

#[test]
fn a_spectrum_in_another_unit_is_no_device() {
    let bench = Bench::new();
    for (content, said) in [
        ("wavelength_m,transmission_db\n1.55e-6,-3\n1.56e-6,-3\n", "must contain wavelengths in nm"),
        ("1.55e-6,-3\n1.56e-6,-3\n", "these look like metres"),
        ("1550,0.5\n1551,0.6\n", "these look linear"),
        ("1550,3\n1551,3\n", "these look like losses"),
        ("1150,-3\n1551,-3\n", "is not within 1200 to 1700 nm"),
    ] {
        bench.write("device.csv", content);
        let output = bench.run(&["simulate", "--listen", "127.0.0.1:0", "--dut", "device.csv"]);
        let told = text(&output.stderr);
        assert!(!output.status.success() && told.contains(said) && told.contains("device.csv"), "{told}");
    }
}
