//! `Token`: a schedule as a short text, to be run again in another process.
//!
//! ```text
//!   g1 h v 4 . s 2Bn         format 1, hostile, virtual clock, late by 4 turns at most, seed
//!   g1 x v 4 . d 5A1 k1Z     exact; deviations: points since the last, by how much, a check
//! ```
//! Numbers are written in base 62, without spaces.

use std::fmt;
use std::iter::Peekable;
use std::str::{Chars, FromStr};

use super::{Choices, Deviation, Level};

/// The beginning of each token, with the number of the format.
const FORMAT: &str = "g1";

/// Sixty-two digits, in the order of ASCII.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The digits of a number in a list carry half of that: the upper half says that more follow.
const HALF: u64 = 31;

/// What the choices of a run come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Chance.
    Seed(u64),
    /// A list.
    Deviations(Vec<Deviation>),
}

/// All that one needs to run a schedule again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    /// Which orders were chosen from.
    pub level: Level,
    /// Whether the clock was a virtual one.
    pub virtual_clock: bool,
    /// The most turns that a job could be late.
    pub most_late: u32,
    /// What the choices came from.
    pub origin: Origin,
}

impl Token {
    /// The choices of the run, to be made again.
    pub fn choices(&self) -> Choices {
        match &self.origin {
            Origin::Seed(seed) => Choices::random(*seed),
            Origin::Deviations(deviations) => Choices::given(deviations.iter().copied()),
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Exact => 'x',
            Level::Hostile => 'h',
        };
        let clock = if self.virtual_clock { 'v' } else { 'r' };
        let mut text = format!("{FORMAT}{level}{clock}");
        push_number(&mut text, self.most_late.into());
        text.push('.');
        match &self.origin {
            Origin::Seed(seed) => {
                text.push('s');
                push_number(&mut text, *seed);
            }
            Origin::Deviations(deviations) => {
                text.push('d');
                let mut next = 0;
                for deviation in deviations {
                    push_number(&mut text, deviation.point.wrapping_sub(next));
                    push_number(&mut text, deviation.by.into());
                    text.push(digit_of(deviation.check.unwrap_or_default().into()));
                    next = deviation.point.wrapping_add(1);
                }
            }
        }
        formatter.write_str(&text)
    }
}

fn push_number(text: &mut String, mut number: u64) {
    while number >= HALF {
        let digit = HALF + number % HALF;
        text.push(digit_of(digit));
        number /= HALF;
    }
    text.push(digit_of(number));
}

/// The digit for a number below 62.
fn digit_of(number: u64) -> char {
    let place = usize::try_from(number).ok();
    let digit = place.and_then(|place| DIGITS.get(place));
    digit.map_or('z', |digit| char::from(*digit))
}

/// A text that is no token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadToken {
    /// It begins otherwise.
    Format,
    /// It ends too early, or has a character that stands for nothing there.
    Damaged,
}

impl fmt::Display for BadToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format => write!(formatter, "a token begins with {FORMAT:?}"),
            Self::Damaged => formatter.write_str("the token is damaged or incomplete"),
        }
    }
}

impl std::error::Error for BadToken {}

impl FromStr for Token {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        let rest = text.trim().strip_prefix(FORMAT).ok_or(BadToken::Format)?;
        let mut reader = Reader(rest.chars().peekable());
        let level = reader.either('x', 'h')?;
        let virtual_clock = reader.either('v', 'r')?;
        let most_late = reader.small_number()?;
        reader.either('.', '.')?;
        let origin = if reader.either('s', 'd')? {
            Origin::Seed(reader.number()?)
        } else {
            Origin::Deviations(reader.deviations()?)
        };
        if reader.0.peek().is_some() {
            return Err(BadToken::Damaged);
        }
        Ok(Self {
            level: if level { Level::Exact } else { Level::Hostile },
            virtual_clock,
            most_late,
            origin,
        })
    }
}

/// The rest of a token's text.
struct Reader<'a>(Peekable<Chars<'a>>);

