// The page: unpacks the trace, makes the views, and tells each of them about changes.

import { Details } from "./details.js";
import { Graph } from "./graph.js";
import { Keyboard } from "./keyboard.js";
import { Path } from "./path.js";
import { textOf, unpack } from "./recording.js";
import { Sequence } from "./sequence.js";
import { Session } from "./session.js";
import { Tables, element } from "./tables.js";
import { Timeline } from "./timeline.js";
import { Toolbar, applyTheme, preferredTheme } from "./toolbar.js";
import { waitsFor } from "./waits_for.js";

/** @import { Recording } from "./recording.js" */
/** @import { Diagram } from "./sequence_layout.js" */
/** @import { Change } from "./session.js" */

/** @typedef {"sequence" | "timeline" | "graph" | "tables" | "path"} Name */

/** @type {readonly [Name, string][]} */
const VIEWS = Object.freeze([
  ["sequence", "Sequence"],
  ["timeline", "Timeline"],
  ["graph", "Waits for"],
  ["tables", "Tables"],
  ["path", "Critical path"],
]);

/** The use of the pointer in each view. @type {Readonly<Record<Name, string>>} */
const HINTS = Object.freeze({
  sequence: "wheel scrolls, pinch or + − zooms, click selects,",
  timeline: "wheel zooms, drag pans, click selects,",
  graph: "wheel zooms, drag pans, the bar sets the instant,",
  tables: "a head sorts, a row leads to the timeline,",
  path: "a row leads to the timeline,",
});

/** How much a key zooms and by which share of the window it pans. */
const ZOOM = 1.6;
const PAN = 0.2;

class Page {
  /** @param {Recording} recording @param {Diagram} diagram */
  constructor(recording, diagram) {
    this.session = new Session(recording, preferredTheme());
    const { session } = this;
    /** @type {Map<Name, HTMLElement>} */
    this.elements = new Map(VIEWS.map(([name]) => [name, element("div", "view")]));
    const stage = /** @type {HTMLElement} */ (document.getElementById("stage"));
    stage.replaceChildren(...this.elements.values());
    this.of("tables").classList.add("pages");
    this.of("path").classList.add("pages");
    this.sequence = new Sequence(this.of("sequence"), session, diagram);
    this.timeline = new Timeline(this.of("timeline"), session);
    this.graph = new Graph(this.of("graph"), session);
    this.tables = new Tables(this.of("tables"), session, (span) => this.goTo(span));
    this.path = new Path(
      this.of("path"),
      session,
      (span) => this.goTo(span),
      () => this.pathOnTimeline(),
    );
    this.details = new Details(
      /** @type {HTMLElement} */ (document.getElementById("details")),
      session,
      {
        cause: () => this.cause(),
        back: () => session.back(),
        path: () => this.show("path"),
        graph: () => this.show("graph"),
      },
    );
    this.toolbar = new Toolbar(session, (text, direction) =>
      this.name === "sequence" ? this.sequence.find(text, direction) : this.findSpans(),
    );
    this.keyboard = new Keyboard(
      /** @type {HTMLDialogElement} */ (document.getElementById("keys")),
    );
    document.getElementById("help")?.addEventListener("click", () => this.keyboard.toggleHelp());
    this.tabs = this.makeTabs();
    this.addKeys();
    // A program that came to a standstill is looked at there, unless a reader goes elsewhere.
    const last = session.within(recording.end);
    if (waitsFor(session, last).sure) session.cursor = last;
    session.listeners.add((change) => this.changed(change));
    /** @type {Name} */
    this.name = "timeline";
    this.show(nameIn(location.hash) ?? (diagram.rows.length ? "sequence" : "timeline"));
  }

  /** @param {Name} name */
  of(name) {
    return /** @type {HTMLElement} */ (this.elements.get(name));
  }

  makeTabs() {
    const bar = /** @type {HTMLElement} */ (document.getElementById("views"));
    return VIEWS.map(([name, title], index) => {
      const button = element("button", "", title);
      button.setAttribute("role", "tab");
      button.title = `${title} (${index + 1})`;
      button.dataset.view = name;
      button.addEventListener("click", () => this.show(name));
      bar.append(button);
      return button;
    });
  }

  /** @param {Name} name */
  show(name) {
    this.name = name;
    for (const [each, view] of this.elements) view.hidden = each !== name;
    for (const tab of this.tabs)
      tab.setAttribute("aria-selected", String(tab.dataset.view === name));
    this.toolbar.hint.textContent = HINTS[name];
    this.refresh();
  }

  /** Draw the view that is shown. */
  refresh() {
    if (this.name === "sequence") this.sequence.surface.ask();
    else if (this.name === "timeline") this.timeline.surface.ask();
    else if (this.name === "graph") this.graph.invalidate();
    else if (this.name === "tables") this.tables.show();
    else this.path.show();
  }

  /** @param {Change} change */
  changed(change) {
    if (change === "selection") {
      this.details.show();
      this.timeline.revealSelection();
    }
    if (change === "filter") {
      this.sequence.lay();
      this.timeline.scroll = 0;
    }
    if (change === "filter" || change === "theme") this.tables.stale = true;
    if (change === "theme") this.details.show();
    if (change === "task") this.timeline.path = [];
    this.refresh();
  }

