//! Every way in which a run can end.

use super::*;

#[test]
fn a_run_that_is_done_has_nothing_to_finish() {
    let mut run = FakeRun::new(&[(&sweep(), 1), (&fetch(), 1)]);
    run.begin().try_step(1, 1, &sweep()).done(1, 5).try_step(2, 1, &fetch()).trace(1).trace(2).done(2, 3);
    let report = run.end(RunState::Done, None).report();
    assert_eq!((report.counts.done, report.counts.traces, report.counts.skipped), (2, 2, 0));
    assert_eq!((report.finish_command.as_ref(), report.missing.len()), (None, 0));
    assert_eq!((report.seconds, report.estimated_s), (8.0, Some(20.0)));
    assert_eq!((report.lasers, report.lasers_off.as_slice()), (LasersEnd::Off, [1].as_slice()));
    let loss = report.traces[0].insertion_loss.unwrap();
    assert_eq!((loss.value, loss.nm), (3.5, 1572.64));
    assert_eq!(report.traces[0].dip.unwrap().value, -27.9);
    let kinds: Vec<(&str, u64, f64, f64)> =
        report.kinds.iter().map(|k| (k.kind.as_str(), k.steps, k.estimated_s, k.seconds)).collect();
    assert_eq!(kinds, [("sweep", 1, 5.0, 5.0), ("fetch_trace", 1, 5.0, 3.0)]);
}

#[test]
fn a_step_that_succeeds_after_a_retry_is_done_and_its_fault_says_so() {
    let mut run = FakeRun::new(&[(&sweep(), 1)]);
    run.begin().try_step(1, 1, &sweep());
    run.failed(1, FaultKind::Link, AfterFault::Retry { after_s: 5.0 }).try_step(1, 2, &sweep()).done(1, 5);
    let report = run.end(RunState::Done, None).report();
    let counts = report.counts;
    assert_eq!((counts.done, counts.retried, counts.failed, counts.repeats), (1, 1, 0, 1));
    let fault = &report.faults[0];
    assert_eq!((fault.consequence, fault.after_s, fault.recovered), (Consequence::Retried, Some(5.0), true));
    assert!(page(&report, &|_| drawn(&[0.0])).contains("repeated after 5.0 s, and succeeded"));
    // The failed attempt took time, and was estimated once.
    assert_eq!((report.kinds[0].estimated_s, report.kinds[0].seconds), (5.0, 6.0));
}

#[test]
fn a_step_that_was_passed_over_is_missing_with_its_traces_and_nothing_would_do_it_again() {
    let mut run = FakeRun::new(&[(&sweep(), 1), (&fetch(), 1)]);
    run.begin().try_step(1, 1, &sweep()).done(1, 5).try_step(2, 1, &fetch()).trace(1);
    run.failed(2, FaultKind::Instrument, AfterFault::Continue);
    let report = run.end(RunState::Failed, Some("1 step failed and was ignored")).report();
    assert_eq!(report.faults[0].consequence, Consequence::PassedOver);
    assert_eq!((report.counts.failed, report.missing.len()), (1, 1));
    let missing = &report.missing[0];
    assert_eq!((missing.path.as_str(), missing.traces, missing.why), ("steps[1]", 1, Why::Failed));
    assert_eq!(
        report.finish_command, None,
        "`resume` refuses a run of which everything was done or passed over"
    );
}

#[test]
fn a_fault_that_ended_the_run_names_what_was_not_reached() {
    let off = step("configure_laser", &json!({ "laser": 1, "output": false }), "finally[0]");
    let mut run = FakeRun::new(&[(&sweep(), 1), (&fetch(), 3), (&off, 1)]);
    run.begin().try_step(1, 1, &sweep()).failed(1, FaultKind::Instrument, AfterFault::Raise);
    run.event(RunEvent::Finally).try_step(2, 1, &off).done(2, 1);
    let report = run.end(RunState::Failed, Some("-200 Execution error")).report();
    assert_eq!(report.faults[0].consequence, Consequence::EndedRun);
    let missing: Vec<_> = report.missing.iter().map(|m| (m.path.as_str(), m.of, m.traces, m.why)).collect();
    assert_eq!(missing, [("steps[0]", 1, 0, Why::Failed), ("steps[1]", 3, 6, Why::NotReached)]);
    assert_eq!(report.counts.skipped, 3);
    assert!(report.places[2].finally && report.places[2].done == 1);
}

