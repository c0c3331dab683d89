// The numbers behind the tables: waits by resource, steps by code line, and tasks.
//
// They are made when a table is first looked at, in one pass over the spans each. Durations of one
// group are next to each other in a typed array, so that its median is a sort of that piece.

import { OUTCOMES, POLLING, RUNNING, WAITING, stateName } from "./vocabulary.js";
import { place } from "./units.js";

/** @import { Session } from "./session.js" */

/**
 * @typedef {{
 *   kind: string, name: string, resource: number, state: number, count: number, total: number,
 *   median: number, p99: number, longest: number, span: number,
 * }} WaitRow `span` is the longest one.
 * @typedef {{
 *   place: string, code: string, function: string, file: string, count: number, total: number,
 *   longest: number, span: number,
 * }} StepRow
 * @typedef {{
 *   task: string, note: string, lane: number, created: number, finished: number,
 *   outcome: string, steps: number, running: number, ready: number, waiting: number,
 * }} TaskRow
 */

/** @param {Session} session @returns {WaitRow[]} */
export function waitRows({ lanes, recording, filter }) {
  const keep = laneMask(filter.shown, lanes.count);
  /** @type {Map<number, number>} */
  const groups = new Map();
  const group = new Int32Array(lanes.spans).fill(-1);
  /** @type {number[]} */
  const sizes = [];
  for (let span = 0; span < lanes.spans; span++) {
    const state = lanes.state[span];
    if (state < WAITING || state === POLLING || !keep[lanes.lane[span]]) continue;
    // A wait that nobody ended is not one of the recorded durations.
    if (lanes.closed[span] < 0) continue;
    const key = lanes.other[span] * 64 + state;
    let found = groups.get(key);
    if (found === undefined) {
      found = sizes.length;
      groups.set(key, found);
      sizes.push(0);
    }
    group[span] = found;
    sizes[found]++;
  }
  const first = new Uint32Array(sizes.length + 1);
  sizes.forEach((size, i) => (first[i + 1] = first[i] + size));
  const next = first.slice();
  const longest = new Int32Array(sizes.length).fill(-1);
  const durations = new Float64Array(first[sizes.length]);
  for (let span = 0; span < lanes.spans; span++) {
    const found = group[span];
    if (found < 0) continue;
    const time = lanes.end[span] - lanes.start[span];
    durations[next[found]++] = time;
    const best = longest[found];
    if (best < 0 || time > lanes.end[best] - lanes.start[best]) longest[found] = span;
  }
  return [...groups].map(([key, index]) => {
    const state = key % 64;
    const resource = (key - state) / 64;
    const sorted = durations.subarray(first[index], first[index + 1]).sort();
    return {
      kind: stateName(state),
      name: resource ? recording.nameOf(resource) : "",
      resource,
      state,
      count: sorted.length,
      total: sorted.reduce((sum, each) => sum + each, 0),
      median: quantile(sorted, 0.5),
      p99: quantile(sorted, 0.99),
      longest: sorted[sorted.length - 1],
      span: longest[index],
    };
  });
}

/** Steps by the line at which they began: where the task went on, or else where it had waited.
 * @param {Session} session @returns {StepRow[]} */
export function stepRows({ lanes, recording, filter }) {
  const sites = recording.head.sites.length;
  const keep = laneMask(filter.shown, lanes.count);
  const count = new Uint32Array(sites);
  const total = new Float64Array(sites);
  const longest = new Float64Array(sites);
  const where = new Int32Array(sites).fill(-1);
  for (let lane = 1; lane < lanes.count; lane++) {
    if (!keep[lane]) continue;
    let site = recording.head.tasks[lanes.task[lane]]?.site ?? 0;
    for (let span = lanes.first[lane]; span < lanes.first[lane + 1]; span++) {
      const event = lanes.opened[span];
      const own = event >= 0 ? recording.site[event] : 0;
      const state = lanes.state[span];
      if (state >= WAITING && own) site = own;
      if (state !== RUNNING) continue;
      const at = own || site;
      const time = lanes.end[span] - lanes.start[span];
      count[at]++;
      total[at] += time;
      if (where[at] < 0 || time > longest[at]) {
        longest[at] = time;
        where[at] = span;
      }
    }
  }
  const rows = [];
  for (let site = 0; site < sites; site++) {
    if (!count[site]) continue;
    const known = recording.head.sites[site];
    rows.push({
      place: known ? place(known) : "not known",
      code: known?.text ?? "",
      function: known?.function ?? "",
      file: known?.file ?? "",
      count: count[site],
      total: total[site],
      longest: longest[site],
      span: where[site],
    });
  }
  return rows;
}

/** @param {Session} session @returns {TaskRow[]} */
export function taskRows({ lanes, recording, filter }) {
  const rows = [];
  for (const lane of filter.shown) {
    if (lane === 0) continue;
    const first = lanes.first[lane];
    const last = lanes.first[lane + 1];
    let steps = 0;
    for (let span = first; span < last; span++) if (lanes.state[span] === RUNNING) steps++;
    const running = lanes.running[last] - lanes.running[first];
    const ready = lanes.ready[last] - lanes.ready[first];
    const whole = last > first ? lanes.end[last - 1] - lanes.start[first] : 0;
    const task = lanes.task[lane];
    rows.push({
      task: recording.nameOf(task),
      note: recording.noteOf(task),
      lane,
      created: lanes.created[lane],
      finished: lanes.finished[lane],
      outcome: OUTCOMES[lanes.outcome[lane]] ?? "",
      steps,
      running,
      ready,
      waiting: Math.max(0, whole - running - ready),
    });
  }
  return rows;
}

/** The least of sorted numbers below which there is a share of them.
 * @param {Float64Array} sorted @param {number} share */
function quantile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

/** @param {Uint32Array} shown @param {number} count */
function laneMask(shown, count) {
  const mask = new Uint8Array(count);
  for (const lane of shown) mask[lane] = 1;
  return mask;
}
