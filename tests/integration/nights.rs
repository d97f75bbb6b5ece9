//! Batches whose night does not go as planned: killed, stopped, over their time, on an instrument with faults; and the
//! queue of a service.

use ctp10::catalogue::Catalogue;
use serde_json::{Value, json};

use crate::batch::{DIE, LONG, bench, folder, runs, states, summary};
use crate::probe_station::Gate;
use crate::sidecar::{request, serve, signal};
use crate::support::{Bench, Talk, Watched, manifest, simulate, text, until, until_some, watch_program};

fn begins(batch: &mut Watched, item: u32) {
    batch.wait_for(|event| event["event"] == "item_begun" && event["item"] == item);
}

#[test]
fn a_killed_batch_goes_on_and_what_was_under_way_is_held_or_goes_on_too() {
    let bench = bench();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    let night = |auto: bool| {
        format!(
            "name: night\nitems:\n  - recipe: die.yaml\n  - {{ recipe: long.yaml, timeout_s: 1, auto_resume: {auto} }}\n  - recipe: die.yaml\n"
        )
    };
    for (auto, last) in [(false, "held"), (true, "failed")] {
        let _ = std::fs::remove_dir_all(bench.folder.path().join("runs"));
        bench.write("night.yaml", &night(auto).replace("timeout_s: 1", "timeout_s: 3000"));
        let mut batch = watch_program(&bench, &["batch", "night.yaml", "--instrument", &simulator.address]);
        begins(&mut batch, 2);
        batch.wait_for(|event| event["event"] == "progress" && event["activity"] == "wait");
        batch.signal("KILL");
        batch.finish();
        let mut talk = Talk::to(&simulator.address);
        talk.wait_until_idle();
        bench.write("night.yaml", &night(auto));
        let output = bench.run(&["batch", "night.yaml", "--instrument", &simulator.address]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        let told = summary(&bench);
        assert_eq!(states(&told), ["done", last, "done"]);
        assert_eq!(told["list"][0]["attempts"], 1, "items that are done stay done");
        let reason = told["list"][1]["reason"].as_str().unwrap();
        if auto {
            assert_eq!(told["list"][1]["attempts"], 2);
            assert!(reason.contains("not finished after 1 s"), "{reason}");
        } else {
            assert!(reason.contains("was interrupted"), "{reason}");
        }
        assert!(told["go_on"].as_str().unwrap().ends_with("--release"));
    }
    let refused = bench.run(&["batch", "--continue", "nigth", "--instrument", &simulator.address]);
    assert!(text(&refused.stderr).contains("did you mean `night`?"), "{}", text(&refused.stderr));
    let go_on = ["batch", "--continue", "night", "--release", "--instrument", &simulator.address];
    assert_eq!(bench.run(&go_on).status.code(), Some(1));
    assert_eq!(summary(&bench)["list"][1]["attempts"], 3, "a person has released it");
}

#[test]
fn at_the_deadline_the_run_is_stopped_and_nothing_more_begins() {
    let bench = bench();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    let deadline = (chrono::Utc::now() + chrono::TimeDelta::seconds(6)).to_rfc3339();
    bench.write(
        "night.yaml",
        &format!(
            "name: night\ndeadline: \"{deadline}\"\nitems:\n  - recipe: long.yaml\n  - recipe: die.yaml\n"
        ),
    );
    let output = bench.run(&["batch", "night.yaml", "--instrument", &simulator.address]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("leaves no time for 2 items: 1 to 2"), "{}", text(&output.stderr));
    let told = summary(&bench);
    assert_eq!(states(&told), ["queued", "queued"]);
    assert!(
        told["list"][0]["reason"].as_str().unwrap().contains("stopped at the batch's deadline"),
        "{told}"
    );
    assert!(told["reason"].as_str().unwrap().contains("the deadline"), "{told}");
    assert_eq!(Talk::to(&simulator.address).ask("CTP:RLAS1:POW:STAT?"), "0");
}

#[test]
fn a_signal_lets_the_run_end_or_stops_it_and_the_rest_stays_queued() {
    let bench = bench();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    let gate = Gate::new(&bench, 0);
    bench.write("patient.yaml", &LONG.replace("wait: 3000", &gate.step()));
    bench.write(
        "night.yaml",
        "name: night\nitems:\n  - recipe: patient.yaml\n  - recipe: long.yaml\n  - recipe: die.yaml\n",
    );
    let command = ["batch", "night.yaml", "--instrument", &simulator.address];
    for (item, name, expected) in
        [(1, "TERM", ["done", "queued", "queued"]), (2, "INT", ["done", "queued", "queued"])]
    {
        let mut batch = watch_program(&bench, &command);
        begins(&mut batch, item);
        let second = bench.run(&command);
        assert_eq!(second.status.code(), Some(3));
        assert!(text(&second.stderr).contains("is already running batch"), "{}", text(&second.stderr));
        match item {
            1 => gate.wait_for(1),
            _ => drop(batch.wait_for(|event| event["event"] == "progress" && event["activity"] == "wait")),
        }
        batch.signal(name);
        gate.open();
        let (code, stdout) = batch.finish();
        assert_eq!(code, Some(130), "{stdout}");
        assert_eq!(states(&summary(&bench)), expected);
    }
    assert_eq!(summary(&bench)["list"][1]["reason"], "stopped by Ctrl-C");
    assert_eq!(Talk::to(&simulator.address).ask("CTP:RLAS1:POW:STAT?"), "0");
}

#[test]
fn a_batch_on_an_instrument_with_faults_ends_and_tells_the_truth() {
    let thorough = std::env::var_os("CTP10_TEST_THOROUGH").is_some();
    for seed in 1..=if thorough { 10 } else { 1 } {
        let bench = bench();
        let fault = format!("random@{seed}=0.002");
        let simulator = simulate(&bench, &["--time-scale", "0.005", "--fault", &fault]);
        let powers: Vec<String> = (0..40).map(|item| format!("{}", f64::from(item) / 4.0)).collect();
        let powers = powers.join(", ");
        bench.write(
            "night.yaml",
            &format!(
                "name: night
defaults: {{ retry: {{ times: 1, backoff_s: 0 }}, timeout_s: 60 }}
items: [{{ recipe: die.yaml, matrix: {{ power_dbm: [{powers}] }} }}]
"
            ),
        );
        let output = bench.run(&["batch", "night.yaml", "--instrument", &simulator.address]);
        let told = summary(&bench);
        let done = told["done"].as_u64().unwrap();
        assert_eq!(output.status.code(), Some(if done == 40 { 0 } else { 1 }), "seed {seed}");
        assert_eq!(done + told["failed"].as_u64().unwrap(), 40, "seed {seed}: {told}");
        for item in told["list"].as_array().unwrap() {
            let folders = item["folders"].as_array().unwrap();
            let Some(last) = folders.last() else {
                assert_ne!(item["state"], "done", "seed {seed}: done without a run: {item}");
                continue;
            };
            let kept = manifest(&folder(&bench, last));
            assert_eq!(kept["status"] == "done", item["state"] == "done", "seed {seed}: {item} {kept}");
            assert!(item["state"] == "done" || item["reason"].is_string(), "seed {seed}: {item}");
            assert_eq!(kept["metadata"]["batch_item"], item["number"]);
            let path = folder(&bench, last);
            assert!(bench.run(&["runs", "verify", path.to_str().unwrap()]).status.success(), "seed {seed}");
        }
    }
}

#[test]
fn the_queue_of_a_service_is_filled_and_changed_over_http_and_survives_it() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    std::fs::create_dir(bench.folder.path().join("recipes")).unwrap();
    bench.write("recipes/die.yaml", DIE);
    let mut service = serve(&bench, &["--instrument", &simulator.address]);
    let ask = |address: &str, method: &str, path: &str, body: Option<Value>| {
        request(address, method, path, body.as_ref())
    };
    let address = service.address.clone();
    assert_eq!(ask(&address, "POST", "/batch/pause", None).1["paused"], true);
    let items = json!({ "recipe": "recipes/die.yaml", "matrix": { "power_dbm": [1, 2, 3, 4] } });
    let (status, added) = ask(&address, "POST", "/batch/items", Some(items));
    assert_eq!((status, added["numbers"].clone()), (201, json!([1, 2, 3, 4])), "{added}");
    let refused = |body: Value| ask(&address, "POST", "/batch/items", Some(body)).0;
    assert_eq!(refused(json!({ "recipe": "elsewhere.yaml" })), 404);
    assert_eq!(refused(json!({ "recipe": "recipes/die.yaml", "set": { "power_dbm": 40 } })), 422);
    assert_eq!(refused(json!({ "recipe": "recipes/die.yaml", "devices": "/etc/passwd" })), 400);
    assert_eq!(ask(&address, "POST", "/batch/items/4/move?to=1", None).0, 200);
    assert_eq!(ask(&address, "POST", "/batch/items/1/remove", None).0, 200);
    assert_eq!(ask(&address, "POST", "/batch/items/2/hold", None).0, 200);
    assert_eq!(ask(&address, "POST", "/batch/items/1/hold", None).0, 409);
    assert_eq!(ask(&address, "POST", "/batch/items/9/hold", None).0, 404);
    signal(&service, "TERM");
    assert!(service.child.wait().unwrap().success());

    let service = serve(&bench, &["--instrument", &simulator.address]);
    let address = service.address.clone();
    let batch = ask(&address, "GET", "/batch", None).1;
    assert_eq!(batch["counts"], json!({ "queued": 2, "held": 1, "removed": 1 }), "{batch}");
    let places: Vec<Value> =
        batch["items"].as_array().unwrap().iter().map(|item| item["place"].clone()).collect();
    assert_eq!(places, [Value::Null, Value::Null, json!(2), json!(1)]);
    // An item that waits for its time begins last, and has its place all the same: the one that `move` takes.
    let later = json!({ "recipe": "recipes/die.yaml", "priority": 9, "not_before": "2099-01-01T00:00:00Z" });
    let known = ask(&address, "GET", "/instrument", None).1["queue"].clone();
    assert_eq!(ask(&address, "POST", "/batch/items", Some(later)).0, 201);
    assert_ne!(ask(&address, "GET", "/instrument", None).1["queue"], known);
    let place = |batch: &Value| batch["items"][4]["place"].clone();
    assert_eq!(place(&ask(&address, "GET", "/batch", None).1), 1);
    assert_eq!(place(&ask(&address, "POST", "/batch/items/5/move?to=3", None).1), 3);
    assert_eq!(ask(&address, "POST", "/batch/items/5/remove", None).0, 200);
    assert_eq!(ask(&address, "POST", "/batch/resume", None).1["paused"], false);
    let is_done = |count: u64| ask(&address, "GET", "/batch", None).1["counts"]["done"] == count;
    until("two items are done", || is_done(2));
    assert_eq!(ask(&address, "POST", "/batch/items/2/release", None).0, 200);
    until("the released item is done", || is_done(3));
    let rows = runs(&bench);
    let order: Vec<u32> = rows.iter().rev().filter_map(|run| run.item).collect();
    assert_eq!((order.len(), order.last()), (3, Some(&2)));
    // The page of a queue leads to the reports of its runs over HTTP.
    let (status, page) = ask(&address, "GET", "/batch/report", None);
    let page = page.as_str().unwrap();
    assert!(status == 200 && page.contains("All 3 items are done."), "{page}");
    for run in &rows {
        let report = format!("/runs/{}/report", run.run);
        assert!(page.contains(&format!("href=\"..{report}\"")), "{report}");
        assert_eq!(ask(&address, "GET", &report, None).0, 200);
    }
}

