// The layout of a sequence diagram: which rows and lifelines are drawn, and where.
//
// Heights are in rows: an arrow takes one, a frame a little more than its rows. A row that the
// filter leaves out takes no room, and neither does a lifeline without rows.

import { count } from "./units.js";

/** @import { Filter } from "./filter.js" */
/** @import { Family } from "./vocabulary.js" */

/**
 * @typedef {{label: string, tasks: number[]}} Lifeline
 * @typedef {{
 *   sort: string, from: number, to: number, text: string, note: boolean,
 *   start: number, end: number, shortest: number, longest: number, count: number,
 * }} Arrow `from` and `to` are lifelines; a note is on one of them.
 * @typedef {{repeat: number, rows: Row[]}} Fold
 * @typedef {{crowd: number, rows: Row[]}} Crowd has rows that come in changing order, each once.
 * @typedef {Arrow | Fold | Crowd} Row
 * @typedef {{lifelines: Lifeline[], rows: Row[]}} Diagram
 * @typedef {{arrow: Arrow, y: number, framed: boolean, times: number}} Placed `times` is how often
 *   the row comes in one round of the frames around it.
 * @typedef {{
 *   title: string, top: number, bottom: number, depth: number, from: number, to: number,
 * }} Frame
 */

const FRAME_HEAD = 0.7;
const FRAME_FOOT = 0.35;

/** The colour of an arrow is that of the resource it goes through.
 * @type {Record<string, Family>} */
const FAMILIES = {
  spawn: "running",
  pass: "queue",
  result: "task",
  cancel: "outside",
  carry: "io",
  send: "io",
  receive: "io",
};

/** A wake-up says in its text which method it was; the first that it contains decides.
 * @type {[string, Family][]} */
const FAMILY_OF_TEXT = [
  ["put", "queue"],
  ["join", "queue"],
  ["get", "queue"],
  ["acquire", "lock"],
  ["notify", "lock"],
  ["set", "signal"],
  ["sleep", "time"],
];

/** The rows of a diagram that pass a filter, in their places. */
export class Layout {
  /** @param {Diagram} diagram @param {Filter} filter */
  constructor(diagram, filter) {
    this.filter = filter;
    /** Whether each lifeline has a task that the filter asks for. */
    this.shown = diagram.lifelines.map(
      ({ tasks }) => tasks.length === 0 || tasks.some((task) => filter.hasTaskTerm(task)),
    );
    /** @type {Placed[]} */
    this.placed = [];
    /** @type {Frame[]} */
    this.frames = [];
    /** The lifelines that arrows are left for. @type {Set<number>} */
    this.used = new Set();
    /** The height of all rows so far. */
    this.rows = 0;
    this.place(diagram.rows, 0, 1);
    /** The lifelines that are drawn, from left to right. */
    this.columns = [...diagram.lifelines.keys()].filter(
      (each) => this.used.has(each) || (!filter.active && this.shown[each]),
    );
    /** The place of a lifeline among them. */
    this.places = new Map(this.columns.map((each, place) => [each, place]));
  }

  /** The last row that begins above a height, or -1. @param {number} y */
  at(y) {
    let low = 0;
    let high = this.placed.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.placed[middle].y <= y) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Place rows below those so far; returns the first and the last lifeline that they touch.
   * @param {Row[]} rows @param {number} depth @param {number} rounds how often the frames around
   * say that they happen @returns {[number, number]} */
  place(rows, depth, rounds) {
    let from = Infinity;
    let to = -1;
    for (const row of rows) {
      const ends = "sort" in row ? this.arrow(row, depth, rounds) : this.fold(row, depth, rounds);
      if (!ends || ends[1] < 0) continue;
      from = Math.min(from, ...ends);
      to = Math.max(to, ...ends);
    }
    return [from, to];
  }

  /** @param {Arrow} arrow @param {number} depth @param {number} rounds
   * @returns {[number, number] | undefined} */
  arrow(arrow, depth, rounds) {
    const { filter, shown } = this;
    if (!shown[arrow.from] && !shown[arrow.to]) return undefined;
    if (filter.hidden.has(arrowFamily(arrow))) return undefined;
    if (!filter.passesName(`${arrow.text} ${arrow.sort}`)) return undefined;
    this.used.add(arrow.from).add(arrow.to);
    this.placed.push({
      arrow,
      y: this.rows,
      framed: depth > 0,
      times: Math.max(1, Math.round(arrow.count / rounds)),
    });
    this.rows += arrow.from === arrow.to && !arrow.note ? 1.2 : 1;
    return [arrow.from, arrow.to];
  }

  /** Repeated rows in a frame; a row that repeats alone has its count beside it instead.
   * @param {Fold | Crowd} fold @param {number} depth @param {number} rounds
   * @returns {[number, number] | undefined} */
  fold(fold, depth, rounds) {
    if (!isFramed(fold)) return this.place(fold.rows, depth, rounds);
    const top = this.rows;
    const before = this.placed.length;
    const title =
      "repeat" in fold ? `${count(fold.repeat)} ×` : `${count(fold.crowd)} in changing order`;
    const frame = { title, top, bottom: 0, depth, from: 0, to: 0 };
    // A frame comes before those inside of it, so that it is drawn below them.
    const at = this.frames.push(frame) - 1;
    this.rows += FRAME_HEAD;
    const inside = "repeat" in fold ? rounds * fold.repeat : rounds;
    [frame.from, frame.to] = this.place(fold.rows, depth + 1, inside);
    if (this.placed.length === before) {
      this.frames.length = at;
      this.rows = top;
      return undefined;
    }
    this.rows += FRAME_FOOT;
    frame.bottom = this.rows;
    return [frame.from, frame.to];
  }
}

/** Whether a frame is drawn around the rows inside. @param {Row} row @returns {boolean} */
function isFramed(row) {
  if ("sort" in row) return false;
  return "crowd" in row || row.rows.length > 1 || row.rows.some(isFramed);
}

/** @param {Arrow} arrow @returns {Family} */
export function arrowFamily({ sort, text }) {
  const found = FAMILY_OF_TEXT.find(([word]) => text.includes(word));
  return FAMILIES[sort] ?? found?.[1] ?? "task";
}
