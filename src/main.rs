//! The binary: the library has its whole code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ctp10::app::main()
}
