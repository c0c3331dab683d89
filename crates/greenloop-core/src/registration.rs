//! `Registered`: how the poller knows a descriptor, and when that has to change.
//!
//! ```text
//!                1 listeners                  2 none are left, and one was told always
//!   ┌─────────┐ ─────────────► ┌────────────┐ ────────────────────────────────────────► unknown
//!   │ unknown │                │ registered │
//!   └─────────┘                └────────────┘
//!        ▲                       │ 3 none     ▲
//!        │                       ▼ are left   │ 1 listeners
//!        │ the poller has    ┌───────┐        │
//!        ├────────────────── │ ended │ ───────┤
//!        │ forgotten it      └───────┘        │
//!        │                       │ 4 silence  │
//!        │                       ▼            │
//!        │                   ┌────────┐       │
//!        └────────────────── │ silent │ ──────┘
//!                            └────────┘
//! ```
//! 1 to 3 are [`update`](Registered::update), 4 is [`silence`](Registered::silence).
//!
//! A descriptor that has only waits is told of on change, since each of them has tried before, and
//! stays registered when they are over: the next wait is often for the same descriptor, and renews
//! the registration in one call where a new one would take two. With any other listener it is told
//! of always.
//!
//! The program may close a descriptor that is registered. The poller has then forgotten it, and the
//! number may be another file's: the next change fails, and the descriptor is registered anew,
//! under another mark.

/// The events of a descriptor that are to be reported.
///
/// A poller also reports errors and hang-ups, for every interest, even none: a descriptor without
/// listeners has to be removed or silenced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interest {
    /// That it can be read without blocking.
    pub read: bool,
    /// That it can be written without blocking.
    pub write: bool,
}

impl Interest {
    /// Whether no event is of interest.
    #[inline]
    pub const fn is_none(self) -> bool {
        !self.read && !self.write
    }
}

/// How a descriptor is registered: of an [`Interest`] alone, for good and with the mark 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Registration {
    /// The events that are to be reported.
    pub interest: Interest,
    /// When to report it.
    pub mode: Mode,
    /// Comes back in each event. If numbers of descriptors are reused, it distinguishes the events
    /// of a registration from those of an older one that can no longer be reached.
    pub mark: u32,
}

impl From<Interest> for Registration {
    fn from(interest: Interest) -> Self {
        Self {
            interest,
            mode: Mode::Level,
            mark: 0,
        }
    }
}

/// When a registered descriptor is reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// In each wait in which it is ready: level-triggered.
    Level,
    /// When more bytes or more room have come since it was reported or registered: edge-triggered.
    /// A waiter has tried before, and found that it would block. A registration for reading also
    /// reports the end of the stream and urgent data.
    Edge,
    /// Never, for any interest, except that an error or a hang-up is reported once at most. The
    /// registration is only kept in place.
    Disabled,
}

/// The poller, as far as it concerns one descriptor.
pub trait Registrar {
    /// Why it refuses.
    type Error;

    /// Registers the descriptor.
    fn add(&self, registration: Registration) -> Result<(), Self::Error>;

    /// Replaces the registration, and reports the descriptor if it is ready now. Fails if the
    /// descriptor is not registered: also if its number was, for another file.
    fn modify(&self, registration: Registration) -> Result<(), Self::Error>;

    /// Forgets the descriptor.
    fn remove(&self) -> Result<(), Self::Error>;
}

/// What the poller knows of one descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Registered {
    /// `None` if the descriptor is unknown.
    known: Option<Registration>,
}

impl Registered {
    /// Transitions 1 to 3: the listeners have changed, and have this interest now. `are_waits` says
    /// that each of them is a wait. `last_mark` counts the registrations of all descriptors.
    ///
    /// # Errors
    /// That of the poller, if it does not take the descriptor. It is unknown then.
    #[inline]
    pub fn update<R: Registrar>(
        &mut self,
        poller: &R,
        interest: Interest,
        are_waits: bool,
        last_mark: &mut u32,
    ) -> Result<(), R::Error> {
        let Some(known) = self.known else {
            if interest.is_none() {
                return Ok(());
            }
            return self.register_anew(poller, interest, are_waits, last_mark);
        };
        if interest.is_none() {
            // An edge-triggered registration is silenced before the next poll, unless there is a
            // wait by then.
            if known.mode == Mode::Level {
                self.known = None;
                // A descriptor that was closed first has left the poller by itself.
                let _closed_before = poller.remove();
            }
            return Ok(());
        }
        let wanted = Registration {
            interest,
            mode: mode_for(are_waits),
            ..known
        };
        // A change that has been reported is not reported again, so that registration is always
        // renewed.
        if wanted == known && wanted.mode == Mode::Level {
            return Ok(());
        }
        match poller.modify(wanted) {
            Ok(()) => {
                self.known = Some(wanted);
                Ok(())
            }
            // The descriptor was closed and its number given to a new file: it is watched anew.
            Err(_) => self.register_anew(poller, interest, are_waits, last_mark),
        }
    }

    fn register_anew<R: Registrar>(
        &mut self,
        poller: &R,
        interest: Interest,
        are_waits: bool,
        last_mark: &mut u32,
    ) -> Result<(), R::Error> {
        *last_mark = last_mark.wrapping_add(1);
        let registration = Registration {
            interest,
            mode: mode_for(are_waits),
            mark: *last_mark,
        };
        self.known = None;
        poller.add(registration)?;
        self.known = Some(registration);
        Ok(())
    }

