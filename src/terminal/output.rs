//! Prints the output of the program. A closed pipe or a full disk does not affect a measurement. The run continues,
//! and the program ends with its own exit code.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};
use std::sync::Mutex;

use crate::error::ExitCode;
use crate::shown::visible;

/// The error after which stdout is no longer used.
static BROKEN: Mutex<Option<std::io::Error>> = Mutex::new(None);

/// Prints a line on stdout.
macro_rules! outln {
    () => { $crate::terminal::output::print(format_args!("\n")) };
    ($($text:tt)*) => { $crate::terminal::output::print(format_args!("{}\n", format_args!($($text)*))) };
}

/// Prints on stdout.
macro_rules! out {
    ($($text:tt)*) => { $crate::terminal::output::print(format_args!($($text)*)) };
}

/// Prints a line on stderr.
macro_rules! errln {
    () => { $crate::terminal::output::print_error(format_args!("\n")) };
    ($($text:tt)*) => { $crate::terminal::output::print_error(format_args!("{}\n", format_args!($($text)*))) };
}

/// Prints on stderr.
macro_rules! err {
    ($($text:tt)*) => { $crate::terminal::output::print_error(format_args!($($text)*)) };
}

/// Prints a line on stderr without escaping: a finding, whose text was escaped when its colours were added.
macro_rules! coloured {
    ($($text:tt)*) => { $crate::terminal::output::print_coloured(format_args!("{}\n", format_args!($($text)*))) };
}

pub(crate) use {coloured, err, errln, out, outln};

/// Prints on stdout until an error occurs. Control characters are escaped.
pub(crate) fn print(text: Arguments) {
    attempt(|| std::io::stdout().write_all(visible(&text.to_string()).as_bytes()));
}

/// Prints on stderr, as `print` does. An error cannot be reported and is ignored.
pub(crate) fn print_error(text: Arguments) {
    let _ = std::io::stderr().write_all(visible(&text.to_string()).as_bytes());
}

/// Prints on stderr without escaping.
pub(crate) fn print_coloured(text: Arguments) {
    let _ = std::io::stderr().write_fmt(text);
}

fn attempt(write: impl FnOnce() -> std::io::Result<()>) {
    let mut broken = BROKEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if broken.is_none() {
        *broken = write().err();
    }
}

/// The exit code if output was lost, after an error message. A reader that closed the pipe is no error: `ctp10 runs
/// list | head` ends silently.
#[must_use]
pub fn end() -> Option<ExitCode> {
    attempt(|| std::io::stdout().flush());
    let broken = BROKEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let error = broken.as_ref()?;
    if error.kind() == ErrorKind::BrokenPipe {
        return Some(ExitCode::NobodyReads);
    }
    errln!("error: cannot write to standard output: {error}");
    Some(ExitCode::NotPrinted)
}
