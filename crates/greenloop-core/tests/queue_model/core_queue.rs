//! The core's queue, used as a coroutine of a face uses it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::rc::Rc;

use greenloop_core::WaitList as _;
use greenloop_core::sync::{Admission, Event, NothingUnfinished, Queue, Refusal, Refused, Store};

use super::scheduler::{Line, Scheduler};
use super::{Outcome, Subject, Want};

/// The queue with its store and its event.
pub struct Core {
    queue: Queue<Line>,
    finished: Event<Line>,
    items: Items,
}

impl Subject for Core {
    fn new(scheduler: &Rc<Scheduler>, maxsize: usize) -> Self {
        let finished = Event::new(Line::new(scheduler));
        certain(finished.set());
        Self {
            queue: Queue::new(Line::new(scheduler), Line::new(scheduler)),
            finished,
            items: Items {
                maxsize,
                items: RefCell::default(),
            },
        }
    }

    fn go_on(&self, waiter: usize, want: Want) -> Option<Outcome> {
        let (admission, line) = match want {
            Want::Put(_) => (
                certain(self.queue.admit_putter(&self.items)),
                &self.queue.putters,
            ),
            Want::Get => (
                certain(self.queue.admit_getter(&self.items)),
                &self.queue.getters,
            ),
            Want::Join => {
                if self.finished.waiters.remove(&waiter)
                    || !self.queue.has_unfinished()
                    || self.finished.is_set()
                {
                    return Some(Outcome::Joined);
                }
                self.finished.waiters.push(&waiter);
                return None;
            }
        };
        match (admission, want) {
            (Admission::Wait, _) => {
                line.push(&waiter);
                None
            }
            (Admission::Never, _) => Some(Outcome::Refused(Refusal::ShutDown)),
            (Admission::Now, Want::Put(item)) => Some(self.put_nowait(item)),
            (Admission::Now, _) => Some(self.get_nowait()),
        }
    }

    fn interrupted(&self, waiter: usize, want: Want) {
        match want {
            Want::Put(_) => certain(self.queue.putter_gives_up(&self.items, &waiter)),
            Want::Get => certain(self.queue.getter_gives_up(&self.items, &waiter)),
            Want::Join => self.finished.leave(&waiter),
        }
    }

    fn put_nowait(&self, item: u32) -> Outcome {
        match certain(self.queue.put_nowait(&self.items, &self.finished, item)) {
            Ok(()) => Outcome::Put,
            Err(Refused(refusal, returned)) => {
                assert_eq!(returned, item, "what is refused comes back");
                Outcome::Refused(refusal)
            }
        }
    }

    fn get_nowait(&self) -> Outcome {
        match certain(self.queue.get_nowait(&self.items)) {
            Ok(item) => Outcome::Got(item),
            Err(refusal) => Outcome::Refused(refusal),
        }
    }

    fn task_done(&self) -> Option<Outcome> {
        let done = certain(self.queue.task_done(&self.finished));
        done.err().map(|NothingUnfinished| Outcome::TooOften)
    }

    fn shut_down(&self, immediate: bool) {
        certain(self.queue.shut_down(&self.items, &self.finished, immediate));
    }

    fn state(&self) -> (Vec<u32>, usize, usize, isize) {
        (
            self.items.items.borrow().iter().copied().collect(),
            self.queue.getters.waiters.borrow().len(),
            self.queue.putters.waiters.borrow().len(),
            self.queue.unfinished().get(),
        )
    }
}

/// Items first in, first out.
struct Items {
    maxsize: usize,
    items: RefCell<VecDeque<u32>>,
}

impl Store for Items {
    type Item = u32;
    type Error = Infallible;

    fn is_empty(&self) -> Result<bool, Infallible> {
        Ok(self.items.borrow().is_empty())
    }

    fn is_full(&self) -> Result<bool, Infallible> {
        Ok(self.maxsize > 0 && self.items.borrow().len() >= self.maxsize)
    }

    fn put(&self, item: u32) -> Result<(), Infallible> {
        self.items.borrow_mut().push_back(item);
        Ok(())
    }

    fn take(&self) -> Result<u32, Infallible> {
        Ok(self
            .items
            .borrow_mut()
            .pop_front()
            .expect("the queue looked"))
    }
}

fn certain<T>(result: Result<T, Infallible>) -> T {
    match result {
        Ok(value) => value,
    }
}
