//! Sockets: what arrives, who is woken, and what closing and giving up mean.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures::future::poll_fn;
use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use greenloop::net::{TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream, lookup};
use greenloop::{run, spawn, timeout, yield_now};

fn anywhere() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

async fn tcp_pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind(anywhere())?;
    let near = TcpStream::connect(listener.local_addr()?).await?;
    let (far, peer) = listener.accept().await?;
    assert_eq!(peer, near.local_addr()?);
    Ok((near, far))
}

/// Polls once, and says whether it is ready.
async fn is_ready<F: Future + Unpin>(future: &mut F) -> bool {
    poll_fn(|context| Poll::Ready(pin!(&mut *future).poll(context).is_ready())).await
}

#[test]
fn an_echo_server_answers_several_clients() {
    run(async {
        let listener = TcpListener::bind(anywhere())?;
        let address = listener.local_addr()?;
        let server = spawn(async move {
            loop {
                let (stream, _) = listener.accept().await?;
                drop(spawn(async move {
                    let (mut reads, mut writes) = stream.into_split();
                    futures::io::copy(&mut reads, &mut writes).await
                }));
            }
            #[expect(unreachable_code, reason = "it says what the errors are")]
            io::Result::Ok(())
        });
        let clients = (0..20_u8).map(|number| async move {
            let mut stream = TcpStream::connect(address).await?;
            for round in 0..10 {
                let bytes = [number, round];
                stream.write_all(&bytes).await?;
                let mut received = [0; 2];
                stream.read_exact(&mut received).await?;
                assert_eq!(received, bytes);
            }
            stream.close().await?;
            // The server sees the end of the stream, and closes its side.
            assert_eq!(stream.read(&mut [0]).await?, 0);
            io::Result::Ok(())
        });
        for outcome in greenloop::gather(clients).await {
            outcome?;
        }
        server.abort();
        io::Result::Ok(())
    })
    .unwrap();
}

#[test]
fn more_than_fits_is_written_as_the_other_end_reads() {
    run(async {
        let (mut near, mut far) = tcp_pair().await?;
        let bytes: Vec<u8> = (0..8_u32 << 20)
            .map(|number| number.to_le_bytes()[1])
            .collect();
        let mut received = Vec::new();
        let (written, read) = greenloop::gather!(
            async {
                near.write_all(&bytes).await?;
                near.close().await
            },
            far.read_to_end(&mut received)
        )
        .await;
        written?;
        assert_eq!(read?, bytes.len());
        assert!(received == bytes);
        io::Result::Ok(())
    })
    .unwrap();
}

#[test]
fn the_two_halves_are_used_by_two_tasks() {
    run(async {
        let (near, mut far) = UnixStream::pair()?;
        let (mut reads, mut writes) = near.into_split();
        let reading = spawn(async move {
            let mut text = String::new();
            reads.read_to_string(&mut text).await.map(|_| text)
        });
        let writing = spawn(async move { writes.write_all(b"to").await });
        let mut received = [0; 2];
        far.read_exact(&mut received).await?;
        assert_eq!(&received, b"to");
        writing.await.unwrap()?;
        // The half that writes is gone: the end of the stream.
        assert_eq!(far.read(&mut received).await?, 0);
        far.write_all(b"fro").await?;
        drop(far);
        assert_eq!(reading.await.unwrap()?, "fro");
        io::Result::Ok(())
    })
    .unwrap();
}

#[test]
fn a_read_that_is_given_up_has_read_nothing() {
    run(async {
        let (mut near, mut far) = UnixStream::pair()?;
        let mut buffer = [0; 10];
        let read = timeout(Duration::ZERO, near.read(&mut buffer));
        assert!(read.await.is_err());
        far.write_all(b"kept").await?;
        assert_eq!(near.read(&mut buffer).await?, 4);
        assert_eq!(&buffer[..4], b"kept");
        io::Result::Ok(())
    })
    .unwrap();
}

#[test]
fn a_connection_that_nobody_took_waits_for_the_next() {
    run(async {
        let listener = TcpListener::bind(anywhere())?;
        {
            let mut accept = Box::pin(listener.accept());
            assert!(!is_ready(&mut accept).await);
        }
        let near = TcpStream::connect(listener.local_addr()?).await?;
        let (far, _) = listener.accept().await?;
        assert_eq!(far.peer_addr()?, near.local_addr()?);
        io::Result::Ok(())
    })
    .unwrap();
}

#[test]
fn all_waiters_for_a_datagram_are_woken() {
    run(async {
        let socket = Rc::new(UdpSocket::bind(anywhere())?);
        let tasks = [(), ()].map(|()| {
            let socket = socket.clone();
            spawn(async move { socket.recv(&mut [0; 10]).await })
        });
        yield_now().await;
        for length in [1, 2] {
            socket
                .send_to(&b"xx"[..length], socket.local_addr()?)
                .await?;
        }
        let [one, other] = tasks;
        let mut lengths = [one.await.unwrap()?, other.await.unwrap()?];
        lengths.sort_unstable();
        assert_eq!(lengths, [1, 2]);
        io::Result::Ok(())
    })
    .unwrap();
}

#[test]
fn what_cannot_be_connected_to_is_an_error() {
    run(async {
        let gone = TcpListener::bind(anywhere()).and_then(|listener| listener.local_addr());
        let refused = TcpStream::connect(gone.unwrap()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        let nowhere = UnixStream::connect("/nowhere/at/all").await.unwrap_err();
        assert_eq!(nowhere.kind(), ErrorKind::NotFound);
        let unknown = lookup("no.such.host.invalid", 1).await;
        assert!(unknown.is_err());
    });
}

#[test]
fn a_peer_that_is_gone_is_an_error_and_no_signal() {
    run(async {
        let (mut near, far) = UnixStream::pair()?;
        drop(far);
        assert_eq!(near.read(&mut [0]).await?, 0);
        let error = near.write_all(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        // Closing what is broken is no error.
        near.close().await
    })
    .unwrap();
}

#[test]
fn a_number_that_is_used_again_is_another_socket() {
    run(async {
        for round in 0..1000_u32 {
            let (mut near, mut far) = UnixStream::pair()?;
            let reading = async {
                let mut bytes = [0; 4];
                near.read_exact(&mut bytes).await?;
                io::Result::Ok(u32::from_le_bytes(bytes))
            };
            let writing = async {
                yield_now().await;
                far.write_all(&round.to_le_bytes()).await
            };
            let (received, written) = greenloop::gather!(reading, writing).await;
            written?;
            assert_eq!(received?, round);
        }
        io::Result::Ok(())
    })
    .unwrap();
}

#[test]
fn a_socket_may_outlive_its_loop() {
    let stream = run(async { UnixStream::pair() }).unwrap();
    drop(stream);
}

#[test]
fn unix_sockets_have_a_path() {
    let path = std::env::temp_dir().join(format!("greenloop-net-{}", std::process::id()));
    run(async {
        let listener = UnixListener::bind(&path)?;
        let (near, far) = greenloop::gather!(UnixStream::connect(&path), listener.accept()).await;
        std::fs::remove_file(&path)?;
        let (mut near, mut far) = (near?, far?);
        far.write_all(b"x").await?;
        near.read_exact(&mut [0]).await
    })
    .unwrap();
}
