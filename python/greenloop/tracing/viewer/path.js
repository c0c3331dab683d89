// The critical path of a task, as two bars with their sums and the pieces one after the other.
//
// The first bar is the task's own time. The second one is the same time with each wait replaced by
// the work of the task that ended it. Both are as long as the task lived.

import { criticalPath } from "./critical_path.js";
import { element } from "./tables.js";
import { counted, duration, instant, share } from "./units.js";
import { Kind, READY, RUNNING, VERBS, WAITING, stateName } from "./vocabulary.js";

/** @import { CriticalPath, Piece, Sum } from "./critical_path.js" */
/** @import { Session } from "./session.js" */

const MOST_PIECES = 400;

export class Path {
  /** @param {HTMLElement} parent @param {Session} session
   * @param {(span: number) => void} go @param {() => void} onTimeline */
  constructor(parent, session, go, onTimeline) {
    this.session = session;
    this.parent = parent;
    this.go = go;
    this.onTimeline = onTimeline;
    this.lane = -1;
    this.theme = "";
    /** @type {CriticalPath | undefined} */
    this.path = undefined;
  }

  /** The path of the chosen task. */
  current() {
    const { chosen } = this.session;
    if (!this.path || this.path.lane !== chosen) this.path = criticalPath(this.session, chosen);
    return this.path;
  }

  show() {
    const { chosen, palette } = this.session;
    if (this.lane === chosen && this.theme === palette.theme) return;
    this.lane = chosen;
    this.theme = palette.theme;
    const path = this.current();
    this.parent.replaceChildren(
      this.title(path),
      this.part(
        "Its own time",
        "the states of the task while it lived",
        path.own,
        path.wall,
        false,
        "own",
      ),
      this.part(
        "The critical path",
        "waits followed to the tasks that ended them",
        path.path,
        path.wall,
        true,
        "path",
      ),
      this.pieces(path),
    );
  }

  /** @param {CriticalPath} path */
  title(path) {
    const { lanes, recording } = this.session;
    const head = element("header", "path-head");
    const label = element("label", "", "Critical path of ");
    const select = document.createElement("select");
    select.id = "path-task";
    // Of very many tasks, the list has those around the chosen one.
    const first = Math.max(1, Math.min(path.lane - 1000, lanes.count - 2000));
    for (let lane = first; lane < Math.min(lanes.count, first + 2000); lane++) {
      const option = document.createElement("option");
      option.value = String(lane);
      option.textContent = recording.nameOf(lanes.task[lane]);
      option.selected = lane === path.lane;
      select.append(option);
    }
    select.addEventListener("change", () => this.session.chooseTask(Number(select.value)));
    label.append(select);
    const wall = element("span", "wall", duration(path.wall));
    wall.dataset.wall = String(path.wall);
    const button = element("button", "quiet", "show on the timeline");
    button.addEventListener("click", () => this.onTimeline());
    head.append(label, wall, element("span", "muted", "wall time"), button);
    return head;
  }

  /** @param {string} title @param {string} note @param {Sum[]} sums @param {number} wall
   * @param {boolean} byTask @param {string} id */
  part(title, note, sums, wall, byTask, id) {
    const { palette } = this.session;
    const section = element("section", "path-part");
    section.id = `path-${id}`;
    const heading = element("h2", "", title);
    heading.append(element("span", "muted", `  ${note}`));
    const bar = element("div", "stack");
    const list = element("div", "sums");
    for (const sum of sums) {
      const piece = element(
        "div",
        sum.state === RUNNING ? "piece" : sum.state === READY ? "piece ready" : "piece wait",
      );
      piece.style.flexGrow = String(sum.time);
      piece.style.setProperty("--colour", palette.state(sum.state));
      piece.title = `${this.label(sum, byTask)}: ${duration(sum.time)}`;
      // A narrow piece has no room for words; the narrowest page has room for about 120 letters.
      const label = this.label(sum, byTask);
      if ((sum.time / wall) * 120 > label.length + 2) piece.textContent = label;
      bar.append(piece);
      const line = element("div", "sum");
      line.dataset.time = String(sum.time);
      const mark = element("span", "swatch");
      mark.style.background = palette.state(sum.state);
      line.append(
        mark,
        element("span", "what", this.label(sum, byTask)),
        element("span", "muted number", counted(sum.count, "time")),
        element("span", "number", duration(sum.time)),
        element("span", "number muted", share(sum.time, wall)),
      );
      list.append(line);
    }
    const total = sums.reduce((sum, { time }) => sum + time, 0);
    const line = element("div", "sum total");
    line.append(
      element("span"),
      element("span", "what", "sum"),
      element("span"),
      element("span", "number", duration(total)),
      element("span", "number muted", share(total, wall)),
    );
    list.append(line);
    section.append(heading, bar, list);
    return section;
  }

  /** @param {Sum} sum @param {boolean} byTask */
  label({ state, label }, byTask) {
    if (state === RUNNING) return byTask ? `${label} running` : "running";
    if (state === READY) return byTask ? `${label} ready` : "ready";
    return label ? `${stateName(state)} · ${label}` : stateName(state);
  }

  /** The pieces one after the other, those of one stay in a task together.
   * @param {CriticalPath} path */
  pieces(path) {
    const { lanes, recording, palette } = this.session;
    const section = element("section", "path-pieces");
    section.append(element("h2", "", "Step by step"));
    const list = document.createElement("ol");
    const stays = staysOf(path.pieces);
    for (const stay of stays.slice(0, MOST_PIECES)) {
      const line = document.createElement("li");
      const [first] = stay;
      const last = stay[stay.length - 1];
      const head = element("button", "stay");
      head.append(
        element("span", "number muted", instant(first.begin - recording.begin, 100)),
        element("strong", "", recording.nameOf(lanes.task[first.lane])),
      );
      const strip = element("span", "strip");
      for (const piece of stay.slice(0, 24)) {
        const mark = element("span", "mark");
        mark.style.background = palette.state(piece.state);
        mark.style.flexGrow = String(Math.sqrt(piece.end - piece.begin));
        mark.title = `${stateName(piece.state)} ${duration(piece.end - piece.begin)}`;
        strip.append(mark);
      }
      head.append(strip, element("span", "number", duration(last.end - first.begin)));
      head.append(element("span", "muted", this.handOver(last)));
      head.addEventListener("click", () => first.span >= 0 && this.go(first.span));
      line.append(head);
      list.append(line);
    }
    section.append(list);
    if (stays.length > MOST_PIECES) {
      section.append(element("p", "muted", `and ${stays.length - MOST_PIECES} more`));
    }
    return section;
  }

  /** How a stay passed on to the next one. @param {Piece} last */
  handOver(last) {
    const { recording, resources } = this.session;
    const event = last.cause;
    if (event < 0) return last.state >= WAITING ? stateName(last.state) : "";
    const woken = recording.nameOf(recording.other[event]);
    if (recording.kind[event] === Kind.TASK_CREATED) return `created ${woken}`;
    const by = resources.behind(event);
    const how =
      by >= 0 ? `${VERBS[recording.kind[by]]} ${recording.nameOf(recording.other[by])}, ` : "";
    return `${how}woke ${woken}`;
  }
}

/** The pieces in groups of one lane. @param {Piece[]} pieces */
function staysOf(pieces) {
  /** @type {Piece[][]} */
  const stays = [];
  for (const piece of pieces) {
    const stay = stays[stays.length - 1];
    if (stay && stay[0].lane === piece.lane) stay.push(piece);
    else stays.push([piece]);
  }
  return stays;
}
