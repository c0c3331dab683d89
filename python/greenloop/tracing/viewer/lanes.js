// The lanes: for each task the spans in which it ran, was ready, or waited, made in one pass.
//
// Spans are columns, those of one lane next to each other in the order of time, so that an instant
// is found by binary search. Running and ready time are summed up along the way: a picture of any
// zoom asks for a sum over spans and never visits them one by one.
//
// A lane's states and the events that lead from one to the next:
//
//     task-created ──► ready ──1──► running ──2──► waiting ──3──► ready
//                                      └──4──► (no more spans)
//
// 1 step-began, 2 step-ended after wait-began, 3 woken, 4 step-ended after task-finished.

import { Kind, POLLING, READY, RUNNING, WAITING } from "./vocabulary.js";

/** @import { Recording } from "./recording.js" */

/** The number of the lane that shows the loop itself: its polls and its callbacks. */
export const LOOP = 0;
const NOTHING = 255;

export class Lanes {
  /** @param {Recording} recording */
  constructor(recording) {
    const builder = new Builder(recording);
    builder.run();
    this.count = builder.count;
    /** The task of a lane; 0 for the loop's. */
    this.task = builder.task.slice(0, this.count);
    /** The lane of a task's number, or -1. */
    this.laneOf = builder.laneOf;
    this.created = builder.created.slice(0, this.count);
    this.finished = builder.finished.slice(0, this.count);
    this.outcome = builder.outcome.slice(0, this.count);
    this.creator = builder.creator.slice(0, this.count);
    const { first, order } = byLane(builder);
    /** Where the spans of a lane begin; those of lane `i` end where those of `i + 1` begin. */
    this.first = first;
    this.spans = order.length;
    this.lane = pick(builder.lane, order, new Uint32Array(order.length));
    this.start = pick(builder.start, order, new Float64Array(order.length));
    this.end = pick(builder.end, order, new Float64Array(order.length));
    this.state = pick(builder.state, order, new Uint8Array(order.length));
    /** The task or resource that a waiting task waits for. */
    this.other = pick(builder.other, order, new Uint32Array(order.length));
    /** The event with which a span begins, and that with which it ends; -1 if there is none. */
    this.opened = pick(builder.opened, order, new Int32Array(order.length));
    this.closed = pick(builder.closed, order, new Int32Array(order.length));
    /** @type {Map<number, number[]> | undefined} */
    this.knownChildren = undefined;
    this.running = summed(this, RUNNING);
    this.ready = summed(this, READY);
  }

