//! The socket by which other processes of the user ask what this one does.
//!
//! A client sends a line and gets a document; then the connection ends. Each client has a thread
//! for the time of its request, so that one that reads slowly keeps nobody. There is a limit to how
//! many there are, to the length of a request, and to how long a client may be silent.
//!
//! Only the user may connect: the socket has mode 0600, in a folder that nobody else may enter.
//! What can be asked for are facts; nothing can be changed. The socket's file goes when the watch
//! ends, and the next process with the same number takes the place of one that was left by a
//! process which was killed.

use std::fs::Permissions;
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use greenloop_os::quiet_thread;

use super::desk::Desk;
use super::stalls::{Stalls, quoted};

/// How many clients are served at a time. Others are turned away at once.
const MOST_CLIENTS: usize = 16;

/// The longest request.
const LONGEST_REQUEST: usize = 64 * 1024;

/// For how long a client may be silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// For how long the package's thread may keep a client waiting before the last report is sent.
const SOON: Duration = Duration::from_secs(1);

/// The same for a request that the package's thread has taken: a recording lasts as long as it was
/// asked for.
const LONG: Duration = Duration::from_secs(3700);

/// The listening socket.
pub struct Front {
    listener: UnixListener,
    path: PathBuf,
    clients: Arc<AtomicUsize>,
}

impl Front {
    /// Listens at `path`, in the place of what a dead process left there. Only the user may
    /// connect.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener,
            path,
            clients: Arc::default(),
        })
    }

    /// The descriptor that is readable when a client connects.
    pub fn descriptor(&self) -> i32 {
        self.listener.as_raw_fd()
    }

    /// Begins to serve the clients that have connected.
    pub fn serve(&self, desk: &Arc<Desk>, stalls: &Arc<Stalls>) {
        while let Ok((stream, _)) = self.listener.accept() {
            if self.clients.fetch_add(1, Ordering::Relaxed) >= MOST_CLIENTS {
                self.clients.fetch_sub(1, Ordering::Relaxed);
                continue;
            }
            let served = Served(self.clients.clone());
            let (desk, stalls) = (desk.clone(), stalls.clone());
            // Without a thread the client is turned away.
            let _ = quiet_thread::spawn("greenloop-client", move || {
                let _served = served;
                // What a client does wrong concerns it alone.
                let _ = serve(stream, &desk, &stalls);
            });
        }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // Somebody else may have removed it.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// One of the clients, until this is dropped.
struct Served(Arc<AtomicUsize>);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Reads a request and sends the answer.
fn serve(mut stream: UnixStream, desk: &Desk, stalls: &Stalls) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = read_line(&mut stream)?;
    let lasts = holds(&request, b"\"trace\"");
    let patience = if lasts { LONG } else { SOON };
    let answer = match desk.ask(request.clone(), patience) {
        Some(answer) => answer,
        None => without_the_package(&request, desk, stalls),
    };
    stream.write_all(&answer)?;
    // The child of a fork may have the descriptor as well.
    stream.shutdown(Shutdown::Both)
}

/// The bytes up to the end of the first line.
fn read_line(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut buffer = [0; 4096];
    while line.len() < LONGEST_REQUEST {
        let count = stream.read(&mut buffer)?;
        line.extend_from_slice(&buffer[..count]);
        if count == 0 || line.contains(&b'\n') {
            line.truncate(
                line.iter()
                    .position(|&byte| byte == b'\n')
                    .unwrap_or(line.len()),
            );
            return Ok(line);
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

/// The answer when the package's thread does not get the GIL: the last report, marked as such, with
/// the stalls of now.
fn without_the_package(request: &[u8], desk: &Desk, stalls: &Stalls) -> Vec<u8> {
    const BECAUSE: &str = "native code keeps the interpreter's lock";
    let stalls = stalls.to_json();
    if holds(request, b"\"stalls\"") {
        return format!("{{\"stalls\":{stalls}}}").into_bytes();
    }
    let Some((age, report)) = desk.last_report() else {
        let text = format!("{BECAUSE}, and there is no earlier report");
        let text = quoted(&text);
        return format!("{{\"error\":{text},\"stalls\":{stalls}}}").into_bytes();
    };
    let stale = format!(
        "\"stale\": {{\"age\": {:.3}, \"because\": \"{BECAUSE}\"}}, \"stalls_now\": {stalls}",
        age.as_secs_f64()
    );
    replace_first(&report, b"\"stale\": null", stale.as_bytes())
}

/// Whether `text` holds `part`.
fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// `text` with another part in the place of the first `old`, if there is one.
fn replace_first(text: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let place = text.windows(old.len()).position(|window| window == old);
    match place {
        Some(place) => [&text[..place], new, &text[place + old.len()..]].concat(),
        None => text.to_vec(),
    }
}
