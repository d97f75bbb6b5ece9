//! The facts about a run: recipe, parameters, instrument, times.

use maud::{Markup, html};
use serde_json::Value;

use super::{ROWS, link, section};
use crate::report::format::{clip, local, moment};
use crate::report::value::Report;

/// The most important facts, at the top of the page.
pub(super) fn facts(report: &Report) -> Markup {
    let about = &report.about;
    let time =
        |time| html! { (moment(time)) @if let Some(local) = local(time) { small { " (" (local) ")" } } };
    html! {
        dl.facts {
            div { dt { "Run" } dd { code { (report.run) } } }
            div { dt { "Started" } dd { (time(report.started)) } }
            div { dt { "Ended" } dd {
                @match report.finished { Some(end) => { (time(end)) } None => { "no end" } }
            } }
            div { dt { "Instrument" } dd {
                @if report.simulated { b { "simulated" } ", " } (about.instrument.identity)
                small { " at " (about.instrument.address) }
            } }
            div { dt { "Computer" } dd { (about.host.host) small { " (" (about.host.os) ")" } } }
            div { dt { "Recipe" } dd { (about.recipe.path) } }
        }
    }
}

/// Parameters, metadata, recipe, instrument, versions.
pub(super) fn details(report: &Report) -> Markup {
    let about = &report.about;
    html! {
        (values("Parameters", about.parameters.iter()))
        (values("Metadata", about.metadata.iter()))
        (section("Recipe, instrument, versions", &html! {
            dl.facts.long {
                div { dt { "Recipe" } dd {
                    (about.recipe.path) br;
                    small { "SHA-256 " code { (about.recipe.sha256) } }
                    @for file in about.recipe.files.iter().take(ROWS) { br; small { (link(file)) } }
                } }
                div { dt { "Instrument" } dd {
                    (about.instrument.identity) br; small { (about.instrument.address) }
                } }
                @for (number, identity) in &about.instrument.lasers {
                    div { dt { "Laser " (number) } dd { (identity) } }
                }
                @for known in &about.instruments {
                    div { dt { (known.name) } dd {
                        (known.identity.as_deref().unwrap_or("no identity"))
                        @if known.simulated { " (simulated)" } @else { " (real instrument)" }
                        br; small { (known.address) }
                    } }
                }
                @if let Some(simulator) = &about.simulator {
                    div { dt { "Simulator" } dd { code { (clip(&simulator.to_string())) } } }
                }
                @if about.used_scpi { div { dt { "Raw commands" } dd { "sent by the recipe" } } }
                div { dt { "Run by" } dd {
                    "ctp10 " (about.host.ctp10) " on " (about.host.host) ", process " (about.host.pid)
                } }
                div { dt { "Folder" } dd { code { (about.folder) } } }
                div { dt { "Other files" } dd {
                    (link("run.json")) ", " (link("journal.jsonl")) ", " (link("summary.json"))
                } }
            }
        }))
    }
}

fn values<'a>(title: &str, values: impl ExactSizeIterator<Item = (&'a String, &'a Value)>) -> Markup {
    if values.len() == 0 {
        return html! {};
    }
    section(
        title,
        &html! {
            dl.facts.long { @for (name, value) in values.take(ROWS) {
                div { dt { (clip(name)) } dd { (plain(value)) } }
            } }
        },
    )
}

fn plain(value: &Value) -> String {
    clip(&value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}