impl Reader<'_> {
    /// Whether the next character is the first of these; it has to be one of both.
    fn either(&mut self, one: char, other: char) -> Result<bool, BadToken> {
        match self.0.next() {
            Some(next) if next == one => Ok(true),
            Some(next) if next == other => Ok(false),
            _ => Err(BadToken::Damaged),
        }
    }

    fn digit(&mut self) -> Result<u8, BadToken> {
        let next = self.0.next().ok_or(BadToken::Damaged)?;
        let mut digits = (0..).zip(DIGITS);
        let found = digits.find(|(_, digit)| char::from(**digit) == next);
        found.map(|(value, _)| value).ok_or(BadToken::Damaged)
    }

    fn number(&mut self) -> Result<u64, BadToken> {
        let (mut number, mut factor) = (0_u64, Some(1_u64));
        loop {
            let digit = u64::from(self.digit()?);
            let part = (digit % HALF).checked_mul(factor.ok_or(BadToken::Damaged)?);
            number = part
                .and_then(|part| number.checked_add(part))
                .ok_or(BadToken::Damaged)?;
            if digit < HALF {
                return Ok(number);
            }
            factor = factor.and_then(|factor| factor.checked_mul(HALF));
        }
    }

    fn small_number(&mut self) -> Result<u32, BadToken> {
        u32::try_from(self.number()?).map_err(|_| BadToken::Damaged)
    }

    fn deviations(&mut self) -> Result<Vec<Deviation>, BadToken> {
        let mut deviations = Vec::new();
        let mut next = 0_u64;
        while self.0.peek().is_some() {
            let gap = self.number()?;
            let point = next.checked_add(gap).ok_or(BadToken::Damaged)?;
            let by = self.small_number()?;
            let check = self.digit()?;
            deviations.push(Deviation {
                point,
                by,
                check: Some(check),
            });
            next = point.checked_add(1).ok_or(BadToken::Damaged)?;
        }
        Ok(deviations)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(origin: Origin) -> Token {
        Token {
            level: Level::Hostile,
            virtual_clock: true,
            most_late: 4,
            origin,
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            seed: u64,
            points in prop::collection::btree_set(0..u64::MAX, 0..6),
            by in 1_u32..,
            check in 0_u8..62,
            exact: bool,
            virtual_clock: bool,
            most_late: u32,
        ) {
            let check = Some(check);
            let deviation = |point| Deviation { point, by, check };
            let deviations = points.into_iter().map(deviation).collect();
            for origin in [Origin::Seed(seed), Origin::Deviations(deviations)] {
                let level = if exact { Level::Exact } else { Level::Hostile };
                let token = Token { level, virtual_clock, most_late, origin };
                prop_assert_eq!(token.to_string().parse(), Ok(token));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "(g1[xh][vr])?[0-9A-Za-z.]{0,40}|.*") {
            let _ = text.parse::<Token>();
        }
    }

    #[test]
    fn a_token_is_short() {
        assert_eq!(token(Origin::Seed(20)).to_string(), "g1hv4.sK");
        let check = Some(61);
        let deviations = [(40, 1), (1000, 3)].map(|(point, by)| Deviation { point, by, check });
        let text = token(Origin::Deviations(deviations.to_vec())).to_string();
        assert!(text.len() < 20, "{text}");
    }

    #[test]
    fn what_is_no_token_is_refused() {
        assert_eq!("".parse::<Token>(), Err(BadToken::Format));
        assert_eq!("1234".parse::<Token>(), Err(BadToken::Format));
        for text in [
            "g1",
            "g1hv",
            "g1hv4",
            "g1hv4.",
            "g1hv4.q1",
            "g1hv4.d1",
            "g1hv4.s1!",
            "g1hv4.szzzzzzzzzzzzzzzzz",
        ] {
            assert_eq!(text.parse::<Token>(), Err(BadToken::Damaged), "{text}");
        }
    }
}
