//! The other end of the network benchmarks: it loads a server with requests, or is the server that
//! cannot be beaten.
//!
//! ```text
//! greenloop-load echo      --connect ADDRESS --connections N --size BYTES [--tls | --line]
//! greenloop-load http      --connect ADDRESS --connections N
//! greenloop-load churn     --connect ADDRESS --connections N --size BYTES
//! greenloop-load datagrams --connect ADDRESS --connections N --size BYTES
//! greenloop-load send      --connect ADDRESS --size BYTES
//! greenloop-load receive   --connect ADDRESS --size BYTES
//! greenloop-load serve     --listen ADDRESS --mode echo | receive | send
//! greenloop-load certificate --directory DIRECTORY
//! ```
//!
//! An ADDRESS is `tcp:HOST:PORT`, `udp:HOST:PORT` or `unix:PATH`. Who started the program drives it
//! over its standard input and output: it prints `ready ADDRESS` once, and then answers every line
//! `N`, which asks for N operations, by `done CPU`, the CPU nanoseconds that this process spent in
//! them. It ends when its input does, and by itself when nothing moves for ten seconds, so it
//! never outlives a benchmark that died.
//!
//! One thread, edge-triggered readiness, no allocation per request: the load must cost less than
//! what it measures. Answers are compared with what was sent, byte by byte, since a server that
//! mixes connections up must not look fast.
//!
//! It is a library as well, for benchmarks in Rust: their processes may be the load, by [`run`], or
//! speak to who drives them as the server of this program does, by [`account`].

#![forbid(unsafe_code)]

mod address;
mod arguments;
mod bulk;
mod certificate;
mod churn;
mod closed_loop;
mod datagrams;
mod exchange;
mod rounds;
mod serve;
mod stream;
mod watch;

use std::io;

use arguments::Arguments;
pub use rounds::account;

/// Does what a command line asks for, whose words come without the program's name.
pub fn run(words: impl IntoIterator<Item = String>) -> io::Result<()> {
    let arguments = Arguments::parse(words)?;
    match arguments.command() {
        "echo" | "http" => closed_loop::run(&arguments),
        "churn" => churn::run(&arguments),
        "datagrams" => datagrams::run(&arguments),
        "send" | "receive" => bulk::run(&arguments),
        "serve" => serve::run(&arguments),
        "certificate" => certificate::write(&arguments),
        other => Err(io::Error::other(format!("unknown command {other:?}"))),
    }
}
