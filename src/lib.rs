//! ctp10: runs measurement recipes against an EXFO CTP10 and writes every trace as Parquet.
//!
//! Recipes describe, and the engine performs. YAML and Rhai produce only one enum, [`operation::Operation`], and the
//! engine performs only this enum. Therefore checking, planning, the journal and safe cleanup work in the same way
//! for both languages.
//!
//! The modules, from those that depend on no other to the one that depends on all:
//!
//! - resources of the operating system: file handles ([`handles`]) and [`threads`]; files that may be
//!   damaged: [`files`]; text as it is shown to people: [`shown`]; [`metrics`] for Prometheus
//! - vocabulary, plain data without I/O: [`units`], [`decimal`], [`measurement`], [`operation`], [`step`],
//!   [`declarations`], [`source`], [`decode`]; SCPI lines: [`grammar`]; CSV files: [`table`]; limits of computing time:
//!   [`budget`]; times of day: [`local_time`]
//! - figures of merit of traces, and verdicts on them: [`analysis`]; maps of the dies of a wafer: [`wafer`]
//! - languages, from text to operations: [`recipe`] (YAML), [`script`] (Rhai)
//! - lists of devices from layout programs: [`devices`]
//! - the simulator: [`simulator`], which shares no code with [`instrument`]
//! - the instrument, from typed calls to bytes: [`instrument`]; the commands of each operation: [`commands`]
//! - live power for all its clients: [`power`]
//! - other instruments on the bench: [`equipment`] (their names, and what recipes may send to them), [`http`]; notifications at the end of a run or a batch: [`notify`]
//! - `check` and `plan`: [`forecast`]; the schema of recipes: [`schema`]
//! - run folders, journal and Parquet: [`store`]
//! - the engine: [`run`]; the instrument and its users: [`session`]
//! - runs in an object store: [`remote`]
//! - batches, their items and all runs, in one database: [`catalogue`]; many recipes one after another: [`batch`]; one
//!   queue for many benches: `fleet` (with the cargo feature `fleet`)
//! - results: [`report`] (a run on one page), [`terminal`], [`sidecar`] (HTTP, WebSockets, dashboard)
//! - rehearsals of a recipe on simulators that fail: [`rehearsal`]
//! - the program: [`cli`], [`config`], [`error`], and [`app`], which depends on all others

pub mod analysis;
pub mod app;
pub mod batch;
pub mod budget;
pub mod catalogue;
pub mod cli;
pub mod commands;
pub mod config;
pub mod decimal;
pub mod declarations;
pub mod decode;
pub mod devices;
pub mod equipment;
pub mod error;
pub mod files;
#[cfg(feature = "fleet")]
pub mod fleet;
pub mod forecast;
pub mod grammar;
pub mod handles;
pub mod http;
pub mod instrument;
pub mod local_time;
pub mod measurement;
pub mod metrics;
pub mod notify;
pub mod operation;
pub mod picture;
pub mod power;
pub mod recipe;
pub mod rehearsal;
pub mod remote;
pub mod report;
pub mod run;
pub mod schema;
pub mod script;
pub mod session;
pub mod shown;
pub mod sidecar;
pub mod simulator;
pub mod source;
pub mod step;
pub mod store;
pub mod table;
pub mod terminal;
pub mod threads;
pub mod units;
pub mod wafer;
pub mod watch;
