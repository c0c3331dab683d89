// The panel beside a view: the selected span, the cause of its end, and the ways to go from it.

import { element } from "./tables.js";
import { duration, instant, place } from "./units.js";
import { CAUSES, Kind, POLLING, VERBS, WAITING, stateName } from "./vocabulary.js";

/** @import { Session } from "./session.js" */

/** @typedef {{cause: () => void, back: () => void, path: () => void, graph: () => void}} Actions */

export class Details {
  /** @param {HTMLElement} parent @param {Session} session @param {Actions} actions */
  constructor(parent, session, actions) {
    this.parent = parent;
    this.session = session;
    this.actions = actions;
  }

  show() {
    const { selection, lanes, recording, palette } = this.session;
    this.parent.hidden = selection < 0;
    if (selection < 0) return;
    const state = lanes.state[selection];
    const lane = lanes.lane[selection];
    const task = lanes.task[lane];
    const begin = lanes.start[selection];
    const end = lanes.end[selection];
    const heading = element("h2");
    const mark = element("span", "swatch");
    mark.style.background = palette.state(state);
    heading.append(mark, stateName(state));
    const close = element("button", "close", "×");
    close.title = "close (Escape)";
    close.addEventListener("click", () => this.session.select(-1));
    heading.append(close);
    const list = document.createElement("dl");
    /** @param {string} term @param {string} text @param {string} [note] */
    const say = (term, text, note = "") => {
      if (!text) return;
      const value = element("dd", "", text);
      if (note) value.append(element("span", "note", note));
      list.append(element("dt", "", term), value);
    };
    say("task", task ? recording.nameOf(task) : "the loop", recording.noteOf(task));
    say("took", duration(end - begin));
    say("from", instant(begin - recording.begin, 10), `to ${instant(end - recording.begin, 10)}`);
    if (state >= WAITING && state !== POLLING) {
      const what = lanes.other[selection];
      const known = recording.head.resources[what];
      const capacity = known?.capacity ? `, holds ${known.capacity}` : "";
      say("for", what ? recording.nameOf(what) : "", known ? `${known.type}${capacity}` : "");
    }
    const site = this.siteOf(selection);
    say("at", place(site), site ? `${site.function}\n${site.text}`.trim() : "");
    const cause = lanes.causeOf(selection);
    if (cause >= 0) {
      const { by, how } = this.causeIn(cause);
      say(state >= WAITING ? "ended by" : "because of", by, how);
    } else if (state >= WAITING && lanes.closed[selection] < 0) {
      say("ended by", "nothing yet", "the recording ends before");
    }
    this.parent.replaceChildren(heading, list, this.buttons(selection, lane));
  }

  /** Where the source is that a span belongs to. @param {number} span */
  siteOf(span) {
    const { lanes, recording } = this.session;
    for (let each = span; each >= lanes.first[lanes.lane[span]] && each > span - 4; each--) {
      const event = lanes.opened[each];
      const site = event >= 0 ? recording.siteOf(recording.site[event]) : null;
      if (site) return site;
    }
    return recording.siteOf(recording.head.tasks[lanes.task[lanes.lane[span]]]?.site ?? 0);
  }

  /** The cause that made a task ready, in words. @param {number} event */
  causeIn(event) {
    const { recording, resources } = this.session;
    const { kind, task, detail } = recording;
    if (kind[event] === Kind.TASK_CREATED) {
      return {
        by: task[event] ? recording.nameOf(task[event]) : "the program",
        how: "created the task",
      };
    }
    if (kind[event] !== Kind.WOKEN) return { by: VERBS[kind[event]] ?? "", how: "" };
    if (!task[event]) return { by: CAUSES[detail[event]] ?? "unknown", how: "" };
    const behind = resources.behind(event);
    const how =
      behind >= 0
        ? `${VERBS[kind[behind]]} ${recording.nameOf(recording.other[behind])}`
        : (CAUSES[detail[event]] ?? "");
    const site = behind >= 0 ? place(recording.siteOf(recording.site[behind])) : "";
    return { by: recording.nameOf(task[event]), how: site ? `${how}\n${site}` : how };
  }

  /** @param {number} span @param {number} lane */
  buttons(span, lane) {
    const row = element("div", "actions");
    /** @param {string} text @param {string} key @param {() => void} action @param {boolean} can */
    const offer = (text, key, action, can) => {
      const button = /** @type {HTMLButtonElement} */ (element("button", "", text));
      button.append(element("kbd", "", key));
      button.disabled = !can;
      button.addEventListener("click", action);
      row.append(button);
    };
    offer("go to the cause", "c", this.actions.cause, this.session.wakerOf(span) >= 0);
    offer("go back", "b", this.actions.back, this.session.history.length > 0);
    offer("critical path of the task", "p", this.actions.path, lane > 0);
    offer("the waits at this instant", "g", this.actions.graph, true);
    return row;
  }
}
