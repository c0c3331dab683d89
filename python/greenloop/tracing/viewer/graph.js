// The graph: the waits of tasks at one instant, and a bar below it to choose the instant.
//
// Columns lead from waiting tasks to the tasks that all others wait for. An arrow that is a guess
// is dashed; a circle is red, for nothing in it goes on by itself.

import { GraphLayout, NODE } from "./graph_layout.js";
import { Skyline } from "./skyline.js";
import { Surface } from "./surface.js";
import { count, counted, fitted, instant } from "./units.js";
import { stateName } from "./vocabulary.js";
import { waitsFor } from "./waits_for.js";

/** @import { Session } from "./session.js" */
/** @import { GraphArrow, GraphNode, WaitsFor } from "./waits_for.js" */

/** Sizes in units. */
const TOP = 64;
const BAR = 64;

/** Scales of the drawing; the reader's zoom is within them. */
const SCALE = { least: 0.3, readable: 0.7, most: 2.5 };

export class Graph {
  /** @param {HTMLElement} parent @param {Session} session */
  constructor(parent, session) {
    this.session = session;
    this.surface = new Surface(parent, (context) => this.draw(context));
    this.scale = 0;
    this.x = 0;
    this.y = 0;
    /** @type {WaitsFor | undefined} */
    this.graph = undefined;
    this.layout = new GraphLayout([], []);
    this.dragging = false;
    this.skyline = new Skyline();
    this.surface.listen({
      zoom: (x, y, factor) => this.zoom(x, y, factor),
      pan: (dx, dy) => this.pan(dx, dy),
      click: (x, y) => this.click(x, y),
    });
    const { canvas } = this.surface;
    canvas.addEventListener("pointerdown", (event) => {
      this.dragging = event.offsetY > this.surface.height - BAR * this.surface.unit;
      this.dragTo(event.offsetX);
    });
    canvas.addEventListener("pointermove", (event) => this.dragTo(event.offsetX));
    canvas.addEventListener("pointerup", () => (this.dragging = false));
  }

  get unit() {
    return this.surface.unit;
  }

  /** The graph is made anew with the next drawing. */
  invalidate() {
    this.graph = undefined;
    this.surface.ask();
  }

