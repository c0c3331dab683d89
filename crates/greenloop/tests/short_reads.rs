//! A read that returns fewer bytes than it had room for is taken for the last of those that had
//! come. What stands behind them all the same must be found: the end of the stream, an error, and
//! bytes behind an urgent one.

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice, Write as _};
use std::mem::MaybeUninit;
use std::net::{self, Shutdown, SocketAddr};
use std::os::fd::AsFd as _;
use std::os::unix::net as unix;
use std::time::Duration;

use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use greenloop::net::{TcpListener, TcpStream, UnixStream};
use greenloop::{run, timeout, yield_now};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use socket2::SockRef;

/// Runs a test, which fails where it would wait for ever.
fn check(test: impl Future<Output = io::Result<()>>) {
    let outcome = run(timeout(Duration::from_secs(20), test));
    outcome.expect("nothing is lost").expect("no error");
}

/// One end on the loop, the other one of the standard library, which sends before the loop can
/// look.
async fn pair() -> io::Result<(TcpStream, net::TcpStream)> {
    let anywhere: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let listener = net::TcpListener::bind(anywhere)?;
    let near = TcpStream::connect(listener.local_addr()?).await?;
    let (far, _) = listener.accept()?;
    Ok((near, far))
}

/// Has the loop ask the operating system what has come.
async fn let_the_loop_look() -> io::Result<()> {
    let (mut near, _far) = UnixStream::pair()?;
    // The receiver of sent bytes may be on the loop itself, so the next turn polls.
    near.write_all(b"x").await?;
    yield_now().await;
    Ok(())
}

#[test]
fn the_end_behind_bytes_that_nobody_was_told_of_is_found() {
    check(async {
        let (mut near, mut far) = pair().await?;
        far.write_all(b"ab")?;
        far.shutdown(Shutdown::Write)?;
        let mut room = [0; 10];
        assert_eq!(near.read(&mut room).await?, 2);
        assert_eq!(near.read(&mut room).await?, 0);
        assert_eq!(near.read(&mut room).await?, 0);
        Ok(())
    });
}

#[test]
fn the_end_that_is_told_together_with_bytes_is_found() {
    check(async {
        let (mut near, mut far) = pair().await?;
        let mut room = [0; 10];
        let read = async {
            assert_eq!(near.read(&mut room).await?, 2);
            near.read(&mut room).await
        };
        let write = async {
            // The reading task waits by now.
            yield_now().await;
            far.write_all(b"ab")?;
            far.shutdown(Shutdown::Write)
        };
        let (read, written) = greenloop::gather!(read, write).await;
        written?;
        assert_eq!(read?, 0);
        Ok(())
    });
}

#[test]
fn the_end_that_comes_between_the_report_and_the_read_is_found() {
    check(async {
        let (mut near, mut far) = pair().await?;
        far.write_all(b"ab")?;
        let_the_loop_look().await?;
        far.shutdown(Shutdown::Write)?;
        let mut room = [0; 10];
        assert_eq!(near.read(&mut room).await?, 2);
        assert_eq!(near.read(&mut room).await?, 0);
        Ok(())
    });
}

#[test]
fn the_end_that_comes_after_the_read_is_found() {
    check(async {
        let (mut near, mut far) = pair().await?;
        let mut room = [0; 10];
        far.write_all(b"ab")?;
        assert_eq!(near.read(&mut room).await?, 2);
        far.shutdown(Shutdown::Write)?;
        assert_eq!(near.read(&mut room).await?, 0);
        Ok(())
    });
}

#[test]
fn bytes_that_come_between_the_report_and_the_next_read_are_found() {
    check(async {
        let (mut near, mut far) = pair().await?;
        let mut room = [0; 10];
        for round in 0..100 {
            far.write_all(b"ab")?;
            if round % 2 == 0 {
                let_the_loop_look().await?;
            }
            assert_eq!(near.read(&mut room).await?, 2);
            far.write_all(b"c")?;
            assert_eq!(near.read(&mut room).await?, 1);
        }
        Ok(())
    });
}

#[test]
fn a_half_closed_connection_is_written_on() {
    check(async {
        let (mut near, mut far) = pair().await?;
        far.write_all(b"ab")?;
        far.shutdown(Shutdown::Write)?;
        let mut received = Vec::new();
        near.read_to_end(&mut received).await?;
        assert_eq!(received, b"ab");
        near.write_all(b"answer").await?;
        near.close().await?;
        assert_eq!(io::read_to_string(far)?, "answer");
        Ok(())
    });
}

#[test]
fn a_reset_behind_bytes_is_an_error() {
    check(async {
        for is_told in [false, true] {
            let (mut near, mut far) = pair().await?;
            far.write_all(b"ab")?;
            SockRef::from(&far).set_linger(Some(Duration::ZERO))?;
            if is_told {
                let_the_loop_look().await?;
            }
            drop(far);
            let mut received = Vec::new();
            let error = near.read_to_end(&mut received).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
        Ok(())
    });
}

#[test]
fn bytes_behind_an_urgent_one_are_found() {
    check(async {
        for is_told in [false, true] {
            let (mut near, mut far) = pair().await?;
            // The last of these is the urgent one, which stands in nobody's way (`tcp(7)`, "urgent
            // data").
            SockRef::from(&far).send_out_of_band(b"ab!")?;
            far.write_all(b"cd")?;
            if is_told {
                let_the_loop_look().await?;
            }
            let mut received = [0; 4];
            let mut count = 0;
            while count < received.len() {
                let mut room = [0; 10];
                let more = near.read(&mut room).await?;
                received[count..count + more].copy_from_slice(&room[..more]);
                count += more;
            }
            assert_eq!(&received, b"abcd");
        }
        Ok(())
    });
}

#[test]
fn all_of_more_than_there_is_room_for_is_read() {
    check(async {
        let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap())?;
        let mut far = TcpStream::connect(listener.local_addr()?).await?;
        let (mut near, _) = listener.accept().await?;
        far.write_all(&[7; 1000]).await?;
        let mut count = 0;
        while count < 1000 {
            // Reads that are full, and a last one that is not.
            count += near.read(&mut [0; 64]).await?;
        }
        far.write_all(b"x").await?;
        assert_eq!(near.read(&mut [0; 64]).await?, 1);
        Ok(())
    });
}

/// Where a read of a Unix socket ends depends on more than on what has come.
#[test]
fn bytes_behind_a_descriptor_are_found() {
    check(async {
        let path = std::env::temp_dir().join(format!("greenloop-rights-{}", std::process::id()));
        let listener = unix::UnixListener::bind(&path)?;
        let mut near = UnixStream::connect(&path).await?;
        std::fs::remove_file(&path)?;
        let (mut far, _) = listener.accept()?;
        let sent = [far.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&sent)));
        sendmsg(
            &far,
            &[IoSlice::new(b"ab")],
            &mut control,
            SendFlags::empty(),
        )?;
        far.write_all(b"cd")?;
        let_the_loop_look().await?;
        let mut room = [0; 10];
        assert_eq!(near.read(&mut room).await?, 2);
        assert_eq!(near.read(&mut room).await?, 2);
        assert_eq!(&room[..2], b"cd");
        Ok(())
    });
}
