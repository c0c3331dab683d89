//! The `sock_*` methods, which use a socket without a transport.
//!
//! `await loop.sock_recv(sock, n)` tries at once. If there is nothing yet, it waits until the
//! descriptor is readable, tries again in the turn that reports it, and resumes its task in the
//! next one. asyncio does the same with a future, a handle and callbacks, which are saved here. The
//! common part of all methods is in [`exchange`], each method in the file of its kind.
//!
//! All this is for exactly `socket.socket` in non-blocking mode (see [`mod@plain`]). Any other
//! socket may override its methods, or has to be refused, so asyncio's own coroutine is awaited
//! instead. The coroutine also raises the errors for wrong arguments.

pub mod address;
mod connecting;
mod exchange;
mod plain;
mod receiving;
mod sending;

use greenloop_cpython::{Method, fast};

use crate::event_loop::LoopInstance;

pub use plain::plain;
pub use receiving::unless_none_yet;

/// The methods of the loop.
pub fn methods() -> Vec<Method<LoopInstance>> {
    vec![
        fast(
            c"sock_recv",
            receiving::sock_recv,
            c"sock_recv($self, sock, n)\n--\n\n\
              Receive up to n bytes and return them; none are the end of the stream.\n\n\
              The socket has to be non-blocking. Raise OSError for an error of the system, and \
              RuntimeError for a wait on the socket of a transport.",
        ),
        fast(
            c"sock_recv_into",
            receiving::sock_recv_into,
            c"sock_recv_into($self, sock, buf)\n--\n\n\
              Receive into a writable buffer; return the number of bytes.",
        ),
        fast(
            c"sock_recvfrom",
            receiving::sock_recvfrom,
            c"sock_recvfrom($self, sock, bufsize)\n--\n\n\
              Receive a datagram of up to bufsize bytes; return it and the sender's address.\n\n\
              Bytes of the datagram beyond bufsize are lost.",
        ),
        fast(
            c"sock_recvfrom_into",
            receiving::sock_recvfrom_into,
            c"sock_recvfrom_into($self, sock, buf, nbytes=0)\n--\n\n\
              Receive a datagram into a buffer; return the number of bytes and the sender's \
              address.",
        ),
        fast(
            c"sock_sendall",
            sending::sock_sendall,
            c"sock_sendall($self, sock, data)\n--\n\nSend all of data, a bytes-like object.\n\n\
              Return None when the system has taken all bytes. After an exception it is not known \
              how many were sent.",
        ),
        fast(
            c"sock_sendto",
            sending::sock_sendto,
            c"sock_sendto($self, sock, data, address)\n--\n\n\
              Send a datagram to an address; return the number of bytes.",
        ),
        fast(
            c"sock_connect",
            connecting::sock_connect,
            c"sock_connect($self, sock, address)\n--\n\nConnect a socket to a remote address.\n\n\
              A host name is looked up first. Raise OSError if the connection cannot be made.",
        ),
        fast(
            c"sock_accept",
            connecting::sock_accept,
            c"sock_accept($self, sock)\n--\n\n\
              Accept a connection; return its socket and the peer's address.\n\n\
              The listening socket has to be non-blocking; the new socket is.",
        ),
    ]
}
