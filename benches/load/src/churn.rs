//! Connections that live for one request: connect, ask, hear the answer, close.

use std::io;

use crate::address::Address;
use crate::arguments::Arguments;
use crate::closed_loop::Connection;
use crate::exchange::Exchange;
use crate::rounds;
use crate::stream::Stream;
use crate::watch::Watch;

/// Performs rounds of connections, `--connections` of them open at a time.
///
/// The client closes first, so the waiting that TCP asks of who does is the client's; Linux uses
/// the ports of such connections again after a second on the loopback interface.
pub fn run(arguments: &Arguments) -> io::Result<()> {
    let address = arguments.address("connect")?;
    let exchange = Exchange::echo(arguments.number("size")?, false);
    let width = arguments.number("connections")?;
    let mut watch = Watch::new()?;
    let mut buffer = vec![0; 256 * 1024];
    rounds::hold(&address, |total| {
        let mut unopened = total;
        let mut unanswered = total;
        let mut open = Vec::new();
        for number in 0..width.min(total) {
            unopened -= 1;
            open.push(Some(connect(&address, &exchange, &watch, number)?));
        }
        let mut ready = Vec::new();
        while unanswered > 0 {
            watch.wait(&mut ready)?;
            for &number in &ready {
                let Some(connection) = &mut open[number] else {
                    continue;
                };
                if !connection.advance(&exchange, &mut buffer)? {
                    continue;
                }
                unanswered -= 1;
                // Closed before the next is opened, as a client of that width would.
                open[number] = None;
                if unopened > 0 {
                    unopened -= 1;
                    open[number] = Some(connect(&address, &exchange, &watch, number)?);
                }
            }
        }
        Ok(())
    })
}

fn connect(
    address: &Address,
    exchange: &Exchange,
    watch: &Watch,
    number: usize,
) -> io::Result<Connection> {
    let stream = Stream::connect(address, None)?;
    stream.set_nonblocking()?;
    watch.both_edges(&stream, number)?;
    let mut connection = Connection::new(stream);
    connection.begin(exchange)?;
    Ok(connection)
}
