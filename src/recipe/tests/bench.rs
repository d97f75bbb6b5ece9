//! Recipes that drive other instruments on the bench.

use super::*;

#[test]
fn a_condition_over_a_reply_is_an_expression_of_its_own_and_checked_where_it_stands() {
    let poll = |ready: &str| {
        format!(
            "name: t\nsteps:\n  - set: {{ goal: 5 }}\n  - http: {{ url: \"http://stage/${{goal}}\", poll: {{ ready: '{ready}', timeout_s: 9 }} }}\n"
        )
    };
    let text = poll("reply.x >= ${goal - 0.5} && status == 200");
    let host = Recorder::shared();
    recipe(&text).perform(host.clone()).unwrap();
    let steps = host.steps();
    let Operation::Http(http) = &steps[0].operation else { panic!("{:?}", steps[0]) };
    assert_eq!(http.poll.as_ref().unwrap().ready, "reply.x >= 4.5 && status == 200");
    for (ready, place, words) in [
        ("repl.x > 5", "r.yaml:4:58", "unknown variable `repl`"),
        ("reply.x >", "r.yaml:4:67", "ends too early"),
        ("reply.x > goal", "r.yaml:4:68", "unknown variable `goal`"),
        ("${reply.x} > 5", "r.yaml:4:60", "write the whole expression in one `${…}`"),
        ("${reply.x >}", "r.yaml:4:69", "ends too early"),
    ] {
        let refused = refused(&poll(ready));
        assert!(refused.contains(place) && refused.contains(words), "{refused}");
    }
    // What an expression gives is checked when it has given it; a script, where it calls.
    let late = recipe(&poll("${goal} >")).perform(Recorder::shared()).unwrap_err();
    assert!(late.to_string().starts_with("r.yaml:4:57: ready `5 >`: the text ends too early"), "{late}");
    let script = "recipe(#{ name: \"t\" });\nhttp(#{ url: \"http://stage/\", poll: #{ ready: \"repl\", timeout_s: 9 } });";
    let script = Recipe::from_text("r.rhai", script, None, &[]).unwrap();
    let late = script.perform(Recorder::shared()).unwrap_err();
    assert!(late.to_string().starts_with("r.rhai:2:1: ready `repl`: unknown variable"), "{late}");
}

#[test]
fn a_reply_and_its_status_are_results_in_both_languages() {
    let yaml = "steps:\n  - http: { id: t, url: \"http://oven/\", assume: { at: { c: 25.5 } } }\n  - log: \"${steps.t.reply.at.c} ${steps.t.status} ${steps.t.failed}\"\n";
    assert_eq!(told(yaml), ["http", "25.5 200 false"]);
    let rhai = "recipe(#{ name: \"t\" });\nlet t = http(#{ url: \"http://oven/\", assume: #{ at: #{ c: 25.5 } } });\nlog(`${t.reply.at.c} ${t.status} ${t.failed}`);";
    let host = Recorder::shared();
    Recipe::from_text("r.rhai", rhai, None, &[]).unwrap().perform(host.clone()).unwrap();
    assert_eq!(host.performed(), ["http", "25.5 200 false"]);
    assert_eq!(host.uses(), 1, "what comes after a reply may depend on it");
}

#[test]
fn a_loop_goes_over_the_rows_of_a_table_that_the_run_keeps() {
    let files = folder(&[
        (
            "map.yaml",
            "name: map\nsteps:\n  - repeat:\n      for: die\n      in_csv: wafers/dies.csv\n      steps:\n        - log: \"${die.die} ${die.x_um / 2}\"\n        - script: log(`${die.x_um}`)\n        - run_recipe: { path: inner.yaml, set: { x: \"${die.x_um}\" } }\n",
        ),
        ("inner.yaml", "name: inner\nparameters: { x: { default: 0 } }\nsteps: [{ log: \"x=${x}\" }]\n"),
        ("wafers/dies.csv", "die,x_um\nA1,5\nA2,-2.5\n"),
    ]);
    let loaded = Recipe::load(&files.path().join("map.yaml"), &[]);
    let loaded = loaded.unwrap_or_else(|found| panic!("{}", shown(&found)));
    assert!(loaded.sources().iter().any(|source| source.name == "wafers/dies.csv"));
    let host = Recorder::shared();
    loaded.perform(host.clone()).unwrap();
    assert_eq!(host.performed(), ["A1 2.5", "5", "x=5", "A2 -1.25", "-2.5", "x=-2.5"]);
    let steps = host.steps();
    assert_eq!(steps[3].place.turns(), "(die=A2) ");
    let turn = &steps[3].place.loops[0];
    let columns: Vec<_> =
        turn.columns().into_iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    assert_eq!(columns, [("die", json!("A2")), ("x_um", json!(-2.5))]);
}

