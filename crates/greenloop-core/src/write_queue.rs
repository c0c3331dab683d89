//! The data that waits to be written: chunks in order, the first of which may be partly written.
//!
//! The caller owns the chunks; the queue only counts how much of each is left.

use std::collections::VecDeque;

/// Chunks of bytes in the order of writing.
#[derive(Debug)]
pub struct WriteQueue<C> {
    /// Each chunk with its length, which is not zero.
    chunks: VecDeque<(C, usize)>,
    /// How much of the first chunk is written. Less than its length.
    written: usize,
    /// How many bytes are left in all.
    left: usize,
}

impl<C> WriteQueue<C> {
    /// Nothing to write.
    pub const fn new() -> Self {
        Self {
            chunks: VecDeque::new(),
            written: 0,
            left: 0,
        }
    }

    /// Puts a chunk of `length` bytes at the end. An empty one could never be written, and is
    /// returned.
    pub fn push(&mut self, chunk: C, length: usize) -> Option<C> {
        if length == 0 {
            return Some(chunk);
        }
        self.chunks.push_back((chunk, length));
        self.left += length;
        None
    }

    /// How many bytes are left.
    pub const fn len(&self) -> usize {
        self.left
    }

    /// Whether nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// The chunks, each with the range of its bytes that is left.
    pub fn iter(&self) -> impl Iterator<Item = (&C, std::ops::Range<usize>)> {
        let starts = std::iter::once(self.written).chain(std::iter::repeat(0));
        self.chunks
            .iter()
            .zip(starts)
            .map(|((chunk, length), start)| (chunk, start..*length))
    }

    /// Takes note that the next `count` bytes are written. The chunks that are done with are moved
    /// to `done`, for the caller to drop.
    pub fn advance(&mut self, count: usize, done: &mut Vec<C>) {
        let mut count = count.min(self.left);
        self.left -= count;
        while count > 0 {
            let Some((_, length)) = self.chunks.front() else {
                break;
            };
            let rest = length - self.written;
            if count < rest {
                self.written += count;
                break;
            }
            count -= rest;
            self.written = 0;
            done.extend(self.chunks.pop_front().map(|(chunk, _)| chunk));
        }
    }

    /// Everything, taken out.
    #[must_use = "dropping the chunks may run code that comes back to the queue"]
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}

impl<C> Default for WriteQueue<C> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(queue: &WriteQueue<&'static str>) -> Vec<&'static str> {
        queue.iter().map(|(chunk, range)| &chunk[range]).collect()
    }

    fn queue(chunks: &[&'static str]) -> WriteQueue<&'static str> {
        let mut queue = WriteQueue::new();
        for &chunk in chunks {
            assert_eq!(queue.push(chunk, chunk.len()), None);
        }
        queue
    }

    #[test]
    fn every_way_to_write_three_chunks_keeps_the_rest() {
        let chunks = ["ab", "cde", "f"];
        for first in 0..=6 {
            for second in 0..=6 - first {
                let mut queue = queue(&chunks);
                let mut done = Vec::new();
                queue.advance(first, &mut done);
                queue.advance(second, &mut done);
                let rest = &"abcdef"[first + second..];
                assert_eq!(left(&queue).concat(), rest);
                assert_eq!(queue.len(), rest.len());
                assert_eq!(queue.is_empty(), rest.is_empty());
                assert_eq!(done.len() + left(&queue).len(), chunks.len());
            }
        }
    }

    #[test]
    fn an_empty_chunk_is_handed_back() {
        let mut queue = queue(&["a"]);
        assert_eq!(queue.push("", 0), Some(""));
        assert_eq!(left(&queue), ["a"]);
    }

    #[test]
    fn more_than_there_is_cannot_be_written() {
        let mut queue = queue(&["ab"]);
        let mut done = Vec::new();
        queue.advance(5, &mut done);
        assert!(queue.is_empty());
        assert_eq!(done, ["ab"]);
    }

    #[test]
    fn what_is_taken_out_is_gone() {
        let mut queue = queue(&["ab", "c"]);
        queue.advance(1, &mut Vec::new());
        let taken = queue.take();
        assert_eq!(left(&taken), ["b", "c"]);
        assert!(queue.is_empty());
        assert_eq!(queue.push("d", 1), None);
        assert_eq!(left(&queue), ["d"]);
    }
}
