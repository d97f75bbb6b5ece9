//! Tests of scripts as users write them.

use std::time::{Duration, Instant};

use super::*;
use crate::declarations::Given;
use crate::step::FaultKind;
use crate::step::recorder::Recorder;
use serde_json::json;

const HEADER: &str = "recipe(#{ name: \"t\", detectors: #{ through: \"4/1\" } });\n";

fn script(text: &str) -> Result<Script, Diagnostic> {
    let source = Arc::new(SourceFile { name: "t.rhai".into(), text: text.into() });
    Script::compile(text, Origin::file(&source), &[])
}

/// Performs a script, preceded by a header, in the same way as a recipe.
fn perform(text: &str) -> (Arc<Recorder>, Result<(), Fault>) {
    let recorder = Recorder::shared();
    let host: Arc<dyn Host> = recorder.clone();
    let script = script(&format!("{HEADER}{text}")).unwrap_or_else(|found| panic!("{found}"));
    let performance = script.as_recipe(&Values::new(), "", Vec::new());
    let ended = performance.perform(&host);
    host.begin_finally();
    let last = performance.perform_finally(&host);
    (recorder, ended.and(last))
}

/// The texts that a script logs.
fn logged(text: &str) -> Vec<String> {
    let (host, ended) = perform(text);
    ended.unwrap_or_else(|fault| panic!("{fault}"));
    host.performed()
}

fn fault(text: &str) -> Fault {
    perform(text).1.expect_err(text)
}

#[test]
fn a_trace_answers_questions_and_the_host_hears_of_it() {
    let fetch = "let t = fetch_trace(#{ detector: \"through\", trace: \"tf\" });\n";
    let answers = [
        ("t.min_db()", "-20.0"),
        ("t.min_nm()", "1550.0"),
        ("t.max_db()", "0.0"),
        ("t.mean_db()", "-4.0"),
        ("t.points()", "1001"),
        ("t.start_nm()", "1545.0"),
        ("t.stop_nm()", "1555.0"),
        ("t.step_pm()", "10.0"),
        ("t.file()", "traces/0001.parquet"),
        ("t.at(1551)", "-10.0"),
        ("t.at(1550.005)", "-19.95"),
        ("t.slice(1550.5, 1551).min_nm()", "1550.5"),
        ("t.slice(1550.5, 1551).points()", "51"),
        ("t.slice(1550.9, 1551).mean_db()", "-10.5"),
        ("t.slice(1600, 1601).min_nm()", ""),
        ("t.bandwidth_nm(3)", "0.6"),
        ("t.slice(1549.9, 1555).bandwidth_nm(3)", ""),
        ("t.slice(1549, 1551).bandwidth_nm(-3)", ""),
    ];
    for (question, answer) in answers {
        let told = logged(&format!("{fetch} let a = {question}; log(`${{a}}`);"));
        let near = |told: &str| match (told.parse::<f64>(), answer.parse::<f64>()) {
            (Ok(told), Ok(answer)) => (told - answer).abs() < 1e-5,
            _ => told == answer,
        };
        assert!(near(&told[1]), "{question}: {} and not {answer}", told[1]);
    }
    let (host, _) = perform(&format!("{fetch} t.points();"));
    assert_eq!(host.uses(), 0, "the grid was set, not measured");
    let (host, _) = perform(&format!("{fetch} t.min_db();"));
    assert_eq!(host.uses(), 1);
    assert!(fault(&format!("{fetch} t.at(1600);")).message.contains("outside the trace (1545 to 1555 nm)"));
}

