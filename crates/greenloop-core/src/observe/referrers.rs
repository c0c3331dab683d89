//! Which of the dead tasks could reach an object, by following references backwards.
//!
//! That is how the tasks that could end each other's waits are told, and nothing depends on it but
//! the shape of the knots. It is therefore bounded: a thousand tasks that each wait for a queue of
//! their own, in one table that all of them have, would be a million pairs.

use std::collections::{BTreeMap, BTreeSet};

use super::heap::{Heap, HeapTask};

/// The references that are followed for all resources together, so that no search takes much longer
/// than a collection of the garbage: some milliseconds.
const MOST: usize = 1 << 18;
/// Those that are followed for a resource however many resources there are. Most have fewer.
const LEAST: usize = 64;

/// The references between dead objects, backwards.
pub(super) struct Referrers {
    /// Where the referrers of each object begin in `objects`, and at the end how many there are.
    begins: Vec<usize>,
    objects: Vec<u32>,
    /// The tasks that an object is inside of. No way leads through it but theirs.
    inside_of: BTreeMap<u32, Vec<u32>>,
    /// The tasks that an object is.
    tasks: BTreeMap<u32, Vec<u32>>,
    /// The last search that met each object. They are numbered from 1 on.
    met: Vec<u32>,
    searches: u32,
}

/// How many references may be followed for each of so many resources.
pub(super) fn fair_share(resources: usize) -> usize {
    LEAST.max(MOST / resources.max(1))
}

/// What a search has found.
pub(super) struct Found {
    /// The tasks.
    pub(super) tasks: BTreeSet<u32>,
    /// Whether these are all.
    pub(super) is_complete: bool,
}

impl Referrers {
    /// Those of a heap: of the objects that are not alive, and of dead tasks.
    pub(super) fn new<'a>(
        heap: &Heap,
        is_alive: impl Fn(usize) -> bool,
        dead: impl Iterator<Item = (u32, &'a HeapTask)>,
    ) -> Self {
        let size = heap.size();
        let is_dead = |object: u32| (object as usize) < size && !is_alive(object as usize);
        let references = || {
            let dead = (0..).take(size).filter(|object| is_dead(*object));
            let references = dead.flat_map(|from: u32| {
                let all = heap.references_of(from as usize).iter();
                all.map(move |to| (from, *to))
            });
            references.filter(|(_, to)| is_dead(*to))
        };
        // Counts how many each has, adds up where they end, and fills them in from there.
        let mut begins = vec![0; size + 1];
        for (_, to) in references() {
            begins[to as usize] += 1;
        }
        let mut total = 0;
        for begin in &mut begins {
            total += *begin;
            *begin = total;
        }
        let mut objects = vec![0; total];
        for (from, to) in references() {
            let begin = &mut begins[to as usize];
            *begin -= 1;
            objects[*begin] = from;
        }
        let mut inside_of = BTreeMap::<u32, Vec<u32>>::new();
        let mut tasks = BTreeMap::<u32, Vec<u32>>::new();
        for (number, task) in dead {
            for object in &task.inside {
                inside_of.entry(*object).or_default().push(number);
            }
            if let Some(object) = task.object {
                tasks.entry(object).or_default().push(number);
            }
        }
        Self {
            begins,
            objects,
            inside_of,
            tasks,
            met: vec![0; size],
            searches: 0,
        }
    }

    /// The tasks that could reach a dead object if they went on, each from its own inside and not
    /// through that of another one. Ends after `most` references, with the nearest of them.
    pub(super) fn tasks_that_reach(&mut self, object: u32, most: usize) -> Found {
        self.searches += 1;
        let mut found = Found {
            tasks: BTreeSet::new(),
            is_complete: true,
        };
        let mut followed = 0;
        // In the order in which they are met, and those before `next` were followed.
        let mut met = Vec::new();
        let mut next = 0;
        self.meet(object, &mut met, &mut found);
        while let Some(place) = met.get(next).map(|object: &u32| *object as usize) {
            next += 1;
            for index in self.begins[place]..self.begins[place + 1] {
                if followed == most {
                    found.is_complete = false;
                    return found;
                }
                followed += 1;
                self.meet(self.objects[index], &mut met, &mut found);
            }
        }
        found
    }

    /// Notes the tasks of an object that the search meets for the first time. No way leads on from
    /// what is inside of one.
    fn meet(&mut self, object: u32, met: &mut Vec<u32>, found: &mut Found) {
        let by = &mut self.met[object as usize];
        if std::mem::replace(by, self.searches) == self.searches {
            return;
        }
        if let Some(tasks) = self.inside_of.get(&object) {
            found.tasks.extend(tasks);
        } else {
            let tasks = self.tasks.get(&object).into_iter();
            found.tasks.extend(tasks.flatten());
            met.push(object);
        }
    }
}
