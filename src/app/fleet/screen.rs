//! The overview of the fleet, and the result of `fleet off`, for people.

use chrono::{DateTime, Local, Utc};
use comfy_table::Cell;

use crate::error::{ExitCode, Failure, chain};
use crate::fleet::{BenchOverview, BenchStatus, FleetOff, FleetState, ItemOverview, Overview, StoreOfBench};
use crate::shown;
use crate::terminal::output::{errln, outln};
use crate::terminal::{simulated_mark, table_with};

/// Number of items of one kind that are listed.
const LISTED: usize = 20;

/// Prints the overview.
#[expect(clippy::unnecessary_wraps, reason = "like the other ways to print")]
pub(super) fn tell(overview: &Overview) -> Result<(), Failure> {
    if let Some(stop) = &overview.stop {
        outln!(
            "STOPPED by {} at {}: `ctp10 fleet clear` ends the stop",
            shown::one_line(&stop.by),
            clock(stop.at)
        );
    }
    if overview.benches.is_empty() {
        outln!(
            "no bench has worked for this fleet yet: start one with `ctp10 serve --fleet {} --bench NAME`",
            overview.broker
        );
    } else {
        let mut table = table_with(
            &["state", "run"],
            ["bench", "state", "item", "run", "since", "until", "lasers on", "page"],
        );
        for bench in &overview.benches {
            table.add_row(bench_row(bench));
        }
        outln!("{table}");
    }
    for bench in &overview.benches {
        if let Some(why) = bench
            .status
            .as_ref()
            .filter(|status| status.item.is_none())
            .and_then(|status| status.waits.as_ref())
        {
            outln!("bench {} takes no item: {}", bench.bench, shown::one_line(why));
        }
    }
    for bench in &overview.benches {
        if let Some(waits) =
            bench.status.as_ref().and_then(|status| status.store.as_ref()).and_then(waits_for_store)
        {
            outln!("bench {}: {waits}", bench.bench);
        }
    }
    if overview.batches.is_empty() {
        outln!("no batch was submitted yet");
        return Ok(());
    }
    outln!();
    let mut table = table_with(
        &["batch"],
        ["batch", "items", "queued", "claimed", "measured", "stored", "held", "skipped", "submitted"],
    );
    for batch in &overview.batches {
        let mut row = vec![Cell::new(&batch.batch), Cell::new(batch.items)];
        row.extend(
            FleetState::ALL
                .map(|state| Cell::new(batch.counts.get(state.as_str()).copied().unwrap_or_default())),
        );
        row.push(Cell::new(clock(batch.submitted)));
        table.add_row(row);
    }
    outln!("{table}");
    list(overview, "held", |item| item.state == FleetState::Held);
    list(overview, "failed once and waits for another bench", |item| {
        item.state == FleetState::Queued && !item.failed.is_empty()
    });
    list(overview, "skipped", |item| item.state == FleetState::Skipped);
    list(overview, "no bench can do it", |item| item.impossible);
    Ok(())
}

/// What a bench has not uploaded yet, and why; `None` if all is well.
fn waits_for_store(store: &StoreOfBench) -> Option<String> {
    let trouble = store.trouble.as_ref().map(|trouble| format!(": {}", shown::one_line(trouble)));
    if store.waiting == 0 && trouble.is_none() {
        return None;
    }
    let (runs, address) = (shown::counted(store.waiting, "run"), shown::one_line(&store.store));
    Some(format!("{runs} to upload to {address}{}", trouble.unwrap_or_default()))
}