#[test]
fn an_emergency_stop_holds_the_item_and_nothing_lights_a_laser_before_a_person_says_so() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    std::fs::create_dir(bench.folder.path().join("recipes")).unwrap();
    bench.write("recipes/die.yaml", DIE);
    bench.write("recipes/long.yaml", LONG);
    let service = serve(&bench, &["--instrument", &simulator.address]);
    let ask = |method: &str, path: &str, body: Option<Value>| {
        request(&service.address, method, path, body.as_ref()).1
    };
    for recipe in ["recipes/long.yaml", "recipes/die.yaml"] {
        ask("POST", "/batch/items", Some(json!({ "recipe": recipe })));
    }
    until("the run waits", || ask("GET", "/runs/current", None)["current"]["activity"] == "wait");
    let off = ask("POST", "/off", None);
    assert!(off["run"].is_string(), "{off}");
    let stopped = until_some("the queue is paused", || {
        Some(ask("GET", "/batch", None)).filter(|batch| batch["paused"] == true)
    });
    assert_eq!(stopped["counts"], json!({ "held": 1, "queued": 1 }), "{stopped}");
    assert_eq!(Talk::to(&simulator.address).ask("CTP:RLAS1:POW:STAT?"), "0");
    ask("POST", "/batch/resume", None);
    until("the other item is done", || ask("GET", "/batch", None)["counts"]["done"] == 1);
    let document = ask("GET", "/openapi.json", None);
    assert!(document["paths"]["/batch/items/{number}/move"]["post"].is_object());
}

