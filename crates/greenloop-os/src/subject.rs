//! What a system call waits for: descriptors, an address or a path, and what a descriptor is.
//!
//! Some calls have the descriptor among their arguments. Of the others, an argument points to the
//! answer: `poll(2)` and `select(2)` to descriptors, `connect(2)` to an address, `openat(2)` to a
//! path. That memory belongs to the thread that waits, so it is copied by the kernel, for which
//! memory that is gone is an error, and counts only if the thread still waits in the same call
//! afterwards.
//!
//! All of this is asked once for a report, and allocates.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use crate::address::Address;
use crate::socket;
use crate::sys::{self, Pointer};
use crate::thread_activity::{SystemCall, ThreadActivity};

/// How many descriptors of a call are told at most.
const MOST_DESCRIPTORS: usize = 64;

/// How many bytes of a path are told at most.
const LONGEST_PATH: usize = 1024;

/// What a system call waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Subject {
    /// One of these, 64 at most.
    Descriptors(Vec<RawFd>),
    /// The one at this address.
    Address(Address),
    /// The file with this path, of which 1024 bytes are told at most.
    Path(PathBuf),
}

/// What a descriptor refers to at a moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Descriptor {
    /// The kernel's name for it: a path, `socket:[1234]`, `pipe:[1234]`, `anon_inode:[eventpoll]`.
    pub name: PathBuf,
    /// The address of a connected socket's peer.
    pub peer: Option<Address>,
    /// The address of a socket itself, if it has one and no peer.
    pub own_address: Option<Address>,
}

impl Subject {
    /// What `call` waits for, in which `thread` was seen. `None` if its arguments do not say that,
    /// if the system does not show its memory, and if the thread does not wait in it any more.
    pub fn of(thread: &ThreadActivity, call: &SystemCall) -> Option<Self> {
        let known = sys::system_call(call.number)?;
        let Some(pointer) = known.pointer else {
            return call
                .descriptor()
                .map(|descriptor| Self::Descriptors(vec![descriptor]));
        };
        let subject = Self::at(pointer, &call.arguments)?;
        (thread.sample().system_call == Some(*call)).then_some(subject)
    }

    fn at(pointer: Pointer, arguments: &[u64; 6]) -> Option<Self> {
        match pointer {
            Pointer::Polled => polled(arguments[0], arguments[1]).map(Self::Descriptors),
            Pointer::Sets => selected(arguments[0], &arguments[1..4]).map(Self::Descriptors),
            Pointer::Address => {
                let len = usize::try_from(arguments[2]).ok()?;
                let mut bytes = [0; size_of::<libc::sockaddr_storage>()];
                Address::from_bytes(memory(arguments[1], bytes.get_mut(..len)?)?).map(Self::Address)
            }
            Pointer::Path(position) => {
                let mut bytes = [0; LONGEST_PATH];
                let bytes = memory(arguments[position], &mut bytes)?;
                let path = bytes.split(|&byte| byte == 0).next()?;
                let path = PathBuf::from(OsString::from_vec(path.to_vec()));
                (!path.as_os_str().is_empty()).then_some(Self::Path(path))
            }
        }
    }
}

/// The memory at an address, as much of `buffer` as is there; `None` without any.
fn memory(address: u64, buffer: &mut [u8]) -> Option<&[u8]> {
    let count = sys::read_own_memory(address, buffer).ok()?;
    (count > 0).then(|| &buffer[..count])
}

/// The descriptors in `count` structures of `poll(2)`. Negative ones are ignored there as well.
fn polled(address: u64, count: u64) -> Option<Vec<RawFd>> {
    const SIZE: usize = size_of::<libc::pollfd>();
    let count = usize::try_from(count).ok()?.min(MOST_DESCRIPTORS);
    let mut bytes = [0; MOST_DESCRIPTORS * SIZE];
    // The descriptor is the first of the fields.
    let structures = memory(address, &mut bytes[..count * SIZE])?.chunks_exact(SIZE);
    let descriptors = structures.filter_map(|structure| {
        let (first, _) = structure.split_first_chunk()?;
        Some(RawFd::from_ne_bytes(*first)).filter(|&descriptor| descriptor >= 0)
    });
    Some(descriptors.collect())
}

/// The descriptors below `end` in up to three sets of `select(2)`: an array of words, of which each
/// bit is a descriptor, the lowest first.
fn selected(end: u64, sets: &[u64]) -> Option<Vec<RawFd>> {
    const BITS: usize = libc::c_ulong::BITS as usize;
    const SIZE: usize = size_of::<libc::c_ulong>();
    let end = usize::try_from(end)
        .ok()?
        .min(8 * size_of::<libc::fd_set>());
    let mut found = Vec::new();
    for &address in sets.iter().filter(|&&address| address != 0) {
        let mut bytes = [0; size_of::<libc::fd_set>()];
        let words = memory(address, &mut bytes[..end.div_ceil(BITS) * SIZE])?.chunks_exact(SIZE);
        for (index, word) in words.enumerate() {
            let (&word, _) = word.split_first_chunk()?;
            let word = libc::c_ulong::from_ne_bytes(word);
            let bits = (0..BITS).filter(|bit| word >> bit & 1 == 1);
            let numbers = bits
                .map(|bit| index * BITS + bit)
                .filter(|&number| number < end);
            found.extend(numbers.filter_map(|number| RawFd::try_from(number).ok()));
        }
    }
    found.sort_unstable();
    found.dedup();
    found.truncate(MOST_DESCRIPTORS);
    Some(found)
}

impl Descriptor {
    /// What a descriptor refers to now. Fails if it is closed, or the system does not say it.
    pub fn of(descriptor: RawFd) -> io::Result<Self> {
        let name = sys::name_of_descriptor(descriptor)?;
        let peer = socket::peer(descriptor).ok();
        let own_address = match peer {
            Some(_) => None,
            None => socket::own_address(descriptor).ok(),
        };
        Ok(Self {
            name,
            peer,
            own_address,
        })
    }
}

/// `/tmp/data`, `pipe:[1234]`, `socket:[1234] to 127.0.0.1:80`, `socket:[1234] at 0.0.0.0:80`.
impl fmt::Display for Descriptor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.display().fmt(formatter)?;
        match (&self.peer, &self.own_address) {
            (Some(peer), _) => write!(formatter, " to {peer}"),
            (None, Some(address)) => write!(formatter, " at {address}"),
            (None, None) => Ok(()),
        }
    }
}
