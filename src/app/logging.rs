//! The log of the program, on stderr.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::cli::{LogFormat, OutputArgs};
use crate::shown;
use crate::terminal::LogWriter;

/// The variable with a filter of the log.
const VARIABLE: &str = "CTP10_LOG";

/// Starts the log. A filter that cannot be read is ignored with a warning: it must not keep `ctp10 off` from its work.
pub(super) fn start(output: &OutputArgs, log: &LogWriter) {
    let (own, others) = match (output.quiet, output.verbose) {
        (true, _) => (LevelFilter::ERROR, LevelFilter::ERROR),
        (false, 0) => (LevelFilter::WARN, LevelFilter::WARN),
        (false, 1) => (LevelFilter::DEBUG, LevelFilter::WARN),
        (false, _) => (LevelFilter::TRACE, LevelFilter::INFO),
    };
    let given = std::env::var_os(VARIABLE).filter(|filter| !filter.is_empty());
    let given = given.map(|filter| targets(&filter.to_string_lossy())).transpose();
    let usual = || Targets::new().with_default(others).with_target("ctp10", own);
    let filter = given.as_ref().ok().cloned().flatten().unwrap_or_else(usual);
    let builder = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(log.clone());
    // A second start in the same process keeps the logging of the first one.
    let _ = match output.log_format {
        LogFormat::Json => builder.json().finish().with(filter).try_init(),
        LogFormat::Text => builder.with_ansi(false).with_target(false).finish().with(filter).try_init(),
    };
    if let Err(mistake) = given {
        tracing::warn!("{VARIABLE} is ignored: {mistake}");
    }
}

/// Reads a filter: levels, and targets with levels. The library would take a misspelt level for a target, and then show no
/// other messages.
fn targets(filter: &str) -> Result<Targets, String> {
    let is_level = |text: &str| !text.is_empty() && text.parse::<LevelFilter>().is_ok();
    let is_allowed = |part: &str| match part.split_once('=') {
        Some((target, level)) => !target.is_empty() && is_level(level),
        None => is_level(part) || part.split("::").next() == Some(env!("CARGO_PKG_NAME")),
    };
    let mistake = |part: &str| {
        format!(
            "`{}` is neither a level (off, error, warn, info, debug, trace) nor a target with a level; an example of a filter \
             is `ctp10::sidecar=debug,warn`",
            shown::beginning(part)
        )
    };
    match filter.split(',').find(|part| !is_allowed(part)) {
        Some(part) => Err(mistake(part)),
        None => filter.parse().map_err(|_| mistake(filter)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_of_the_log_has_levels_and_targets() {
        for filter in ["debug", "off", "ctp10::sidecar=debug,warn", "ctp10", "hyper=trace,ctp10=info,error"] {
            assert!(targets(filter).is_ok(), "{filter}");
        }
        for (filter, part) in
            [("verbose", "verbose"), ("warn,ctp10=loud", "ctp10=loud"), ("warn,", ""), ("=warn", "=warn")]
        {
            let mistake = targets(filter).unwrap_err();
            assert!(mistake.starts_with(&format!("`{part}` is neither a level (off, error,")), "{mistake}");
        }
    }
}