  /** Show a span in the timeline. @param {number} span */
  goTo(span) {
    if (span < 0) return;
    this.show("timeline");
    this.session.select(span);
    this.session.reveal(span);
  }

  cause() {
    if (!this.session.goToCause()) return false;
    if (this.name !== "graph") this.show("timeline");
    return true;
  }

  /** A search goes over spans, which the timeline shows. */
  findSpans() {
    if (this.name !== "timeline" && this.name !== "graph") this.show("timeline");
    return -1;
  }

  pathOnTimeline() {
    const path = this.path.current();
    this.timeline.path = path.pieces;
    this.show("timeline");
    const margin = path.wall * 0.03;
    this.session.show(path.begin - margin, path.end + margin);
  }

  /** @param {number} factor */
  zoom(factor) {
    const { session, name } = this;
    if (name === "sequence") this.sequence.zoom(this.sequence.surface.height / 2, factor);
    else if (name === "graph")
      this.graph.zoom(this.graph.surface.width / 2, this.graph.surface.height / 2, factor);
    else if (name === "timeline") {
      const { begin, end, cursor } = session;
      session.zoom(cursor >= begin && cursor <= end ? cursor : (begin + end) / 2, factor);
    } else return false;
    return true;
  }

  /** @param {number} x @param {number} y */
  pan(x, y) {
    const { session, name } = this;
    if (name === "timeline") {
      session.pan(x * PAN * (session.end - session.begin));
      this.timeline.scrollBy(y * this.timeline.laneHeight);
    } else if (name === "sequence") this.sequence.move(x * 80, y * this.sequence.rowHeight * 3);
    else if (name === "graph" && x) this.graph.step(x);
    else return false;
    return true;
  }

  showAll() {
    if (this.name === "graph") this.graph.fit();
    else this.session.showAll();
  }

  /** Nothing selected, no filter, no path. */
  clear() {
    this.timeline.path = [];
    if (this.session.selection >= 0) this.session.select(-1);
    else if (this.toolbar.filter.value) {
      this.toolbar.filter.value = "";
      this.session.applyFilter("");
    }
    this.refresh();
  }

  addKeys() {
    const { toolbar, session } = this;
    /** @param {string} shown @param {string} purpose @param {() => boolean | void} does
     * @param {string[]} [keys] */
    const key = (shown, purpose, does, keys = [shown]) => ({ shown, purpose, does, keys });
    this.keyboard.add(
      "Views",
      VIEWS.map(([name, title], index) =>
        key(String(index + 1), title.toLowerCase(), () => this.show(name)),
      ),
    );
    this.keyboard.add("Move", [
      key("+", "zoom in", () => this.zoom(ZOOM), ["+", "=", "w"]),
      key("−", "zoom out", () => this.zoom(1 / ZOOM), ["-", "s"]),
      key("← →", "pan; in the graph, event by event", () => this.pan(-1, 0), ["ArrowLeft", "a"]),
      key("↑ ↓", "scroll", () => this.pan(0, -1), ["ArrowUp"]),
      key("0", "show all of it", () => this.showAll(), ["0", "Home"]),
    ]);
    this.keyboard.actions.set("ArrowRight", () => this.pan(1, 0));
    this.keyboard.actions.set("d", () => this.pan(1, 0));
    this.keyboard.actions.set("ArrowDown", () => this.pan(0, 1));
    this.keyboard.add("Follow", [
      key("c", "go to the cause of the wake-up", () => this.cause()),
      key("b", "go back to where you were", () => session.back()),
      key("p", "critical path of the task", () => this.show("path")),
      key("g", "the waits at the cursor", () => this.show("graph")),
      key("l", "the path on the timeline", () => this.pathOnTimeline()),
    ]);
    this.keyboard.add("Find", [
      key("/", "search", () => toolbar.search.focus()),
      key("n N", "next and previous match", () => toolbar.go(1), ["n"]),
      key("f", "filter", () => toolbar.filter.focus()),
      key("Esc", "clear the selection, then the filter", () => this.clear(), ["Escape"]),
      key("t", "light or dark", () => toolbar.toggleTheme()),
      key("?", "these keys", () => this.keyboard.toggleHelp()),
    ]);
    this.keyboard.actions.set("N", () => toolbar.go(-1));
  }
}

/** The view that a page's address asks for. @param {string} hash */
function nameIn(hash) {
  return VIEWS.find(([name]) => hash === `#${name}`)?.[0];
}

async function open() {
  applyTheme(preferredTheme());
  const recording = await unpack(document);
  const diagram = /** @type {Diagram} */ (JSON.parse(textOf(document, "trace-diagram")));
  const page = new Page(recording, diagram);
  // Programs that look at the page, such as its tests, find it here.
  Object.assign(window, { greenloop: page, openedAfter: performance.now() });
}

open().catch((error) => {
  const opening = document.getElementById("opening");
  if (opening) {
    const reason = error instanceof Error ? error.message : String(error);
    opening.textContent = `The trace cannot be shown: ${reason}`;
    opening.className = "failed";
  }
  throw error;
});
