// The graph of waits at one instant: tasks, the resources they wait for, and the holders of those.
//
// An arrow leads from a waiting task to a resource, and from there to the task that can end the
// wait. An arrow is sure if the recording says so (a lock has a holder, a task is awaited), else it
// is a guess: a task that put into a queue may do so again. A circle of sure arrows is a deadlock.

import { giveRanks, markCircles } from "./circles.js";
import { READY, RUNNING, WAITING, WAITS } from "./vocabulary.js";

/** @import { Session } from "./session.js" */

/**
 * @typedef {{
 *   key: string, sort: "task" | "resource", number: number,
 *   label: string, note: string, state: number, tasks: number[], rank: number, circle: boolean,
 * }} GraphNode
 * @typedef {{from: GraphNode, to: GraphNode, state: number, sure: boolean, circle: boolean}}
 * GraphArrow
 * @typedef {{
 *   time: number, nodes: GraphNode[], arrows: GraphArrow[],
 *   running: number, ready: number, waiting: number, left: number, sure: boolean, circles: number,
 * }} WaitsFor
 */

/** More tasks than this of one coroutine that wait for the same are drawn as one. */
const MOST_ALIKE = 4;

/** Beyond these nodes no task is added: nobody could read the graph, and it would take seconds. */
const MOST_NODES = 250;

/** The most tasks that are drawn as those of a group. */
const MOST_CHILDREN = 8;

/** Waits for tasks that the waiting task has made, as a rule. */
const FOR_CHILDREN = new Set(["task-group", "gather", "wait"]);

/** @param {Session} session @param {number} time @returns {WaitsFor} */
export function waitsFor(session, time) {
  const graph = new Graph(session, time);
  graph.collect();
  return graph.result();
}

class Graph {
  /** @param {Session} session @param {number} time */
  constructor(session, time) {
    this.session = session;
    this.time = time;
    /** @type {Map<string, GraphNode>} */
    this.nodes = new Map();
    /** @type {Map<string, GraphArrow>} */
    this.arrows = new Map();
    /** The node in which a task is drawn. @type {Map<number, GraphNode>} */
    this.ofTask = new Map();
    /** The nodes whose arrows are there. @type {Set<GraphNode>} */
    this.told = new Set();
    /** @type {Map<number, number[]>} */
    this.held = new Map();
    this.running = 0;
    this.ready = 0;
    this.waiting = 0;
    /** Tasks that are not drawn. */
    this.left = 0;
  }

  collect() {
    const { lanes, filter } = this.session;
    /** @type {Map<string, number[]>} */
    const alike = new Map();
    for (const lane of filter.shown) {
      if (lane === 0) continue;
      const span = lanes.at(lane, this.time);
      if (span < 0) continue;
      const state = lanes.state[span];
      if (state === RUNNING) this.running++;
      else if (state === READY) this.ready++;
      else this.waiting++;
      if (!filter.states[state]) continue;
      const key = `${this.coroutine(lane)} ${state} ${lanes.other[span]}`;
      const group = alike.get(key);
      if (group) group.push(span);
      else alike.set(key, [span]);
    }
    const holders = this.heldByWaiting([...alike.values()]);
    for (const spans of alike.values()) {
      if (this.nodes.size >= MOST_NODES) {
        this.left += spans.length;
        continue;
      }
      // A task that others wait for is drawn by itself, or a circle through it would not be seen.
      const alone = spans.filter((span) => holders.has(lanes.task[lanes.lane[span]]));
      const others = spans.filter((span) => !holders.has(lanes.task[lanes.lane[span]]));
      if (others.length <= MOST_ALIKE) alone.push(...others);
      else this.group(others);
      for (const span of alone) this.task(lanes.task[lanes.lane[span]], lanes.state[span]);
    }
    for (const span of [...alike.values()].flat()) {
      if (lanes.state[span] >= WAITING) this.wait(span);
    }
  }

  /** The tasks that hold something that the waiting ones wait for. @param {number[][]} groups */
  heldByWaiting(groups) {
    const { lanes, recording } = this.session;
    const held = new Set();
    for (const [span] of groups) {
      const what = lanes.other[span];
      if (recording.head.tasks[what]) held.add(what);
      for (const task of this.holders(what)) held.add(task);
    }
    return held;
  }

  /** @param {number} task @param {number} state */
  task(task, state) {
    const known = this.ofTask.get(task);
    if (known) return known;
    const { recording } = this.session;
    const [label, note] = [recording.nameOf(task), recording.noteOf(task)];
    const node = this.node(`t${task}`, "task", task, label, note, state);
    node.tasks.push(task);
    this.ofTask.set(task, node);
    return node;
  }

