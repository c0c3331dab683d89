//! Many connections, each with one request under way: the next one leaves when the answer is whole.

use std::io::{self, Read, Write};

use crate::arguments::Arguments;
use crate::exchange::{Answer, Exchange};
use crate::rounds;
use crate::stream::{Stream, is_blocked, trusting_config};
use crate::watch::Watch;

/// Connects, then performs rounds of requests over the same connections.
pub fn run(arguments: &Arguments) -> io::Result<()> {
    let address = arguments.address("connect")?;
    let exchange = if arguments.command() == "http" {
        Exchange::Http
    } else {
        Exchange::echo(arguments.number("size")?, arguments.has("line"))
    };
    let tls = arguments.has("tls").then(trusting_config).transpose()?;
    let mut watch = Watch::new()?;
    let mut connections = Vec::new();
    for number in 0..arguments.number("connections")? {
        let stream = Stream::connect(&address, tls.as_ref())?;
        stream.set_nonblocking()?;
        watch.both_edges(&stream, number)?;
        connections.push(Connection::new(stream));
    }
    let mut buffer = vec![0; 256 * 1024];
    rounds::hold(&address, |requests| {
        perform(
            &mut watch,
            &mut connections,
            &exchange,
            &mut buffer,
            requests,
        )
    })
}

fn perform(
    watch: &mut Watch,
    connections: &mut [Connection],
    exchange: &Exchange,
    buffer: &mut [u8],
    requests: usize,
) -> io::Result<()> {
    let mut unsent = requests;
    let mut unanswered = requests;
    for connection in connections.iter_mut().take(requests) {
        unsent -= 1;
        connection.begin(exchange)?;
    }
    let mut ready = Vec::new();
    while unanswered > 0 {
        watch.wait(&mut ready)?;
        for &number in &ready {
            let connection = &mut connections[number];
            // A connection without a request is reported too, as writable.
            while connection.is_busy && connection.advance(exchange, buffer)? {
                unanswered -= 1;
                if unsent > 0 {
                    unsent -= 1;
                    connection.begin(exchange)?;
                }
            }
        }
    }
    Ok(())
}

/// A stream and how far its request has come.
pub struct Connection {
    stream: Stream,
    /// Bytes of the request that have left.
    sent: usize,
    answer: Answer,
    /// Whether an answer is waited for.
    pub is_busy: bool,
}

impl Connection {
    pub fn new(stream: Stream) -> Self {
        Self {
            stream,
            sent: 0,
            answer: Answer::default(),
            is_busy: false,
        }
    }

    /// Sends the next request, or the part of it that can leave now.
    pub fn begin(&mut self, exchange: &Exchange) -> io::Result<()> {
        self.sent = 0;
        self.answer.clear();
        self.is_busy = true;
        self.send(exchange)
    }

    /// Sends and receives until nothing moves, or until the answer is whole, which it returns.
    pub fn advance(&mut self, exchange: &Exchange, buffer: &mut [u8]) -> io::Result<bool> {
        self.send(exchange)?;
        loop {
            let outcome = self.stream.read(buffer);
            if is_blocked(&outcome) {
                return Ok(false);
            }
            let received = outcome?;
            if received == 0 {
                return Err(io::Error::other("the server closed a connection"));
            }
            if exchange.accept(&mut self.answer, &buffer[..received])? {
                self.is_busy = false;
                return Ok(true);
            }
        }
    }

    fn send(&mut self, exchange: &Exchange) -> io::Result<()> {
        let request = exchange.request();
        while self.sent < request.len() {
            let outcome = self.stream.write(&request[self.sent..]);
            if is_blocked(&outcome) {
                return Ok(());
            }
            self.sent += outcome?;
        }
        let outcome = self.stream.flush();
        if is_blocked(&outcome) {
            Ok(())
        } else {
            outcome
        }
    }
}
