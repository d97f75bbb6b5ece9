//! A page and a summary must never execute text of a recipe, or grow with the run.

use std::cell::Cell;

use super::*;

pub(super) const ATTACK: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>";

#[test]
fn nothing_from_a_recipe_an_instrument_or_a_person_becomes_markup() {
    let attack = || ATTACK.to_owned();
    let message = || format!("message {ATTACK}");
    let mut prompt = step("prompt", &json!({ "message": ATTACK, "unattended": ATTACK }), ATTACK);
    prompt.place.file = attack();
    let mut run =
        FakeRun::new(&[(&prompt, 1), (&step("log", &json!({ "message": ATTACK }), "finally[0]"), 1)]);
    run.manifest.run = attack();
    run.manifest.name = attack();
    run.manifest.recipe.path = attack();
    run.manifest.recipe.sha256 = attack();
    run.manifest.recipe.files = vec![attack(), "javascript:alert(3)".to_owned()];
    run.manifest.parameters = BTreeMap::from([(attack(), json!(ATTACK))]);
    run.manifest.metadata = BTreeMap::from([(attack(), json!({ ATTACK: [ATTACK] }))]);
    run.manifest.simulator = Some(json!({ "dut": ATTACK }));
    run.manifest.instrument.simulated = true;
    run.manifest.instrument.identity = attack();
    run.manifest.instrument.address = attack();
    run.manifest.instrument.lasers = BTreeMap::from([(1, attack())]);
    run.manifest.host.host = attack();
    run.manifest.host.os = attack();
    run.manifest.host.ctp10 = attack();
    run.begin().try_step(1, 1, &prompt).trace(1);
    if let RunEvent::TraceStored { trace } = &mut run.records.last_mut().unwrap().event {
        (trace.file, trace.name, trace.unit) = (attack(), attack(), attack());
    }
    run.event(RunEvent::Question { number: 1, message: message(), choices: vec![attack()], until: None });
    run.event(RunEvent::Answered { number: 1, answer: attack(), by_operator: true });
    run.event(RunEvent::Warning { message: message() }).event(RunEvent::LinkLost { reason: message() });
    let fault = Fault::new(FaultKind::Instrument, ATTACK).hint(ATTACK);
    run.event(RunEvent::StepFailed { number: 1, fault, then: AfterFault::Raise });
    let mut report = run.end(RunState::Failed, Some(ATTACK)).report();
    report.about.folder = attack();
    report.finish_command = Some(attack());
    for picture in [drawn(&[-1.0, -2.0]), Picture::Unreadable(attack())] {
        let page = page(&report, &|_| picture.clone());
        assert!(page.contains("&lt;script&gt;alert(1)"), "the text itself is shown");
        assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("\"'>"), "{page}");
        assert!(!page.contains("href=\"javascript"), "a file is a file of the folder");
        assert!(!page.contains("http:") && !page.contains("https:"), "nothing comes from elsewhere");
    }
}

#[test]
fn ten_thousand_traces_and_a_hundred_thousand_events_give_a_report_of_a_few_megabytes() {
    let (fetch, sweep) = (fetch(), sweep());
    let mut run = FakeRun::new(&[(&sweep, 20_000), (&fetch, 20_000)]);
    run.begin();
    for turn in 0..20_000 {
        run.try_step(turn + 1, 1, if turn % 2 == 0 { &sweep } else { &fetch });
        if turn % 2 == 1 {
            run.trace(turn / 2 + 1);
        }
        let long = "what happened ".repeat(1_000);
        match turn % 4 {
            0 => run.done(turn + 1, 1),
            _ => run.failed(turn + 1, FaultKind::Instrument, AfterFault::Continue),
        };
        run.event(RunEvent::Warning { message: long.clone() });
        run.event(RunEvent::LinkLost { reason: long }).event(RunEvent::Log { message: String::new() });
    }
    run.end(RunState::Failed, None);
    let records = std::mem::take(&mut run.records);
    assert!(records.len() > 100_000);
    let report = fold(&run.manifest, "/data/night", records.into_iter().map(Ok));
    assert_eq!((report.counts.traces, report.counts.failed), (10_000, 15_000));
    assert_eq!(report.faults.len() as u64 + report.more.faults, 15_000);
    let (asked, picture) = (Cell::new(0), drawn(&[-12.345; 240]));
    let page = page(&report, &|_| {
        asked.set(asked.get() + 1);
        picture.clone()
    });
    assert!(asked.get() <= 300, "{} pictures", asked.get());
    assert!(page.len() < 4_000_000, "{} bytes of page", page.len());
    assert!(page.contains("ctp10 runs show abc234"), "what lists the rest is named");
    let summary = summary::json(&report);
    assert!(summary.len() < 9_000_000, "{} bytes of summary", summary.len());
    let ended = Ended {
        run: &report.run,
        name: &report.name,
        folder: &report.about.folder,
        simulated: report.simulated,
        state: report.state,
        reason: report.reason.as_deref(),
    };
    let notice = notice(ended, Some(&report));
    assert_eq!((&notice["event"], &notice["counts"]["failed"]), (&json!("run_failed"), &json!(15_000)));
    assert!(notice.to_string().len() < 20_000, "{} bytes of notice", notice.to_string().len());
}

#[test]
fn a_summary_reads_back_as_the_report_it_was() {
    let mut run = FakeRun::new(&[(&sweep(), 1), (&fetch(), 1)]);
    run.begin().try_step(1, 1, &sweep()).done(1, 5).try_step(2, 1, &fetch()).trace(1);
    run.failed(2, FaultKind::Instrument, AfterFault::Continue);
    let report = run.end(RunState::Failed, Some("why")).report();
    let json = summary::json(&report);
    assert_eq!(serde_json::from_slice::<Report>(&json).unwrap(), report);
    let value: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(value["traces"][0]["file"], "traces/0001_m4c1_tf.parquet");
    assert_eq!((&value["counts"]["failed"], &value["state"]), (&json!(1), &json!("failed")));
}

#[test]
fn a_journal_with_a_line_that_cannot_be_read_is_reported_with_a_word_on_it() {
    let mut run = FakeRun::new(&[(&sweep(), 1)]);
    // The damaged line is the one with the first attempt.
    run.begin().try_step(1, 2, &sweep()).done(1, 5).end(RunState::Done, None);
    let bad = || Err(StoreError::WhichRun("a damaged line".to_owned()));
    let records = std::iter::once_with(bad).chain(run.records.iter().cloned().map(Ok));
    let report = fold(&run.manifest, "/data", records);
    assert_eq!((report.state, report.unreadable_lines), (RunState::Done, 1));
    assert!(page(&report, &|_| drawn(&[0.0])).contains("1 line could not be read"));
}
