//! Word to whoever waits for the end: what they are told, when, and that nothing waits for them.

use serde_json::{Value, json};

use crate::batch::{FAILS, LONG};
use crate::probe_station::{Answer, Station, bench_with};
use crate::sidecar::{begin, request, serve};
use crate::support::{Bench, manifest, text, watch, watch_program};

const DIE: &str = "
name: die
metadata: { die: \"3,4\" }
NOTIFY
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 0 }
  - sweep: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }
  - fetch_trace: { detector: 4/1, trace: raw }
";

fn takes_everything() -> Station {
    Station::start(|_, _| Answer::Text(200, "ok".to_owned()))
}

fn notify(station: &Station, on: &str) -> String {
    format!("notify: {{ url: \"{}\"{on} }}", station.url("/hooks/SECRET?token=SECRET"))
}

#[test]
fn the_end_of_a_run_is_told_in_one_post_that_people_and_programs_understand() {
    let station = takes_everything();
    let (bench, simulator) = bench_with(&station);
    bench.write("die.yaml", &DIE.replace("NOTIFY", &notify(&station, "")));
    let output = bench.run(&["run", "die.yaml", "--instrument", &simulator.address]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let folder = bench.run_folder(&output);
    let asked = station.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].what, "POST /hooks/SECRET?token=SECRET");
    assert_eq!(asked[0].headers["content-type"], "application/json");
    let told = &asked[0].json;
    let run = manifest(&folder)["run"].clone();
    assert_eq!((&told["event"], &told["state"], &told["run"]), (&json!("run_done"), &json!("done"), &run));
    assert_eq!((&told["name"], &told["simulated"]), (&json!("die"), &json!(true)));
    assert_eq!((&told["counts"]["traces"], &told["finish_command"]), (&json!(1), &json!(null)));
    assert_eq!(told["metadata"]["die"], "3,4");
    assert_eq!(told["folder"], folder.to_str().unwrap());
    let words = told["text"].as_str().unwrap();
    assert!(words.starts_with("SIMULATED: die done after ") && words.contains("1 trace"), "{words}");
    // The URL is in the recipe's copy and nowhere else.
    for file in ["run.json", "journal.jsonl", "summary.json", "report.html"] {
        assert!(!std::fs::read_to_string(folder.join(file)).unwrap().contains("SECRET"), "{file}");
    }
    assert!(!text(&[output.stdout, output.stderr].concat()).contains("SECRET"));
}

#[test]
fn a_failure_is_told_with_its_reason_and_the_command_that_finishes_it_and_only_those_who_asked_are_told() {
    let station = takes_everything();
    let (bench, simulator) = bench_with(&station);
    let fails = format!("{FAILS}{}\n", notify(&station, ", on: [failure]"));
    bench.write("fails.yaml", &fails);
    bench.write("die.yaml", &DIE.replace("NOTIFY", &notify(&station, ", on: [failure]")));
    bench.write("silent.yaml", &fails.replace("[failure]", "[done]"));
    for recipe in ["die.yaml", "silent.yaml", "fails.yaml"] {
        bench.run(&["run", recipe, "--instrument", &simulator.address]);
    }
    let asked = station.asked();
    assert_eq!(asked.len(), 1);
    let told = &asked[0].json;
    assert_eq!((&told["event"], &told["name"]), (&json!("run_failed"), &json!("fails")));
    assert!(told["reason"].as_str().unwrap().len() > 5);
    assert!(told["finish_command"].as_str().unwrap().starts_with("ctp10 resume /"));
    let words = told["text"].as_str().unwrap();
    assert!(words.contains("failed") && words.contains("continue with: ctp10 resume /"), "{words}");
}

