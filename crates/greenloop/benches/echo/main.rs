//! Echo servers over TCP, against the other runtimes of one thread: what a request costs the
//! server.
//!
//! ```console
//! $ cargo bench -p greenloop --bench echo
//! $ cargo bench -p greenloop --bench echo -- --rounds 21 greenloop tokio '100 connections'
//! ```
//!
//! Arguments select contestants by their names, and rows by a part of theirs.
//!
//! Each server has its own process, and so has the load, which is that of `benches/load`: every
//! connection has one request under way, and sends the next when the answer is complete. The CPU
//! time of the server's process is counted, user and system. Most of it is the kernel's, and
//! `limit` has that as well: it is a server on bare epoll, whose receive and send for each request
//! no runtime can avoid. The contestants alternate round by round, so that a minute in which the
//! machine is slow affects all of them.
//!
//! All of it runs on one processor, where server and load alternate, and every server finds as many
//! requests at a time as there are connections. With `--spread` the system places them. Then the
//! same server costs up to half as much again in one minute as in another, because waking another
//! processor is expensive, and the faster it is the more often it has to be woken.

mod measurement;
mod processes;
mod servers;
mod table;

use std::io;
use std::process::ExitCode;

use measurement::{Plan, ROWS};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use servers::CONTESTANTS;

/// The roles of this program's processes, besides the one that measures.
const SERVE: &str = "serve-as";
const LOAD: &str = "load-by";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match &words[..] {
        [role, name] if role == SERVE => serve(name),
        [role, words @ ..] if role == LOAD => greenloop_load::run(words.iter().cloned()),
        _ => measure(&words),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(name: &str) -> io::Result<()> {
    let contestant = CONTESTANTS
        .iter()
        .find(|contestant| contestant.name == name);
    let contestant = contestant.ok_or_else(|| io::Error::other("no such contestant"))?;
    (contestant.serve)()
}

fn measure(words: &[String]) -> io::Result<()> {
    let plan = Plan::of(words)?;
    if !plan.is_spread {
        stay_on_one_processor()?;
    }
    table::print_head(&plan);
    for row in ROWS.iter().filter(|row| plan.has_row(row)) {
        table::print_row(row, &measurement::measure(row, &plan)?);
    }
    Ok(())
}

/// The last of those that this process may use; the processes that it starts inherit that.
fn stay_on_one_processor() -> io::Result<()> {
    let allowed = sched_getaffinity(None)?;
    let last = (0..CpuSet::MAX_CPU)
        .rev()
        .find(|&number| allowed.is_set(number));
    let mut chosen = CpuSet::new();
    chosen.set(last.ok_or(io::ErrorKind::NotFound)?);
    Ok(sched_setaffinity(None, &chosen)?)
}
