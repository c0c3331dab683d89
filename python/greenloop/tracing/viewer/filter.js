// The filter: which tasks, resources and states a reader wants to see, and the search for spans.
//
// Its text has words and `task:`, `name:` and `kind:` before words. All of them must hold; a word
// alone may be part of a task's name, of its coroutine or of a resource's name. Families of states
// are switched off in the legend.

import { READY, RUNNING, STATES, familyOf, stateName } from "./vocabulary.js";

/** @import { Lanes } from "./lanes.js" */
/** @import { Recording } from "./recording.js" */
/** @import { Family } from "./vocabulary.js" */

/** @typedef {{field: "task" | "name" | "kind" | "any", text: string}} Term */

export class Filter {
  /** @param {Recording} recording @param {Lanes} lanes */
  constructor(recording, lanes) {
    this.recording = recording;
    this.lanes = lanes;
    /** Families that are dimmed. @type {Set<Family>} */
    this.hidden = new Set();
    /** @type {Term[]} */
    this.terms = [];
    /** Lanes that are shown, in their order. */
    this.shown = new Uint32Array(lanes.count);
    /** The place of each lane among those that are shown, or -1. */
    this.rows = new Int32Array(lanes.count);
    /** For each state, 1 if it is shown as it is and 0 if it is dimmed. */
    this.states = new Uint8Array(STATES).fill(1);
    this.apply("");
  }

  /** @param {string} text */
  apply(text) {
    this.text = text;
    this.terms = parsed(text);
    this.refresh();
  }

  /** Show a family or dim it. @param {Family} family */
  toggle(family) {
    if (!this.hidden.delete(family)) this.hidden.add(family);
    this.refresh();
  }

  get active() {
    return this.terms.length > 0 || this.hidden.size > 0;
  }

  /** Whether a task passes the terms that speak of tasks only. @param {number} task */
  hasTaskTerm(task) {
    return this.terms.every(({ field, text }) => field !== "task" || this.taskMatches(task, text));
  }

  /** Whether words pass the terms that speak of resources or kinds only. @param {string} words */
  passesName(words) {
    return this.terms.every(
      ({ field, text }) => field === "task" || words.toLowerCase().includes(text),
    );
  }

  /** Whether a row with these words passes: tables and arrows are filtered so.
   * @param {{task?: string, name?: string, kind?: string}} row */
  passes(row) {
    const { task = "", name = "", kind = "" } = row;
    return this.terms.every(({ field, text }) => {
      if (field === "any") return `${task} ${name} ${kind}`.toLowerCase().includes(text);
      // A table without a column for it is not emptied by a term.
      const value = row[field];
      return value === undefined || value.toLowerCase().includes(text);
    });
  }

  refresh() {
    const kinds = this.terms.filter(({ field }) => field === "kind");
    for (let state = 0; state < STATES; state++) {
      const named = kinds.every(({ text }) => stateName(state).includes(text));
      const kept = state === RUNNING || state === READY || named;
      this.states[state] = kept && !this.hidden.has(familyOf(state)) ? 1 : 0;
    }
    let keep = new Uint8Array(this.lanes.count).fill(1);
    for (const { field, text } of this.terms) {
      const found = new Uint8Array(this.lanes.count);
      if (field === "task" || field === "any") this.markTasks(text, found);
      if (field === "name" || field === "any") this.markResources(text, found);
      if (field === "kind") this.markKinds(text, found);
      keep = keep.map((each, lane) => each & found[lane]);
    }
    keep[0] = 1;
    this.shown = Uint32Array.from(keep.keys()).filter((lane) => keep[lane]);
    this.rows.fill(-1);
    this.shown.forEach((lane, row) => (this.rows[lane] = row));
  }

  /** @param {string} text @param {Uint8Array} found */
  markTasks(text, found) {
    for (let lane = 1; lane < this.lanes.count; lane++) {
      if (this.taskMatches(this.lanes.task[lane], text)) found[lane] = 1;
    }
  }

  /** @param {string} text @param {Uint8Array} found */
  markResources(text, found) {
    const { lane, other, spans } = this.lanes;
    const wanted = this.resourcesNamed(text);
    if (!wanted.size) return;
    for (let span = 0; span < spans; span++) {
      if (other[span] && wanted.has(other[span])) found[lane[span]] = 1;
    }
  }

  /** @param {string} text @param {Uint8Array} found */
  markKinds(text, found) {
    const { lane, state, spans } = this.lanes;
    const wanted = statesNamed(text);
    for (let span = 0; span < spans; span++) if (wanted[state[span]]) found[lane[span]] = 1;
  }

  /** @param {number} task @param {string} text */
  taskMatches(task, text) {
    const known = this.recording.head.tasks[task];
    const words = `${this.recording.nameOf(task)} ${known?.name ?? ""} ${known?.coroutine ?? ""}`;
    return words.toLowerCase().includes(text);
  }

  /** @param {string} text */
  resourcesNamed(text) {
    const { resources } = this.recording.head;
    const wanted = new Set();
    for (const number of Object.keys(resources)) {
      const { name, type } = resources[number];
      if (`${name} ${type}`.toLowerCase().includes(text)) wanted.add(Number(number));
    }
    return wanted;
  }
}

/** The spans that a search finds, in the order of time: waits by their kind, resource and source
 * line, and of each task that is called so its first span.
 * @param {Filter} filter @param {string} text @returns {Uint32Array} */
export function search(filter, text) {
  const { recording, lanes } = filter;
  const wanted = text.trim().toLowerCase();
  if (!wanted) return new Uint32Array(0);
  const states = statesNamed(wanted);
  states[RUNNING] = states[READY] = 0;
  const resources = filter.resourcesNamed(wanted);
  const sites = new Uint8Array(recording.head.sites.length);
  recording.head.sites.forEach((site, index) => {
    if (site && `${site.text} ${site.function}`.toLowerCase().includes(wanted)) sites[index] = 1;
  });
  const found = [];
  for (const lane of filter.shown) {
    const first = lanes.first[lane];
    const last = lanes.first[lane + 1];
    if (first < last && lane && filter.taskMatches(lanes.task[lane], wanted)) found.push(first);
    for (let span = first; span < last; span++) {
      const event = lanes.opened[span];
      const here = states[lanes.state[span]] || resources.has(lanes.other[span]);
      if (here || (event >= 0 && sites[recording.site[event]])) found.push(span);
    }
  }
  const order = [...new Set(found)].sort((a, b) => lanes.start[a] - lanes.start[b]);
  return Uint32Array.from(order);
}

/** @param {string} text */
function statesNamed(text) {
  const wanted = new Uint8Array(STATES);
  for (let state = 0; state < STATES; state++)
    wanted[state] = stateName(state).includes(text) ? 1 : 0;
  return wanted;
}

/** @param {string} text @returns {Term[]} */
function parsed(text) {
  return text
    .toLowerCase()
    .split(/\s+/)
    .filter(Boolean)
    .map((word) => {
      const match = /^(task|name|kind):(.*)$/.exec(word);
      if (!match) return { field: "any", text: word };
      return { field: /** @type {Term["field"]} */ (match[1]), text: match[2] };
    });
}