#[test]
fn a_fault_that_a_script_caught_did_not_end_the_run() {
    let mut run = FakeRun::new(&[]);
    run.begin().try_step(1, 1, &sweep()).failed(1, FaultKind::Instrument, AfterFault::Raise);
    run.try_step(2, 1, &fetch()).done(2, 1);
    assert_eq!(run.report().faults[0].consequence, Consequence::Caught);
    // Caught in the last step: the run is still done.
    let mut run = FakeRun::new(&[]);
    run.begin().try_step(1, 1, &sweep()).failed(1, FaultKind::Instrument, AfterFault::Raise);
    assert_eq!(run.end(RunState::Done, None).report().faults[0].consequence, Consequence::Caught);
}

#[test]
fn a_stop_cuts_a_step_short_and_is_no_fault() {
    let mut run = FakeRun::new(&[(&sweep(), 1), (&fetch(), 1)]);
    run.begin().try_step(1, 1, &sweep()).failed(1, FaultKind::Stopped, AfterFault::Raise);
    let report = run.end(RunState::Aborted, Some("stopped by SIGTERM")).report();
    assert_eq!((report.faults.len(), report.counts.failed, report.counts.cut_short), (0, 0, 1));
    let why: Vec<Why> = report.missing.iter().map(|missing| missing.why).collect();
    assert_eq!(why, [Why::CutShort, Why::NotReached]);
    assert!(page(&report, &|_| drawn(&[0.0])).contains("stopped by SIGTERM"));
}

#[test]
fn a_run_whose_instruments_did_not_confirm_their_safe_end_lacks_only_this() {
    let mut run = FakeRun::new(&[(&sweep(), 2)]);
    run.begin().try_step(1, 1, &sweep()).done(1, 5);
    run.event(RunEvent::InstrumentsSafe { safe: Vec::new(), unknown: vec!["smu".to_owned()] });
    let reason = format!("{}: smu", crate::run::NOT_CONFIRMED_SAFE);
    let report = run.end(RunState::Failed, Some(&reason)).report();
    assert_eq!((report.state, report.missing.len(), &report.finish_command), (RunState::Failed, 0, &None));
    let page = page(&report, &|_| drawn(&[0.0]));
    for said in
        ["not all instruments confirmed that they are safe", "These did not confirm that they are safe: smu"]
    {
        assert!(page.contains(said), "{said}");
    }
}

#[test]
fn a_clock_that_is_set_shifts_no_offset() {
    let mut run = FakeRun::new(&[(&sweep(), 1)]);
    run.begin().event(RunEvent::Warning { message: "odd".to_owned() });
    run.event(RunEvent::LinkLost { reason: "gone".to_owned() });
    for (record, elapsed_s) in run.records[1..].iter_mut().zip([42.0, 43.0]) {
        (record.time, record.elapsed_s) = (record.time - TimeDelta::hours(3), Some(elapsed_s));
    }
    let report = run.end(RunState::Done, None).report();
    assert_eq!((report.warnings[0].elapsed_s, report.link_losses[0].elapsed_s), (Some(42.0), Some(43.0)));
    let page = page(&report, &|_| drawn(&[0.0]));
    assert!(page.contains("+42 s") && page.contains("+43 s"));
}

