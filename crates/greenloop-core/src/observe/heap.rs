//! The objects of a program as reference counts show them.
//!
//! Whoever looks from inside sees only some of the holders of an object: a frame that runs, a
//! field of a C struct or another interpreter is in no list. But each of them has a share in the
//! object's count. So an object whose count is exactly the number of the references that the heap
//! lists has no other holder, and any other object counts as held from outside.

use super::wait_graph::TaskWait;

/// Objects, numbered from 0 on in the order in which they are added, and references between them.
///
/// What the heap does not list must be in the counts, or the object be [held](Self::hold): above
/// all, no reference may be listed twice, since it would hide a holder that nobody knows. An object
/// that is left out costs findings, and never makes a wrong one.
///
/// An object may be divided into several, if some of its references cannot be used by whoever has
/// it, such as that of a task to its coroutine. The part that has these references is an object of
/// its own, of which nobody has any (a count of 0), and is [inside](HeapTask::inside) of the task.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Heap {
    objects: Vec<Object>,
    /// The objects referred to, as often as they are: those of the first object, then those of the
    /// second. One list, because a heap has a million objects, and most refer to few.
    references: Vec<u32>,
    held: Vec<u32>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Object {
    count: u64,
    /// Where its references begin. They end where those of the next object begin.
    begin: usize,
}

impl Heap {
    /// Adds an object, with its reference count. The caller has subtracted the references that it
    /// has itself.
    pub fn add(&mut self, count: u64) {
        self.objects.push(Object {
            count,
            begin: self.references.len(),
        });
    }

    /// Adds a reference of the latest object to any object, which may be added later. Without that,
    /// the reference does not count.
    pub fn refer_to(&mut self, object: u32) {
        self.references.push(object);
    }

    /// Takes an object for one that is held from outside, whatever its count says: by a weak
    /// reference, for example.
    pub fn hold(&mut self, object: u32) {
        self.held.push(object);
    }

    /// How many objects there are.
    pub(super) fn size(&self) -> usize {
        self.objects.len()
    }

    /// The objects that one refers to, some of which may not be there.
    pub(super) fn references_of(&self, object: usize) -> &[u32] {
        let begin = |object: usize| self.objects.get(object).map(|object| object.begin);
        let end = begin(object + 1).unwrap_or(self.references.len());
        begin(object).map_or(&[], |begin| &self.references[begin..end])
    }

    /// The objects that have a holder which is not in the heap. So has one whose references are
    /// more than it counts: that must not be, and then nothing is known of it.
    pub(super) fn held_from_outside(&self) -> Vec<u32> {
        let mut unexplained: Vec<u64> = self.objects.iter().map(|object| object.count).collect();
        for object in (0..self.size()).flat_map(|object| self.references_of(object)) {
            if let Some(count) = unexplained.get_mut(*object as usize) {
                *count = count.wrapping_sub(1);
            }
        }
        let numbered = (0..).zip(unexplained);
        let held = numbered.filter_map(|(object, count)| (count != 0).then_some(object));
        held.chain(self.held.iter().copied()).collect()
    }
}

/// A task and its place in a heap.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct HeapTask {
    /// The task as an object. It is alive with the task, but not the other way round: whoever has a
    /// task can wait for it, and not make it go on.
    pub object: Option<u32>,
    /// The objects that only the task itself makes use of, above all its coroutine. Whoever else
    /// refers to one of them, and even from outside, reaches nothing by that.
    pub inside: Vec<u32>,
    /// What it waits for; nothing if it may run.
    pub wait: Option<TaskWait>,
}

/// Who can give a resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Givers {
    /// Whoever can reach this object: a queue, an event, a future.
    WhoReaches(u32),
    /// Only these tasks, which hold it, whoever else can reach it: a lock. To be used only if all
    /// of them are known. Those that have finished are left out, and one that is no task of the
    /// heap may run.
    Owners(Vec<u32>),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heap(objects: &[(u64, &[u32])]) -> Heap {
        let mut heap = Heap::default();
        for (count, references) in objects {
            heap.add(*count);
            for object in *references {
                heap.refer_to(*object);
            }
        }
        heap
    }

    #[test]
    fn an_object_whose_references_are_not_its_count_is_held_from_outside() {
        let check = |objects: &[(u64, &[u32])], expected: &[u32]| {
            assert_eq!(heap(objects).held_from_outside(), expected, "{objects:?}");
        };
        check(&[], &[]);
        check(&[(0, &[]), (1, &[])], &[1]);
        check(&[(0, &[1, 1]), (2, &[])], &[]);
        check(&[(0, &[1, 1]), (3, &[])], &[1]);
        // More references than it counts.
        check(&[(0, &[1, 1]), (1, &[])], &[1]);
        check(&[(0, &[1]), (0, &[])], &[1]);
        // A circle, and an object that is not there.
        check(&[(1, &[1]), (1, &[0, 7])], &[]);
        check(&[(1, &[0])], &[]);
    }

    #[test]
    fn an_object_is_held_if_the_caller_says_so() {
        let mut heap = heap(&[(0, &[1]), (1, &[])]);
        heap.hold(1);
        assert_eq!(heap.held_from_outside(), [1]);
    }

    #[test]
    fn the_references_of_an_object_are_those_that_followed_it() {
        let heap = heap(&[(0, &[1, 2]), (1, &[]), (1, &[0])]);
        let references = [0, 1, 2, 3].map(|object| heap.references_of(object));
        assert_eq!(references, [&[1, 2][..], &[], &[0], &[]]);
    }
}
