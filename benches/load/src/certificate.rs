//! A certificate for the server of a TLS benchmark, made up on the spot.

use std::fs;
use std::io;
use std::path::Path;

use crate::arguments::Arguments;

/// Writes `certificate.pem` and `key.pem` (P-256) into the directory.
pub fn write(arguments: &Arguments) -> io::Result<()> {
    let directory = Path::new(arguments.text("directory")?);
    let names = vec![String::from("localhost")];
    let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
    fs::write(directory.join("certificate.pem"), made.cert.pem())?;
    fs::write(directory.join("key.pem"), made.signing_key.serialize_pem())
}