#[test]
fn a_run_without_an_end_says_what_was_under_way_and_that_lasers_may_be_on() {
    let mut run = FakeRun::new(&[(&sweep(), 1), (&fetch(), 1)]);
    run.begin().try_step(1, 1, &sweep()).done(1, 5).try_step(2, 1, &fetch()).trace(1);
    run.manifest.status = RunState::Interrupted;
    let report = run.report();
    assert_eq!((report.finished, report.seconds), (None, 5.0));
    assert_eq!((report.lasers, report.lasers_unknown.as_slice()), (LasersEnd::NoEnd, [1].as_slice()));
    assert_eq!((report.missing[0].traces, report.missing[0].why), (1, Why::CutShort));
    assert!(report.finish_command.is_some());
    let page = page(&report, &|_| drawn(&[0.0]));
    assert!(page.contains("any laser may be on") && page.contains("no end"));
}

#[test]
fn an_end_that_only_the_journal_knows_counts() {
    let mut run = FakeRun::new(&[(&sweep(), 1)]);
    run.begin().try_step(1, 1, &sweep()).done(1, 5).end(RunState::Done, None);
    (run.manifest.status, run.manifest.finished) = (RunState::Interrupted, None);
    let report = run.report();
    assert_eq!((report.state, report.seconds), (RunState::Done, 5.0));
}

#[test]
fn link_losses_holds_power_and_answers_are_told() {
    let prompt = step("prompt", &json!({ "message": "Ready?", "unattended": "yes" }), "steps[0]");
    let mut run = FakeRun::new(&[]);
    run.begin().event(RunEvent::LinkLost { reason: "unplugged".into() });
    run.event(RunEvent::LinkRegained { after_s: 7.5 }).event(RunEvent::LinkLost { reason: "again".into() });
    run.event(RunEvent::PauseEnded { after_s: 60.0, relit: vec![] });
    let segment = PowerSegment {
        file: "power/0001.parquet".into(),
        rows: 40,
        sha256: String::new(),
        until_s: None,
        recorded: None,
        levels: Vec::new(),
    };
    run.event(RunEvent::PowerStored { segment }).try_step(1, 1, &prompt);
    // The question is not asked; its text is in the step.
    run.event(RunEvent::Answered { number: 1, answer: "yes".into(), by_operator: false }).done(1, 0);
    run.try_step(2, 1, &prompt);
    run.event(RunEvent::Question { number: 2, message: "Ready?".into(), choices: vec![], until: None })
        .second += 30;
    run.event(RunEvent::Answered { number: 2, answer: "no".into(), by_operator: true });
    let report = run.report();
    let away: Vec<Option<f64>> = report.link_losses.iter().map(|loss| loss.seconds).collect();
    assert_eq!(away, [Some(7.5), None]);
    assert_eq!((report.holds.times, report.holds.seconds, report.power.readings), (1, 60.0, 40));
    let prompts: Vec<_> =
        report.prompts.iter().map(|p| (p.message.as_str(), p.by_operator, p.seconds)).collect();
    assert_eq!(prompts, [("Ready?", false, None), ("Ready?", true, Some(30.0))]);
}

#[test]
fn the_command_that_finishes_a_run_can_be_pasted_wherever_the_folder_is() {
    let mut run = FakeRun::new(&[]);
    run.begin().manifest.status = RunState::Interrupted;
    let records = || run.records.iter().cloned().map(Ok);
    let report = fold(&run.manifest, "/data/it's a night/$(reboot)", records());
    assert_eq!(report.finish_command.unwrap(), "ctp10 resume \"/data/it's a night/\"'$(reboot)'");
    // During the run there is nothing to finish, and the remaining steps are still to come.
    run.manifest.status = RunState::Running;
    assert_eq!(fold(&run.manifest, "/data", records()).finish_command, None);
}

