//! Registrations against a kernel whose descriptors the program closes as it likes: no listener is
//! left without its registration, none is registered for nobody, and no call is made in vain.

use std::cell::{Cell, RefCell};

use greenloop_core::{Interest, Mode, Registered, Registrar, Registration};
use proptest::prelude::*;

/// What happens to a descriptor.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A listener comes, or goes.
    Listen(Side, Option<Kind>),
    /// The loop is about to wait.
    Silence,
    /// The program closes the descriptor; its number is another file's at once.
    Reopen,
    /// From now on the kernel takes no further descriptors, or does so again.
    Refuse(bool),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Reader,
    Writer,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Handle,
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    let side = prop::sample::select(vec![Side::Reader, Side::Reader, Side::Writer]);
    let kind = prop::sample::select(vec![None, None, Some(Kind::Handle), Some(Kind::Wait)]);
    prop_oneof![
        12 => (side, kind).prop_map(|(side, kind)| Step::Listen(side, kind)),
        3 => Just(Step::Silence),
        2 => Just(Step::Reopen),
        1 => prop::bool::weighted(0.3).prop_map(Step::Refuse),
    ]
}

/// The kernel's side of one number.
#[derive(Default)]
struct Kernel {
    registration: Cell<Option<Registration>>,
    refuses: Cell<bool>,
    calls: RefCell<Vec<&'static str>>,
    /// The marks of all registrations there were.
    marks: RefCell<Vec<u32>>,
}

#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    NoRoom,
    Unknown,
}

impl Registrar for Kernel {
    type Error = Refusal;

    fn add(&self, registration: Registration) -> Result<(), Refusal> {
        self.calls.borrow_mut().push("add");
        assert!(self.registration.get().is_none(), "it is registered");
        if self.refuses.get() {
            return Err(Refusal::NoRoom);
        }
        assert!(
            !self.marks.borrow().contains(&registration.mark),
            "a mark twice"
        );
        self.marks.borrow_mut().push(registration.mark);
        self.registration.set(Some(registration));
        Ok(())
    }

    fn modify(&self, registration: Registration) -> Result<(), Refusal> {
        self.calls.borrow_mut().push("modify");
        let known = self.registration.get().ok_or(Refusal::Unknown)?;
        assert_eq!(
            known.mark, registration.mark,
            "a modified registration keeps its mark"
        );
        self.registration.set(Some(registration));
        Ok(())
    }

    fn remove(&self) -> Result<(), Refusal> {
        self.calls.borrow_mut().push("remove");
        self.registration.take().map(drop).ok_or(Refusal::Unknown)
    }
}

/// The listeners of a descriptor, as a loop has them.
#[derive(Clone, Copy, Default)]
struct Listeners {
    reader: Option<Kind>,
    writer: Option<Kind>,
}

impl Listeners {
    const fn interest(self) -> Interest {
        Interest {
            read: self.reader.is_some(),
            write: self.writer.is_some(),
        }
    }

    fn has_handle(self) -> bool {
        [self.reader, self.writer].contains(&Some(Kind::Handle))
    }

    fn mode(self) -> Mode {
        if self.has_handle() {
            Mode::Level
        } else {
            Mode::Edge
        }
    }

    const fn with(mut self, side: Side, kind: Option<Kind>) -> Self {
        match side {
            Side::Reader => self.reader = kind,
            Side::Writer => self.writer = kind,
        }
        self
    }
}

proptest! {
    #[test]
    fn the_kernel_knows_what_the_listeners_want(steps in prop::collection::vec(step(), 1..60)) {
        let kernel = Kernel::default();
        let mut registered = Registered::default();
        let mut listeners = Listeners::default();
        let mut last_mark = 0;
        // Set while the descriptor was closed and nobody has been told.
        let mut reopened = false;
        for step in steps {
            kernel.calls.borrow_mut().clear();
            let before = kernel.registration.get();
            match step {
                Step::Listen(side, kind) => {
                    let next = listeners.with(side, kind);
                    let (interest, are_waits) = (next.interest(), !next.has_handle());
                    let outcome = registered.update(&kernel, interest, are_waits, &mut last_mark);
                    let calls = kernel.calls.take();
                    let now = kernel.registration.get();
                    if outcome.is_err() {
                        // The caller puts the listener back that was there.
                        prop_assert!(kernel.refuses.get() && registered.is_unknown());
                        prop_assert_eq!(now, None);
                        reopened = !listeners.interest().is_none();
                        continue;
                    }
                    let was_told = before.map(|before| before.mode);
                    listeners = next;
                    if interest.is_none() {
                        // Only waits leave their registration behind, and without a call.
                        if was_told == Some(Mode::Level) {
                            prop_assert_eq!(calls, ["remove"]);
                            prop_assert_eq!(now, None);
                        } else if !reopened {
                            prop_assert_eq!(calls.len(), 0);
                            prop_assert_eq!(now, before);
                        }
                        reopened &= !registered.is_unknown();
                    } else if !reopened || !calls.is_empty() {
                        let now = now.expect("somebody listens");
                        prop_assert_eq!(now.interest, interest);
                        prop_assert_eq!(now.mode, listeners.mode());
                        prop_assert!(registered.is_marked(now.mark));
                        let unchanged = before == Some(now) && now.mode == Mode::Level;
                        if !reopened {
                            prop_assert_eq!(calls.len(), usize::from(!unchanged));
                        }
                        reopened = false;
                    }
                }
                Step::Silence => {
                    let interest = listeners.interest();
                    let is_ended = registered.is_ended(interest);
                    prop_assert!(interest.is_none() || !is_ended, "somebody listens");
                    if let Some(before) = before {
                        let tells = before.mode == Mode::Edge && interest.is_none();
                        prop_assert_eq!(is_ended, tells);
                    }
                    let is_forgotten = registered.silence(&kernel, interest);
                    prop_assert_eq!(is_forgotten, is_ended && before.is_none());
                    prop_assert_eq!(kernel.calls.take().len(), usize::from(is_ended));
                    if is_forgotten {
                        prop_assert!(registered.is_unknown());
                        reopened = false;
                    }
                    let now = kernel.registration.get();
                    // Nobody is told for nobody.
                    let silent = now.is_none_or(|now| now.mode == Mode::Disabled);
                    prop_assert!(silent || !interest.is_none());
                }
                Step::Reopen => {
                    kernel.registration.set(None);
                    reopened = !registered.is_unknown();
                }
                Step::Refuse(refuses) => kernel.refuses.set(refuses),
            }
            if let Some(now) = kernel.registration.get() {
                let of_bytes = Interest { read: true, write: false };
                let tells = now.mode == Mode::Edge && now.interest == of_bytes;
                prop_assert_eq!(registered.tells_of_bytes(), tells);
                prop_assert!(!registered.is_marked(now.mark.wrapping_sub(1)));
            }
        }
    }
}