#[test]
fn each_outcome_is_a_value() {
    assert_eq!(logged("log(`${read_power(#{ detector: \"4/1\" })}`)")[1], "-12.5");
    assert_eq!(logged("log(`${read_power(#{ detector: \"4/1\", samples: 3 }).len()}`)")[1], "3");
    assert_eq!(logged("log(prompt(#{ message: \"?\", id: \"p\" }))")[1], "yes");
    assert_eq!(logged("log(scpi(#{ query: \"*IDN?\" }))")[1], "1");
    assert_eq!(logged("log(`${configure_scan(#{ start_nm: 1520 }).start_nm}`)")[1], "1520.0");
    assert_eq!(logged("log(`${create_reference(#{ detector: \"4/1\" }).created}`)")[1], "true");
    let pair = "fetch_trace(#{ detectors: [\"4/1\", \"4/2\"], trace: \"tf\" })";
    assert_eq!(logged(&format!("log(`${{{pair}[1].file()}}`)"))[1], "traces/0002.parquet");
    let failed = "log(#{ message: \"fail\", on_error: \"continue\" })";
    assert_eq!(
        logged(&format!("let f = {failed}; log(f.message); log(`${{f.failed}}`)")),
        ["fail", "it failed", "true"]
    );
}

#[test]
fn a_fault_can_be_caught_and_a_stop_cannot() {
    let told = logged("try { log(\"fail\") } catch (e) { log(`${e.kind}: ${e.message} (${e.hint})`) }");
    assert_eq!(told, ["instrument: it failed (try it by hand)"]);
    let told = logged("try { sweep(#{ start_nm: 1 }) } catch (e) { log(`${e.kind}: ${e.message}`) }");
    assert!(told[0].starts_with("recipe: start_nm: wavelength `1` nm is not allowed"), "{told:?}");
    let (host, ended) = perform("try { log(\"stop\") } catch { log(\"caught\") } log(\"after\");");
    assert_eq!(ended.unwrap_err().kind, FaultKind::Stopped);
    assert_eq!(host.performed(), [""; 0]);
    assert_eq!(fault("log(\"fail\")").kind, FaultKind::Instrument);
}

#[test]
fn finally_runs_after_the_end_a_fault_and_a_stop() {
    let declared = "finally(|| log(\"first\")); finally(|| log(\"fail\")); finally(|| log(\"last\"));\n";
    for (body, kind) in
        [("", FaultKind::Instrument), ("log(\"stop\")", FaultKind::Stopped), ("throw 1", FaultKind::Recipe)]
    {
        let (host, ended) = perform(&format!("{declared}{body}"));
        assert_eq!(ended.unwrap_err().kind, kind);
        assert_eq!(host.performed(), ["first", "last"]);
    }
}

#[test]
fn a_step_knows_its_line_and_its_number() {
    let (host, _) = perform("\nfor i in 0..2 {\n    log(`${i}`);\n}\nfn f() { sweep() }\n f();");
    let steps = host.steps();
    let places: Vec<String> = steps.iter().map(|s| format!("{} {}", s.place, s.place.path)).collect();
    assert_eq!(places, ["t.rhai:4:5 call[1]", "t.rhai:4:5 call[2]", "t.rhai:6:10 call[3]"]);
}

