//! A socket that always has something to do for its task keeps no other task from running.

use std::cell::Cell;
use std::future::Future;
use std::io::{self, Read as _, Write as _};
use std::net::{self, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use greenloop::net::{TcpListener, TcpStream, UdpSocket, UnixStream};
use greenloop::{run, spawn, timeout, yield_now};

fn anywhere() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// Runs `program` beside a task that counts its turns, and returns how many it had.
async fn turns_beside(program: impl Future<Output = io::Result<()>>) -> io::Result<u32> {
    let turns = Rc::new(Cell::new(0));
    let counted = turns.clone();
    let other = spawn(async move {
        loop {
            counted.set(counted.get() + 1);
            yield_now().await;
        }
    });
    program.await?;
    other.abort();
    Ok(turns.get())
}

#[test]
fn a_task_that_always_finds_bytes_lets_others_run() {
    run(async {
        let (mut near, mut far) = UnixStream::pair()?;
        far.write_all(&[7; 10_000]).await?;
        let turns = turns_beside(async {
            for _ in 0..10_000 {
                near.read_exact(&mut [0]).await?;
            }
            Ok(())
        });
        // Not at each operation, which would double what a byte costs.
        assert!((100..1000).contains(&turns.await?));
        io::Result::Ok(())
    })
    .unwrap();
}

#[test]
fn a_task_that_always_finds_room_lets_others_run() {
    run(async {
        let (mut near, mut far) = UnixStream::pair()?;
        let turns = turns_beside(async {
            for _ in 0..100 {
                near.write_all(&[7]).await?;
            }
            Ok(())
        });
        assert!(turns.await? >= 2);
        far.read_exact(&mut [0; 100]).await
    })
    .unwrap();
}

#[test]
fn a_task_that_always_finds_connections_or_datagrams_lets_others_run() {
    run(async {
        let listener = TcpListener::bind(anywhere())?;
        let clients: io::Result<Vec<_>> = (0..100)
            .map(|_| net::TcpStream::connect(listener.local_addr()?))
            .collect();
        let clients = clients?;
        let turns = turns_beside(async {
            for _ in &clients {
                listener.accept().await?;
            }
            Ok(())
        });
        assert!(turns.await? >= 2);

        let socket = UdpSocket::bind(anywhere())?;
        let turns = turns_beside(async {
            for _ in 0..100 {
                socket.send_to(b"x", socket.local_addr()?).await?;
                socket.recv(&mut [0]).await?;
            }
            Ok(())
        });
        assert!(turns.await? >= 2);
        io::Result::Ok(())
    })
    .unwrap();
}

#[test]
fn a_flood_keeps_no_timeout_from_ending_it() {
    let listener = net::TcpListener::bind(anywhere()).unwrap();
    let address = listener.local_addr().unwrap();
    let flood = std::thread::spawn(move || {
        let (mut far, _) = listener.accept().unwrap();
        // It ends when the other end is gone.
        while far.write_all(&[7; 1 << 14]).is_ok() {}
        far.read(&mut [0]).map_or(0, |count| count)
    });
    run(async {
        let mut near = TcpStream::connect(address).await?;
        let reading = async {
            // For some seconds, unless it is ended.
            for _ in 0..10_000_000 {
                near.read_exact(&mut [0]).await?;
            }
            io::Result::Ok(())
        };
        let ended = timeout(Duration::from_millis(20), reading).await;
        assert!(ended.is_err());
        io::Result::Ok(())
    })
    .unwrap();
    assert_eq!(flood.join().unwrap(), 0);
}
