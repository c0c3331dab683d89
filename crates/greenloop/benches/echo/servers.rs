//! The same server on each runtime: a task for each connection, which sends back what it receives.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process;
use std::thread;

/// A runtime that is measured.
pub struct Contestant {
    pub name: &'static str,
    /// Serves until the process ends, which it does with its input.
    pub serve: fn() -> io::Result<()>,
}

pub const CONTESTANTS: [Contestant; 5] = [
    Contestant {
        name: "greenloop",
        serve: on_greenloop,
    },
    Contestant {
        name: "tokio",
        serve: on_tokio,
    },
    Contestant {
        name: "monoio",
        serve: on_monoio,
    },
    Contestant {
        name: "smol",
        serve: on_smol,
    },
    Contestant {
        name: "limit",
        serve: limit,
    },
];

const ANYWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Room for more than any request, as a program would choose it.
const ROOM: usize = 4096;

/// Reports to the measuring process that the server listens, and from now on, in a separate thread,
/// its cost.
fn announce(address: SocketAddr) {
    thread::spawn(move || {
        if let Err(error) = greenloop_load::account(format_args!("tcp:{address}")) {
            eprintln!("echo: {error}");
        }
        process::exit(0);
    });
}

/// Sends back the bytes that a stream receives, until it ends. The methods come from different
/// traits, so no single function suffices.
macro_rules! send_back {
    ($stream:ident) => {{
        let mut buffer = vec![0; ROOM];
        loop {
            match $stream.read(&mut buffer).await? {
                0 => return Ok(()),
                received => $stream.write_all(&buffer[..received]).await?,
            }
        }
    }};
}

fn on_greenloop() -> io::Result<()> {
    use futures::{AsyncReadExt as _, AsyncWriteExt as _};

    async fn echo(mut stream: greenloop::net::TcpStream) -> io::Result<()> {
        send_back!(stream)
    }

    greenloop::run(async {
        let listener = greenloop::net::TcpListener::bind(ANYWHERE)?;
        announce(listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            drop(greenloop::spawn(echo(stream)));
        }
    })
}

fn on_tokio() -> io::Result<()> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    async fn echo(mut stream: tokio::net::TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        send_back!(stream)
    }

    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_io().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let listener = tokio::net::TcpListener::bind(ANYWHERE).await?;
        announce(listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            drop(tokio::task::spawn_local(echo(stream)));
        }
    })
}

/// On its driver for epoll. Its reads and writes take the buffer, and give it back.
fn on_monoio() -> io::Result<()> {
    use monoio::buf::IoBuf as _;
    use monoio::io::{AsyncReadRent as _, AsyncWriteRentExt as _};

    async fn echo(mut stream: monoio::net::TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut buffer = vec![0; ROOM];
        loop {
            let (received, filled) = stream.read(buffer).await;
            let received = received?;
            if received == 0 {
                return Ok(());
            }
            let (sent, slice) = stream.write_all(filled.slice(..received)).await;
            sent?;
            buffer = slice.into_inner();
        }
    }

    let mut runtime = monoio::RuntimeBuilder::<monoio::LegacyDriver>::new().build()?;
    runtime.block_on(async {
        let listener = monoio::net::TcpListener::bind(ANYWHERE)?;
        announce(listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            drop(monoio::spawn(echo(stream)));
        }
    })
}

fn on_smol() -> io::Result<()> {
    use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};

    async fn echo(mut stream: smol::net::TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        send_back!(stream)
    }

    let executor = smol::LocalExecutor::new();
    smol::block_on(executor.run(async {
        let listener = smol::net::TcpListener::bind(ANYWHERE).await?;
        announce(listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            executor.spawn(echo(stream)).detach();
        }
    }))
}

/// No runtime: the kernel's share of the cost.
fn limit() -> io::Result<()> {
    let listen = format!("tcp:{ANYWHERE}");
    let words = ["serve", "--mode", "echo", "--listen", &listen];
    greenloop_load::run(words.map(String::from))
}
