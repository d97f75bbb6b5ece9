//! End-to-end tests: the real binary against the embedded instrument over real TCP. One binary, a module per subject.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[cfg(unix)]
mod again;
mod analyze;
#[cfg(target_os = "linux")]
mod awake;
mod batch;
mod batch_report;
mod bench_adapter;
mod bench_api;
mod bench_api_safety;
mod bench_instruments;
mod bench_safe_lines;
mod bench_safety;
#[cfg(unix)]
mod bias_night;
mod budget;
#[cfg(unix)]
mod catalogue;
mod catalogue_list;
mod checking;
mod chip_night;
#[cfg(unix)]
mod clocks;
mod combined_traces;
mod completions;
mod connection;
#[cfg(unix)]
mod damage;
mod die_map;
mod examples;
mod exchanges;
mod fake_instrument;
mod faults;
#[cfg(target_os = "linux")]
mod figures;
mod first_recipe;
mod folders;
mod fuzz;
mod goes_on;
mod hardware;
mod http;
mod instrument;
mod lasers_off;
mod layering;
mod limits;
mod nights;
mod notify;
#[cfg(all(unix, feature = "store"))]
mod object_store;
#[cfg(all(unix, feature = "store"))]
mod object_store_server;
mod older_program;
mod operations;
mod pasted;
#[cfg(target_os = "linux")]
mod printing;
mod probe_station;
mod program;
mod proxy;
mod recovery;
mod references;
mod report;
mod requests;
mod resume;
#[cfg(target_os = "linux")]
mod room;
mod runs;
mod scpi;
mod sentences;
mod set_clock;
mod settings;
mod sidecar;
mod simulated_bench;
mod simulator;
mod stand_in;
mod stored_figures;
mod support;
mod suspend;
mod verdicts;
mod watchdog;
mod wire;
