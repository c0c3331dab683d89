//! The state of a datagram transport besides its attributes: its registration as a reader, how
//! datagrams have arrived so far, and the address of the last sender.
//!
//! Only the loop's thread uses it, with the GIL held, so plain cells suffice.

use std::cell::Cell;

use greenloop_cpython::{Class, Held, Object, Result, Slot, Visited, Visitor, class_of};
use greenloop_os::address::Address;

use crate::sockets::address::to_python;

/// The class.
pub static CLASS: Class<State> = Class::new();

/// The value of a state.
pub struct State {
    /// The number of the present registration; the one before is none any more.
    pub generation: Cell<u32>,
    /// The context of the registration, in which the protocol is called.
    pub context: Slot,
    /// Decides about looks; it holds no object.
    pub expectation: Expectation,
    /// The sender of the last datagram: most come from the same sender as the one before, and most
    /// are answered there.
    address: Cell<Option<Address>>,
    /// The same as Python sees it.
    seen: Slot,
}

/// Whether to look for another datagram in the next turn without asking the poller, which costs
/// twice as much as to look in vain. That is worth while where they come in bursts, from several
/// peers.
pub struct Expectation {
    /// Goes up with each look that finds something and down, faster, with each in vain.
    hope: Cell<u8>,
    /// How many were received without another look: now and then one is risked without hope.
    idle: Cell<u8>,
    /// The registration for which a look is queued, while one is.
    looking: Cell<Option<u32>>,
    /// Set while the protocol is notified of a datagram.
    telling: Cell<bool>,
}

impl Expectation {
    /// The limit bounds how many looks are in vain after a long burst: four, at [`Self::PRICE`]
    /// each.
    const MOST_HOPE: u8 = 8;
    /// A look in vain costs a system call that has found nothing, so it weighs more than a success.
    const PRICE: u8 = 2;
    /// After this many datagrams without hope one look is made all the same, so that a burst is
    /// noticed.
    const PATIENCE: u8 = 16;
    /// From how much hope on it is a burst.
    const BURST: u8 = 4;

    const fn new() -> Self {
        Self {
            hope: Cell::new(0),
            idle: Cell::new(0),
            looking: Cell::new(None),
            telling: Cell::new(false),
        }
    }

    /// Notes that the protocol is being notified of a datagram, or no longer is.
    #[inline]
    pub fn set_telling(&self, telling: bool) {
        self.telling.set(telling);
    }

    /// Whether a datagram sent now answers one of a burst: the next of the burst comes before any
    /// reaction to the answer.
    #[inline]
    pub fn is_amid_a_burst(&self) -> bool {
        self.telling.get() && self.hope.get() >= Self::BURST
    }

    /// A look is queued for the registration with this generation.
    pub fn expect_look(&self, generation: u32) {
        self.looking.set(Some(generation));
    }

    /// Whether such a look is queued, which will receive the datagram that the poller reports
    /// meanwhile: in one turn there is one datagram.
    pub fn is_due(&self, generation: u32) -> bool {
        self.looking.get() == Some(generation)
    }

    /// The look that was queued for the registration with this generation takes place.
    pub fn take_look(&self, generation: u32) {
        if self.is_due(generation) {
            self.looking.set(None);
        }
    }

    /// A datagram was `received` or not, by a look or because of an event. Returns whether to look
    /// again. The first datagram after an event does not raise hope: only a look that finds
    /// something shows that datagrams come faster than turns.
    #[inline]
    pub fn learn(&self, looked: bool, received: bool) -> bool {
        let hope = self.hope.get();
        if !received {
            if looked {
                self.hope.set(hope.saturating_sub(Self::PRICE));
            }
            return false;
        }
        if looked {
            self.hope.set((hope + 1).min(Self::MOST_HOPE));
        }
        let idle = self.idle.get() + 1;
        let look = self.hope.get() > 0 || idle == Self::PATIENCE;
        self.idle.set(if look { 0 } else { idle });
        look
    }
}

impl State {
    /// An address that something came from, as Python sees it. The same sender gets the same tuple
    /// again, which saves making one and lets [`recognise`](Self::recognise) compare by identity.
    /// It is None for an address of a family without a form here.
    ///
    /// # Errors
    /// A failed allocation.
    #[inline]
    pub fn show(&self, address: Address) -> Result<Object> {
        if self.address.get().is_some_and(|last| last == address) {
            if let Some(seen) = self.seen.get() {
                return Ok(seen);
            }
        }
        let Some(seen) = to_python(&address) else {
            return Ok(Object::none());
        };
        let seen = seen?;
        self.address.set(Some(address));
        self.seen.set(seen.clone());
        Ok(seen)
    }

    /// The address that `object` is, if it is the very one that was shown last. A protocol that
    /// answers hands back the tuple that it was given, and tuples cannot change: no conversion is
    /// needed then.
    #[inline]
    pub fn recognise(&self, object: &Object) -> Option<Address> {
        self.address
            .get()
            .filter(|_| object.is(self.seen.as_ptr()) && !object.is_none())
    }
}

// SAFETY: a context and a seen address, each in a field that owns it.
unsafe impl Held for State {
    fn new() -> Self {
        Self {
            generation: Cell::new(0),
            context: Slot::empty(),
            expectation: Expectation::new(),
            address: Cell::new(None),
            seen: Slot::empty(),
        }
    }

    fn visit(&self, visitor: &Visitor) -> Visited {
        self.context.visit(visitor)?;
        self.seen.visit(visitor)
    }

    fn clear(&self) {
        self.context.clear();
        self.seen.clear();
    }
}

/// Makes the class.
pub fn make_class() -> Result<()> {
    class_of::<State>(c"greenloop.DatagramState")
        .not_callable()
        .doc(c"What a datagram transport keeps for itself.")
        .build_into(&CLASS)
}
