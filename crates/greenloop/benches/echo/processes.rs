//! A server, and the load upon it: processes of this very program.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::measurement::Row;
use crate::{LOAD, SERVE};

/// A server with its connections made.
pub struct Pair {
    /// Ends first: a server may complain of connections that end before.
    load: Process,
    server: Process,
}

impl Pair {
    pub fn new(contestant: &str, row: &Row) -> io::Result<Self> {
        let (server, address) = Process::start(&[SERVE, contestant])?;
        let (connections, size) = (row.connections.to_string(), row.size.to_string());
        let (load, _) = Process::start(&[
            LOAD,
            "echo",
            "--connect",
            &address,
            "--connections",
            &connections,
            "--size",
            &size,
        ])?;
        Ok(Self { load, server })
    }

    /// Has the server answer so many requests, and returns how many CPU nanoseconds that took it.
    pub fn perform(&mut self, requests: usize) -> io::Result<f64> {
        // The server's work since the last round was in the others' time.
        self.server.ask(0)?;
        self.load.ask(requests)?;
        self.server.ask(0)
    }
}

/// A process that answers each number it receives by `done` and nanoseconds.
struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts one, and returns its message that it is ready.
    fn start(words: &[&str]) -> io::Result<(Self, String)> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let output = BufReader::new(output);
        let mut process = Self {
            child,
            input,
            output,
        };
        let address = process.answer("ready ")?;
        Ok((process, address))
    }

    fn ask(&mut self, number: usize) -> io::Result<f64> {
        let input = self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(input, "{number}")?;
        let nanoseconds = self.answer("done ")?;
        nanoseconds.parse().map_err(io::Error::other)
    }

    fn answer(&mut self, word: &str) -> io::Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let rest = line.strip_prefix(word).map(str::trim);
        let rest = rest.ok_or_else(|| io::Error::other(format!("a process said {line:?}")))?;
        Ok(rest.to_owned())
    }
}

impl Drop for Process {
    /// Its input ends, and so does it.
    fn drop(&mut self) {
        drop(self.input.take());
        if let Err(error) = self.child.wait() {
            eprintln!("echo: a process did not end: {error}");
        }
    }
}