#[test]
fn nothing_begins_before_its_time() {
    let bench = bench();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    let begin = chrono::Utc::now() + chrono::TimeDelta::seconds(3);
    bench.write(
        "night.yaml",
        &format!("name: night\nnot_before: \"{}\"\nitems: [{{ recipe: die.yaml }}]\n", begin.to_rfc3339()),
    );
    let mut batch = watch_program(&bench, &["batch", "night.yaml", "--instrument", &simulator.address]);
    batch.wait_for(|event| event["event"] == "waits");
    assert_eq!(batch.finish().0, Some(0));
    assert!(runs(&bench)[0].started >= begin);
}

#[test]
fn a_list_of_items_is_added_as_a_whole_also_if_the_service_is_killed_meanwhile() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &[]);
    std::fs::create_dir(bench.folder.path().join("recipes")).unwrap();
    bench.write("recipes/die.yaml", DIE);
    let mut service = serve(&bench, &["--instrument", &simulator.address]);
    let address = service.address.clone();
    assert_eq!(request(&address, "POST", "/batch/pause", None).0, 200);
    let powers: Vec<f64> = (0..100).map(|item| f64::from(item) / 100.0).collect();
    let entry = |last: f64| {
        let powers: Vec<f64> = powers.iter().copied().chain([last]).collect();
        json!({ "recipe": "recipes/die.yaml", "matrix": { "power_dbm": powers } })
    };
    assert_eq!(request(&address, "POST", "/batch/items", Some(&entry(40.0))).0, 422);
    let counts = request(&address, "GET", "/batch", None).1["counts"].clone();
    assert_eq!(counts, json!({}), "one of the items is wrong, so none is added");
    let body = entry(2.0).to_string();
    let head =
        format!("POST /batch/items HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut client = std::net::TcpStream::connect(&address).unwrap();
    std::io::Write::write_all(&mut client, format!("{head}{body}").as_bytes()).unwrap();
    let catalogue = Catalogue::open(&bench.folder.path().join("runs")).unwrap();
    let batch = catalogue.batch_names().unwrap().remove(0);
    until("an item is in the file", || !catalogue.items(&batch).unwrap().is_empty());
    signal(&service, "KILL");
    service.child.wait().unwrap();
    assert_eq!(catalogue.items(&batch).unwrap().len(), 101);
}

