// The sequence diagram: a lifeline for each task or class of tasks, arrows between them in order.
//
// The diagram is computed when the page is written; here it is laid out and drawn. Rows are equally
// high: a sequence tells the order, and the timeline tells the durations. A repetition is one round
// in a frame with its count.

import { Layout, arrowFamily } from "./sequence_layout.js";
import { Surface } from "./surface.js";
import { count, counted, duration, fitted, instant } from "./units.js";

/** @import { Session } from "./session.js" */
/** @import { Arrow, Diagram, Placed } from "./sequence_layout.js" */

/** Sizes in units. */
const HEAD = 56;
const GUTTER = 92;
const ROW = { least: 15, usual: 30, most: 64 };
const COLUMN = { least: 96, usual: 168, most: 420 };

export class Sequence {
  /** @param {HTMLElement} parent @param {Session} session @param {Diagram} diagram */
  constructor(parent, session, diagram) {
    this.session = session;
    this.diagram = diagram;
    this.surface = new Surface(parent, (context) => this.draw(context));
    this.rowHeight = ROW.usual;
    this.columnWidth = 0;
    this.x = 0;
    this.y = 0;
    this.layout = new Layout(diagram, session.filter);
    this.hovered = -1;
    this.matches = "";
    this.surface.listen({
      zoom: (_, y, factor) => this.zoom(y, factor),
      pan: (dx, dy) => this.move(-dx, -dy),
      scroll: (_x, _y, dx, dy) => {
        this.move(dx, dy);
        return true;
      },
      click: (x, y) => this.click(this.rowAt(x, y)),
      hover: (x, y) => this.hover(this.rowAt(x, y)),
      leave: () => this.hover(-1),
    });
  }

  get unit() {
    return this.surface.unit;
  }

  /** The distance of lifelines: they fill the page, but none is squeezed. */
  get column() {
    const lifelines = Math.max(1, this.layout.columns.length);
    const room = (this.surface.width - (GUTTER + 24) * this.unit) / lifelines;
    const usual = Math.min(Math.max(room, COLUMN.least * this.unit), COLUMN.most * this.unit);
    return this.columnWidth ? this.columnWidth * this.unit : usual;
  }

  /** Lay out the rows that pass the filter. */
  lay() {
    this.layout = new Layout(this.diagram, this.session.filter);
    this.move(0, 0);
  }

  /** @param {number} y @param {number} factor */
  zoom(y, factor) {
    const row = (y - HEAD * this.unit + this.y) / (this.rowHeight * this.unit);
    this.rowHeight = Math.min(Math.max(this.rowHeight * factor, ROW.least), ROW.most);
    this.y = row * this.rowHeight * this.unit - (y - HEAD * this.unit);
    this.move(0, 0);
    this.surface.ask();
  }

  /** @param {number} dx @param {number} dy */
  move(dx, dy) {
    const { width, height } = this.surface;
    const wide = GUTTER * this.unit + this.layout.columns.length * this.column + 24 * this.unit;
    const tall = (HEAD + 48) * this.unit + this.layout.rows * this.rowHeight * this.unit;
    this.x = Math.min(Math.max(0, this.x + dx), Math.max(0, wide - width));
    this.y = Math.min(Math.max(0, this.y + dy), Math.max(0, tall - height));
    this.surface.ask();
  }

  /** Bring the next arrow with these words into view, below the one found before.
   * @param {string} text @param {number} direction @returns {number} how many there are */
  find(text, direction) {
    const wanted = text.trim().toLowerCase();
    /** @type {number[]} */
    const found = [];
    this.layout.placed.forEach(({ arrow }, index) => {
      if (wanted && this.sentence(arrow).toLowerCase().includes(wanted)) found.push(index);
    });
    this.matches = wanted;
    if (found.length) {
      const next =
        direction > 0
          ? (found.find((each) => each > this.hovered) ?? found[0])
          : (found.findLast((each) => each < this.hovered) ?? found[found.length - 1]);
      this.hovered = next;
      const y = this.layout.placed[next].y * this.rowHeight * this.unit;
      this.y = y - this.surface.height / 3;
      this.move(0, 0);
    }
    this.surface.ask();
    return found.length;
  }

  /** An arrow in words. @param {Arrow} arrow */
  sentence(arrow) {
    const { lifelines } = this.diagram;
    const to = arrow.note ? "" : ` → ${lifelines[arrow.to].label}`;
    return `${lifelines[arrow.from].label}${to}: ${arrow.text}`;
  }