#[test]
fn a_fetch_that_has_its_sweep_done_again_has_recovered_and_each_of_them_counts_once() {
    let mut run = FakeRun::new(&[(&sweep(), 1), (&fetch(), 1)]);
    run.begin().try_step(1, 1, &sweep()).done(1, 5);
    run.try_step(2, 1, &fetch()).failed(2, FaultKind::Link, AfterFault::Retry { after_s: 0.0 });
    run.try_step(2, 2, &fetch()).try_step(1, 2, &sweep()).done(1, 5).trace(1).done(2, 1);
    let report = run.end(RunState::Done, None).report();
    assert!(report.faults[0].recovered);
    assert_eq!((report.counts.done, report.counts.retried, report.counts.cut_short), (2, 1, 0));
    let places: Vec<_> =
        report.places.iter().map(|place| (place.done, place.retried, place.traces)).collect();
    assert_eq!(places, [(1, 0, 0), (1, 1, 1)]);
}

#[test]
fn a_trace_that_takes_the_place_of_another_counts_once() {
    let (sweep, fetch) = (sweep(), fetch());
    let mut run = FakeRun::new(&[(&sweep, 1), (&fetch, 1)]);
    run.begin().try_step(1, 1, &sweep).done(1, 4).try_step(2, 1, &fetch).trace(1).trace(2);
    run.failed(2, FaultKind::Link, AfterFault::Retry { after_s: 0.0 });
    for index in [1, 2] {
        let file = format!("traces/{index:04}_m4c1_tf.parquet");
        let reason = "its sweep was repeated".to_owned();
        run.event(RunEvent::TraceWithdrawn { trace_index: index, file, reason });
    }
    run.try_step(2, 2, &fetch).try_step(1, 2, &sweep).done(1, 4).trace(1).trace(2).done(2, 1);
    let report = run.end(RunState::Done, None).report();
    assert_eq!((report.counts.traces, report.counts.traces_foreseen), (2, Some(2)));
    let listed: Vec<u64> = report.traces.iter().map(|line| line.trace.trace_index).collect();
    assert_eq!(listed, [1, 2]);
    assert_eq!(report.places.iter().map(|line| line.traces).sum::<u64>(), 2);
    assert_eq!((report.counts.done, report.counts.failed, report.counts.cut_short), (2, 0, 0));
}

#[test]
fn what_a_process_had_done_that_another_does_again_counts_once() {
    let (sweep, fetch) = (sweep(), fetch());
    let mut run = FakeRun::new(&[(&sweep, 1), (&fetch, 1)]);
    run.begin().try_step(1, 1, &sweep).done(1, 4).try_step(2, 1, &fetch).trace(1);
    let (removed, aside) = (Vec::new(), Vec::new());
    run.event(RunEvent::RunResumed {
        pid: 2,
        host: "bench".to_owned(),
        ctp10: "0.1.0".to_owned(),
        replayed: 0,
        steps: 0,
        removed,
        aside,
    });
    let (file, reason) = ("traces/0001_m4c1_tf.parquet".to_owned(), "done again".to_owned());
    run.event(RunEvent::TraceWithdrawn { trace_index: 1, file, reason });
    run.try_step(1, 2, &sweep).done(1, 4).try_step(2, 2, &fetch).trace(1).trace(2).done(2, 1);
    let report = run.end(RunState::Done, None).report();
    assert_eq!((report.counts.done, report.counts.cut_short, report.counts.traces), (2, 0, 2));
    assert!(report.missing.is_empty(), "{:?}", report.missing);
}

#[test]
fn a_run_lasts_as_long_as_its_own_clock_says_whatever_becomes_of_the_time() {
    let sweep = sweep();
    let mut run = FakeRun::new(&[(&sweep, 1)]);
    run.begin().try_step(1, 1, &sweep).done(1, 4).end(RunState::Done, None);
    // The clock was set back by an hour.
    for (record, elapsed_s) in run.records.iter_mut().zip([0.0, 1.0, 5.0, 5.5, 6.0]) {
        record.elapsed_s = Some(elapsed_s);
        if elapsed_s > 1.0 {
            record.time -= TimeDelta::hours(1);
        }
    }
    assert_eq!(run.report().seconds, 6.0);
}
