//! What the program prints. A reader that went away, or a full disk behind a redirection, takes nothing from what is
//! being done: a run goes on, and the program ends with a code of its own.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};
use std::sync::Mutex;

use crate::error::ExitCode;
use crate::shown::visible;

/// Why nothing can be printed on stdout any more.
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

/// Prints a line on stderr as it is: a finding, whose text has been made harmless where its colours were added.
macro_rules! coloured {
    ($($text:tt)*) => { $crate::terminal::output::print_coloured(format_args!("{}\n", format_args!($($text)*))) };
}

pub(crate) use {coloured, err, errln, out, outln};

/// Prints on stdout, until that fails. What would steer the terminal is escaped.
pub(crate) fn print(text: Arguments) {
    attempt(|| std::io::stdout().write_all(visible(&text.to_string()).as_bytes()));
}

/// Prints on stderr, as `print` does. Where that does not work there is nobody to be told.
pub(crate) fn print_error(text: Arguments) {
    let _ = std::io::stderr().write_all(visible(&text.to_string()).as_bytes());
}

/// Prints on stderr as it is.
pub(crate) fn print_coloured(text: Arguments) {
    let _ = std::io::stderr().write_fmt(text);
}

fn attempt(write: impl FnOnce() -> std::io::Result<()>) {
    let mut broken = BROKEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if broken.is_none() {
        *broken = write().err();
    }
}

/// The code that the program ends with because what it printed did not arrive; said in a line, but not where the reader
/// has gone: `ctp10 runs list | head` ends silently.
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
