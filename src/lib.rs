//! ctp10: runs measurement recipes against an EXFO CTP10 and writes every trace as Parquet.

pub mod commands;
pub mod error;
pub mod forecast;
pub mod header;
pub mod instrument;
pub mod measurement;
pub mod operation;
pub mod reading;
pub mod recipe;
pub mod run;
pub mod schema;
pub mod script;
pub mod simulator;
pub mod source;
pub mod step;
pub mod store;
pub mod units;
