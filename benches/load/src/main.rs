//! The program; see the library for what it does.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    match greenloop_load::run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("greenloop-load: {error}");
            ExitCode::FAILURE
        }
    }
}