#[test]
fn declarations_are_collected_before_anything_is_performed() {
    let text = "recipe(#{ name: \"find\", instrument: \"sim\" });
        let start_nm = parameter(\"start_nm\", 1520, #{ min: 1240, max: 1520, unit: \"nm\" });
        finally(|| sweep());
        configure_scan(#{ start_nm: start_nm });
        parameter(\"late\", 1);";
    let given = [("start_nm".to_owned(), Given::Text("1500".to_owned()))].into();
    let Declarations { header, values, .. } = script(text).unwrap().declarations(&given).unwrap();
    assert_eq!(header.name, "find");
    assert_eq!(values["start_nm"], json!(1500));
    assert_eq!(header.parameters["start_nm"].default, json!(1520));
}

#[test]
fn mistakes_in_declarations_are_found_with_their_place() {
    let given = |name: &str, text: &str| [(name.to_owned(), Given::Text(text.to_owned()))].into();
    for (text, set, words) in [
        ("sweep();", given("a", "1"), "must call `recipe"),
        ("recipe(#{ name: \"A/B\" });", BTreeMap::new(), "name `A/B` is not allowed"),
        ("recipe(#{ nam: \"a\" });", BTreeMap::new(), "unknown field `nam`"),
        ("recipe(#{ name: \"a\" });", given("b", "1"), "no parameter `b`"),
        ("recipe(#{ name: \"a\" }); parameter(\"b\", 1, #{ max: 3 });", given("b", "4"), "(at most 3)"),
        ("recipe(#{ name: \"a\" }); parameter(\"b\", 1);", given("b", "x"), "must be a number, not `x`"),
        ("recipe(#{ name: \"a\" }); parameter(\"module\", 1);", BTreeMap::new(), "a trace-file column"),
        ("recipe(#{ name: \"a\" }); parameter(\"default\", 1);", BTreeMap::new(), "reserve"),
        ("parameter(\"b\", 1);", BTreeMap::new(), "comes before `recipe`"),
        ("recipe(#{ name: \"a\" }); recipe(#{ name: \"a\" });", BTreeMap::new(), "declared twice"),
    ] {
        let found = script(text).unwrap().declarations(&set).unwrap_err();
        assert!(found[0].message.contains(words), "{text}: {}", found[0].message);
    }
    assert!(fault("sweep(); finally(|| 1);").message.contains("`finally` comes after the first operation"));
}

#[test]
fn a_script_error_says_where_and_what() {
    let mut shown = String::new();
    for text in ["let a = 1;\nlet b = a + strat_nm;\n", "let t = import \"x\";", "if true {", "let x = 'ab';"]
    {
        shown += &format!("{}\n\n", script(text).unwrap_err());
    }
    for text in [
        "swep();",
        "sweep(#{ start_nm: 1560, stop_nm: 1550 });",
        "sweep(1, 2);",
        "sweep(5);",
        "wait();",
        "read_power(#{ detector: \"trough\" });",
        "configure_laser(#{ laser: 1, power_dbm: () });",
        "configure_laser(#{ laser: 1, power_dbm: 0.0 / 0.0 });",
        "let a = [1]; a[3]",
        "let m = #{ a: 1 }; m.b",
        "throw \"too noisy\";",
        "sleep(1);",
        "exit(1, 2);",
    ] {
        let fault = fault(text);
        shown += &format!("{text}\n{fault}\n  hint: {}\n\n", fault.hint.as_deref().unwrap_or("none"));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn an_error_about_a_type_names_it_in_the_words_of_recipes() {
    for (text, expected) in [
        (
            "foo(1, 1.5, true, \"a\", 'c', [1], #{}, (), || 1, 0..3)",
            "there is no function `foo` that accepts \
             (integer, number, true or false, text, text, list, map, nothing, function, range)",
        ),
        ("1 + ()", "there is no function `+` that accepts (integer, nothing)"),
        ("let f = |x| x; f.call(1, 2)", "this function does not accept (integer, integer)"),
        ("let a = 1; a.foo", "an integer has no `foo`"),
        ("let a = [1]; a.foo = 3;", "`foo` of a list cannot be set"),
        ("let a = [1]; a[\"x\"]", "this must be an integer, not a text"),
        ("let a = [1]; a[[2]]", "this must be an integer, not a list"),
        ("let a = #{ b: 1 }; a[1.5]", "this must be a text, not a number"),
        ("let a = 5; a.call()", "this must be a function, not an integer"),
        ("let a = true; a[\"x\"]", "true or false has no elements"),
        ("let a = 1; for x in a { }", "`for` needs a list or a range"),
        ("let a = \"ab\"; a[2]", "there is no index 2 in a text of 2 characters"),
        (
            "[#{}, #{}].sort()",
            "the elements of this list have no order: only texts, or only numbers, have one",
        ),
    ] {
        assert_eq!(fault(text).message, expected, "{text}");
    }
    for (text, expected) in [
        ("if 1 { }", "this must be true or false, not a number"),
        ("while \"a\" { }", "this must be true or false, not a text"),
        ("for x in 5 { }", "this must be a list or a range, not a number"),
    ] {
        assert_eq!(script(text).unwrap_err().message, expected, "{text}");
    }
}

#[test]
fn a_script_without_bounds_ends_in_a_clear_error_soon() {
    for (text, words) in [
        ("loop {}", "computes for too long"),
        ("loop { try { sweep(#{ start_nm: 1 }) } catch {} }", "computes for too long"),
        ("fn f(n) { f(n + 1) } f(0);", "nested too deeply"),
        ("let s = \"x\"; loop { s += s; }", "too large"),
        ("let a = []; loop { a.push(a.len()); }", "too large"),
        ("let a = [1]; loop { a += a; }", "too large"),
        ("let s = \"\"; s.pad(1_000_000_000, 'x');", "too large"),
        ("let m = #{}; let i = 0; loop { m[`${i}`] = i; i += 1; }", "computes for too long"),
        ("let a = blob(4_000_000_000);", "too large"),
        ("finally(|| { loop {} });", "computes for too long"),
    ] {
        let begin = Instant::now();
        let message = fault(text).message;
        assert!(message.contains(words), "{text}: {message}");
        // The limit is on work and not on time. The test only needs to distinguish seconds from minutes.
        assert!(begin.elapsed() < Duration::from_secs(30), "{text}: {:?}", begin.elapsed());
    }
}

#[test]
fn computing_between_operations_counts_anew_after_each() {
    let (_, ended) = perform(
        "for i in 0..4 { let n = 0; while n < 400_000 { n += 1; } let m = #{}; m.a = [1, 2].map(|x| x + 1); log(`${m.a}`); }",
    );
    ended.unwrap();
}

#[test]
fn a_script_that_computes_hears_of_a_stop() {
    let recorder = Recorder::shared();
    recorder.stopped.store(true, std::sync::atomic::Ordering::SeqCst);
    let host: Arc<dyn Host> = recorder;
    let script = script(&format!("{HEADER} loop {{}}")).unwrap();
    let fault = script.as_recipe(&Values::new(), "", Vec::new()).perform(&host).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Stopped);
}

#[test]
fn what_all_variables_hold_together_is_bounded_in_calls_too() {
    let grow = "let s = \"x\"; for i in 0..19 { s += s; }\n";
    let many = (0..300).map(|n| format!("let v{n} = s + \"{n}\"; ")).collect::<String>();
    let lists = (1..400).map(|n| format!("let b{n} = b{}; ", n - 1)).collect::<String>();
    for text in [
        format!("{grow}{many}"),
        format!(
            "fn deep(s, n) {{ let a = s + \"a\"; let b = s + \"b\"; let c = s + \"c\"; \
             if n > 0 {{ deep(s, n - 1); }} a.len + b.len + c.len }}\n{grow}deep(s, 60);"
        ),
        format!("let b0 = []; b0.pad(20_000, 0); {lists}"),
    ] {
        assert_eq!(fault(&text).message, "the script's variables need more than 32 MiB");
    }
}

#[test]
fn a_script_that_declares_without_end_what_comes_last_is_refused() {
    let message = fault("for i in 0..1_000_000 { finally(|| log(\"end\")); }").message;
    assert_eq!(message, "the script calls `finally` more than 100 times");
}

#[test]
fn a_script_whose_values_keep_themselves_alive_still_releases_its_host() {
    let fetch = "fetch_trace(#{ detector: \"through\", trace: \"tf\" })";
    let (host, ended) = perform(&format!("let all = (); let own = || all; all = [{fetch}, own];"));
    ended.unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(Arc::strong_count(&host), 1, "the engine of a run would wait for this host for ever");
}

#[test]
fn a_function_that_is_stored_in_a_variable_which_it_uses_ends_in_a_clear_error() {
    for text in [
        "let f = 1; let own = || f; f = [own]; loop { let g = f; }",
        "let f = 1; let own = || f; f = #{ own: own }; loop { let g = f; }",
    ] {
        let nested = "a variable of the script has more than 1000 values nested in each other";
        assert_eq!(fault(text).message, nested, "{text}");
    }
}
