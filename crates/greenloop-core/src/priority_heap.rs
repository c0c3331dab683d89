//! The heap of a priority queue, in the arrangement that Python's `heapq` makes.
//!
//! A program may ask for the heap as a list, and then goes on with `heapq`: so not only the order
//! of what leaves is the same, but every place. Comparisons are the caller's and may be undecided,
//! where only code of the program could tell. All comparisons of an operation are made before
//! anything is moved, in `heapq`'s order: an undecided one leaves the heap as it was, and `heapq`
//! itself can do the same again.

/// A comparison has no answer here. The heap is as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Undecided;

/// Puts an item into the heap, as `heapq.heappush`.
///
/// # Errors
/// The item, if a comparison is undecided.
pub fn push<T>(
    heap: &mut Vec<T>,
    item: T,
    mut is_less: impl FnMut(&T, &T) -> Option<bool>,
) -> Result<(), T> {
    let mut place = heap.len();
    while let Some(parent) = parent_of(place) {
        match is_less(&item, &heap[parent]) {
            Some(true) => place = parent,
            Some(false) => break,
            None => return Err(item),
        }
    }
    heap.push(item);
    let mut at = heap.len() - 1;
    while let Some(parent) = parent_of(at).filter(|_| at > place) {
        heap.swap(at, parent);
        at = parent;
    }
    Ok(())
}

/// Takes the smallest item out of the heap, as `heapq.heappop`: `None` if there is none.
///
/// # Errors
/// If a comparison is undecided.
pub fn pop<T>(
    heap: &mut Vec<T>,
    mut is_less: impl FnMut(&T, &T) -> Option<bool>,
) -> Result<Option<T>, Undecided> {
    // The last item is to fill the gap: it sinks to the bottom along the smaller children, and
    // rises again.
    let Some(end) = heap.len().checked_sub(1) else {
        return Ok(None);
    };
    let mut place = 0;
    while place < end / 2 {
        let (left, right) = (2 * place + 1, 2 * place + 2);
        let is_left = right == end || is_less(&heap[left], &heap[right]).ok_or(Undecided)?;
        place = if is_left { left } else { right };
    }
    while let Some(parent) = parent_of(place) {
        if !is_less(&heap[end], &heap[place]).ok_or(Undecided)? {
            break;
        }
        place = parent;
    }
    let Some(mut item) = heap.pop() else {
        return Ok(None);
    };
    if end > 0 {
        std::mem::swap(&mut heap[place], &mut item);
        while let Some(parent) = parent_of(place) {
            std::mem::swap(&mut heap[parent], &mut item);
            place = parent;
        }
    }
    Ok(Some(item))
}

/// The place above another one, unless that is the top.
#[inline]
const fn parent_of(place: usize) -> Option<usize> {
    match place {
        0 => None,
        place => Some((place - 1) / 2),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `heapq`, move by move.
    mod heapq {
        pub fn heappush(heap: &mut Vec<i8>, item: i8) {
            heap.push(item);
            let last = heap.len() - 1;
            sift_down(heap, last);
        }

        pub fn heappop(heap: &mut Vec<i8>) -> Option<i8> {
            let last = heap.pop()?;
            if heap.is_empty() {
                return Some(last);
            }
            let first = std::mem::replace(&mut heap[0], last);
            let (mut place, end) = (0, heap.len());
            while 2 * place + 1 < end {
                let (left, right) = (2 * place + 1, 2 * place + 2);
                let child = if right < end && heap[left] >= heap[right] {
                    right
                } else {
                    left
                };
                heap.swap(place, child);
                place = child;
            }
            sift_down(heap, place);
            Some(first)
        }

        fn sift_down(heap: &mut [i8], mut place: usize) {
            while place > 0 && heap[place] < heap[(place - 1) / 2] {
                heap.swap(place, (place - 1) / 2);
                place = (place - 1) / 2;
            }
        }
    }

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        clippy::unnecessary_wraps,
        reason = "a heap takes such a function"
    )]
    fn less(one: &i8, other: &i8) -> Option<bool> {
        Some(one < other)
    }

    proptest! {
        #[test]
        fn every_item_has_heapqs_place(
            steps in proptest::collection::vec(any::<Option<i8>>(), 0..200),
        ) {
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for step in steps {
                if let Some(item) = step {
                    prop_assert_eq!(push(&mut ours, item, less), Ok(()));
                    heapq::heappush(&mut theirs, item);
                } else {
                    prop_assert_eq!(pop(&mut ours, less), Ok(heapq::heappop(&mut theirs)));
                }
                prop_assert_eq!(&ours, &theirs);
            }
        }

        #[test]
        fn an_undecided_comparison_changes_nothing(
            items in proptest::collection::vec(any::<i8>(), 1..50),
            decided in 0_usize..8,
            item: i8,
        ) {
            let mut heap = Vec::new();
            for each in items {
                prop_assert_eq!(push(&mut heap, each, less), Ok(()));
            }
            let before = heap.clone();
            let mut left = decided;
            let mut sometimes = |one: &i8, other: &i8| {
                left = left.checked_sub(1)?;
                less(one, other)
            };
            if push(&mut heap, item, &mut sometimes).is_err() {
                prop_assert_eq!(&heap, &before);
            }
            let before = heap.clone();
            if pop(&mut heap, &mut sometimes).is_err() {
                prop_assert_eq!(&heap, &before);
            }
        }
    }
}