  /** Move the cursor to the next event, or the one before. @param {number} direction */
  step(direction) {
    const { recording, cursor } = this.session;
    let low = 0;
    let high = recording.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const before =
        recording.time[middle] < cursor || (direction > 0 && recording.time[middle] === cursor);
      if (before) low = middle + 1;
      else high = middle;
    }
    const event = direction > 0 ? low : low - 1;
    if (event >= 0 && event < recording.length) this.session.moveCursor(recording.time[event]);
  }

  /** @param {number} x */
  dragTo(x) {
    if (!this.dragging) return;
    const { recording } = this.session;
    const share = (x - 14 * this.unit) / (this.surface.width - 28 * this.unit);
    this.session.moveCursor(recording.begin + share * (recording.end - recording.begin));
  }

  /** @param {number} x @param {number} y @param {number} factor */
  zoom(x, y, factor) {
    const scale = Math.min(Math.max(this.scale * factor, SCALE.least), SCALE.most);
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.surface.ask();
  }

  /** @param {number} dx @param {number} dy */
  pan(dx, dy) {
    if (this.dragging) return;
    this.x += dx;
    this.y += dy;
    this.surface.ask();
  }

  /** Draw all of it again, in the middle. */
  fit() {
    this.scale = 0;
    this.surface.ask();
  }

  /** @param {number} x @param {number} y */
  click(x, y) {
    if (y > this.surface.height - BAR * this.unit) return;
    const { lanes, cursor } = this.session;
    const scale = this.scale * this.unit;
    const found = [...this.layout.places].find(([, place]) => {
      const left = this.x + place.x * scale;
      const top = this.y + place.y * scale;
      return (
        x >= left && x <= left + NODE.width * scale && y >= top && y <= top + NODE.height * scale
      );
    });
    const task = found?.[0].tasks[0];
    const lane = task ? lanes.laneOf[task] : -1;
    this.session.select(lane > 0 ? lanes.at(lane, cursor) : -1, cursor);
  }

  /** The graph at the cursor, with its layout. */
  lay() {
    this.graph = waitsFor(this.session, this.session.cursor);
    this.layout = new GraphLayout(this.graph.nodes, this.graph.arrows);
    return this.graph;
  }

  /** @param {CanvasRenderingContext2D} context */
  draw(context) {
    const { page } = this.session.palette;
    const { width, height } = this.surface;
    const graph = this.graph ?? this.lay();
    if (!this.scale) this.centre();
    context.fillStyle = page.ground;
    context.fillRect(0, 0, width, height);
    context.save();
    context.translate(this.x, this.y);
    context.scale(this.scale * this.unit, this.scale * this.unit);
    for (const arrow of graph.arrows) this.drawArrow(context, arrow);
    for (const [node, place] of this.layout.places) this.drawNode(context, node, place.x, place.y);
    context.restore();
    this.drawSummary(context, graph);
    this.drawBar(context);
  }

  centre() {
    const { width, height } = this.surface;
    const room = { x: width - 80 * this.unit, y: height - (TOP + BAR + 32) * this.unit };
    const fits = Math.min(room.x / this.layout.width, room.y / this.layout.height) / this.unit;
    this.scale = Math.min(Math.max(fits, SCALE.readable), 1.25);
    this.x = Math.max(40 * this.unit, (width - this.layout.width * this.scale * this.unit) / 2);
    const free = room.y - this.layout.height * this.scale * this.unit;
    this.y = TOP * this.unit + Math.max(0, free / 2);
  }

  /** In units, for the drawing is scaled. @param {CanvasRenderingContext2D} context
   * @param {GraphArrow} arrow */
  drawArrow(context, arrow) {
    const { from, to, state, sure, circle } = arrow;
    const { palette } = this.session;
    const a = this.layout.places.get(from);
    const b = this.layout.places.get(to);
    if (!a || !b) return;
    const back = b.x <= a.x;
    const stop = back
      ? { x: b.x + NODE.width / 2, y: b.y + NODE.height }
      : { x: b.x, y: b.y + NODE.height / 2 };
    context.strokeStyle = context.fillStyle =
      circle && sure ? palette.page.alarm : palette.state(state);
    context.lineWidth = circle ? 2.2 : 1.5;
    context.setLineDash(sure ? [] : [5, 4]);
    context.globalAlpha = sure ? 1 : 0.7;
    context.beginPath();
    if (back) {
      const start = { x: a.x + NODE.width / 2, y: a.y + NODE.height };
      const below = Math.max(start.y, stop.y) + 56;
      context.moveTo(start.x, start.y);
      context.bezierCurveTo(start.x, below, stop.x, below, stop.x, stop.y + 8);
    } else {
      let [x, y] = [a.x + NODE.width, a.y + NODE.height / 2];
      context.moveTo(x, y);
      const ends = [...(this.layout.routes.get(arrow) ?? []), { x: stop.x - 8, y: stop.y }];
      ends.forEach((end, index) => {
        const bend = (end.x - x) / 2;
        context.bezierCurveTo(x + bend, y, end.x - bend, end.y, end.x, end.y);
        // Through a column on the way an arrow goes straight.
        x = end.x + (index + 1 < ends.length ? NODE.width : 0);
        y = end.y;
        context.lineTo(x, y);
      });
    }
    context.stroke();
    context.setLineDash([]);
    context.beginPath();
    context.moveTo(stop.x, stop.y);
    if (back) {
      context.lineTo(stop.x - 4.5, stop.y + 9);
      context.lineTo(stop.x + 4.5, stop.y + 9);
    } else {
      context.lineTo(stop.x - 9, stop.y - 4.5);
      context.lineTo(stop.x - 9, stop.y + 4.5);
    }
    context.fill();
    context.globalAlpha = 1;
  }

  /** @param {CanvasRenderingContext2D} context @param {GraphNode} node @param {number} x
   * @param {number} y */
  drawNode(context, node, x, y) {
    const { palette, lanes, selection } = this.session;
    const { page } = palette;
    const task = node.sort === "task";
    const chosen = selection >= 0 && node.tasks.includes(lanes.task[lanes.lane[selection]]);
    context.beginPath();
    // Tasks have round ends, resources have corners.
    context.roundRect(x, y, NODE.width, NODE.height, task ? NODE.height / 2 : 4);
    context.fillStyle = page.raised;
    context.fill();
    context.fillStyle = palette.state(node.state, task ? 0.12 : 0.2);
    context.fill();
    context.strokeStyle = node.circle
      ? page.alarm
      : chosen
        ? page.accent
        : palette.state(node.state);
    context.lineWidth = node.circle || chosen ? 2.2 : 1.2;
    context.stroke();
    const middle = x + NODE.width / 2;
    const font = familiesOf(this.surface.font(1));
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillStyle = page.ink;
    context.font = `600 12px ${font}`;
    const room = NODE.width - 24;
    const note = task ? [node.note, stateName(node.state)].filter(Boolean).join(" · ") : node.note;
    context.fillText(fitted(context, node.label, room), middle, note ? y + 15 : y + 21);
    if (!note) return;
    context.fillStyle = page.muted;
    context.font = `400 10.5px ${font}`;
    context.fillText(fitted(context, note, room), middle, y + 29.5);
  }

  /** @param {CanvasRenderingContext2D} context @param {WaitsFor} graph */
  drawSummary(context, graph) {
    const { page } = this.session.palette;
    const left = 18 * this.unit;
    context.textAlign = "left";
    context.textBaseline = "middle";
    context.font = this.surface.font(13, 600);
    context.fillStyle = page.ink;
    const when = `At ${instant(Math.round(this.session.cursor - this.session.recording.begin), 1)}`;
    context.fillText(when, left, 22 * this.unit);
    context.font = this.surface.font(12);
    context.fillStyle = page.muted;
    const parts = [
      `${count(graph.running)} running`,
      `${count(graph.ready)} ready`,
      `${count(graph.waiting)} waiting`,
    ];
    if (graph.left) parts.push(`${count(graph.left)} not drawn, a filter shows them`);
    context.fillText(parts.join("  ·  "), left, 42 * this.unit);
    if (!graph.circles) return;
    const wide = context.measureText(parts.join("  ·  ")).width;
    context.font = this.surface.font(12, 600);
    context.fillStyle = graph.sure ? page.alarm : page.ink;
    const text = graph.sure
      ? `a circle of ${counted(graph.circles, "arrow")}: deadlock`
      : `a circle of ${counted(graph.circles, "arrow")}, of which some are guesses`;
    context.fillText(text, left + wide + 24 * this.unit, 42 * this.unit);
  }

  /** The bar with the whole recording: how late its loop was, and the cursor.
   * @param {CanvasRenderingContext2D} context */
  drawBar(context) {
    const { recording, palette, cursor, lag, begin, end } = this.session;
    const { page } = palette;
    const { width, height } = this.surface;
    const top = height - BAR * this.unit;
    const left = 14 * this.unit;
    const room = Math.max(1, Math.round(width - 2 * left));
    context.fillStyle = page.stripe;
    context.fillRect(0, top, width, BAR * this.unit);
    const bottom = height - 20 * this.unit;
    this.skyline.draw(this.surface, lag, palette, recording, {
      left,
      bottom,
      width: room,
      height: 32 * this.unit,
    });
    const whole = recording.end - recording.begin;
    /** @param {number} time */
    const xOf = (time) => left + ((time - recording.begin) / whole) * room;
    const from = Math.max(left, xOf(begin));
    context.fillStyle = page.faint;
    context.fillRect(
      from,
      bottom + 2 * this.unit,
      Math.min(left + room, xOf(end)) - from,
      2 * this.unit,
    );
    context.strokeStyle = context.fillStyle = page.accent;
    context.lineWidth = 2 * this.unit;
    context.beginPath();
    context.moveTo(xOf(cursor), top + 6 * this.unit);
    context.lineTo(xOf(cursor), bottom + 5 * this.unit);
    context.stroke();
    context.beginPath();
    context.arc(xOf(cursor), top + 8 * this.unit, 4 * this.unit, 0, 2 * Math.PI);
    context.fill();
    context.font = this.surface.font(10.5);
    context.fillStyle = page.muted;
    context.textBaseline = "middle";
    context.textAlign = "left";
    context.fillText(
      "lag of the loop; drag, or ← → for the events one by one",
      left,
      height - 9 * this.unit,
    );
  }
}

/** The families of a font, without weight and size. @param {string} font */
function familiesOf(font) {
  return font.slice(font.indexOf("px ") + 3);
}
