// Circles in the graph of waits, and the columns in which its nodes are drawn.
//
// Both go through the graph with lists of their own and without recursion: a chain of tasks may be
// longer than a browser's stack.

/** @import { GraphArrow, GraphNode } from "./waits_for.js" */

/** The most columns: a longer chain goes on in the last one. */
const MOST_RANKS = 24;

/** Mark the nodes and arrows that are in a circle; returns how many arrows are.
 * @param {GraphNode[]} nodes @param {GraphArrow[]} arrows */
export function markCircles(nodes, arrows) {
  const { component, sizes } = components(nodes, arrows);
  let marked = 0;
  for (const arrow of arrows) {
    const own = component.get(arrow.from);
    if (own === undefined || own !== component.get(arrow.to)) continue;
    if ((sizes.get(own) ?? 0) < 2) continue;
    arrow.circle = arrow.from.circle = arrow.to.circle = true;
    marked++;
  }
  return marked;
}

/** Give each node its column: one more than the farthest node that leads to it. The arrow that
 * closes a circle leads back. @param {GraphNode[]} nodes @param {GraphArrow[]} arrows */
export function giveRanks(nodes, arrows) {
  const back = closing(nodes, arrows);
  const forward = arrows.filter((arrow) => !back.has(arrow));
  for (let round = 0; round < MOST_RANKS; round++) {
    let moved = false;
    for (const { from, to } of forward) {
      if (to.rank > from.rank) continue;
      to.rank = Math.min(from.rank + 1, MOST_RANKS);
      moved = true;
    }
    if (!moved) return;
  }
}

/** The arrows that lead back to a node from which they were reached.
 * @param {GraphNode[]} nodes @param {GraphArrow[]} arrows */
function closing(nodes, arrows) {
  const next = following(nodes, arrows);
  /** @type {Set<GraphArrow>} */
  const found = new Set();
  /** @type {Map<GraphNode, "open" | "done">} */
  const seen = new Map();
  for (const start of nodes) {
    if (seen.has(start)) continue;
    seen.set(start, "open");
    const work = [{ node: start, rest: [...(next.get(start) ?? [])] }];
    while (work.length) {
      const { node, rest } = work[work.length - 1];
      const arrow = rest.pop();
      if (!arrow) {
        seen.set(node, "done");
        work.pop();
      } else if (seen.get(arrow.to) === "open") {
        found.add(arrow);
      } else if (!seen.has(arrow.to)) {
        seen.set(arrow.to, "open");
        work.push({ node: arrow.to, rest: [...(next.get(arrow.to) ?? [])] });
      }
    }
  }
  return found;
}

/** The arrows that leave each node. @param {GraphNode[]} nodes @param {GraphArrow[]} arrows */
function following(nodes, arrows) {
  /** @type {Map<GraphNode, GraphArrow[]>} */
  const next = new Map(nodes.map((node) => [node, []]));
  for (const arrow of arrows) next.get(arrow.from)?.push(arrow);
  return next;
}

/** The strongly connected components, by Tarjan's algorithm without recursion.
 * @param {GraphNode[]} nodes @param {GraphArrow[]} arrows */
function components(nodes, arrows) {
  const next = following(nodes, arrows);
  /** @type {Map<GraphNode, number>} */
  const index = new Map();
  /** @type {Map<GraphNode, number>} */
  const low = new Map();
  /** @type {Map<GraphNode, number>} */
  const component = new Map();
  /** @type {Map<number, number>} */
  const sizes = new Map();
  /** @type {GraphNode[]} */
  const stack = [];
  /** @param {GraphNode} node */
  const enter = (node) => {
    index.set(node, index.size);
    low.set(node, index.size - 1);
    stack.push(node);
    return { node, rest: [...(next.get(node) ?? [])] };
  };
  for (const start of nodes) {
    if (index.has(start)) continue;
    const work = [enter(start)];
    while (work.length) {
      const { node, rest } = work[work.length - 1];
      const to = rest.pop()?.to;
      if (to) {
        if (!index.has(to)) work.push(enter(to));
        else if (!component.has(to)) lower(node, index.get(to));
        continue;
      }
      work.pop();
      if (low.get(node) === index.get(node)) {
        const members = stack.splice(stack.indexOf(node));
        for (const each of members) component.set(each, sizes.size);
        sizes.set(sizes.size, members.length);
      }
      if (work.length) lower(work[work.length - 1].node, low.get(node));
    }
  }
  return { component, sizes };

  /** @param {GraphNode} node @param {number | undefined} to */
  function lower(node, to) {
    low.set(node, Math.min(low.get(node) ?? Infinity, to ?? Infinity));
  }
}
