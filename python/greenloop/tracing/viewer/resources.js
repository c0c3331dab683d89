// The resources: the events at each of them in the order of time, and its holders at an instant.
//
// An index over the events by their resource is made once, by counting. Holders are the tasks that
// acquired and did not release. Queues, events and futures have no holder, so the tasks are named
// that have served them: the putters, the getters, the setters.

import { Kind } from "./vocabulary.js";

/** @import { Recording } from "./recording.js" */

/** The events that belong to a resource. */
const AT_A_RESOURCE = new Set([
  Kind.PUT,
  Kind.GET,
  Kind.ACQUIRED,
  Kind.RELEASED,
  Kind.SET,
  Kind.CLEARED,
  Kind.NOTIFIED,
  Kind.JOB_SUBMITTED,
  Kind.JOB_FINISHED,
  Kind.SENT,
  Kind.RECEIVED,
]);

/** How far back holders are looked for: a permit that is held was acquired lately. */
const MOST_LOOKED_AT = 20_000;

/** The most tasks that are named as the servers of a resource. */
const MOST_SERVERS = 6;

export class Resources {
  /** @param {Recording} recording */
  constructor(recording) {
    this.recording = recording;
    const { kind, other, length } = recording;
    const wanted = new Uint8Array(256);
    for (const each of AT_A_RESOURCE) wanted[each] = 1;
    let highest = 0;
    for (let i = 0; i < length; i++) if (wanted[kind[i]] && other[i] > highest) highest = other[i];
    /** Where the events of a resource begin in `events`. */
    this.first = new Uint32Array(highest + 2);
    for (let i = 0; i < length; i++) if (wanted[kind[i]]) this.first[other[i] + 1]++;
    for (let number = 0; number <= highest; number++) this.first[number + 1] += this.first[number];
    const place = this.first.slice();
    this.events = new Uint32Array(this.first[highest + 1]);
    for (let i = 0; i < length; i++) if (wanted[kind[i]]) this.events[place[other[i]]++] = i;
    /** @type {Map<number, number[]>} */
    this.putters = new Map();
    /** @type {Map<number, number[]>} */
    this.getters = new Map();
  }

  /** The range in `events` of a resource until an instant.
   * @param {number} resource @param {number} time @returns {[number, number]} */
  until(resource, time) {
    if (resource + 1 >= this.first.length) return [0, 0];
    const first = this.first[resource];
    let low = first;
    let high = this.first[resource + 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.recording.time[this.events[middle]] <= time) low = middle + 1;
      else high = middle;
    }
    return [first, low];
  }

  /** The tasks that hold a lock or a permit at an instant.
   * @param {number} resource @param {number} time @returns {number[]} */
  holders(resource, time) {
    const { kind, task } = this.recording;
    const [first, last] = this.until(resource, time);
    /** @type {Map<number, number>} */
    const held = new Map();
    for (let i = Math.max(first, last - MOST_LOOKED_AT); i < last; i++) {
      const event = this.events[i];
      const who = task[event];
      if (kind[event] === Kind.ACQUIRED) {
        held.set(who, (held.get(who) ?? 0) + 1);
      } else if (kind[event] === Kind.RELEASED) {
        const before = held.get(who) ?? 0;
        if (before > 1) held.set(who, before - 1);
        else if (before === 1) held.delete(who);
        // A permit may be given back by a task that did not take it: the oldest one is.
        else if (held.size) held.delete(/** @type {number} */ (held.keys().next().value));
      }
    }
    return [...held.keys()].filter((each) => each !== 0);
  }

  /** The items in a queue at an instant, or -1 if nothing is known.
   * @param {number} resource @param {number} time */
  items(resource, time) {
    const { kind, value } = this.recording;
    const [first, last] = this.until(resource, time);
    for (let i = last - 1; i >= first; i--) {
      const what = kind[this.events[i]];
      if (what === Kind.PUT || what === Kind.GET) return value[this.events[i]];
    }
    return -1;
  }

  /** The tasks that could end a wait: the putters of a queue for its getters, and so on.
   * @param {number} resource @param {string} wait the kind of wait */
  servers(resource, wait) {
    const getters = wait === "queue.put" || wait === "queue.join";
    const known = getters ? this.getters : this.putters;
    let found = known.get(resource);
    if (!found) {
      const wanted = getters
        ? [Kind.GET]
        : [Kind.PUT, Kind.SET, Kind.NOTIFIED, Kind.JOB_SUBMITTED, Kind.SENT];
      found = this.who(resource, wanted);
      known.set(resource, found);
    }
    return found;
  }

  /** @param {number} resource @param {number[]} kinds */
  who(resource, kinds) {
    const { kind, task, end } = this.recording;
    const [first, last] = this.until(resource, end);
    const found = new Set();
    for (let i = first; i < last && found.size < MOST_SERVERS; i++) {
      const event = this.events[i];
      if (task[event] && kinds.includes(kind[event])) found.add(task[event]);
    }
    return [...found];
  }

  /** The event at a resource by which a task woke another: the one before the wake-up in its step.
   * -1 if there is none. @param {number} woken */
  behind(woken) {
    const { kind, task } = this.recording;
    const waker = task[woken];
    /** @type {Set<number>} */
    const wanted = AT_A_RESOURCE;
    for (let i = woken - 1; i >= 0 && i > woken - 64; i--) {
      if (task[i] === waker && wanted.has(kind[i])) return i;
      if (kind[i] === Kind.STEP_BEGAN && task[i] === waker) break;
    }
    return -1;
  }
}
