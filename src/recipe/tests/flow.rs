//! The order of steps: loops, conditions, variables, results of steps, and the end of a recipe.

use super::*;

#[test]
fn loops_conditions_and_variables_do_what_they_say() {
    let steps = r#"
parameters: { top: { default: 5 } }
steps:
  - set: { base: "${top - 10}", label: "at_${top / 2}" }
  - log: "${base} ${label}"
  - repeat: { for: p, in: [-5, "${top}", hi], steps: [{ log: "p${p}" }] }
  - repeat: { for: x, from: 0, to: 0.3, step: 0.1, steps: [{ log: "x${x}" }] }
  - repeat: { times: 2, steps: [{ log: again }] }
  - set: { n: 0 }
  - repeat:
      while: "${n < 2}"
      steps:
        - set: { n: "${n + 1}" }
        - if: { condition: "${n == 1}", then: [{ log: one }], else: [{ log: more }] }
"#;
    let said = told(steps);
    let expected = "-5 at_2.5|p-5|p5|phi|x0|x0.1|x0.2|x0.3|again|again|one|more";
    assert_eq!(said.join("|"), expected);
}

#[test]
fn a_step_knows_its_place_and_its_loops() {
    let text = "steps:\n  - repeat:\n      for: p\n      in: [1, 2]\n      steps:\n        - repeat: { times: 2, steps: [{ sweep: }] }\n";
    let (host, _) = perform(text);
    let steps = host.steps();
    assert_eq!(steps.len(), 4);
    let place = &steps[3].place;
    assert_eq!(place.to_string(), "r.yaml:7:41");
    assert_eq!(place.path, "steps[0].repeat.steps[0].repeat.steps[0]");
    let loops: Vec<_> =
        place.loops.iter().map(|l| (l.name.as_str(), l.value.clone(), l.index, l.count)).collect();
    assert_eq!(loops, [("p", json!(2), 1, Some(2)), ("", json!(null), 1, Some(2))]);
}

#[test]
fn results_of_steps_decide_and_the_host_hears_of_it() {
    let text = r#"
steps:
  - fetch_trace: { id: f, detector: 4/1, trace: tf }
  - fetch_trace: { id: two, detectors: [4/1, 4/2], trace: tf }
  - read_power: { id: p, detector: 4/1 }
  - prompt: { id: q, message: "?" }
  - scpi: { id: s, query: "*IDN?" }
  - configure_scan: { id: c, start_nm: 1520 }
  - log: { id: l, message: fail, on_error: continue }
  - log: "${steps.f.min.nm} ${steps.f.file} ${steps.two.traces[1].file} ${steps.p.value} ${steps.q.answer}"
  - log: "${steps.s.reply} ${steps.c.start_nm} ${steps.l.failed} ${steps.l.message} ${steps.f.failed}"
"#;
    let (host, ended) = perform(text);
    ended.unwrap();
    let said = host.performed();
    assert_eq!(said[7], "1550 traces/0001.parquet traces/0002.parquet -12.5 yes");
    assert_eq!(said[8], "1 1520 true it failed false");
    assert_eq!(host.uses(), 2);
}

#[test]
fn finally_runs_whole_after_the_end_a_fault_and_a_stop() {
    for (step, kind) in
        [("fail", Some(FaultKind::Instrument)), ("stop", Some(FaultKind::Stopped)), ("fine", None)]
    {
        let text =
            format!("steps: [{{ log: {step} }}]\nfinally: [{{ log: a }}, {{ log: fail, }}, {{ log: b }}]\n");
        let (host, ended) = perform(&text);
        let said: Vec<String> = host.performed().into_iter().filter(|text| text != "fine").collect();
        assert_eq!(said, ["a", "b"], "{step}");
        assert_eq!(ended.unwrap_err().kind, kind.unwrap_or(FaultKind::Instrument));
    }
}

#[test]
fn a_loop_that_does_nothing_hears_of_a_stop() {
    let host = Recorder::shared();
    host.stopped.store(true, Ordering::SeqCst);
    let fault = recipe("name: t\nsteps: [{ repeat: { while: true, steps: [{ set: { a: 1 } }] } }]\n")
        .perform(host.clone());
    assert_eq!(fault.unwrap_err().kind, FaultKind::Stopped);
}

#[test]
fn a_script_step_sees_the_names_around_it_and_says_its_own_lines() {
    let text = r#"
detectors: { through: 4/1 }
parameters: { top: { default: 5 } }
steps:
  - repeat:
      for: p
      in: [1]
      steps:
        - script: |
            let x = top + p;
            log(`${x}`);
            read_power(#{ detector: "through" });
  - script: 'log("inline")'
"#;
    let (host, ended) = perform(text);
    ended.unwrap();
    assert_eq!(host.performed(), ["6", "read_power", "inline"]);
    let steps = host.steps();
    assert_eq!(steps[0].place.to_string(), "r.yaml:12:13");
    assert_eq!(steps[0].place.path, "steps[0].repeat.steps[0].script.call[1]");
    assert_eq!(steps[0].place.loops.len(), 1);
    assert_eq!(steps[2].place.to_string(), "r.yaml:14:14");
    let wrong = refused("name: t\nsteps:\n  - script: |\n      let a = 1;\n      log(b);\n");
    assert!(wrong.contains("unknown variable `b`") && wrong.contains("r.yaml:5:11"), "{wrong}");
    let late = perform("steps:\n  - script: 'recipe(#{ name: \"x\" })'\n").1.unwrap_err();
    assert!(late.message.contains("is not allowed in a `script` step"), "{late}");
}
