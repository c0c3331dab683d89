//! Where the other side is: an address of TCP, UDP or a Unix socket.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// An address as the command line names it.
#[derive(Clone, Debug)]
pub enum Address {
    /// `tcp:127.0.0.1:80`
    Tcp(SocketAddr),
    /// `udp:127.0.0.1:80`
    Udp(SocketAddr),
    /// `unix:/path`
    Unix(PathBuf),
}

impl FromStr for Address {
    type Err = io::Error;

    fn from_str(text: &str) -> io::Result<Self> {
        let refusal = || io::Error::other(format!("{text:?} is no address"));
        let (family, rest) = text.split_once(':').ok_or_else(refusal)?;
        match family {
            "tcp" => Ok(Self::Tcp(rest.parse().map_err(|_| refusal())?)),
            "udp" => Ok(Self::Udp(rest.parse().map_err(|_| refusal())?)),
            "unix" => Ok(Self::Unix(PathBuf::from(rest))),
            _ => Err(refusal()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(formatter, "tcp:{address}"),
            Self::Udp(address) => write!(formatter, "udp:{address}"),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}
