//! Socket addresses, in the system's form and in their parts.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use libc::{c_int, sa_family_t, sockaddr_storage, socklen_t};

/// The address of a socket, as the system has it.
#[derive(Clone, Copy)]
pub struct Address {
    /// The first `len` bytes are the address; the others are zero.
    pub(crate) storage: sockaddr_storage,
    pub(crate) len: socklen_t,
}

/// The parts of an [`Address`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parts<'a> {
    /// Nothing: the socket is connected, or the sender has no name.
    Nothing,
    /// An address of `AF_INET` and a port.
    V4(Ipv4Addr, u16),
    /// An address of `AF_INET6`, a port, the flow information and the scope.
    V6(Ipv6Addr, u16, u32, u32),
    /// A path of `AF_UNIX`, or on Linux an abstract name, which begins with a zero.
    Unix(&'a [u8]),
    /// An address of another family.
    Other,
}

/// The family in an address, from its number as `socket(2)` takes it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the numbers are small and not negative"
)]
const fn family(number: c_int) -> sa_family_t {
    number as sa_family_t
}

/// The size of a kind of address, as the system takes it.
#[expect(clippy::cast_possible_truncation, reason = "addresses are small")]
const fn size<T>() -> socklen_t {
    const { assert!(size_of::<T>() <= size_of::<sockaddr_storage>()) };
    size_of::<T>() as socklen_t
}

impl Address {
    /// An address of `AF_INET`.
    pub fn v4(address: Ipv4Addr, port: u16) -> Self {
        // SAFETY: all zeroes is an address.
        let mut inner: libc::sockaddr_in = unsafe { std::mem::zeroed() };
        inner.sin_family = family(libc::AF_INET);
        inner.sin_port = port.to_be();
        inner.sin_addr.s_addr = u32::from(address).to_be();
        Self::of(&inner)
    }

    /// An address of `AF_INET6`.
    pub fn v6(address: Ipv6Addr, port: u16, flow: u32, scope: u32) -> Self {
        // SAFETY: all zeroes is an address.
        let mut inner: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
        inner.sin6_family = family(libc::AF_INET6);
        inner.sin6_port = port.to_be();
        inner.sin6_addr.s6_addr = address.octets();
        inner.sin6_flowinfo = flow.to_be();
        inner.sin6_scope_id = scope;
        Self::of(&inner)
    }

    /// Its parts.
    pub fn parts(&self) -> Parts<'_> {
        let start = &raw const self.storage;
        let offset = size_of::<sa_family_t>();
        let len = (self.len as usize).min(size_of::<sockaddr_storage>());
        if len <= offset && i32::from(self.storage.ss_family) != libc::AF_UNIX {
            return Parts::Nothing;
        }
        match i32::from(self.storage.ss_family) {
            libc::AF_INET => {
                // SAFETY: an address of this family is laid out like this, within the storage.
                let inner = unsafe { &*start.cast::<libc::sockaddr_in>() };
                let address = Ipv4Addr::from(u32::from_be(inner.sin_addr.s_addr));
                Parts::V4(address, u16::from_be(inner.sin_port))
            }
            libc::AF_INET6 => {
                // SAFETY: as above.
                let inner = unsafe { &*start.cast::<libc::sockaddr_in6>() };
                Parts::V6(
                    Ipv6Addr::from(inner.sin6_addr.s6_addr),
                    u16::from_be(inner.sin6_port),
                    u32::from_be(inner.sin6_flowinfo),
                    inner.sin6_scope_id,
                )
            }
            libc::AF_UNIX => {
                let room = len.saturating_sub(offset);
                // SAFETY: the path follows the family, within the storage.
                let path =
                    unsafe { std::slice::from_raw_parts(start.cast::<u8>().add(offset), room) };
                match path.first() {
                    None | Some(0) => Parts::Unix(path),
                    Some(_) => {
                        let end = path.iter().position(|&byte| byte == 0);
                        Parts::Unix(&path[..end.unwrap_or(room)])
                    }
                }
            }
            _ => Parts::Other,
        }
    }

    /// The address that the system has as these bytes; `None` if they are too many for one.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut address = Self::room();
        if bytes.len() > size_of::<sockaddr_storage>() {
            return None;
        }
        // SAFETY: the storage is as large as the bytes, and any bytes are an address of some
        // family or none.
        unsafe {
            let storage = (&raw mut address.storage).cast::<u8>();
            storage.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        address.len = socklen_t::try_from(bytes.len()).ok()?;
        Some(address)
    }

    fn of<T>(inner: &T) -> Self {
        let mut address = Self::room();
        // SAFETY: the storage is large and aligned enough for every kind of address.
        unsafe {
            let storage = (&raw mut address.storage).cast::<T>();
            storage.copy_from_nonoverlapping(inner, 1);
        }
        address.len = size::<T>();
        address
    }

    /// Room for an address of any kind, for the system to write one into.
    pub(crate) const fn room() -> Self {
        Self {
            // SAFETY: all zeroes is an address of no family.
            storage: unsafe { std::mem::zeroed() },
            len: size::<sockaddr_storage>(),
        }
    }

    const fn bytes(&self) -> &[u8] {
        // SAFETY: the storage is initialised as a whole.
        unsafe {
            std::slice::from_raw_parts(
                (&raw const self.storage).cast(),
                size_of::<sockaddr_storage>(),
            )
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts().fmt(formatter)
    }
}