    /// Transition 4, if `interest` is none and the registration is one of waits: has the poller
    /// report nothing more. Returns whether it has forgotten the descriptor, which was closed.
    #[must_use]
    pub fn silence<R: Registrar>(&mut self, poller: &R, interest: Interest) -> bool {
        let Some(known) = self.known.filter(|_| self.is_ended(interest)) else {
            return false;
        };
        let silent = Registration {
            mode: Mode::Disabled,
            ..known
        };
        self.known = Some(silent);
        let is_forgotten = poller.modify(silent).is_err();
        if is_forgotten {
            self.known = None;
        }
        is_forgotten
    }

    /// Whether the poller reports changes that have no listener, whose interest this is.
    #[inline]
    pub fn is_ended(&self, interest: Interest) -> bool {
        let mode = self.known.map(|known| known.mode);
        mode == Some(Mode::Edge) && interest.is_none()
    }

    /// Whether the poller does not know the descriptor.
    #[inline]
    pub const fn is_unknown(&self) -> bool {
        self.known.is_none()
    }

    /// Whether it reports each change that makes the descriptor readable, and nothing else.
    #[inline]
    pub fn tells_of_bytes(&self) -> bool {
        self.known.is_some_and(|known| {
            known.mode == Mode::Edge && known.interest.read && !known.interest.write
        })
    }

    /// Whether an event with this mark is the descriptor's. If not, it belongs to a file that had
    /// the number before, whose description lives on elsewhere.
    #[inline]
    pub fn is_marked(&self, mark: u32) -> bool {
        self.known.is_some_and(|known| known.mark == mark)
    }
}

/// How a descriptor is registered for its listeners: waits have tried before.
const fn mode_for(are_waits: bool) -> Mode {
    if are_waits { Mode::Edge } else { Mode::Level }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    const READ: Interest = Interest {
        read: true,
        write: false,
    };
    const NOTHING: Interest = Interest {
        read: false,
        write: false,
    };

    /// A poller that keeps a record of what it is asked, and refuses on demand.
    #[derive(Default)]
    struct Record {
        requests: RefCell<Vec<(&'static str, Option<Mode>, u32)>>,
        is_forgotten: Cell<bool>,
    }

    impl Record {
        fn note(&self, request: &'static str, registration: Registration) {
            let Registration { mode, mark, .. } = registration;
            self.requests.borrow_mut().push((request, Some(mode), mark));
        }
    }

    impl Registrar for Record {
        type Error = ();

        fn add(&self, registration: Registration) -> Result<(), ()> {
            self.is_forgotten.set(false);
            self.note("add", registration);
            Ok(())
        }

        fn modify(&self, registration: Registration) -> Result<(), ()> {
            self.note("modify", registration);
            if self.is_forgotten.get() {
                Err(())
            } else {
                Ok(())
            }
        }

        fn remove(&self) -> Result<(), ()> {
            self.requests.borrow_mut().push(("remove", None, 0));
            Ok(())
        }
    }

    #[test]
    fn a_listener_by_level_is_registered_and_removed() {
        let (record, mut registered, mut marks) = (Record::default(), Registered::default(), 0);
        for interest in [READ, READ, NOTHING, NOTHING] {
            assert!(
                registered
                    .update(&record, interest, false, &mut marks)
                    .is_ok()
            );
        }
        let requests = record.requests.take();
        assert_eq!(
            requests,
            [("add", Some(Mode::Level), 1), ("remove", None, 0)]
        );
        assert!(registered.is_unknown());
    }

    #[test]
    fn a_registration_of_waits_is_renewed_kept_and_silenced() {
        let (record, mut registered, mut marks) = (Record::default(), Registered::default(), 0);
        for interest in [READ, NOTHING, READ, NOTHING] {
            assert!(
                registered
                    .update(&record, interest, true, &mut marks)
                    .is_ok()
            );
        }
        assert!(registered.is_ended(NOTHING));
        assert!(!registered.silence(&record, NOTHING));
        assert!(!registered.is_ended(NOTHING));
        let on_change = Some(Mode::Edge);
        let never = Some(Mode::Disabled);
        let expected = [
            ("add", on_change, 1),
            ("modify", on_change, 1),
            ("modify", never, 1),
        ];
        assert_eq!(record.requests.take(), expected);
    }

    #[test]
    fn a_descriptor_that_was_closed_is_registered_under_another_mark() {
        let (record, mut registered, mut marks) = (Record::default(), Registered::default(), 0);
        assert!(registered.update(&record, READ, true, &mut marks).is_ok());
        record.is_forgotten.set(true);
        assert!(registered.update(&record, READ, true, &mut marks).is_ok());
        assert!(registered.is_marked(2) && !registered.is_marked(1));
    }

    #[test]
    fn a_descriptor_that_was_closed_is_forgotten_when_it_is_silenced() {
        let (record, mut registered, mut marks) = (Record::default(), Registered::default(), 0);
        for interest in [READ, NOTHING] {
            assert!(
                registered
                    .update(&record, interest, true, &mut marks)
                    .is_ok()
            );
        }
        record.is_forgotten.set(true);
        assert!(registered.silence(&record, NOTHING));
        assert!(registered.is_unknown());
    }
}
