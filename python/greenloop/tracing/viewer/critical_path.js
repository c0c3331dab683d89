// The critical path of a task: the spending of its wall time, following wake-ups across tasks.
//
// The path goes back from the task's end. While its task runs or is ready, it stays there. Where
// the task waited and another one ended the wait, the path goes on in the waker, at the instant of
// the wake-up: the wait was for the waker's work until then. A wait that a timer or the network
// ended stays a wait. So the pieces touch each other, and their sum is the wall time.

import { Kind, POLLING, READY, RUNNING, WAITING } from "./vocabulary.js";

/** @import { Session } from "./session.js" */

/**
 * @typedef {{
 *   lane: number, span: number, state: number, other: number, begin: number, end: number,
 *   cause: number,
 * }} Piece `cause` is the event by which the path came to the lane, -1 for the first one.
 * @typedef {{label: string, state: number, other: number, time: number, count: number}} Sum
 * @typedef {{
 *   lane: number, begin: number, end: number, wall: number,
 *   own: Sum[], path: Sum[], pieces: Piece[],
 * }} CriticalPath
 */

/** Wake-ups without a piece between them: more of these are a circle of equal instants. */
const MOST_JUMPS = 64;

/** @param {Session} session @param {number} lane @returns {CriticalPath} */
export function criticalPath(session, lane) {
  const { lanes, recording } = session;
  const begin = lanes.created[lane];
  const finished = lanes.finished[lane];
  const end = Number.isNaN(finished) ? recording.end : finished;
  const pieces = walk(session, lane, begin, end);
  return {
    lane,
    begin,
    end,
    wall: end - begin,
    own: summed(session, ownPieces(session, lane, begin, end), false),
    path: summed(session, pieces, true),
    pieces,
  };
}

/** The task's own spans, cut to its life. @param {Session} session @param {number} lane
 * @param {number} begin @param {number} end @returns {Piece[]} */
function ownPieces({ lanes }, lane, begin, end) {
  const pieces = [];
  for (let span = lanes.first[lane]; span < lanes.first[lane + 1]; span++) {
    const from = Math.max(begin, lanes.start[span]);
    const to = Math.min(end, lanes.end[span]);
    if (to > from) pieces.push(piece(lanes.state[span], lanes.other[span], lane, span, from, to));
  }
  return pieces;
}

/** @param {Session} session @param {number} target @param {number} begin @param {number} end */
function walk(session, target, begin, end) {
  const { lanes, recording } = session;
  /** @type {Piece[]} */
  const pieces = [];
  let lane = target;
  let time = end;
  let jumps = 0;
  let cause = -1;
  while (time > begin) {
    const span = before(session, lane, time);
    if (span < 0) {
      // Before its first span the task did not exist: its creator was on the way.
      const creator = lanes.laneOf[lanes.creator[lane]] ?? -1;
      if (creator > 0 && jumps++ < MOST_JUMPS && before(session, creator, time) >= 0) {
        lane = creator;
        continue;
      }
      pieces.push(piece(WAITING, 0, lane, -1, begin, time, cause));
      break;
    }
    if (lanes.end[span] < time) {
      // No span reaches the instant: the lane was not there for a while, as before a recording.
      const from = Math.max(begin, lanes.end[span]);
      pieces.push(piece(WAITING, lanes.other[span], lane, span, from, time, cause));
      time = from;
      cause = -1;
      continue;
    }
    const state = lanes.state[span];
    if (state >= WAITING && state !== POLLING && lanes.end[span] === time) {
      const waker = wakerOf(session, span);
      if (waker > 0 && waker !== lane && jumps < MOST_JUMPS && before(session, waker, time) >= 0) {
        cause = lanes.closed[span];
        lane = waker;
        jumps++;
        continue;
      }
    }
    const from = Math.max(begin, lanes.start[span]);
    if (from < time) {
      jumps = 0;
      pieces.push(piece(state, lanes.other[span], lane, span, from, time, cause));
      cause = -1;
    }
    if (state === READY && recording.kind[lanes.opened[span]] === Kind.TASK_CREATED) {
      const creator = lanes.laneOf[recording.task[lanes.opened[span]]] ?? -1;
      if (creator > 0 && from > begin) {
        cause = lanes.opened[span];
        lane = creator;
      }
    }
    // A span of no length would keep the path where it is.
    if (from >= time && ++jumps > MOST_JUMPS) break;
    time = from;
  }
  return pieces.reverse();
}

/** The last span of a lane that begins before an instant, or -1.
 * @param {Session} session @param {number} lane @param {number} time */
function before({ lanes }, lane, time) {
  let span = lanes.find(lane, time);
  // Of the spans that end at the instant or before it, `find` gives the one behind.
  if (span >= lanes.first[lane + 1] || lanes.start[span] >= time) span--;
  return span >= lanes.first[lane] ? span : -1;
}

/** The lane of the task that ended a wait, or -1. @param {Session} session @param {number} span */
function wakerOf({ lanes, recording }, span) {
  const event = lanes.closed[span];
  if (event < 0 || recording.kind[event] !== Kind.WOKEN) return -1;
  return recording.task[event] ? (lanes.laneOf[recording.task[event]] ?? -1) : -1;
}

/** The pieces by their sort: running (of which task), ready, waits by their resource.
 * @param {Session} session @param {Piece[]} pieces @param {boolean} byTask */
function summed({ lanes, recording }, pieces, byTask) {
  /** @type {Map<string, Sum>} */
  const sums = new Map();
  for (const { state, other, lane, begin, end } of pieces) {
    const who = recording.nameOf(lanes.task[lane]);
    let label = who;
    if (state >= WAITING) label = other ? recording.nameOf(other) : "";
    else if (!byTask) label = "";
    const key = `${state} ${state >= WAITING ? other : label}`;
    const known = sums.get(key);
    if (known) {
      known.time += end - begin;
      known.count++;
    } else {
      sums.set(key, { label, state, other, time: end - begin, count: 1 });
    }
  }
  const order = [...sums.values()].sort((a, b) => b.time - a.time);
  return [
    ...order.filter(({ state }) => state === RUNNING),
    ...order.filter(({ state }) => state === READY),
    ...order.filter(({ state }) => state >= WAITING),
  ];
}

/** @param {number} state @param {number} other @param {number} lane @param {number} span
 * @param {number} begin @param {number} end @param {number} [cause] @returns {Piece} */
function piece(state, other, lane, span, begin, end, cause = -1) {
  return { lane, span, state, other, begin, end, cause };
}
