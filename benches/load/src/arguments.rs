//! The command line: a command, then `--name value` pairs and flags.

use std::io;
use std::str::FromStr;

use crate::address::Address;

const FLAGS: [&str; 2] = ["tls", "line"];

/// What is asked for.
#[derive(Debug)]
pub struct Arguments {
    command: String,
    values: Vec<(String, String)>,
}

impl Arguments {
    /// Takes the words of a command line apart.
    pub fn parse(words: impl IntoIterator<Item = String>) -> io::Result<Self> {
        let mut words = words.into_iter();
        let command = words.next().ok_or_else(|| refusal("no command"))?;
        let mut values = Vec::new();
        while let Some(word) = words.next() {
            let Some(name) = word.strip_prefix("--") else {
                return Err(refusal(format!("{word:?} is no option")));
            };
            let value = if FLAGS.contains(&name) {
                String::new()
            } else {
                words
                    .next()
                    .ok_or_else(|| refusal(format!("--{name} needs a value")))?
            };
            values.push((name.to_owned(), value));
        }
        Ok(Self { command, values })
    }

    pub fn command(&self) -> &str {
        &self.command
    }

    /// Whether the flag was given.
    pub fn has(&self, name: &str) -> bool {
        self.values.iter().any(|(given, _)| given == name)
    }

    pub fn text(&self, name: &str) -> io::Result<&str> {
        self.values
            .iter()
            .find(|(given, _)| given == name)
            .map(|(_, value)| value.as_str())
            .ok_or_else(|| refusal(format!("--{name} is missing")))
    }

    /// The value of an option that must be a number of at least one.
    pub fn number(&self, name: &str) -> io::Result<usize> {
        match usize::from_str(self.text(name)?) {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(refusal(format!("--{name} is no positive number"))),
        }
    }

    pub fn address(&self, name: &str) -> io::Result<Address> {
        self.text(name)?.parse()
    }
}

fn refusal(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason.into())
}