#[test]
fn what_is_wrong_with_a_table_is_said_in_the_table_and_what_collides_in_the_recipe() {
    let repeat =
        |inner: &str| format!("name: m\nsteps:\n  - repeat: {{ for: d, in_csv: d.csv, steps: [{inner}] }}\n");
    let fetch = "{ fetch_trace: { detector: 4/1, trace: tf, columns: { x: 1 } } }";
    let files = folder(&[
        ("d.csv", "x,y\n1,2\n"),
        ("bad.csv", "x,y\n1\n"),
        ("bad.yaml", &repeat("").replace("d.csv", "bad.csv")),
        ("none.yaml", &repeat("").replace("d.csv", "no.csv")),
        ("out.yaml", &repeat("").replace("d.csv", "../d.csv")),
        ("late.yaml", &repeat("").replace("d.csv", "\"${1}\"")),
        ("column.yaml", &repeat(fetch)),
        ("nested.yaml", &repeat("{ repeat: { for: x, in: [1], steps: [] } }")),
        ("again.yaml", &repeat("{ repeat: { for: e, in_csv: d.csv, steps: [] } }")),
        ("inside.yaml", &repeat("{ run_recipe: { path: loop.yaml } }")),
        ("loop.yaml", "name: l\nsteps: [{ repeat: { for: y, in: [1], steps: [] } }]\n"),
        ("cell.yaml", &repeat("{ log: \"${d.z}\" }")),
        ("sibling.yaml", &(repeat("") + "  - repeat: { for: x, in: [1], steps: [] }\n")),
    ]);
    let refused = |name: &str| shown(&Recipe::load(&files.path().join(name), &[]).expect_err(name));
    for (name, place, words) in [
        ("bad.yaml", "bad.csv:2:1", "this row has 1 cell, but the table has 2 columns"),
        ("none.yaml", "none.yaml:3:31", "cannot read `no.csv`"),
        ("out.yaml", "out.yaml:3:31", "`../d.csv`"),
        ("late.yaml", "late.yaml:3:31", "without expressions"),
        ("column.yaml", "column.yaml:3:", "a loop already defines the column `x`"),
        ("nested.yaml", "nested.yaml:3:", "a surrounding loop already has the column `x`"),
        ("again.yaml", "again.yaml:3:", "a surrounding loop already has the column `y`"),
        ("inside.yaml", "loop.yaml:2:", "a surrounding loop already has the variable `y`"),
    ] {
        let said = refused(name);
        assert!(said.contains(place) && said.contains(words), "{name}: {said}");
    }
    let cell = Recipe::load(&files.path().join("cell.yaml"), &[]).unwrap().perform(Recorder::shared());
    assert!(cell.unwrap_err().to_string().ends_with("it contains no `z`"));
    Recipe::load(&files.path().join("sibling.yaml"), &[]).unwrap();
}

#[test]
fn golden_devices_are_measured_again_after_every_so_many_others() {
    let recipe = |golden: &str, table: &str| {
        let repeat = format!(
            "name: m\nsteps:\n  - repeat:\n      for: d\n      in_csv: d.csv\n{golden}      steps:\n        - log: \"${{d.die}}\"\n"
        );
        let files = folder(&[("m.yaml", &repeat), ("d.csv", table)]);
        let loaded = Recipe::load(&files.path().join("m.yaml"), &[]).map_err(|found| shown(&found))?;
        let host = Recorder::shared();
        loaded.perform(host.clone()).unwrap();
        Ok::<_, String>(host.performed().join(" "))
    };
    let table = "die,golden\nG,true\nA,false\nB,false\nC,false\nD,false\nE,false\n";
    assert_eq!(recipe("      golden: { every: 2 }\n", table).unwrap(), "G A B G C D G E");
    assert_eq!(recipe("", table).unwrap(), "G A B C D E");
    let refused = |golden: &str, table: &str| recipe(golden, table).unwrap_err();
    assert!(refused("      golden: { every: 0 }\n", table).contains("whole number from 1"));
    assert!(refused("      golden: { every: 2 }\n", "die\nA\n").contains("no row of `d.csv` is golden"));
    assert!(refused("      golden: { often: 2 }\n", table).contains("unknown field `often`"));
}
