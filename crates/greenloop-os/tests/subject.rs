//! What the calls of real threads wait for, and what descriptors are.

mod watched_thread;

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;

use greenloop_os::activity::Activity;
use greenloop_os::address::Parts;
use greenloop_os::subject::{Descriptor, Subject};
use greenloop_os::thread_activity::ThreadActivity;
use watched_thread::{is_in, look_until, watched};

/// What a thread waits for as soon as it is in a call of one of these names; `None` if this system
/// does not say it.
#[track_caller]
fn subject_in(thread: &ThreadActivity, names: &[&str]) -> Option<Subject> {
    match look_until(thread, |activity| is_in(activity, names))? {
        (_, Activity::SystemCall(call)) => {
            let subject = Subject::of(thread, &call);
            let forbidden = File::open("/proc/self/mem").is_err();
            assert!(subject.is_some() || forbidden, "{call:?}");
            subject
        }
        other => panic!("{other:?}"),
    }
}

/// A path in the folder for temporary files that nobody else uses.
fn free_path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("greenloop-subject-{}-{name}", std::process::id()))
}

#[test]
fn a_read_waits_for_its_descriptor() {
    let (mut reader, writer) = io::pipe().expect("there are descriptors");
    let descriptor = reader.as_raw_fd();
    thread::scope(|scope| {
        let thread = watched(scope, move || {
            reader.read_exact(&mut [0]).expect_err("nobody writes");
        });
        if let Some(subject) = subject_in(&thread, &["read"]) {
            assert_eq!(subject, Subject::Descriptors(vec![descriptor]));
        }
        drop(writer);
    });
}

#[test]
fn a_poll_waits_for_all_that_it_was_given() {
    let pipes = [(); 3].map(|()| io::pipe().expect("there are descriptors"));
    let descriptors: Vec<RawFd> = pipes.iter().map(|(reader, _)| reader.as_raw_fd()).collect();
    let [_first, (_reader, writer), _third] = pipes;
    let polled = |fd| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    let mut structures: Vec<_> = descriptors.iter().copied().map(polled).collect();
    // It is ignored.
    structures.push(polled(-1));
    thread::scope(|scope| {
        let thread = watched(scope, move || {
            let count = structures.len().try_into().expect("there are few");
            // SAFETY: the structures are valid for reads and writes during the call.
            let outcome = unsafe { libc::poll(structures.as_mut_ptr(), count, -1) };
            assert_eq!(outcome, 1);
        });
        if let Some(subject) = subject_in(&thread, &["poll", "ppoll"]) {
            assert_eq!(subject, Subject::Descriptors(descriptors));
        }
        drop(writer);
    });
}

#[test]
fn a_select_waits_for_all_in_its_sets() {
    let (reader, writer) = io::pipe().expect("there are descriptors");
    let (other, _other_writer) = io::pipe().expect("there are descriptors");
    let mut descriptors = vec![reader.as_raw_fd(), other.as_raw_fd()];
    descriptors.sort_unstable();
    let awaited = descriptors.clone();
    thread::scope(|scope| {
        let thread = watched(scope, move || {
            // SAFETY: the sets are plain numbers; they outlive the call, and all descriptors are
            // less than their size.
            unsafe {
                let mut sets: [libc::fd_set; 2] = std::mem::zeroed();
                libc::FD_SET(awaited[0], &raw mut sets[0]);
                libc::FD_SET(awaited[1], &raw mut sets[0]);
                libc::FD_SET(awaited[1], &raw mut sets[1]);
                let nothing = std::ptr::null_mut();
                let [readable, exceptional] = &mut sets;
                libc::select(
                    awaited[1] + 1,
                    readable,
                    nothing,
                    exceptional,
                    nothing.cast(),
                );
            }
        });
        if let Some(subject) = subject_in(&thread, &["select", "pselect6"]) {
            assert_eq!(subject, Subject::Descriptors(descriptors));
        }
        drop(writer);
    });
}

#[test]
fn a_connect_waits_for_an_address() {
    let path = free_path("connect");
    let listener = UnixListener::bind(&path).expect("a free path");
    // SAFETY: the call takes numbers only.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let first = UnixStream::connect(&path).expect("there is room for one");
    thread::scope(|scope| {
        let thread = watched(scope, || drop(UnixStream::connect(&path)));
        if let Some(subject) = subject_in(&thread, &["connect"]) {
            let Subject::Address(address) = subject else {
                panic!("{subject:?}");
            };
            assert_eq!(
                address.parts(),
                Parts::Unix(path.as_os_str().as_encoded_bytes())
            );
            assert_eq!(address.to_string(), path.to_string_lossy());
        }
        drop(first);
        listener.accept().expect("the first has come");
        listener.accept().expect("the second has come");
    });
    fs::remove_file(&path).expect("it was made here");
}

#[test]
fn an_open_waits_for_a_path() {
    let path = free_path("fifo");
    let name = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).expect("no zero");
    // SAFETY: the name ends with a zero and outlives the call.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    thread::scope(|scope| {
        let thread = watched(scope, || drop(File::open(&path).expect("it is there")));
        if let Some(subject) = subject_in(&thread, &["open", "openat"]) {
            assert_eq!(subject, Subject::Path(path.clone()));
        }
        File::options()
            .write(true)
            .open(&path)
            .expect("it is there");
    });
    fs::remove_file(&path).expect("it was made here");
}

#[test]
fn a_call_that_is_over_waits_for_nothing() {
    let (mut reader, writer) = io::pipe().expect("there are descriptors");
    let descriptor = reader.as_raw_fd();
    let (thread, call) = thread::scope(|scope| {
        let thread = watched(scope, move || {
            let mut one = libc::pollfd {
                fd: descriptor,
                events: libc::POLLIN,
                revents: 0,
            };
            // SAFETY: the structure is valid for reads and writes during the call.
            unsafe { libc::poll(&raw mut one, 1, -1) };
            reader.read_exact(&mut [0]).expect_err("nobody writes");
        });
        let seen = look_until(&thread, |activity| is_in(activity, &["poll", "ppoll"]));
        drop(writer);
        (thread, seen)
    });
    if let Some((_, Activity::SystemCall(call))) = call {
        assert_eq!(Subject::of(&thread, &call), None);
    }
}

#[test]
fn a_descriptor_is_what_the_kernel_calls_it() {
    let told = |descriptor| Descriptor::of(descriptor).expect("it is open").to_string();
    let (reader, _writer) = io::pipe().expect("there are descriptors");
    assert!(told(reader.as_raw_fd()).starts_with("pipe:["));

    let path = std::env::current_exe().expect("it runs");
    let file = File::open(&path).expect("it runs");
    assert_eq!(told(file.as_raw_fd()), path.to_string_lossy());

    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let text = told(listener.as_raw_fd());
    assert!(text.starts_with("socket:["));
    assert!(text.ends_with(&format!("] at {address}")), "{text}");
    let client = TcpStream::connect(address).expect("it listens");
    let text = told(client.as_raw_fd());
    assert!(text.ends_with(&format!("] to {address}")), "{text}");
    let unconnected = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = unconnected.local_addr().expect("it is bound");
    let text = told(unconnected.as_raw_fd());
    assert!(text.ends_with(&format!("] at {address}")), "{text}");

    Descriptor::of(-1).expect_err("no descriptor is negative");
}
