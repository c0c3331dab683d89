// The recording as the page holds it, and how it is unpacked from the text that the page carries.
//
// The columns stay typed arrays over one buffer: no event ever becomes an object.

/**
 * @typedef {{name: string, coroutine: string, parent: number, site: number}} TaskEntry
 * @typedef {{kind: string, type: string, name: string, maker: number, site: number,
 *            capacity: number}} ResourceEntry
 * @typedef {{file: string, line: number, function: string, text: string}} SiteEntry
 * @typedef {{
 *   process: {pid?: number, argv?: string[], python?: string, greenloop?: string, thread?: string},
 *   started: number, events: number, lost: number,
 *   tasks: Record<string, TaskEntry>, resources: Record<string, ResourceEntry>,
 *   sites: (SiteEntry | null)[],
 * }} Head
 */

/** A name that asyncio gives to a task without one. */
const NUMBERED = /^Task-(\d+)$/;

/** The events as columns, and the head with the meaning of their numbers. */
export class Recording {
  /** @param {Head} head @param {ArrayBuffer} columns */
  constructor(head, columns) {
    const length = head.events;
    this.head = head;
    this.length = length;
    this.time = new Float64Array(columns, 0, length);
    this.value = new Float64Array(columns, 8 * length, length);
    this.task = new Uint32Array(columns, 16 * length, length);
    this.other = new Uint32Array(columns, 20 * length, length);
    this.site = new Uint32Array(columns, 24 * length, length);
    this.kind = new Uint8Array(columns, 28 * length, length);
    this.detail = new Uint8Array(columns, 29 * length, length);
    /** How many tasks have run each coroutine; counted when it is asked for the first time.
     * @type {Map<string, number> | undefined} */
    this.coroutines = undefined;
    this.begin = length ? this.time[0] : 0;
    this.end = length ? Math.max(this.begin + 1, this.time[length - 1]) : 1;
  }

  /** The name of a task or resource. A task that asyncio has numbered is called after its
   * coroutine,
   * with the number if there are several. @param {number} number */
  nameOf(number) {
    const task = this.head.tasks[number];
    if (!task) return this.head.resources[number]?.name || `#${number}`;
    const numbered = NUMBERED.exec(task.name);
    if (!numbered || !task.coroutine) return task.name || `#${number}`;
    return this.isAlone(task.coroutine) ? task.coroutine : `${task.coroutine}-${numbered[1]}`;
  }

  /** The second name of a task: its coroutine, or the name that asyncio gave it.
   * @param {number} number */
  noteOf(number) {
    const task = this.head.tasks[number];
    if (!task) return "";
    const note = NUMBERED.test(task.name) ? task.name : task.coroutine;
    return note === this.nameOf(number) ? "" : note;
  }

  /** Whether only one task has run a coroutine. @param {string} coroutine */
  isAlone(coroutine) {
    if (!this.coroutines) {
      this.coroutines = new Map();
      for (const { coroutine: each } of Object.values(this.head.tasks)) {
        this.coroutines.set(each, (this.coroutines.get(each) ?? 0) + 1);
      }
    }
    return this.coroutines.get(coroutine) === 1;
  }

  /** The place that a site's number stands for. @param {number} site */
  siteOf(site) {
    return site ? (this.head.sites[site] ?? null) : null;
  }
}

const BYTES_PER_EVENT = 30;

/** Unpack the recording that the page carries.
 * @param {Document} page */
export async function unpack(page) {
  const head = /** @type {Head} */ (JSON.parse(textOf(page, "trace-head")));
  const columns = await inflate(textOf(page, "trace-events"), head.events * BYTES_PER_EVENT);
  return new Recording(head, columns);
}

/** The text of one of the page's data elements, which is dropped from the page to free its memory.
 * @param {Document} page @param {string} id */
export function textOf(page, id) {
  const element = page.getElementById(id);
  const text = element?.textContent ?? "";
  element?.remove();
  return text;
}

/** @param {string} text @param {number} size */
async function inflate(text, size) {
  const columns = new Uint8Array(size);
  const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const reader = stream.getReader();
  let filled = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (filled + value.length > size) throw new Error("the trace is longer than its head says");
    columns.set(value, filled);
    filled += value.length;
  }
  if (filled !== size) throw new Error("the trace is cut off");
  return columns.buffer;
}

/** @param {string} text @returns {Uint8Array<ArrayBuffer>} */
function bytesOf(text) {
  const trimmed = text.trim();
  // Newer browsers decode without the detour through a string of as many characters.
  const direct = /** @type {{fromBase64?: (text: string) => Uint8Array<ArrayBuffer>}} */ (
    /** @type {unknown} */ (Uint8Array)
  ).fromBase64;
  if (direct) return direct.call(Uint8Array, trimmed);
  const binary = atob(trimmed);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