#[test]
fn a_refused_release_leaves_the_interrupted_run_to_be_resumed() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    std::fs::create_dir(bench.folder.path().join("recipes")).unwrap();
    bench.write("recipes/long.yaml", LONG);
    let service = serve(&bench, &["--instrument", &simulator.address]);
    let ask = |method: &str, path: &str, body: Option<Value>| {
        request(&service.address, method, path, body.as_ref())
    };
    assert_eq!(ask("POST", "/batch/items", Some(json!({ "recipe": "recipes/long.yaml" }))).0, 201);
    until("the run waits", || ask("GET", "/runs/current", None).1["current"]["activity"] == "wait");
    let run = ask("GET", "/runs/current", None).1["run"].clone();
    assert_eq!(ask("POST", "/batch/pause", None).0, 200);
    assert_eq!(ask("POST", "/runs/current/abort", None).0, 200);
    until("the item is held", || ask("GET", "/batch", None).1["counts"]["held"] == 1);
    assert_eq!(ask("POST", "/batch/items/1/release", None).0, 200);
    assert_eq!(ask("POST", "/batch/items/1/release?anew=true", None).0, 409, "the item is queued");
    assert_eq!(ask("POST", "/batch/resume", None).0, 200);
    until("the run waits again", || ask("GET", "/runs/current", None).1["current"]["activity"] == "wait");
    assert_eq!(ask("GET", "/runs/current", None).1["run"], run, "the item resumes its run");
}
