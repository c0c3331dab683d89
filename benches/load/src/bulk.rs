//! One connection and as many bytes as it carries, in one direction.
//!
//! A transfer opens with its length, eight bytes in network order, from us. To a server that
//! receives, so many bytes follow, and it answers with one byte when it has them all. A server that
//! sends answers with so many bytes.

use std::io::{self, Read, Write};

use crate::arguments::Arguments;
use crate::rounds;
use crate::stream::Stream;

/// Performs transfers; one operation is a block of `--size` bytes.
pub fn run(arguments: &Arguments) -> io::Result<()> {
    let address = arguments.address("connect")?;
    let size = arguments.number("size")?;
    let sends = arguments.command() == "send";
    let mut stream = Stream::connect(&address, None)?;
    stream.set_patience()?;
    let mut block = vec![b'x'; size.max(256 * 1024)];
    rounds::hold(&address, |blocks| {
        let mut missing = size * blocks;
        stream.write_all(&(missing as u64).to_be_bytes())?;
        if sends {
            for _ in 0..blocks {
                stream.write_all(&block[..size])?;
            }
            return stream.read_exact(&mut [0]);
        }
        while missing > 0 {
            let received = stream.read(&mut block)?;
            if received == 0 || received > missing {
                let complaint = format!("{received} bytes came where {missing} were missing");
                return Err(io::Error::other(complaint));
            }
            missing -= received;
        }
        Ok(())
    })
}