fn bench_row(bench: &BenchOverview) -> Vec<Cell> {
    let none = || Cell::new("-");
    let state = match (&bench.status, bench.ended) {
        (Some(status), _) => state(status),
        (None, Some(at)) => format!("ended {}", clock(at)),
        (None, None) => "DOES NOT REPLY".to_owned(),
    };
    let Some(status) = &bench.status else {
        return [Cell::new(&bench.bench), Cell::new(state)]
            .into_iter()
            .chain((0..6).map(|_| none()))
            .collect();
    };
    let time = |time: Option<DateTime<Utc>>| time.map_or_else(none, |time| Cell::new(clock(time)));
    let item = status.item.as_ref();
    let lasers = match &status.lasers_on {
        None => "unknown".to_owned(),
        Some(on) if on.is_empty() => "none".to_owned(),
        Some(on) => on.iter().map(u8::to_string).collect::<Vec<_>>().join(", "),
    };
    vec![
        Cell::new(&bench.bench),
        Cell::new(state),
        item.map_or_else(none, |item| Cell::new(format!("{}/{}", item.batch, item.item))),
        status.run.as_ref().map_or_else(none, |run| Cell::new(shown::one_line(run))),
        time(status.since),
        time(status.until),
        Cell::new(lasers),
        Cell::new(shown::one_line(&status.page)),
    ]
}

fn state(status: &BenchStatus) -> String {
    let state = match () {
        () if status.run.is_some() => "measuring",
        () if status.paused => "paused",
        () if status.instrument.is_none() => "no instrument",
        () => "waiting",
    };
    format!("{state}{}", simulated_mark(status.simulated == Some(true)))
}

/// Lists items of one kind.
fn list(overview: &Overview, what: &str, is_meant: impl Fn(&ItemOverview) -> bool) {
    let meant: Vec<&ItemOverview> = overview.items.iter().filter(|item| is_meant(item)).collect();
    for item in meant.iter().take(LISTED) {
        let why = match (&item.reason, &item.only, item.needs.as_slice()) {
            (Some(reason), ..) => format!(": {}", shown::one_line(reason)),
            (None, Some(bench), _) if item.impossible => format!(": only bench {bench} may take it"),
            (None, None, needs) if item.impossible && !needs.is_empty() => {
                format!(": a bench with the labels {} is needed", needs.join(", "))
            }
            (None, ..) => String::new(),
        };
        outln!("{what}: {}/{} ({}){why}", item.batch, item.item, shown::one_line(&item.about));
    }
    if meant.len() > LISTED {
        outln!("{what}: {} more; `ctp10 fleet status --json` lists all", meant.len() - LISTED);
    }
}

fn clock(time: DateTime<Utc>) -> String {
    time.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// Prints the result of `fleet off`.
pub(super) fn told_off(done: &FleetOff) -> Result<(), Failure> {
    for reply in &done.replies {
        let ended = reply.run.as_ref().map(|run| format!("; run {} ended", shown::one_line(run)));
        let ended = ended.unwrap_or_default();
        if reply.is_safe() {
            outln!("bench {}: all lasers are off{ended}", reply.bench);
        } else {
            errln!(
                "bench {}: NOT CONFIRMED: lasers {:?}, instruments {:?}, instrument idle: {}{ended}",
                reply.bench,
                reply.lasers_unknown,
                reply.instruments_unknown,
                reply.aborted
            );
        }
    }
    for bench in &done.silent {
        errln!(
            "bench {} on {} DID NOT REPLY: its lasers may be on",
            bench.bench,
            shown::one_line(&bench.host)
        );
    }
    match &done.flag {
        Ok(()) => outln!("no bench takes an item until `ctp10 fleet clear`"),
        Err(error) => errln!("the queue is not stopped: {}", chain(error)),
    }
    let unsafe_benches = done.silent.len() + done.replies.iter().filter(|reply| !reply.is_safe()).count();
    if unsafe_benches > 0 {
        let message = format!("{unsafe_benches} of the benches are not confirmed dark");
        return Err(
            Failure::new(ExitCode::Instrument, message).hint("check the front panels of these instruments")
        );
    }
    if done.replies.is_empty() {
        outln!("no bench is connected to this broker");
    }
    match done.flag {
        Ok(()) => Ok(()),
        Err(_) => Err(Failure::told(ExitCode::Failed)),
    }
}
