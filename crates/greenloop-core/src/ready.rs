//! The jobs that may run now, in the order in which they became ready.
//!
//! It is a ring rather than a linked list because jobs are small values: once the ring has grown to
//! its size, a job needs no allocation.

use std::collections::{VecDeque, vec_deque};

/// First in, first out: asyncio's `loop._ready`.
#[derive(Debug)]
pub struct Ready<J> {
    ring: VecDeque<J>,
}

impl<J> Ready<J> {
    /// A ring without jobs, which takes no memory before the first [`push`](Self::push).
    pub const fn new() -> Self {
        Self {
            ring: VecDeque::new(),
        }
    }

    /// Puts a job behind all others.
    #[inline]
    pub fn push(&mut self, job: J) {
        self.ring.push_back(job);
    }

    /// Takes the job that has waited longest.
    #[inline]
    pub fn pop(&mut self) -> Option<J> {
        self.ring.pop_front()
    }

    /// Takes the job that would run last.
    #[inline]
    pub fn pop_last(&mut self) -> Option<J> {
        self.ring.pop_back()
    }

    /// Puts these jobs in the place of those that wait, which the caller gets.
    pub fn exchange(&mut self, jobs: &mut VecDeque<J>) {
        std::mem::swap(&mut self.ring, jobs);
    }

    /// The job that has `places` others before it.
    #[inline]
    pub fn get(&self, places: usize) -> Option<&J> {
        self.ring.get(places)
    }

    /// Has two jobs change places, which are counted as in [`get`](Self::get).
    ///
    /// # Panics
    /// If there are not that many jobs.
    pub fn swap(&mut self, one: usize, other: usize) {
        self.ring.swap(one, other);
    }

    /// How many jobs wait.
    #[inline]
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// Whether no job waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// The jobs, next to run first.
    pub fn iter(&self) -> vec_deque::Iter<'_, J> {
        self.ring.iter()
    }

    /// Takes all jobs at once and leaves an empty ring.
    ///
    /// There is no `clear`: it would drop the jobs while the ring is borrowed, and dropping one
    /// may run user code that pushes the next.
    #[must_use = "dropping the jobs inside of the borrow is what this method is there to avoid"]
    pub fn take(&mut self) -> VecDeque<J> {
        std::mem::take(&mut self.ring)
    }
}

impl<J> Default for Ready<J> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a, J> IntoIterator for &'a Ready<J> {
    type Item = &'a J;
    type IntoIter = vec_deque::Iter<'a, J>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_leave_in_the_order_they_came() {
        let mut ready = Ready::new();
        ready.push(1);
        ready.push(2);
        assert_eq!(ready.pop(), Some(1));
        ready.push(3);
        assert_eq!(ready.iter().copied().collect::<Vec<_>>(), [2, 3]);
        assert_eq!(
            (ready.pop(), ready.pop(), ready.pop()),
            (Some(2), Some(3), None)
        );
        assert!(ready.is_empty());
    }

    #[test]
    fn jobs_change_places_wherever_the_ring_begins() {
        let mut ready = Ready::new();
        (0..4).for_each(|job| ready.push(job));
        let wrapped = ready.pop().into_iter().chain(ready.pop());
        wrapped.for_each(|job| ready.push(job));
        ready.swap(0, 3);
        ready.swap(2, 2);
        assert_eq!(ready.take(), [1, 3, 0, 2]);
    }

    #[test]
    fn take_leaves_an_empty_ring_that_works() {
        let mut ready = Ready::new();
        ready.push("a");
        ready.push("b");
        assert_eq!(ready.take(), ["a", "b"]);
        assert_eq!(ready.len(), 0);
        ready.push("c");
        assert_eq!(ready.pop(), Some("c"));
    }
}
