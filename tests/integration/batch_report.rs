//! The page of a batch, as it is left and as it is made anew.

use serde_json::Value;

use crate::batch::{bench, folder, summary};
use crate::support::{Bench, simulate, text, watch_program};

fn page(bench: &Bench) -> String {
    std::fs::read_to_string(bench.folder.path().join("runs/batch-night.html")).unwrap()
}

#[test]
fn a_batch_leaves_a_page_that_says_what_its_summary_says_and_leads_to_its_runs() {
    let bench = bench();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    bench.write(
        "night.yaml",
        "name: night
items:
  - { recipe: die.yaml, metadata: { die: \"<b>3,4</b>\" } }
  - { recipe: fails.yaml, retry: { times: 1, backoff_s: 0 } }
  - { recipe: die.yaml, deadline: \"2020-01-01T00:00:00Z\" }
",
    );
    let output = bench.run(&["batch", "night.yaml", "--instrument", &simulator.address]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("runs/batch-night.html"), "{}", text(&output.stdout));
    let (told, left) = (summary(&bench), page(&bench));
    assert_eq!((&told["state"], &told["running"]), (&"failed".into(), &0.into()));
    assert!(told["list"][0]["estimated_s"].as_f64().unwrap() > 0.0);
    for words in [
        "SIMULATED INSTRUMENT",
        "1 of 3 items are done.",
        "die = &lt;b&gt;3,4&lt;/b&gt;",
        "No measurement of item 3.",
        "ended the run",
        "2 attempts",
        told["go_on"].as_str().unwrap(),
        told["list"][1]["reason"].as_str().unwrap(),
    ] {
        assert!(left.contains(words), "{words}");
    }
    assert_eq!(left.matches("class=\"trace\"").count(), 1);
    for item in &told["list"].as_array().unwrap()[..2] {
        for name in item["folders"].as_array().unwrap() {
            let link = format!("href=\"./{}/report.html\"", name.as_str().unwrap());
            assert!(left.contains(&link) && folder(&bench, name).join("report.html").exists(), "{link}");
        }
    }
    // Made anew it says the same, but for when that was.
    std::fs::remove_file(bench.folder.path().join("runs/batch-night.html")).unwrap();
    let output = bench.run(&["runs", "report", "--batch", "night"]);
    assert_eq!(text(&output.stdout).trim(), "runs/batch-night.html");
    let without_time = |text: &str| {
        let (before, after) = text.split_once("<dt>Written</dt>").unwrap();
        format!("{before}{}", after.split_once("</dd>").unwrap().1)
    };
    assert_eq!(without_time(&page(&bench)), without_time(&left));
    let output = bench.run(&["runs", "report", "--batch", "nigth"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("did you mean `night`?"), "{}", text(&output.stderr));
}

#[test]
fn a_batch_that_was_killed_has_a_page_when_somebody_asks_for_it() {
    let bench = bench();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    bench.write("night.yaml", "name: night\nitems:\n  - recipe: long.yaml\n  - recipe: die.yaml\n");
    let mut batch = watch_program(&bench, &["batch", "night.yaml", "--instrument", &simulator.address]);
    batch.wait_for(|event: &Value| event["event"] == "progress" && event["activity"] == "wait");
    batch.signal("KILL");
    batch.finish();
    assert!(bench.run(&["runs", "report", "--batch", "night"]).status.success());
    let page = page(&bench);
    for words in
        ["0 of 2 items are done.", "held", "the program ended during its run", "No measurement of item 2."]
    {
        assert!(page.contains(words), "{words}");
    }
    let command = summary(&bench)["go_on"].as_str().unwrap().to_owned();
    assert!(command.starts_with("ctp10 batch night.yaml --instrument"), "{command}");
    assert!(page.contains("ctp10 resume "));
}
