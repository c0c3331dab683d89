// The tables: waits by resource, steps by code line, tasks; sorted by the column that is pressed.
//
// A row leads to the place that it speaks of: its longest wait or step, or its task.

import { count, duration, instant } from "./units.js";
import { stepRows, taskRows, waitRows } from "./statistics.js";

/** @import { Session } from "./session.js" */
/** @import { StepRow, TaskRow, WaitRow } from "./statistics.js" */

/**
 * @template Row
 * @typedef {{
 *   title: string, value: (row: Row) => number | string, text?: (row: Row) => string,
 *   bar?: boolean, note?: (row: Row) => string, swatch?: (row: Row) => number,
 * }} Column Rows are sorted by `value` and show `text`.
 */

/** Rows beyond these are shown when asked for: nobody reads them, and a page of them is slow. */
const MOST_ROWS = 200;

export class Tables {
  /** @param {HTMLElement} parent @param {Session} session
   * @param {(span: number) => void} go shows a span in the timeline */
  constructor(parent, session, go) {
    this.session = session;
    this.parent = parent;
    this.go = go;
    this.stale = true;
    /** The tables, and by which column and in which direction each is sorted. */
    this.tables = [this.waits(), this.steps(), this.tasks()];
  }

  /** The tables are made when they are seen. */
  show() {
    if (!this.stale) return;
    this.stale = false;
    this.parent.replaceChildren(...this.tables.map((table) => table()));
  }

  waits() {
    /** @type {Column<WaitRow>[]} */
    const columns = [
      { title: "wait", value: ({ kind }) => kind, swatch: ({ state }) => state },
      { title: "for", value: ({ name }) => name, note: ({ resource }) => this.typeOf(resource) },
      { title: "count", value: ({ count: number }) => number },
      {
        title: "total",
        value: ({ total }) => total,
        text: ({ total }) => duration(total),
        bar: true,
      },
      { title: "median", value: ({ median }) => median, text: ({ median }) => duration(median) },
      { title: "p99", value: ({ p99 }) => p99, text: ({ p99 }) => duration(p99) },
      {
        title: "longest",
        value: ({ longest }) => longest,
        text: ({ longest }) => duration(longest),
      },
    ];
    return this.table(
      "Waits by resource",
      "waits",
      columns,
      3,
      () => {
        const { filter } = this.session;
        return waitRows(this.session).filter(
          ({ kind, name, state }) => filter.states[state] && filter.passes({ name, kind }),
        );
      },
      ({ span }) => this.go(span),
    );
  }

  steps() {
    /** @type {Column<StepRow>[]} */
    const columns = [
      { title: "line", value: ({ place }) => place, note: ({ function: name }) => name },
      { title: "code", value: ({ code }) => code },
      { title: "count", value: ({ count: number }) => number },
      {
        title: "total",
        value: ({ total }) => total,
        text: ({ total }) => duration(total),
        bar: true,
      },
      {
        title: "longest",
        value: ({ longest }) => longest,
        text: ({ longest }) => duration(longest),
      },
    ];
    return this.table(
      "Steps by code line",
      "steps",
      columns,
      3,
      () => stepRows(this.session),
      ({ span }) => this.go(span),
    );
  }

  tasks() {
    const { begin } = this.session.recording;
    /** @type {Column<TaskRow>[]} */
    const columns = [
      {
        title: "task",
        value: ({ task }) => task,
        note: ({ note }) => note,
      },
      {
        title: "created",
        value: ({ created }) => created,
        text: ({ created }) => instant(created - begin, 100),
      },
      {
        title: "finished",
        value: ({ finished }) => (Number.isNaN(finished) ? Infinity : finished),
        text: ({ finished }) => (Number.isNaN(finished) ? "" : instant(finished - begin, 1000)),
        note: ({ outcome }) => (outcome === "returned" ? "" : outcome),
      },
      { title: "steps", value: ({ steps }) => steps },
      {
        title: "running",
        value: ({ running }) => running,
        text: ({ running }) => duration(running),
        bar: true,
      },
      { title: "ready", value: ({ ready }) => ready, text: ({ ready }) => duration(ready) },
      {
        title: "waiting",
        value: ({ waiting }) => waiting,
        text: ({ waiting }) => duration(waiting),
      },
    ];
    return this.table(
      "Tasks",
      "tasks",
      columns,
      4,
      () => taskRows(this.session),
      ({ lane }) => this.go(this.session.lanes.first[lane]),
    );
  }

