//! Datagrams that come back: sockets that each have one datagram under way.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};

use crate::address::Address;
use crate::arguments::Arguments;
use crate::exchange::{Answer, Exchange};
use crate::rounds;
use crate::stream::is_blocked;
use crate::watch::Watch;

/// Performs rounds of datagrams over the same sockets. One that is lost ends the run by its
/// silence: with one under way for each socket no buffer of the loopback interface overflows.
pub fn run(arguments: &Arguments) -> io::Result<()> {
    let address = arguments.address("connect")?;
    let Address::Udp(server) = address else {
        return Err(io::Error::other("datagrams need an address of UDP"));
    };
    let exchange = Exchange::echo(arguments.number("size")?, false);
    let mut watch = Watch::new()?;
    let mut sockets = Vec::new();
    for number in 0..arguments.number("connections")? {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(server)?;
        socket.set_nonblocking(true)?;
        watch.readable(&socket, number)?;
        sockets.push(socket);
    }
    let mut buffer = vec![0; 64 * 1024];
    rounds::hold(&address, |total| {
        let mut unsent = total;
        let mut unanswered = total;
        for socket in sockets.iter().take(total) {
            unsent -= 1;
            socket.send(exchange.request())?;
        }
        let mut ready = Vec::new();
        while unanswered > 0 {
            watch.wait(&mut ready)?;
            for &number in &ready {
                let socket = &sockets[number];
                let outcome = socket.recv(&mut buffer);
                if is_blocked(&outcome) {
                    continue;
                }
                if !exchange.accept(&mut Answer::default(), &buffer[..outcome?])? {
                    return Err(io::Error::other("a datagram came back shortened"));
                }
                unanswered -= 1;
                if unsent > 0 {
                    unsent -= 1;
                    socket.send(exchange.request())?;
                }
            }
        }
        Ok(())
    })
}
