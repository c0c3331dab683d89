//! The strongly connected components of a graph, by Tarjan's algorithm.
//!
//! It keeps its own stack: a chain of a million tasks that wait for each other must not become a
//! million nested calls.

/// The components of a graph whose nodes are numbered and whose edges lead from each node to those
/// in its list. A component comes after those that it leads to.
pub(super) fn components(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut search = Search {
        edges,
        states: vec![State::New; edges.len()],
        visited: 0,
        open: Vec::new(),
        found: Vec::new(),
    };
    for node in 0..edges.len() {
        if matches!(search.states[node], State::New) {
            search.visit(node);
        }
    }
    search.found
}

/// ```text
///        1 enter            2 close
///   New ─────────► Open ──────────────► Closed
/// ```
#[derive(Clone, Copy)]
enum State {
    /// Not visited yet.
    New,
    /// Visited, and its component is not known yet. The number is that of the earliest open node
    /// that it is known to lead to, in the order of visits.
    Open(usize),
    /// A member of a component that was found.
    Closed,
}

struct Search<'a> {
    edges: &'a [Vec<usize>],
    states: Vec<State>,
    /// How many nodes were visited.
    visited: usize,
    /// The nodes that are open, in the order of visits.
    open: Vec<usize>,
    found: Vec<Vec<usize>>,
}

/// A node that is being visited.
struct Visit {
    node: usize,
    order: usize,
    /// How many of its edges were followed.
    followed: usize,
}

impl Search<'_> {
    fn visit(&mut self, start: usize) {
        let mut path = vec![self.enter(start)];
        while let Some(visit) = path.last_mut() {
            let node = visit.node;
            if let Some(next) = self.edges[node].get(visit.followed) {
                visit.followed += 1;
                match self.states[*next] {
                    State::New => path.push(self.enter(*next)),
                    State::Open(order) => self.lower(node, order),
                    State::Closed => {}
                }
                continue;
            }
            let order = visit.order;
            path.pop();
            let State::Open(earliest) = self.states[node] else {
                continue;
            };
            if earliest == order {
                self.close(node);
            } else if let Some(parent) = path.last() {
                self.lower(parent.node, earliest);
            }
        }
    }

    fn enter(&mut self, node: usize) -> Visit {
        let order = self.visited;
        self.visited += 1;
        self.states[node] = State::Open(order);
        self.open.push(node);
        Visit {
            node,
            order,
            followed: 0,
        }
    }

    fn lower(&mut self, node: usize, order: usize) {
        if let State::Open(earliest) = &mut self.states[node] {
            *earliest = order.min(*earliest);
        }
    }

    /// Closes the component whose first visited node is `root`.
    fn close(&mut self, root: usize) {
        let mut component = Vec::new();
        while let Some(node) = self.open.pop() {
            self.states[node] = State::Closed;
            component.push(node);
            if node == root {
                break;
            }
        }
        component.sort_unstable();
        self.found.push(component);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(edges: &[&[usize]], expected: &[&[usize]]) {
        let edges: Vec<Vec<usize>> = edges.iter().map(|each| each.to_vec()).collect();
        assert_eq!(components(&edges), expected, "{edges:?}");
    }

    #[test]
    fn nodes_that_reach_each_other_are_one_component_behind_those_that_it_leads_to() {
        check(&[], &[]);
        check(&[&[]], &[&[0]]);
        check(&[&[0]], &[&[0]]);
        check(&[&[1], &[2], &[]], &[&[2], &[1], &[0]]);
        check(&[&[1], &[2], &[0]], &[&[0, 1, 2]]);
        check(&[&[1], &[0, 2], &[3], &[2]], &[&[2, 3], &[0, 1]]);
        // Two ways lead to the same component.
        check(&[&[1, 2], &[3], &[3], &[]], &[&[3], &[1], &[2], &[0]]);
        // A cycle in a cycle.
        check(&[&[1], &[2, 0], &[3, 1], &[0]], &[&[0, 1, 2, 3]]);
    }

    #[test]
    fn a_long_chain_takes_no_stack() {
        let length = 100_000;
        let mut edges: Vec<Vec<usize>> = (1..length).map(|next| vec![next]).collect();
        edges.push(vec![0]);
        assert_eq!(components(&edges).len(), 1);
        edges.pop();
        edges.push(Vec::new());
        assert_eq!(components(&edges).len(), length);
    }
}
