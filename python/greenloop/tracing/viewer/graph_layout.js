// The places of nodes and arrows in the graph: columns by rank, and little crossing between them.
//
// An arrow that goes over several columns has a slot in each of them, so that it is led between the
// nodes and not behind them. Each column is ordered by the heights of its neighbours, in a few
// sweeps from left to right and back: that is the method of Sugiyama, as far as some dozen nodes
// need it.

/** @import { GraphArrow, GraphNode } from "./waits_for.js" */

/** Sizes in units, before the reader's zoom. */
export const NODE = { width: 168, height: 42 };
const COLUMN = 244;
const ROW = 58;
const LANE = 20;

const SWEEPS = 6;

/**
 * @typedef {{height: number, y: number, before: Slot[], after: Slot[], node: GraphNode |
 * undefined}} Slot
 * @typedef {{x: number, y: number}} Point
 */

export class GraphLayout {
  /** @param {GraphNode[]} nodes with their ranks @param {GraphArrow[]} arrows */
  constructor(nodes, arrows) {
    /** The upper left corner of each node. @type {Map<GraphNode, Point>} */
    this.places = new Map();
    /** The middles of the slots of long arrows: the left end of each.
     * @type {Map<GraphArrow, Point[]>} */
    this.routes = new Map();
    this.width = 1;
    this.height = 1;
    const ranks = [...new Set(nodes.map(({ rank }) => rank))].sort((a, b) => a - b);
    const column = new Map(ranks.map((rank, index) => [rank, index]));
    /** @type {Slot[][]} */
    const columns = ranks.map(() => []);
    /** @type {Map<GraphNode, Slot>} */
    const slots = new Map();
    for (const node of nodes) {
      const slot = slotOf(ROW, node);
      slots.set(node, slot);
      columns[column.get(node.rank) ?? 0].push(slot);
    }
    /** @type {Map<GraphArrow, {slots: Slot[], first: number}>} */
    const long = new Map();
    for (const arrow of arrows) {
      const first = (column.get(arrow.from.rank) ?? 0) + 1;
      const last = column.get(arrow.to.rank) ?? 0;
      if (last < first) continue;
      const between = columns.slice(first, last).map((each) => {
        const slot = slotOf(LANE, undefined);
        each.push(slot);
        return slot;
      });
      const chain = [slots.get(arrow.from), ...between, slots.get(arrow.to)];
      for (let i = 0; i + 1 < chain.length; i++) link(chain[i], chain[i + 1]);
      if (between.length) long.set(arrow, { slots: between, first });
    }
    arrange(columns);
    this.place(columns, long);
  }

  /** @param {Slot[][]} columns @param {Map<GraphArrow, {slots: Slot[], first: number}>} long */
  place(columns, long) {
    const all = columns.flat();
    const top = Math.min(0, ...all.map(({ y, height }) => y - height / 2));
    const bottom = Math.max(0, ...all.map(({ y, height }) => y + height / 2));
    this.width = Math.max(0, columns.length - 1) * COLUMN + NODE.width;
    this.height = bottom - top;
    columns.forEach((column, index) => {
      for (const { node, y } of column) {
        if (node) this.places.set(node, { x: index * COLUMN, y: y - top - NODE.height / 2 });
      }
    });
    for (const [arrow, { slots, first }] of long) {
      const points = slots.map(({ y }, index) => ({ x: (first + index) * COLUMN, y: y - top }));
      this.routes.set(arrow, points);
    }
  }
}

/** @param {number} height @param {GraphNode | undefined} node @returns {Slot} */
function slotOf(height, node) {
  return { height, y: 0, before: [], after: [], node };
}

/** @param {Slot | undefined} from @param {Slot | undefined} to */
function link(from, to) {
  if (!from || !to) return;
  from.after.push(to);
  to.before.push(from);
}

/** Give the slots their heights. @param {Slot[][]} columns */
function arrange(columns) {
  for (const column of columns)
    stack(
      column,
      column.map((_, index) => index * ROW),
    );
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const right = sweep % 2 === 0;
    for (const column of right ? columns : columns.toReversed()) {
      const wanted = column.map((slot) => middle(right ? slot.before : slot.after, slot.y));
      stack(column, wanted);
    }
  }
}

/** Order a column by the heights that its slots want, and place them as near to these as they can
 * be
 * without covering each other. @param {Slot[]} column @param {number[]} wanted */
function stack(column, wanted) {
  const order = column
    .map((slot, index) => ({ slot, wish: wanted[index] }))
    .sort((a, b) => a.wish - b.wish);
  let free = -Infinity;
  let moved = 0;
  for (const { slot, wish } of order) {
    slot.y = Math.max(wish, free + slot.height / 2);
    free = slot.y + slot.height / 2;
    moved += slot.y - wish;
  }
  // Slots were pushed down only, so the whole column goes up by the half of it.
  const shift = order.length ? moved / order.length : 0;
  order.forEach(({ slot }, index) => {
    slot.y -= shift;
    column[index] = slot;
  });
}

/** @param {Slot[]} slots @param {number} otherwise */
function middle(slots, otherwise) {
  if (!slots.length) return otherwise;
  return slots.reduce((sum, { y }) => sum + y, 0) / slots.length;
}