/// As addresses are written in messages: `127.0.0.1:80`, `[::1]:80`, a path, `@` and an abstract
/// name. An address that says nothing is a `?`.
impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            Parts::V4(address, port) => write!(formatter, "{address}:{port}"),
            Parts::V6(address, port, ..) => write!(formatter, "[{}]:{port}", host_of(&address)),
            Parts::Unix([0, name @ ..]) => write!(formatter, "@{}", name.escape_ascii()),
            Parts::Unix([]) | Parts::Nothing | Parts::Other => formatter.write_str("?"),
            Parts::Unix(path) => path.escape_ascii().fmt(formatter),
        }
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        let len = self.len as usize;
        self.len == other.len && self.bytes().get(..len) == other.bytes().get(..len)
    }
}

impl Eq for Address {}

/// The text of a host's address as `inet_ntop(3)` writes it, which writes addresses of IPv6 whose
/// first 96 bits are zero as if they were of IPv4. Nobody uses those any more.
pub fn host_of(address: &Ipv6Addr) -> String {
    let [.., sixth, last] = address.segments();
    let compatible = address.segments()[..6] == [0; 6] && !(sixth == 0 && last <= 1);
    if !compatible {
        return address.to_string();
    }
    let [.., a, b, c, d] = address.octets();
    format!("::{}", Ipv4Addr::new(a, b, c, d))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_it_was_made_of() {
        let address = Ipv6Addr::new(0xfe80, 0, 0, 0, 1, 2, 3, 4);
        let made = Address::v6(address, 80, 5, 6);
        assert_eq!(made.parts(), Parts::V6(address, 80, 5, 6));
    }

    #[test]
    fn addresses_are_written_as_in_messages() {
        let check = |address: Address, text: &str| assert_eq!(address.to_string(), text);
        check(Address::v4(Ipv4Addr::LOCALHOST, 80), "127.0.0.1:80");
        check(Address::v6(Ipv6Addr::LOCALHOST, 80, 0, 0), "[::1]:80");
        let unix = |path: &[u8]| {
            let family = family(libc::AF_UNIX).to_ne_bytes();
            Address::from_bytes(&[&family, path].concat()).expect("it is short")
        };
        check(unix(b"/tmp/x\0"), "/tmp/x");
        check(unix(b"\0name"), "@name");
        check(unix(b""), "?");
        check(Address::from_bytes(&[]).expect("it is short"), "?");
        assert!(Address::from_bytes(&[0; 129]).is_none());
    }

    #[test]
    fn hosts_are_written_as_the_system_writes_them() {
        let check = |segments: [u16; 8], text: &str| {
            assert_eq!(host_of(&Ipv6Addr::from(segments)), text);
        };
        check([0; 8], "::");
        check([0, 0, 0, 0, 0, 0, 0, 1], "::1");
        check([0, 0, 0, 0, 0, 0, 0, 5], "::0.0.0.5");
        check([0, 0, 0, 0, 0, 0, 0x0102, 0x0304], "::1.2.3.4");
        check([0, 0, 0, 0, 0, 0xffff, 0x0102, 0x0304], "::ffff:1.2.3.4");
        check([0xfe80, 0, 0, 0, 0, 0, 0, 1], "fe80::1");
    }
}
