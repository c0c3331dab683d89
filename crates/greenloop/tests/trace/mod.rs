//! A record of events, in order.

use std::cell::RefCell;
use std::fmt::Display;
use std::rc::Rc;

/// A list of words that tasks share.
#[derive(Clone, Default)]
pub struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    /// Notes a word.
    pub fn note(&self, word: impl Display) {
        self.0.borrow_mut().push(word.to_string());
    }

    /// The words since the last call, with spaces between them.
    pub fn take(&self) -> String {
        self.0.take().join(" ")
    }
}

/// Notes a word when it is dropped.
#[allow(dead_code, reason = "not every test looks at destructors")]
pub struct OnDrop(pub Trace, pub &'static str);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.note(self.1);
    }
}
