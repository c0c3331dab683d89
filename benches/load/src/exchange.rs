//! One request and its answer: what is sent, and when the answer is whole and right.

use std::io;

/// What every connection says again and again, and what it expects to hear.
pub enum Exchange {
    /// Bytes that must come back.
    Echo(Vec<u8>),
    /// A request of HTTP/1.1, whose answer says how long it is.
    Http,
}

/// How far an answer has come.
#[derive(Default)]
pub struct Answer {
    /// Bytes received of it.
    received: usize,
    /// The head of an HTTP answer, until its length is known.
    head: Vec<u8>,
    /// Bytes of the whole answer; known from the start for an echo.
    length: Option<usize>,
}

const HTTP_REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n";

/// A server whose head grows beyond this is not answering what was asked.
const LONGEST_HEAD: usize = 16 * 1024;

impl Exchange {
    /// A pattern of `size` bytes that repeats after 251, so that a shifted answer is noticed; as a
    /// line it ends in the only newline.
    pub fn echo(size: usize, line: bool) -> Self {
        let mut bytes: Vec<u8> = (0..=250u8).cycle().take(size).collect();
        if line {
            for byte in &mut bytes {
                *byte = b'a' + *byte % 26;
            }
            if let Some(last) = bytes.last_mut() {
                *last = b'\n';
            }
        }
        Self::Echo(bytes)
    }

    pub fn request(&self) -> &[u8] {
        match self {
            Self::Echo(bytes) => bytes,
            Self::Http => HTTP_REQUEST,
        }
    }

    /// Takes the next bytes of the answer, and says whether it is whole now.
    pub fn accept(&self, answer: &mut Answer, bytes: &[u8]) -> io::Result<bool> {
        match self {
            Self::Echo(sent) => {
                let end = answer.received + bytes.len();
                if sent.get(answer.received..end) != Some(bytes) {
                    return Err(io::Error::other("the echo differs from what was sent"));
                }
                answer.received = end;
                Ok(end == sent.len())
            }
            Self::Http => answer.accept_http(bytes),
        }
    }
}

impl Answer {
    fn accept_http(&mut self, bytes: &[u8]) -> io::Result<bool> {
        self.received += bytes.len();
        if self.length.is_none() {
            self.head.extend_from_slice(bytes);
            self.length = length_of_answer(&self.head)?;
            if self.length.is_none() && self.head.len() > LONGEST_HEAD {
                return Err(io::Error::other("the head of the answer has no end"));
            }
        }
        match self.length {
            Some(length) if self.received > length => {
                Err(io::Error::other("more than the answer came"))
            }
            Some(length) => Ok(self.received == length),
            None => Ok(false),
        }
    }

    /// Forgets the answer and keeps the memory.
    pub fn clear(&mut self) {
        self.received = 0;
        self.head.clear();
        self.length = None;
    }
}

/// Head and body together, or None while the head is not whole.
fn length_of_answer(head: &[u8]) -> io::Result<Option<usize>> {
    let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&head[..end]);
    let mut lines = text.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if !status.starts_with("HTTP/1.1 200") {
        return Err(io::Error::other(format!("the answer is {status:?}")));
    }
    let body = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok())
        .ok_or_else(|| io::Error::other("the answer does not say how long it is"))?;
    Ok(Some(end + 4 + body))
}

#[cfg(test)]
mod tests {
    use super::{Answer, Exchange};

    #[test]
    fn an_echo_is_whole_when_every_byte_came_back() {
        let exchange = Exchange::echo(600, false);
        let sent = exchange.request().to_vec();
        let mut answer = Answer::default();
        assert!(!exchange.accept(&mut answer, &sent[..250]).unwrap());
        assert!(exchange.accept(&mut answer, &sent[250..]).unwrap());
    }

    #[test]
    fn an_echo_that_differs_or_is_too_long_is_refused() {
        let exchange = Exchange::echo(4, false);
        assert!(
            exchange
                .accept(&mut Answer::default(), b"\x00\x02")
                .is_err()
        );
        let long = b"\x00\x01\x02\x03\x04";
        assert!(exchange.accept(&mut Answer::default(), long).is_err());
    }

    #[test]
    fn a_line_has_one_newline_at_its_end() {
        let line = Exchange::echo(64, true).request().to_vec();
        assert_eq!(line.iter().position(|&byte| byte == b'\n'), Some(63));
    }

    #[test]
    fn an_http_answer_says_how_long_it_is() {
        let text = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
        for cut in 0..text.len() {
            let mut answer = Answer::default();
            assert!(!Exchange::Http.accept(&mut answer, &text[..cut]).unwrap());
            assert!(Exchange::Http.accept(&mut answer, &text[cut..]).unwrap());
        }
        let failure = b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n";
        assert!(
            Exchange::Http
                .accept(&mut Answer::default(), failure)
                .is_err()
        );
    }
}
