// The bars above and below: the views' tabs, filter and search, the theme, and the legend.
//
// The legend is a control too: a family of waits that is switched off is dimmed everywhere.

import { search } from "./filter.js";
import { element } from "./tables.js";
import { count, counted, duration } from "./units.js";
import { FAMILIES, FAMILY_NAMES, STATES, familyOf } from "./vocabulary.js";

/** @import { Theme } from "./palette.js" */
/** @import { Session } from "./session.js" */

/** Where a browser remembers the theme that was chosen. */
const REMEMBERED = "greenloop-trace-theme";

/** How long typing has to rest before the filter is applied, in milliseconds. */
const REST = 120;

export class Toolbar {
  /** @param {Session} session @param {(text: string, direction: number) => number} find in the
   * view that is shown; -1 lets the search go over spans */
  constructor(session, find) {
    this.session = session;
    this.find = find;
    this.filter = /** @type {HTMLInputElement} */ (document.getElementById("filter"));
    this.search = /** @type {HTMLInputElement} */ (document.getElementById("search"));
    this.found = /** @type {HTMLOutputElement} */ (document.getElementById("found"));
    this.legend = /** @type {HTMLElement} */ (document.getElementById("legend"));
    /** The spans that the search has found. @type {Uint32Array} */
    this.matches = new Uint32Array(0);
    this.searched = "";
    this.at = -1;
    /** The use of the pointer in the view that is shown. */
    this.hint = element("span");
    this.about();
    let rest = 0;
    this.filter.addEventListener("input", () => {
      clearTimeout(rest);
      rest = window.setTimeout(() => session.applyFilter(this.filter.value), REST);
    });
    this.search.addEventListener("input", () => this.go(0));
    for (const field of [this.filter, this.search]) {
      field.addEventListener("keydown", (event) => {
        if (event.key === "Escape") {
          // A browser would empty the field, and the matches would be gone.
          event.preventDefault();
          field.blur();
        }
        if (event.key !== "Enter") return;
        if (field === this.search) this.go(event.shiftKey ? -1 : 1);
        else field.blur();
      });
    }
    document.getElementById("theme")?.addEventListener("click", () => this.toggleTheme());
    this.drawLegend();
  }

  /** The recorded program and the size of the recording. */
  about() {
    const { recording, lanes } = this.session;
    const { process, lost } = recording.head;
    const program = process.argv?.length ? process.argv.join(" ") : "trace";
    const facts = [
      counted(lanes.count - 1, "task"),
      counted(recording.length, "event"),
      duration(recording.end - recording.begin),
    ];
    if (lost) facts.push(`${count(lost)} lost`);
    const name = /** @type {HTMLElement} */ (document.getElementById("program"));
    name.textContent = program;
    const { pid = "?", python = "?", greenloop = "?" } = process;
    name.title = `${program}\npid ${pid}, Python ${python}, Greenloop ${greenloop}`;
    /** @type {HTMLElement} */ (document.getElementById("facts")).textContent = facts.join(" · ");
  }

  /** Go to the next match, the one before, or the first one of a new text.
   * @param {number} direction */
  go(direction) {
    const text = this.search.value;
    const inView = this.find(text, direction || 1);
    if (inView >= 0) {
      this.found.textContent = text.trim() ? count(inView) : "";
      return;
    }
    const { session } = this;
    if (text !== this.searched || direction === 0) {
      this.matches = search(session.filter, text);
      this.searched = text;
      this.at = -1;
    }
    if (!this.matches.length) {
      this.found.textContent = text.trim() ? "none" : "";
      return;
    }
    const { length } = this.matches;
    // The first match is the first one from where the reader is.
    if (this.at < 0) {
      const { lanes, begin } = session;
      this.at = this.matches.findIndex((span) => lanes.end[span] >= begin);
      if (this.at < 0) this.at = 0;
    } else {
      this.at = (this.at + direction + length) % length;
    }
    this.found.textContent = `${count(this.at + 1)} of ${count(length)}`;
    session.select(this.matches[this.at]);
    session.reveal(this.matches[this.at]);
  }

  toggleTheme() {
    const theme = this.session.palette.theme === "dark" ? "light" : "dark";
    try {
      localStorage.setItem(REMEMBERED, theme);
    } catch {
      // A page from a file may have no storage; then the choice lasts as long as the page.
    }
    applyTheme(theme);
    this.session.setTheme(theme);
    this.drawLegend();
  }

  drawLegend() {
    const { session } = this;
    const { palette, filter, lanes } = session;
    const present = new Uint8Array(STATES);
    for (let span = 0; span < lanes.spans; span++) present[lanes.state[span]] = 1;
    const families = new Set([...present.keys()].filter((state) => present[state]).map(familyOf));
    const buttons = FAMILIES.filter((family) => families.has(family)).map((family) => {
      const button = element("button", "", "");
      const active = family === "running" || family === "ready";
      const mark = element("span", `swatch ${active ? family : "wait"}`);
      mark.style.setProperty("--colour", palette.family(family));
      mark.style.setProperty("--pale", palette.family(family, 0.28));
      button.append(mark, FAMILY_NAMES[family]);
      button.setAttribute("aria-pressed", String(!filter.hidden.has(family)));
      button.addEventListener("click", () => {
        session.toggleFamily(family);
        button.setAttribute("aria-pressed", String(!filter.hidden.has(family)));
      });
      return button;
    });
    const help = element("span", "hint muted");
    help.append(this.hint, "  ", element("kbd", "", "?"), " for keys");
    this.legend.replaceChildren(...buttons, help);
  }
}

/** The theme that was chosen, or else the system's. @returns {Theme} */
export function preferredTheme() {
  try {
    const chosen = localStorage.getItem(REMEMBERED);
    if (chosen === "light" || chosen === "dark") return chosen;
  } catch {
    // As above.
  }
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** @param {Theme} theme */
export function applyTheme(theme) {
  document.documentElement.dataset.theme = theme;
}