  /** @param {number} resource */
  typeOf(resource) {
    return this.session.recording.head.resources[resource]?.type ?? "";
  }

  /** @template Row
   * @param {string} title @param {string} id @param {Column<Row>[]} columns
   * @param {number} sorted the column by which it is sorted at first, downwards
   * @param {() => Row[]} make @param {(row: Row) => void} open
   * @returns {() => HTMLElement} makes the table anew, sorted as it was */
  table(title, id, columns, sorted, make, open) {
    let by = sorted;
    let direction = -1;
    let most = MOST_ROWS;
    return () => {
      const rows = make();
      const section = element("section", "table");
      section.id = `table-${id}`;
      const heading = element("h2", "", title);
      heading.append(element("span", "muted", ` ${count(rows.length)}`));
      const table = document.createElement("table");
      const head = table.createTHead().insertRow();
      const body = table.createTBody();
      const more = element("button", "more");
      const fill = () => {
        const { value } = columns[by];
        rows.sort((a, b) => direction * compare(value(a), value(b)));
        [...head.cells].forEach((cell, index) => {
          const order = index === by ? (direction > 0 ? "ascending" : "descending") : "none";
          cell.setAttribute("aria-sort", order);
        });
        const longest = columns.map(({ bar, value }) =>
          bar ? rows.reduce((most, row) => Math.max(most, Number(value(row))), 0) : 0,
        );
        const shown = rows.slice(0, most);
        body.replaceChildren(...shown.map((row) => this.row(row, columns, longest, open)));
        more.hidden = rows.length <= most;
        more.textContent = `show all ${count(rows.length)}`;
      };
      columns.forEach(({ title: name, value }, index) => {
        const cell = document.createElement("th");
        const button = element("button", "", name);
        button.addEventListener("click", () => {
          // Numbers are first wanted from the largest, words from the first letter.
          const first = rows.length && typeof value(rows[0]) === "number" ? -1 : 1;
          direction = by === index ? -direction : first;
          by = index;
          fill();
        });
        cell.scope = "col";
        cell.className = rows.length && typeof value(rows[0]) === "number" ? "number" : "";
        cell.append(button);
        head.append(cell);
      });
      more.addEventListener("click", () => {
        most = Infinity;
        fill();
      });
      fill();
      section.append(heading, table, more);
      if (!rows.length) section.append(element("p", "muted", "none"));
      return section;
    };
  }

  /** @template Row
   * @param {Row} row @param {Column<Row>[]} columns @param {number[]} longest
   * @param {(row: Row) => void} open */
  row(row, columns, longest, open) {
    const line = document.createElement("tr");
    line.tabIndex = 0;
    columns.forEach(({ value, text, note, bar, swatch }, index) => {
      const cell = line.insertCell();
      const raw = value(row);
      if (swatch) {
        const mark = element("span", "swatch");
        mark.style.background = this.session.palette.state(swatch(row));
        cell.append(mark);
      }
      cell.append(text ? text(row) : typeof raw === "number" ? count(raw) : raw);
      if (typeof raw === "number") cell.className = "number";
      if (bar && longest[index]) {
        cell.classList.add("bar");
        cell.style.setProperty("--share", `${(Number(raw) / longest[index]) * 100}%`);
      }
      const beside = note?.(row);
      if (beside) cell.append(element("span", "muted", ` ${beside}`));
    });
    line.addEventListener("click", () => open(row));
    line.addEventListener("keydown", ({ key }) => key === "Enter" && open(row));
    return line;
  }
}

/** @param {string} name @param {string} [className] @param {string} [text] */
export function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

/** @param {number | string} a @param {number | string} b */
function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a < b ? -1 : a > b ? 1 : 0;
  return String(a).localeCompare(String(b), undefined, { numeric: true });
}