#[test]
fn a_script_says_whom_to_tell_and_one_that_is_not_ready_is_told_later() {
    let station = Station::start(|number, _| match number {
        1 => Answer::Text(503, "later".to_owned()),
        _ => Answer::Text(200, "ok".to_owned()),
    });
    let (bench, simulator) = bench_with(&station);
    let url = station.url("/hook");
    bench.write(
        "s.rhai",
        &format!(
            "recipe(#{{ name: \"s\", notify: #{{ url: \"{url}\", on: [\"done\"] }} }});\nlog(\"on\");\n"
        ),
    );
    let output = bench.run(&["run", "s.rhai", "--instrument", &simulator.address]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let asked = station.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!((&asked[0].json, &asked[1].json["event"]), (&asked[1].json, &json!("run_done")));
}

#[test]
fn what_cannot_be_delivered_is_a_warning_that_changes_nothing_and_tells_no_secret() {
    let station = Station::start(|_, asked| match asked.what.contains("elsewhere") {
        true => Answer::Elsewhere(302, "/here".to_owned()),
        false => Answer::Text(404, "SECRET".to_owned()),
    });
    let (bench, simulator) = bench_with(&station);
    for (path, words) in [
        ("/hooks/SECRET", "it replied with status 404"),
        ("/elsewhere/SECRET", "it replied with status 302; redirects are not followed"),
    ] {
        let notify = format!("notify: {{ url: \"{}\" }}", station.url(path));
        bench.write("die.yaml", &DIE.replace("NOTIFY", &notify));
        let output = bench.run(&["run", "die.yaml", "--instrument", &simulator.address]);
        assert_eq!(output.status.code(), Some(0));
        let told = text(&output.stderr);
        assert!(
            told.contains(&format!(
                "the notification to http://{} could not be sent: {words}",
                station.address
            )),
            "{told}"
        );
        assert!(!told.contains("SECRET"), "{told}");
        assert_eq!(manifest(&bench.run_folder(&output))["status"], "done");
    }
    assert_eq!(station.said().len(), 2);
}

#[test]
fn a_host_that_the_bench_does_not_allow_is_refused_before_anything_begins() {
    let bench = Bench::new();
    bench.write("ctp10.toml", "allow_http = [\"stage\"]\n");
    let notify = "notify: { url: \"https://hooks.example/SECRET\" }";
    bench.write("die.yaml", &DIE.replace("NOTIFY", notify));
    for command in [vec!["check", "die.yaml"], vec!["run", "die.yaml", "--instrument", "sim"]] {
        let output = bench.run(&command);
        assert_eq!(output.status.code(), Some(2));
        let told = text(&output.stderr);
        let words = "`notify`: `hooks.example` is not an allowed host (`allow_http` in ctp10.toml)";
        assert!(told.contains(words) && told.contains("\"stage\", \"hooks.example\""), "{told}");
        assert!(!told.contains("SECRET"), "{told}");
    }
    assert!(!bench.folder.path().join("runs").exists());
}

#[test]
fn ctrl_c_does_not_wait_for_somebody_who_does_not_answer_and_the_instrument_is_free_meanwhile() {
    let station = Station::start(|_, _| Answer::Silence);
    let (bench, simulator) = bench_with(&station);
    bench.write("die.yaml", &DIE.replace("NOTIFY", &notify(&station, "")));
    bench.write("plain.yaml", &DIE.replace("NOTIFY", ""));
    let run = watch(&bench, &["die.yaml", "--instrument", &simulator.address]);
    assert_eq!(station.next(), "POST /hooks/SECRET?token=SECRET");
    let other = bench.run(&["run", "plain.yaml", "--instrument", &simulator.address]);
    assert!(other.status.success(), "{}", text(&other.stderr));
    run.signal("INT");
    assert_eq!(run.finish().0, Some(0), "the run was done, whoever heard of it");
}

#[test]
fn a_run_that_is_killed_says_nothing_and_its_resumption_tells_the_end() {
    let station = takes_everything();
    let (bench, simulator) = bench_with(&station);
    bench.write("long.yaml", &format!("{}{}\n", LONG.trim_start(), notify(&station, "")));
    let waits = |event: &Value| event["event"] == "progress" && event["activity"] == "wait";
    let mut run = watch(&bench, &["long.yaml", "--instrument", &simulator.address]);
    let started = run.wait_for(|event| event["event"] == "started");
    run.wait_for(waits);
    run.signal("KILL");
    run.finish();
    assert_eq!(station.asked(), []);
    let mut resumed = watch_program(&bench, &["resume", started["folder"].as_str().unwrap()]);
    resumed.wait_for(waits);
    resumed.signal("INT");
    resumed.finish();
    let asked = station.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!((&asked[0].json["event"], &asked[0].json["run"]), (&json!("run_aborted"), &started["run"]));
    assert!(asked[0].json["text"].as_str().unwrap().contains("long was stopped"));
}

#[test]
fn a_batch_tells_its_end_beside_its_recipes_and_nobody_who_is_slow_holds_up_the_next_item() {
    let station = Station::start(|_, asked| match asked.json["event"].as_str() {
        Some("run_done") => Answer::Silence,
        _ => Answer::Text(200, "ok".to_owned()),
    });
    let (bench, simulator) = bench_with(&station);
    bench.write("die.yaml", &DIE.replace("NOTIFY", &notify(&station, "")));
    bench.write("fails.yaml", FAILS);
    bench.write(
        "night.yaml",
        &format!(
            "name: night\n{}\nitems:\n  - recipe: die.yaml\n  - recipe: fails.yaml\n  - recipe: die.yaml\n",
            notify(&station, ", on: [failure]")
        ),
    );
    let batch = watch_program(&bench, &["batch", "night.yaml", "--instrument", &simulator.address]);
    // Three requests are under way, and nobody has answered the first two.
    for _ in 0..3 {
        assert_eq!(station.next(), "POST /hooks/SECRET?token=SECRET");
    }
    batch.signal("INT");
    let (code, stdout) = batch.finish();
    assert_eq!(code, Some(1), "{stdout}");
    let asked = station.asked();
    let batches: Vec<&Value> =
        asked.iter().map(|asked| &asked.json).filter(|told| told["event"] == "batch_failed").collect();
    let [told] = batches[..] else { panic!("{asked:?}") };
    assert_eq!((&told["name"], &told["state"]), (&json!("night"), &json!("failed")));
    assert_eq!((&told["counts"]["done"], &told["counts"]["failed"]), (&json!(2), &json!(1)));
    assert_eq!((&told["not_done"][0]["number"], &told["simulated"]), (&json!(2), &json!(true)));
    assert_eq!(told["report"], bench.folder.path().join("runs/batch-night.html").to_str().unwrap());
    let words = told["text"].as_str().unwrap();
    assert!(words.contains("2 done, 1 failed of 3 items") && words.contains("--release"), "{words}");
    for file in ["batch-night.json", "batch-night.html"] {
        let text = std::fs::read_to_string(bench.folder.path().join("runs").join(file)).unwrap();
        assert!(!text.contains("SECRET"), "{file}");
    }
}

#[test]
fn a_batch_that_was_killed_tells_its_end_when_it_is_started_again_and_a_look_at_it_tells_nothing() {
    let station = takes_everything();
    let (bench, simulator) = bench_with(&station);
    bench.write("long.yaml", LONG);
    bench.write(
        "night.yaml",
        &format!("name: night\n{}\nitems:\n  - recipe: long.yaml\n", notify(&station, "")),
    );
    let start = ["batch", "night.yaml", "--instrument", &simulator.address];
    let mut batch = watch_program(&bench, &start);
    batch.wait_for(|event| event["event"] == "progress" && event["activity"] == "wait");
    batch.signal("KILL");
    batch.finish();
    assert_eq!(station.asked(), []);
    // Its item is held now. Who starts it once more knows that.
    for _ in 0..2 {
        assert_eq!(bench.run(&start).status.code(), Some(1));
        let asked = station.asked();
        assert_eq!(asked.len(), 1);
        assert_eq!(
            (&asked[0].json["event"], &asked[0].json["counts"]["held"]),
            (&json!("batch_failed"), &json!(1))
        );
    }
}

#[test]
fn batch_check_refuses_hosts_that_the_bench_does_not_allow_whoever_names_them() {
    let bench = Bench::new();
    bench.write("ctp10.toml", "allow_http = [\"stage\"]\n");
    let notify = |host: &str| format!("notify: {{ url: \"http://{host}/SECRET\" }}");
    bench.write("die.yaml", &DIE.replace("NOTIFY", &notify("hooks-a")));
    bench.write("night.yaml", &format!("name: night\n{}\nitems:\n  - recipe: die.yaml\n", notify("hooks-b")));
    for command in [vec!["batch", "check", "night.yaml"], vec!["batch", "night.yaml", "--instrument", "sim"]]
    {
        let output = bench.run(&command);
        assert_eq!(output.status.code(), Some(2));
        let told = text(&output.stderr);
        assert!(
            told.contains("`hooks-a` is not an allowed host")
                && told.contains("`hooks-b` is not an allowed host"),
            "{told}"
        );
        assert!(told.contains("item 1 (die.yaml)") && !told.contains("SECRET"), "{told}");
    }
}

#[test]
fn a_service_tells_the_end_of_its_runs_while_it_goes_on() {
    let station = Station::start(|_, _| Answer::Silence);
    let (bench, simulator) = bench_with(&station);
    let service = serve(&bench, &["--instrument", &simulator.address]);
    let recipe = DIE.replace("NOTIFY", &notify(&station, ""));
    for _ in 0..2 {
        begin(&service.address, &recipe);
        assert_eq!(station.next(), "POST /hooks/SECRET?token=SECRET");
    }
    assert_eq!(request(&service.address, "GET", "/health", None).0, 200);
}