  /** @param {number} x @param {number} y */
  rowAt(x, y) {
    if (y < HEAD * this.unit || x < 0) return -1;
    const row = (y - HEAD * this.unit + this.y) / (this.rowHeight * this.unit);
    const found = this.layout.at(row);
    return found >= 0 && row - this.layout.placed[found].y <= 1.2 ? found : -1;
  }

  /** @param {number} row */
  hover(row) {
    if (row === this.hovered) return;
    this.hovered = row;
    this.surface.canvas.style.cursor = row >= 0 ? "pointer" : "default";
    this.surface.ask();
  }

  /** Select the span in which the first occurrence of a row arrives. @param {number} row */
  click(row) {
    const { lanes } = this.session;
    const arrow = this.layout.placed[row]?.arrow;
    const lane = arrow ? this.laneOf(arrow) : -1;
    if (!arrow || lane < 0) {
      this.session.select(-1);
      return;
    }
    const time = arrow.note ? arrow.start + 1 : arrow.end;
    const span = Math.min(lanes.find(lane, time), lanes.first[lane + 1] - 1);
    if (span < lanes.first[lane]) return;
    this.session.select(span, arrow.start);
    this.session.reveal(span);
  }

  /** The lane of the task that a row arrives at: of a class, the task with an event at that time.
   * @param {Arrow} arrow */
  laneOf(arrow) {
    const { lanes, recording } = this.session;
    const { tasks } = this.diagram.lifelines[arrow.to];
    const wanted = new Set(tasks);
    let low = 0;
    let high = recording.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (recording.time[middle] < arrow.start) low = middle + 1;
      else high = middle;
    }
    for (
      let event = low;
      event < recording.length && recording.time[event] <= arrow.start;
      event++
    ) {
      for (const each of [recording.other[event], recording.task[event]]) {
        if (wanted.has(each)) return lanes.laneOf[each] ?? -1;
      }
    }
    return lanes.laneOf[tasks[0]] ?? -1;
  }

  /** The middle of a lifeline. @param {number} lifeline */
  xOf(lifeline) {
    const place = this.layout.places.get(lifeline) ?? 0;
    return GUTTER * this.unit + (place + 0.5) * this.column - this.x;
  }

  /** @param {number} y in rows */
  yOf(y) {
    return HEAD * this.unit + y * this.rowHeight * this.unit - this.y;
  }

  /** @param {CanvasRenderingContext2D} context */
  draw(context) {
    const { width, height } = this.surface;
    const { page } = this.session.palette;
    context.fillStyle = page.ground;
    context.fillRect(0, 0, width, height);
    if (!this.layout.placed.length) {
      this.drawNothing(context);
      return;
    }
    this.drawFrames(context);
    this.drawLifelines(context);
    this.drawArrows(context);
    this.drawTimes(context);
    this.drawHeads(context);
  }

  /** @param {CanvasRenderingContext2D} context */
  drawNothing(context) {
    context.font = this.surface.font(13);
    context.fillStyle = this.session.palette.page.muted;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const text = this.diagram.rows.length
      ? "No arrow passes the filter."
      : "No task has met another one.";
    context.fillText(text, this.surface.width / 2, this.surface.height / 2);
  }

  /** @param {CanvasRenderingContext2D} context */
  drawFrames(context) {
    const { page } = this.session.palette;
    const height = this.rowHeight * this.unit;
    for (const { title, top, bottom, depth, from, to } of this.layout.frames) {
      const y = this.yOf(top) + 0.12 * height;
      const end = this.yOf(bottom) - 0.08 * height;
      if (end < 0 || y > this.surface.height) continue;
      const inset = Math.max(0.42 - depth * 0.06, 0.2) * this.column;
      const x = this.xOf(from) - inset;
      const wide = this.xOf(to) + inset - x;
      context.fillStyle = page.stripe;
      context.strokeStyle = page.line;
      context.lineWidth = 1 * this.unit;
      context.beginPath();
      context.roundRect(x, y, wide, end - y, 6 * this.unit);
      context.fill();
      context.stroke();
      const size = Math.min(11, this.rowHeight * 0.5);
      context.font = this.surface.font(size, 600);
      context.textAlign = "left";
      context.textBaseline = "middle";
      context.fillStyle = page.muted;
      context.fillText(title, x + 8 * this.unit, y + (size * 0.5 + 5) * this.unit);
    }
  }

  /** @param {CanvasRenderingContext2D} context */
  drawLifelines(context) {
    const { page } = this.session.palette;
    context.strokeStyle = page.faint;
    context.globalAlpha = 0.6;
    context.lineWidth = 1;
    context.setLineDash([2 * this.unit, 4 * this.unit]);
    context.beginPath();
    const end = Math.min(this.surface.height, this.yOf(this.layout.rows) + 12 * this.unit);
    for (const each of this.layout.columns) {
      const x = this.surface.sharp(this.xOf(each));
      context.moveTo(x, HEAD * this.unit);
      context.lineTo(x, end);
    }
    context.stroke();
    context.setLineDash([]);
    context.globalAlpha = 1;
  }

  /** @param {CanvasRenderingContext2D} context */
  drawArrows(context) {
    const top = this.y / (this.rowHeight * this.unit) - 2;
    const bottom = top + this.surface.height / (this.rowHeight * this.unit) + 3;
    this.layout.placed.forEach((placed, index) => {
      if (placed.y >= top && placed.y <= bottom) this.drawArrow(context, placed, index);
    });
  }

  /** @param {CanvasRenderingContext2D} context @param {Placed} placed @param {number} index */
  drawArrow(context, { arrow, y: row, framed, times }, index) {
    const { palette } = this.session;
    const height = this.rowHeight * this.unit;
    const y = this.yOf(row + 0.78);
    const from = this.xOf(arrow.from);
    const to = this.xOf(arrow.to);
    const colour = palette.family(arrowFamily(arrow));
    const found = this.matches && this.sentence(arrow).toLowerCase().includes(this.matches);
    if (index === this.hovered || found) {
      context.fillStyle = colour;
      context.globalAlpha = index === this.hovered ? 0.12 : 0.06;
      context.fillRect(GUTTER * this.unit, this.yOf(row), this.surface.width, height);
      context.globalAlpha = 1;
    }
    if (arrow.note) {
      this.drawNote(context, arrow, row, times);
      return;
    }
    const head = 5 * this.unit;
    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = 1.5 * this.unit;
    context.setLineDash(
      arrow.sort === "result" || arrow.sort === "cancel" ? [5 * this.unit, 3 * this.unit] : [],
    );
    context.beginPath();
    const forward = to >= from ? 1 : -1;
    if (from === to) {
      const out = Math.min(34 * this.unit, this.column * 0.25);
      context.moveTo(from, y - height * 0.3);
      context.lineTo(from + out, y - height * 0.3);
      context.lineTo(from + out, y + height * 0.12);
      context.lineTo(from + head, y + height * 0.12);
      context.stroke();
      this.head(context, from, y + height * 0.12, -1, head);
    } else {
      context.moveTo(from, y);
      context.lineTo(to - forward * head, y);
      context.stroke();
      this.head(context, to, y, forward, head);
    }
    context.setLineDash([]);
    if (this.rowHeight < 18) return;
    const size = Math.min(11.5, this.rowHeight * 0.42);
    context.font = this.surface.font(size, 500);
    context.textBaseline = "alphabetic";
    const repeated = index === this.hovered ? this.timing(arrow) : "";
    const said = times > 1 ? `${arrow.text}  ×${count(times)}` : arrow.text;
    const label = repeated ? `${said}   ${repeated}` : said;
    context.fillStyle = palette.page.ink;
    if (from === to) {
      context.textAlign = "left";
      context.fillText(label, from + Math.min(42 * this.unit, this.column * 0.3), y);
      return;
    }
    context.textAlign = "center";
    const room = repeated ? Infinity : Math.abs(to - from) - 14 * this.unit;
    const text = fitted(context, label, room);
    // Lifelines that are crossed would go through the words.
    context.lineWidth = 3 * this.unit;
    context.lineJoin = "round";
    context.strokeStyle = framed ? palette.page.stripe : palette.page.ground;
    context.strokeText(text, (from + to) / 2, y - 5 * this.unit);
    context.fillText(text, (from + to) / 2, y - 5 * this.unit);
  }

  /** A note on a lifeline: its task waits, or ends.
   * @param {CanvasRenderingContext2D} context @param {Arrow} arrow @param {number} row
   * @param {number} times */
  drawNote(context, arrow, row, times) {
    const { page } = this.session.palette;
    const stuck = arrow.sort === "stuck" || arrow.sort === "end";
    const size = Math.min(11, this.rowHeight * 0.42);
    const high = Math.min(19, this.rowHeight * 0.72) * this.unit;
    context.font = this.surface.font(size, stuck ? 600 : 400);
    const timing = arrow.sort === "end" ? "" : `  ${span(arrow)}`;
    const often = times > 1 ? `  ×${count(times)}` : "";
    const text = fitted(context, `${arrow.text}${timing}${often}`, 420 * this.unit);
    const wide = context.measureText(text).width + 16 * this.unit;
    // A note that is wider than its column stays on the page while its lifeline is.
    const room = { left: GUTTER * this.unit + wide / 2, right: this.surface.width - wide / 2 - 4 };
    const own = this.xOf(arrow.from);
    const x =
      own < GUTTER * this.unit
        ? own
        : Math.min(Math.max(own, room.left), Math.max(room.right, room.left));
    const y = this.yOf(row + 0.55);
    context.fillStyle = page.raised;
    context.strokeStyle = stuck ? page.alarm : page.line;
    context.lineWidth = this.unit;
    context.beginPath();
    context.roundRect(x - wide / 2, y - high / 2, wide, high, high / 2);
    context.fill();
    context.stroke();
    context.fillStyle = stuck ? page.alarm : page.muted;
    context.textAlign = "center";
    context.textBaseline = "middle";
    if (this.rowHeight >= 18) context.fillText(text, x, y + 0.5 * this.unit);
  }

  /** How often and how long, of an arrow that stands for several. @param {Arrow} arrow */
  timing(arrow) {
    if (!arrow.longest) return "";
    return arrow.count === 1 ? span(arrow) : `${counted(arrow.count, "time")}, ${span(arrow)}`;
  }

  /** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y
   * @param {number} forward @param {number} size */
  head(context, x, y, forward, size) {
    context.setLineDash([]);
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x - forward * size * 1.5, y - size * 0.7);
    context.lineTo(x - forward * size * 1.5, y + size * 0.7);
    context.fill();
  }

  /** @param {CanvasRenderingContext2D} context */
  drawTimes(context) {
    const { page } = this.session.palette;
    context.fillStyle = page.ground;
    context.fillRect(0, 0, (GUTTER - 8) * this.unit, this.surface.height);
    context.font = this.surface.font(10.5);
    context.fillStyle = page.muted;
    context.textAlign = "right";
    context.textBaseline = "middle";
    const { begin } = this.session.recording;
    let free = 0;
    let latest = 0;
    for (const { arrow, y } of this.layout.placed) {
      const place = this.yOf(y + 0.74);
      if (place < free || place > this.surface.height) continue;
      // The time of an arrow is that of its arrival, the time of a note that of its beginning. In a
      // crowd they have no order, and those that go back are left out.
      const time = (arrow.note ? arrow.start : arrow.end) - begin;
      if (time < latest) continue;
      latest = time;
      context.fillText(instant(time, time > 1e9 ? 1e6 : 100), (GUTTER - 20) * this.unit, place);
      free = place + 18 * this.unit;
    }
  }

  /** @param {CanvasRenderingContext2D} context */
  drawHeads(context) {
    const { page } = this.session.palette;
    context.fillStyle = page.ground;
    context.fillRect(0, 0, this.surface.width, HEAD * this.unit);
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (const each of this.layout.columns) {
      const { label, tasks } = this.diagram.lifelines[each];
      const note = this.noteOf(tasks);
      const x = this.xOf(each);
      const wide = Math.min(this.column - 12 * this.unit, 150 * this.unit);
      context.fillStyle = page.raised;
      context.strokeStyle = page.line;
      context.lineWidth = this.unit;
      context.beginPath();
      context.roundRect(x - wide / 2, 8 * this.unit, wide, (HEAD - 14) * this.unit, 6 * this.unit);
      context.fill();
      context.stroke();
      context.fillStyle = page.ink;
      context.font = this.surface.font(12, 600);
      const two = note && note !== label;
      const middle = (8 + (HEAD - 14) / 2) * this.unit;
      context.fillText(
        fitted(context, label, wide - 12 * this.unit),
        x,
        two ? middle - 7.5 * this.unit : middle,
      );
      if (!two) continue;
      context.fillStyle = page.muted;
      context.font = this.surface.font(10.5);
      context.fillText(fitted(context, note, wide - 12 * this.unit), x, middle + 8 * this.unit);
    }
  }

  /** The words below the name in a lifeline's head. @param {number[]} tasks */
  noteOf(tasks) {
    // The name of a class has the number of its tasks already.
    return tasks.length === 1 ? this.session.recording.noteOf(tasks[0]) : "";
  }
}

/** How long it took, or from how long to how long. @param {Arrow} arrow */
function span({ shortest, longest }) {
  const [one, other] = [duration(shortest), duration(longest)];
  return one === other ? one : `${one} – ${other}`;
}
