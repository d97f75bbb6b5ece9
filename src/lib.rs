//! ctp10: runs measurement recipes against an EXFO CTP10 and writes every trace as Parquet.
//!
//! Recipes describe, and the runner performs. YAML and Rhai produce only one enum, [`operation::Operation`], and the
//! runner performs only this enum. Therefore checking, planning, the journal and safe cleanup work in the same way
//! for both languages.
//!
//! The modules, from those that depend on no other to the one that depends on all:
//!
//! - vocabulary, plain data without I/O: [`units`], [`decimal`], [`measurement`], [`operation`], [`step`], [`declarations`],
//!   [`source`], [`decode`]; CSV files: [`table`]; limits of computing time: [`budget`]; times of day: [`local_time`]
//! - languages, from text to operations: [`recipe`] (YAML), [`script`] (Rhai)
//! - figures of merit of traces, and verdicts on them: [`analysis`]
//! - the instrument, from typed calls to bytes: [`instrument`], and [`commands`] from operations to its commands
//! - live power for everybody who watches: [`power`]
//! - other instruments on the bench: [`http`]; whoever wants to hear of the end of a run or a batch: [`notify`]
//! - what can be known beforehand: [`forecast`], [`schema`]
//! - the engine: [`run`]; the instrument and those who use it: [`session`]
//! - what is to be measured and what has been, in one database: [`catalogue`]; many recipes one after another: [`batch`]
//! - outlets: [`store`] (run folders and Parquet), [`report`] (what became of a run, on one page), [`terminal`], [`sidecar`] (HTTP, WebSockets, dashboard)
//! - the embedded instrument: [`simulator`], which shares no code with [`instrument`]
//! - whether a user's own recipe ends safely on an instrument that fails: [`rehearsal`]
//! - text as people see it: [`shown`]
//! - files that somebody may have damaged, opened safely: [`files`]
//! - what the system gives: file handles ([`handles`]), [`memory`] and [`threads`]
//! - the program: [`cli`], [`config`], [`error`], and [`app`], the one that knows everybody

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
pub mod error;
pub mod files;
pub mod forecast;
pub mod grammar;
pub mod handles;
pub mod http;
pub mod instrument;
pub mod local_time;
pub mod measurement;
pub mod memory;
pub mod notify;
pub mod operation;
pub mod power;
pub mod recipe;
pub mod rehearsal;
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
