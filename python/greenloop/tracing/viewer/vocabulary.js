// The words of a trace: kinds of events, states of tasks, kinds of wait, causes, and their
// families.
//
// `docs/trace-format.md` defines the numbers. A state is one byte: running, ready, or a wait of
// some kind; the states of a family share a colour, so that a reader learns nine colours and not
// thirty.

export const Kind = Object.freeze({
  TASK_CREATED: 1,
  STEP_BEGAN: 2,
  STEP_ENDED: 3,
  WAIT_BEGAN: 4,
  WOKEN: 5,
  TASK_FINISHED: 6,
  CANCEL_REQUESTED: 7,
  RESOURCE_MADE: 8,
  PUT: 9,
  GET: 10,
  ACQUIRED: 11,
  RELEASED: 12,
  SET: 13,
  CLEARED: 14,
  NOTIFIED: 15,
  POLL_BEGAN: 16,
  POLL_ENDED: 17,
  CALLBACK_BEGAN: 18,
  CALLBACK_ENDED: 19,
  THREAD_CALLED: 20,
  JOB_SUBMITTED: 21,
  JOB_FINISHED: 22,
  TIMER_EXPIRED: 23,
  SENT: 24,
  RECEIVED: 25,
  LOST: 26,
  LOOP_STARTED: 27,
  LOOP_STOPPED: 28,
  TASK_DONE_SEEN: 29,
  NAMED: 30,
});

/** The verb of a sentence about an event; the index is its kind. */
export const VERBS = Object.freeze([
  "",
  "created",
  "began a step",
  "ended a step",
  "began to wait",
  "woke",
  "finished",
  "cancelled",
  "made",
  "put into",
  "took from",
  "acquired",
  "released",
  "set",
  "cleared",
  "notified",
  "began to poll",
  "ended a poll",
  "began a callback",
  "ended a callback",
  "called from a thread",
  "submitted",
  "finished job",
  "saw a timer expire",
  "sent to",
  "received from",
  "lost events",
  "started the loop",
  "stopped the loop",
  "took the result of",
]);

/** Kinds of wait by their numbers. */
export const WAITS = Object.freeze([
  "unknown",
  "queue.get",
  "queue.put",
  "queue.join",
  "lock",
  "semaphore",
  "event",
  "condition",
  "barrier",
  "sleep",
  "timeout",
  "gather",
  "wait",
  "task-group",
  "shield",
  "future",
  "task",
  "stream.read",
  "stream.drain",
  "socket",
  "name-lookup",
  "subprocess",
  "executor",
  "rust-future",
  "foreign",
  "yield",
  "connect",
  "accept",
]);

/** Causes of a wake-up by their numbers. */
export const CAUSES = Object.freeze([
  "unknown",
  "a task",
  "a timer",
  "a descriptor",
  "another thread",
  "a signal",
  "a callback",
  "a cancellation",
]);

export const OUTCOMES = Object.freeze(["not finished", "returned", "raised", "cancelled"]);

/** The states of a lane: `WAITING + kind of wait` are those of a task that waits. */
export const RUNNING = 0;
export const READY = 1;
export const WAITING = 2;
export const POLLING = WAITING + 40;
export const STATES = POLLING + 1;

/** @typedef {"running"|"ready"|"queue"|"lock"|"signal"|"task"|"io"|"time"|"outside"} Family */

/** @type {readonly Family[]} */
export const FAMILIES = Object.freeze([
  "running",
  "ready",
  "queue",
  "lock",
  "signal",
  "task",
  "io",
  "time",
  "outside",
]);

/** The names of families in the legend. @type {Readonly<Record<Family, string>>} */
export const FAMILY_NAMES = Object.freeze({
  running: "running",
  ready: "ready, waits for its turn",
  queue: "queues",
  lock: "locks",
  signal: "events, futures",
  task: "tasks",
  io: "network, processes",
  time: "time",
  outside: "threads, foreign",
});

/** @type {Readonly<Record<string, Family>>} */
const FAMILY_OF_WAIT = Object.freeze({
  "queue.get": "queue",
  "queue.put": "queue",
  "queue.join": "queue",
  lock: "lock",
  semaphore: "lock",
  condition: "lock",
  barrier: "lock",
  event: "signal",
  future: "signal",
  gather: "task",
  wait: "task",
  "task-group": "task",
  shield: "task",
  task: "task",
  sleep: "time",
  timeout: "time",
  yield: "time",
  "stream.read": "io",
  "stream.drain": "io",
  socket: "io",
  "name-lookup": "io",
  subprocess: "io",
  connect: "io",
  accept: "io",
  executor: "outside",
  "rust-future": "outside",
  foreign: "outside",
  unknown: "outside",
});

/** The name of a state, such as `running` or `queue.get`. @param {number} state */
export function stateName(state) {
  if (state === RUNNING) return "running";
  if (state === READY) return "ready";
  if (state === POLLING) return "poll";
  return WAITS[state - WAITING] ?? `wait ${state - WAITING}`;
}

/** The family of a state. @param {number} state @returns {Family} */
export function familyOf(state) {
  if (state === RUNNING) return "running";
  if (state === READY) return "ready";
  if (state === POLLING) return "time";
  return FAMILY_OF_WAIT[WAITS[state - WAITING] ?? "unknown"] ?? "outside";
}