  /** The first span of a lane that ends after `time`: the one that has it, if any has.
   * @param {number} lane @param {number} time */
  find(lane, time) {
    let low = this.first[lane];
    let high = this.first[lane + 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.end[middle] <= time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The span of a lane in which `time` is, or -1. @param {number} lane @param {number} time */
  at(lane, time) {
    const span = this.find(lane, time);
    const inside = span < this.first[lane + 1] && this.start[span] <= time;
    return inside ? span : -1;
  }

  /** The tasks that each task has made; they are found when somebody asks for the first time. */
  get children() {
    if (!this.knownChildren) {
      this.knownChildren = new Map();
      for (let lane = 1; lane < this.count; lane++) {
        const siblings = this.knownChildren.get(this.creator[lane]);
        if (siblings) siblings.push(this.task[lane]);
        else this.knownChildren.set(this.creator[lane], [this.task[lane]]);
      }
    }
    return this.knownChildren;
  }

  /** The event that made a span's task ready: a wake-up or its creation; -1 if it is not known.
   * @param {number} span */
  causeOf(span) {
    const state = this.state[span];
    if (state === READY) return this.opened[span];
    if (state !== RUNNING) return this.closed[span];
    const before = span - 1;
    const known = before >= this.first[this.lane[span]] && this.state[before] === READY;
    return known ? this.opened[before] : -1;
  }
}

/** The state of the pass: one open span for each lane, and the closed ones in the order of time. */
class Builder {
  /** @param {Recording} recording */
  constructor(recording) {
    this.recording = recording;
    const { length, task, other, head } = recording;
    let highest = 0;
    for (let i = 0; i < length; i++) {
      highest = Math.max(highest, task[i], other[i]);
    }
    const lanes = Object.keys(head.tasks).length + 1;
    this.laneOf = new Int32Array(highest + 1).fill(-1);
    this.isTask = new Uint8Array(highest + 1);
    for (const number of Object.keys(head.tasks)) {
      if (Number(number) <= highest) this.isTask[Number(number)] = 1;
    }
    this.count = 0;
    this.capacity = Math.max(lanes, 16);
    this.task = new Uint32Array(this.capacity);
    this.creator = new Uint32Array(this.capacity);
    this.created = new Float64Array(this.capacity);
    this.finished = new Float64Array(this.capacity).fill(NaN);
    this.outcome = new Uint8Array(this.capacity);
    // The open span of each lane, and the wait that begins when its step ends.
    this.openState = new Uint8Array(this.capacity).fill(NOTHING);
    this.openStart = new Float64Array(this.capacity);
    this.openOther = new Uint32Array(this.capacity);
    this.openEvent = new Int32Array(this.capacity).fill(-1);
    this.next = new Uint8Array(this.capacity).fill(NOTHING);
    this.nextOther = new Uint32Array(this.capacity);
    this.nextEvent = new Int32Array(this.capacity).fill(-1);
    const most = length + lanes + 1;
    this.spans = 0;
    this.lane = new Uint32Array(most);
    this.start = new Float64Array(most);
    this.end = new Float64Array(most);
    this.state = new Uint8Array(most);
    this.other = new Uint32Array(most);
    this.opened = new Int32Array(most);
    this.closed = new Int32Array(most);
  }

  run() {
    const { time, task, other, kind, detail, length, begin, end } = this.recording;
    this.add(0, begin, 0);
    for (let i = 0; i < length; i++) {
      const now = time[i];
      const subject = task[i];
      const object = other[i];
      switch (kind[i]) {
        case Kind.TASK_CREATED:
          this.open(this.add(object, now, subject), now, READY, 0, i);
          break;
        case Kind.STEP_BEGAN: {
          const lane = this.known(subject);
          this.close(lane, now, i);
          this.next[lane] = NOTHING;
          this.open(lane, now, RUNNING, 0, i);
          break;
        }
        case Kind.WAIT_BEGAN: {
          const lane = this.known(subject);
          const state = WAITING + detail[i];
          if (this.openState[lane] === RUNNING) {
            this.next[lane] = state;
            this.nextOther[lane] = object;
            this.nextEvent[lane] = i;
          } else {
            this.close(lane, now, i);
            this.open(lane, now, state, object, i);
          }
          break;
        }
        case Kind.STEP_ENDED: {
          const lane = this.known(subject);
          this.close(lane, now, i);
          const next = this.next[lane];
          if (Number.isNaN(this.finished[lane])) {
            const event = next === NOTHING ? i : this.nextEvent[lane];
            const object = next === NOTHING ? 0 : this.nextOther[lane];
            this.open(lane, now, next === NOTHING ? WAITING : next, object, event);
          }
          break;
        }
        case Kind.WOKEN: {
          if (!this.isTask[object]) break;
          const lane = this.known(object);
          if (this.openState[lane] === RUNNING) {
            // The wake-up came within the step that goes to wait: it waits for its turn only.
            this.next[lane] = READY;
            this.nextOther[lane] = 0;
            this.nextEvent[lane] = i;
          } else if (this.openState[lane] !== READY) {
            this.close(lane, now, i);
            this.open(lane, now, READY, 0, i);
          }
          break;
        }
        case Kind.TASK_FINISHED: {
          const lane = this.known(subject);
          this.finished[lane] = now;
          this.outcome[lane] = detail[i];
          if (this.openState[lane] !== RUNNING) {
            this.close(lane, now, i);
          }
          break;
        }
        case Kind.POLL_BEGAN:
          this.close(LOOP, now, i);
          this.open(LOOP, now, POLLING, 0, i);
          break;
        case Kind.CALLBACK_BEGAN:
          this.close(LOOP, now, i);
          this.open(LOOP, now, RUNNING, 0, i);
          break;
        case Kind.POLL_ENDED:
        case Kind.CALLBACK_ENDED:
          this.close(LOOP, now, i);
          break;
      }
    }
    for (let lane = 0; lane < this.count; lane++) {
      // A state that the last event has begun has not been one yet.
      if (this.openStart[lane] < end) this.close(lane, end, -1);
    }
  }

  /** A lane for a new task. @param {number} task @param {number} now @param {number} creator */
  add(task, now, creator) {
    const known = task ? this.laneOf[task] : -1;
    if (known !== undefined && known >= 0) return known;
    if (this.count === this.capacity) this.grow();
    const lane = this.count++;
    this.task[lane] = task;
    this.created[lane] = now;
    this.creator[lane] = creator;
    if (task) {
      this.laneOf[task] = lane;
      this.isTask[task] = 1;
    }
    return lane;
  }

  /** The lane of a task; one that was made before the recording has been there from its beginning.
   * @param {number} task */
  known(task) {
    const lane = this.laneOf[task];
    if (lane >= 0) return lane;
    const { begin, head } = this.recording;
    return this.add(task, begin, head.tasks[task]?.parent ?? 0);
  }

  /** @param {number} lane @param {number} now @param {number} state @param {number} other
   * @param {number} event */
  open(lane, now, state, other, event) {
    this.openState[lane] = state;
    this.openStart[lane] = now;
    this.openOther[lane] = other;
    this.openEvent[lane] = event;
  }

  /** @param {number} lane @param {number} now @param {number} event */
  close(lane, now, event) {
    const state = this.openState[lane];
    if (state === NOTHING) return;
    this.openState[lane] = NOTHING;
    const span = this.spans++;
    this.lane[span] = lane;
    this.start[span] = this.openStart[lane];
    this.end[span] = now;
    this.state[span] = state;
    this.other[span] = this.openOther[lane];
    this.opened[span] = this.openEvent[lane];
    this.closed[span] = event;
  }

  /** Room for twice as many lanes: the head did not list all tasks. */
  grow() {
    this.capacity *= 2;
    this.task = larger(this.task, new Uint32Array(this.capacity));
    this.creator = larger(this.creator, new Uint32Array(this.capacity));
    this.created = larger(this.created, new Float64Array(this.capacity));
    this.finished = larger(this.finished, new Float64Array(this.capacity).fill(NaN));
    this.outcome = larger(this.outcome, new Uint8Array(this.capacity));
    this.openState = larger(this.openState, new Uint8Array(this.capacity).fill(NOTHING));
    this.openStart = larger(this.openStart, new Float64Array(this.capacity));
    this.openOther = larger(this.openOther, new Uint32Array(this.capacity));
    this.openEvent = larger(this.openEvent, new Int32Array(this.capacity).fill(-1));
    this.next = larger(this.next, new Uint8Array(this.capacity).fill(NOTHING));
    this.nextOther = larger(this.nextOther, new Uint32Array(this.capacity));
    this.nextEvent = larger(this.nextEvent, new Int32Array(this.capacity).fill(-1));
  }
}

/** Where each lane's spans begin, and the spans in the order of lanes: a counting sort, which keeps
 * the order of time. @param {Builder} builder */
function byLane(builder) {
  const first = new Uint32Array(builder.count + 1);
  for (let i = 0; i < builder.spans; i++) first[builder.lane[i] + 1]++;
  for (let lane = 0; lane < builder.count; lane++) {
    first[lane + 1] = first[lane + 1] + first[lane];
  }
  const place = first.slice();
  const order = new Uint32Array(builder.spans);
  for (let i = 0; i < builder.spans; i++) order[place[builder.lane[i]]++] = i;
  return { first, order };
}

/** @template {Float64Array | Uint32Array | Int32Array | Uint8Array} T
 * @param {T} from @param {Uint32Array} order @param {T} to @returns {T} */
function pick(from, order, to) {
  for (let i = 0; i < order.length; i++) {
    to[i] = from[order[i]];
  }
  return to;
}

/** @template {Float64Array | Uint32Array | Int32Array | Uint8Array} T
 * @param {T} from @param {T} to @returns {T} */
function larger(from, to) {
  to.set(from);
  return to;
}

/** The time spent in a state by all spans before each one. @param {Lanes} lanes
 * @param {number} state */
function summed(lanes, state) {
  const sums = new Float64Array(lanes.spans + 1);
  let sum = 0;
  for (let i = 0; i < lanes.spans; i++) {
    sums[i] = sum;
    if (lanes.state[i] === state) {
      sum += lanes.end[i] - lanes.start[i];
    }
  }
  sums[lanes.spans] = sum;
  return sums;
}
