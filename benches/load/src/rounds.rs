//! The conversation with who drives us: `ready`, then a `done` for every number that comes in.

use std::fmt::Display;
use std::io::{self, BufRead, Write};

use rustix::time::{ClockId, clock_gettime};

/// Announces readiness and performs a round for every line of the standard input, until it ends.
pub fn hold(
    address: impl Display,
    mut perform: impl FnMut(usize) -> io::Result<()>,
) -> io::Result<()> {
    say(format_args!("ready {address}"))?;
    for line in io::stdin().lock().lines() {
        let operations = parse(&line?)?;
        let before = cpu_nanoseconds();
        perform(operations)?;
        say(format_args!("done {}", cpu_nanoseconds() - before))?;
    }
    Ok(())
}

/// Announces that a server is ready at `address`, and answers every line of the standard input by
/// `done` and the CPU nanoseconds since the last one, until it ends. Whoever serves does so in
/// another thread of this process.
pub fn account(address: impl Display) -> io::Result<()> {
    say(format_args!("ready {address}"))?;
    let mut accounted = cpu_nanoseconds();
    for line in io::stdin().lock().lines() {
        line?;
        let now = cpu_nanoseconds();
        say(format_args!("done {}", now - accounted))?;
        accounted = now;
    }
    Ok(())
}

/// How many operations the line asks for.
fn parse(line: &str) -> io::Result<usize> {
    line.trim()
        .parse()
        .map_err(|_| io::Error::other(format!("{line:?} is no number of operations")))
}

/// Prints one line at once.
pub fn say(words: impl Display) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{words}")?;
    output.flush()
}

/// The CPU time of this process, user and system.
pub fn cpu_nanoseconds() -> i64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}