  /** @param {number[]} spans */
  group(spans) {
    const { lanes } = this.session;
    const [span] = spans;
    const state = lanes.state[span];
    const coroutine = this.coroutine(lanes.lane[span]) || "tasks";
    const key = `g${coroutine} ${state} ${lanes.other[span]}`;
    const node = this.node(key, "task", 0, `${coroutine} × ${spans.length}`, "", state);
    for (const each of spans) {
      const task = lanes.task[lanes.lane[each]];
      node.tasks.push(task);
      this.ofTask.set(task, node);
    }
  }

  /** The arrows of a task that waits. @param {number} span */
  wait(span) {
    const { lanes, recording, resources } = this.session;
    const task = lanes.task[lanes.lane[span]];
    const from = this.ofTask.get(task);
    if (!from || this.told.has(from)) return;
    // Tasks that are drawn as one wait for the same.
    this.told.add(from);
    const state = lanes.state[span];
    const kind = WAITS[state - WAITING] ?? "unknown";
    const what = lanes.other[span];
    if (recording.head.tasks[what]) {
      this.arrow(from, this.task(what, this.stateOf(what)), state, true);
      return;
    }
    if (!what && FOR_CHILDREN.has(kind)) {
      const node = this.node(`c${kind}${task}`, "resource", 0, kind, "", state);
      this.arrow(from, node, state, true);
      this.guess(node, this.childrenOf(task), state);
      return;
    }
    // A wait for the clock, or for something without a number, leads nowhere.
    if (!what) return;
    const known = recording.head.resources[what];
    const items = resources.items(what, this.time);
    const capacity = known?.capacity ? ` of ${known.capacity}` : "";
    const note =
      items >= 0 ? `${known?.type ?? ""}, ${items}${capacity} items` : (known?.type ?? kind);
    const node = this.node(`r${what}`, "resource", what, recording.nameOf(what), note, state);
    this.arrow(from, node, state, true);
    const holders = this.holders(what);
    for (const each of holders) this.arrow(node, this.task(each, this.stateOf(each)), state, true);
    if (holders.length) return;
    const enders = FOR_CHILDREN.has(kind)
      ? this.childrenOf(task)
      : resources.servers(what, kind).filter((each) => each !== task && this.isAlive(each));
    this.guess(node, enders, state);
  }

  /** Arrows to tasks that may end a wait. @param {GraphNode} node @param {number[]} tasks
   * @param {number} state */
  guess(node, tasks, state) {
    for (const each of tasks) this.arrow(node, this.task(each, this.stateOf(each)), state, false);
  }

  /** The holders of a resource, which many waiting tasks ask for. @param {number} resource */
  holders(resource) {
    let found = this.held.get(resource);
    if (!found) {
      found = this.session.resources.holders(resource, this.time);
      this.held.set(resource, found);
    }
    return found;
  }

  /** Some tasks that a task has made and that are not done. @param {number} task */
  childrenOf(task) {
    const children = this.session.lanes.children.get(task) ?? [];
    const found = [];
    for (const each of children) {
      if (found.length === MOST_CHILDREN) break;
      if (this.isAlive(each)) found.push(each);
    }
    return found;
  }

  /** @param {number} task */
  isAlive(task) {
    const { lanes } = this.session;
    return lanes.at(lanes.laneOf[task] ?? -1, this.time) >= 0;
  }

  /** @param {number} task */
  stateOf(task) {
    const { lanes } = this.session;
    const span = lanes.at(lanes.laneOf[task] ?? -1, this.time);
    return span < 0 ? RUNNING : lanes.state[span];
  }

  /** @param {number} lane */
  coroutine(lane) {
    const { lanes, recording } = this.session;
    return recording.head.tasks[lanes.task[lane]]?.coroutine ?? "";
  }

  /** @param {string} key @param {GraphNode["sort"]} sort @param {number} number
   * @param {string} label @param {string} note @param {number} state */
  node(key, sort, number, label, note, state) {
    let node = this.nodes.get(key);
    if (!node) {
      node = { key, sort, number, label, note, state, tasks: [], rank: 0, circle: false };
      this.nodes.set(key, node);
    }
    return node;
  }

  /** @param {GraphNode} from @param {GraphNode} to @param {number} state @param {boolean} sure */
  arrow(from, to, state, sure) {
    const key = `${from.key}>${to.key}`;
    if (from === to || this.arrows.has(key)) return;
    this.arrows.set(key, { from, to, state, sure, circle: false });
  }

  /** @returns {WaitsFor} */
  result() {
    const arrows = [...this.arrows.values()];
    const nodes = [...this.nodes.values()];
    // A circle of sure arrows is one whatever guesses are around it, so they are looked for first.
    const sure = markCircles(
      nodes,
      arrows.filter((arrow) => arrow.sure),
    );
    const circles = sure || markCircles(nodes, arrows);
    giveRanks(nodes, arrows);
    const { time, running, ready, waiting, left } = this;
    return {
      time,
      nodes,
      arrows,
      running,
      ready,
      waiting,
      left,
      circles,
      sure: sure > 0,
    };
  }
}
