//! `Desk`: where the guard and the clients of the socket leave orders, and where the package's
//! thread takes them and leaves its answers.
//!
//! ```text
//!   a client ── ask ──► orders ── next ──► the package's thread ── answer ──► the client
//!   the guard ── put ─────▲          (takes the GIL back with each order)
//! ```
//! An order that is there already is not left again: one look for deadlocks is as good as five. The
//! number of orders is limited, and so is what a thread that never gets the GIL can make pile up.
//!
//! Whether the package's thread has the GIL is what [`Desk::taken`] tells: an order counts as taken
//! when its thread is back in Python. While the number stands still although an order was left,
//! somebody keeps the GIL.
//!
//! Nothing here needs the GIL. A client waits for a while and then does without: the package's
//! thread cannot answer while native code keeps the GIL.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use greenloop_os::thread_activity::ThreadId;

/// The most orders that wait. More come only if the package's thread does not get the GIL.
const MOST_ORDERS: usize = 64;

/// Something for the package's thread to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Order {
    /// A client has asked this; the answer goes to the ticket.
    Answer {
        /// Which client.
        ticket: u64,
        /// Its request.
        request: Vec<u8>,
    },
    /// A stall has begun: its number.
    Stall(u64),
    /// A stall is to blame on the step after all: its number.
    StallChanged(u64),
    /// A stall has ended: its number.
    StallOver(u64),
    /// It is time to look for deadlocks.
    Check,
}

/// The desk.
#[derive(Default)]
pub struct Desk {
    state: Mutex<State>,
    /// An order has come, or the desk was closed.
    ordered: Condvar,
    /// An answer has come, or the desk was closed.
    answered: Condvar,
}

#[derive(Default)]
struct State {
    orders: VecDeque<Order>,
    /// The tickets of clients that wait, with their answers.
    answers: HashMap<u64, Option<Vec<u8>>>,
    last_ticket: u64,
    /// The last report, and when it was made.
    report: Option<(Instant, Vec<u8>)>,
    /// How many orders were taken by a thread that then had the GIL.
    taken: u64,
    /// The package's thread.
    thread: Option<ThreadId>,
    closed: bool,
}

impl Desk {
    /// Leaves an order, unless it is there already or there are too many. Whether it was left.
    pub fn put(&self, order: Order) -> bool {
        let mut state = self.lock();
        let left =
            !state.closed && state.orders.len() < MOST_ORDERS && !state.orders.contains(&order);
        if left {
            state.orders.push_back(order);
            self.ordered.notify_one();
        }
        left
    }

    /// Takes the next order, or `None` when the desk is closed.
    pub fn next(&self) -> Option<Order> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(order) = state.orders.pop_front() {
                return Some(order);
            }
            state = self
                .ordered
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// This is the package's thread.
    pub fn note_thread(&self) {
        self.lock().thread = Some(ThreadId::current());
    }

    /// The package's thread, once it has come here.
    pub fn thread(&self) -> Option<ThreadId> {
        self.lock().thread
    }

    /// The thread that has taken an order has the GIL.
    pub fn note_taken(&self) {
        self.lock().taken += 1;
    }

    /// How many orders were taken by a thread that then had the GIL.
    pub fn taken(&self) -> u64 {
        self.lock().taken
    }

    /// Has a request answered, within `patience`.
    pub fn ask(&self, request: Vec<u8>, patience: Duration) -> Option<Vec<u8>> {
        let mut state = self.lock();
        state.last_ticket += 1;
        let ticket = state.last_ticket;
        if state.closed || state.orders.len() >= MOST_ORDERS {
            return None;
        }
        state.orders.push_back(Order::Answer { ticket, request });
        state.answers.insert(ticket, None);
        self.ordered.notify_one();
        let waits =
            |state: &mut State| !state.closed && matches!(state.answers.get(&ticket), Some(None));
        let (mut state, _) = self
            .answered
            .wait_timeout_while(state, patience, waits)
            .unwrap_or_else(PoisonError::into_inner);
        let answer = state.answers.remove(&ticket).flatten();
        if answer.is_none() {
            // Nobody waits for it any more.
            let asked =
                |order: &Order| matches!(order, Order::Answer { ticket: of, .. } if *of == ticket);
            state.orders.retain(|order| !asked(order));
        }
        answer
    }

    /// Gives a client its answer; a report is kept for those who get none.
    pub fn answer(&self, ticket: u64, answer: Vec<u8>, is_report: bool) {
        let mut state = self.lock();
        if is_report {
            state.report = Some((Instant::now(), answer.clone()));
        }
        if let Some(place) = state.answers.get_mut(&ticket) {
            *place = Some(answer);
            self.answered.notify_all();
        }
    }

    /// The last report, and how old it is.
    pub fn last_report(&self) -> Option<(Duration, Vec<u8>)> {
        let state = self.lock();
        let (made, report) = state.report.as_ref()?;
        Some((made.elapsed(), report.clone()))
    }

    /// Nobody answers any more, and nobody waits.
    pub fn close(&self) {
        self.lock().closed = true;
        self.ordered.notify_all();
        self.answered.notify_all();
    }

    /// A thread that panicked left the state whole: each change is one statement.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
