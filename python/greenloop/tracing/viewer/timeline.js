// The timeline: a lane for each task with its states, and the lag of the loop above them.
//
// Running is a full block, ready a lower one, waiting a pale one over a line in the colour of its
// kind: the three are told apart without colours. A selected span shows the arrow of its wake-up.

import { ROWS, Raster, opacities } from "./raster.js";
import { Skyline } from "./skyline.js";
import { Surface } from "./surface.js";
import { RULER, drawArrows, drawCursor, drawHover, drawPath } from "./timeline_marks.js";
import { count, duration, fitted, instant, tickStep } from "./units.js";
import { POLLING, READY, RUNNING, WAITING, stateName } from "./vocabulary.js";

/** @import { Piece } from "./critical_path.js" */
/** @import { Session } from "./session.js" */

/** Sizes in units. */
const LAG = 46;
/** The height of the loop's own lane. */
const LOOP_LANE = 24;
const HEAD = RULER + LAG + LOOP_LANE;
const LANE = { least: 24, most: 52 };
const GUTTER = 172;

/** The opacity of waits above their line. */
const PALE = 0.2;

export class Timeline {
  /** @param {HTMLElement} parent @param {Session} session */
  constructor(parent, session) {
    this.session = session;
    this.surface = new Surface(parent, (context) => this.draw(context));
    this.raster = new Raster(session.lanes);
    /** How far the lanes are scrolled, in CSS pixels. */
    this.scroll = 0;
    this.hovered = -1;
    this.hoverX = -1;
    /** The critical path over the lanes. @type {Piece[]} */
    this.path = [];
    this.skyline = new Skyline();
    this.surface.listen({
      zoom: (x, _, factor) => session.zoom(this.timeAt(x), factor),
      pan: (dx, dy) => {
        this.scrollBy(-dy);
        session.pan((-dx / this.plotWidth) * (session.end - session.begin));
      },
      scroll: (x, _, dx, dy) => {
        if (x < this.gutter && dy) this.scrollBy(dy);
        else if (Math.abs(dx) > Math.abs(dy))
          session.pan((dx / this.plotWidth) * (session.end - session.begin));
        else return false;
        return true;
      },
      click: (x, y) => this.click(x, y),
      open: (x) => session.zoom(this.timeAt(x), 4),
      hover: (x, y) => this.hover(x, y),
      leave: () => this.hover(-1, -1),
    });
  }

  get unit() {
    return this.surface.unit;
  }

  get gutter() {
    return GUTTER * this.unit;
  }

  get plotWidth() {
    return Math.max(1, this.surface.width - this.gutter);
  }

  /** Where the lanes with that of the loop begin: below the lag. */
  get top() {
    return (RULER + LAG) * this.unit;
  }

  /** Few lanes are taller than many. */
  get laneHeight() {
    const lanes = Math.max(1, this.session.filter.shown.length - 1);
    const room = (this.surface.height - HEAD * this.unit) / lanes / this.unit;
    return Math.min(Math.max(room, LANE.least), LANE.most) * this.unit;
  }

  /** @param {number} x */
  timeAt(x) {
    const { begin, end } = this.session;
    return begin + ((x - this.gutter) / this.plotWidth) * (end - begin);
  }

  /** @param {number} time */
  xOf(time) {
    const { begin, end } = this.session;
    return this.gutter + ((time - begin) / (end - begin)) * this.plotWidth;
  }

  /** The middle of a lane, by its place among those that are shown. @param {number} row */
  yOf(row) {
    if (row === 0) return (RULER + LAG + LOOP_LANE / 2) * this.unit;
    return HEAD * this.unit + (row - 0.5) * this.laneHeight - this.scroll;
  }

  /** The height of a lane's bar. @param {number} row */
  barOf(row) {
    return row === 0 ? LOOP_LANE * 0.55 * this.unit : this.laneHeight * 0.72;
  }

  /** Where a lane stands among those that are shown, or -1. @param {number} lane */
  rowOf(lane) {
    return this.session.filter.rows[lane] ?? -1;
  }

  /** @param {number} distance */
  scrollBy(distance) {
    const lanes = this.session.filter.shown.length - 1;
    const room = HEAD * this.unit + lanes * this.laneHeight + 12 * this.unit - this.surface.height;
    const before = this.scroll;
    this.scroll = Math.min(Math.max(0, this.scroll + distance), Math.max(0, room));
    if (this.scroll !== before) this.surface.ask();
  }

  /** Bring the selected span's lane into view. */
  revealSelection() {
    const { selection, lanes } = this.session;
    if (selection < 0) return;
    const row = this.rowOf(lanes.lane[selection]);
    if (row < 1) return;
    const y = this.yOf(row);
    const top = (HEAD + 20) * this.unit;
    if (y < top || y > this.surface.height - this.laneHeight) {
      this.scrollBy(y - (top + this.surface.height) / 2);
    }
  }

  /** The row at a height, or -1. @param {number} y */
  rowAt(y) {
    const top = HEAD * this.unit;
    if (y < top) return y > (RULER + LAG) * this.unit ? 0 : -1;
    const row = Math.floor((y - top + this.scroll) / this.laneHeight) + 1;
    return row < this.session.filter.shown.length ? row : -1;
  }

  /** The span at a position, or -1. Beside a wait, a step or a ready task is found from some pixels
   * away: a thin one is hard to hit. @param {number} x @param {number} y */
  spanAt(x, y) {
    const { lanes, filter } = this.session;
    const row = this.rowAt(y);
    if (row < 0 || x < this.gutter) return -1;
    const lane = filter.shown[row];
    const span = lanes.at(lane, this.timeAt(x));
    if (span >= 0 && (lanes.state[span] === RUNNING || lanes.state[span] === READY)) return span;
    for (let away = 1; away <= 4; away++) {
      for (const side of [x - away, x + away]) {
        const near = lanes.at(lane, this.timeAt(side));
        if (near >= 0 && lanes.state[near] <= READY) return near;
      }
    }
    return span;
  }

  /** @param {number} x @param {number} y */
  click(x, y) {
    const { session } = this;
    const row = this.rowAt(y);
    if (x < this.gutter) {
      const lane = row > 0 ? session.filter.shown[row] : 0;
      if (lane) session.select(session.lanes.find(lane, session.begin));
      return;
    }
    const span = this.spanAt(x, y);
    if (span === session.selection) session.moveCursor(this.timeAt(x));
    session.select(span, this.timeAt(x));
    if (span < 0) session.moveCursor(this.timeAt(x));
  }

  /** @param {number} x @param {number} y */
  hover(x, y) {
    this.hovered = x < 0 ? -1 : this.spanAt(x, y);
    this.hoverX = x >= this.gutter ? x : -1;
    this.surface.canvas.style.cursor = this.hovered >= 0 ? "pointer" : "default";
    this.surface.ask();
  }

  /** @param {CanvasRenderingContext2D} context */
  draw(context) {
    const { width, height } = this.surface;
    const { page } = this.session.palette;
    this.scrollBy(0);
    context.fillStyle = page.ground;
    context.fillRect(0, 0, width, height);
    const rows = this.rowsInView();
    this.drawStripes(context, rows);
    this.drawTicks(context);
    const wide = this.drawLanes(context, rows);
    drawPath(this, context);
    this.drawLabels(context, wide);
    this.drawGutter(context, rows);
    this.drawHead(context);
    drawArrows(this, context, rows);
    drawCursor(this, context);
    drawHover(this, context);
  }

  /** The rows of lanes that can be seen, without that of the loop. */
  rowsInView() {
    const first = Math.max(1, Math.floor(this.scroll / this.laneHeight) + 1);
    const room = Math.ceil((this.surface.height - HEAD * this.unit) / this.laneHeight) + 1;
    const last = Math.min(this.session.filter.shown.length - 1, first + room);
    return { first, last };
  }

  /** @param {CanvasRenderingContext2D} context @param {{first: number, last: number}} rows */
  drawStripes(context, { first, last }) {
    const { page } = this.session.palette;
    context.fillStyle = page.stripe;
    for (let row = first; row <= last; row++) {
      if (row % 2) continue;
      context.fillRect(0, this.yOf(row) - this.laneHeight / 2, this.surface.width, this.laneHeight);
    }
  }

  /** @param {CanvasRenderingContext2D} context */
  drawTicks(context) {
    const { begin, end, palette } = this.session;
    const step = tickStep(((end - begin) / this.plotWidth) * 96 * this.unit);
    context.strokeStyle = palette.page.line;
    context.lineWidth = 1 / this.surface.ratio;
    context.beginPath();
    for (let time = Math.ceil(begin / step) * step; time < end; time += step) {
      const x = this.surface.sharp(this.xOf(time));
      context.moveTo(x, RULER * this.unit);
      context.lineTo(x, this.surface.height);
    }
    context.stroke();
  }

  /** Draw the spans; returns those with room for a label.
   * @param {CanvasRenderingContext2D} context @param {{first: number, last: number}} rows */
  drawLanes(context, { first, last }) {
    const { begin, end, filter, palette } = this.session;
    const { raster, surface } = this;
    const columns = Math.max(1, Math.round(this.plotWidth * surface.ratio));
    const opacity = opacities(filter.states);
    const labelled = 44 * this.unit * surface.ratio;
    const drawn = [0];
    for (let row = first; row <= last; row++) drawn.push(row);
    raster.begin(columns, drawn.length);
    /** @type {[number, number][]} */
    const wide = [];
    drawn.forEach((row, index) => {
      raster.lane(filter.shown[row], index, begin, end, palette.pixel, opacity, labelled);
      raster.compose(index, PALE);
      for (let i = 0; i < raster.wideCount; i++) wide.push([row, raster.wide[i]]);
    });
    raster.finish(drawn.length);
    context.imageSmoothingEnabled = false;
    for (let index = 1; index < drawn.length; index++) this.drawRow(context, drawn[index], index);
    return wide;
  }

  /** A lane from its rows in the picture: waits pale over a line, ready low, running full.
   * @param {CanvasRenderingContext2D} context @param {number} row @param {number} index */
  drawRow(context, row, index) {
    const bar = this.barOf(row);
    const top = this.yOf(row) - bar / 2;
    // Bands that touch have their edge between two pixels of the screen.
    const edges = [0, 0.68, 0.89, 1].map((share) => this.surface.whole(top + share * bar));
    for (let band = 0; band < ROWS; band++) {
      this.stripe(context, index * ROWS + band, edges[band], edges[band + 1] - edges[band]);
    }
  }

  /** @param {CanvasRenderingContext2D} context @param {number} row of the picture
   * @param {number} top @param {number} height */
  stripe(context, row, top, height) {
    const { canvas, width, filled } = this.raster;
    if (!filled[row]) return;
    context.drawImage(canvas, 0, row, width, 1, this.gutter, top, this.plotWidth, height);
  }

  /** @param {CanvasRenderingContext2D} context @param {[number, number][]} wide */
  drawLabels(context, wide) {
    const { lanes, recording, palette, filter } = this.session;
    context.font = this.surface.font(11);
    context.textBaseline = "middle";
    context.textAlign = "left";
    for (const [row, span] of wide) {
      const state = lanes.state[span];
      if (state === POLLING || state === READY || !filter.states[state]) continue;
      const from = Math.max(this.xOf(lanes.start[span]), this.gutter) + 6 * this.unit;
      const room = Math.min(this.xOf(lanes.end[span]), this.surface.width) - from - 4 * this.unit;
      const short = stateName(state);
      let text = state === RUNNING ? this.placeOf(span) || short : short;
      if (state >= WAITING && lanes.other[span]) {
        text = `${short} · ${recording.nameOf(lanes.other[span])}`;
      }
      // A word cut in the middle is harder to read than its colour.
      const shown = [text, short].find((each) => context.measureText(each).width <= room);
      if (!shown) continue;
      context.fillStyle = state === RUNNING ? palette.page.onFill : palette.page.ink;
      context.fillText(shown, from, this.yOf(row));
    }
  }

  /** The function in which a step went on. @param {number} span */
  placeOf(span) {
    const { lanes, recording } = this.session;
    const event = lanes.opened[span];
    return event >= 0 ? (recording.siteOf(recording.site[event])?.function ?? "") : "";
  }

  /** @param {CanvasRenderingContext2D} context @param {{first: number, last: number}} rows */
  drawGutter(context, { first, last }) {
    const { lanes, recording, filter, palette, selection } = this.session;
    const { page } = palette;
    context.strokeStyle = page.line;
    context.lineWidth = 1 / this.surface.ratio;
    context.beginPath();
    context.moveTo(this.surface.sharp(this.gutter), 0);
    context.lineTo(this.surface.sharp(this.gutter), this.surface.height);
    context.stroke();
    context.textBaseline = "middle";
    const chosen = selection >= 0 ? lanes.lane[selection] : -1;
    for (let row = first; row <= last; row++) {
      const task = lanes.task[filter.shown[row]];
      const y = this.yOf(row);
      const left = 14 * this.unit;
      const room = this.gutter - left - 10 * this.unit;
      const two = this.laneHeight >= 33 * this.unit;
      const name = recording.nameOf(task);
      const note = recording.noteOf(task);
      context.textAlign = "left";
      context.fillStyle = filter.shown[row] === chosen ? page.accent : page.ink;
      context.font = this.surface.font(12, filter.shown[row] === chosen ? 600 : 500);
      const shown = fitted(context, name, room);
      const beside = left + context.measureText(shown).width + 7 * this.unit;
      context.fillText(shown, left, two && note ? y - 7 * this.unit : y);
      if (!note) continue;
      context.fillStyle = page.muted;
      context.font = this.surface.font(10.5);
      if (two) context.fillText(fitted(context, note, room), left, y + 7.5 * this.unit);
      else context.fillText(fitted(context, note, left + room - beside), beside, y);
    }
  }

  /** The ruler, the lag, and the loop's own lane. @param {CanvasRenderingContext2D} context */
  drawHead(context) {
    const { begin, end, lag, palette } = this.session;
    const { page } = palette;
    const { width, ratio } = this.surface;
    // Lanes that scroll under the head are covered, and the loop's lane is drawn over them.
    context.fillStyle = page.ground;
    context.fillRect(0, 0, width, HEAD * this.unit);
    this.drawRow(context, 0, 0);
    const longest = this.skyline.draw(this.surface, lag, palette, this.session, {
      left: this.gutter,
      bottom: (RULER + LAG - 4) * this.unit,
      width: this.plotWidth,
      height: (LAG - 12) * this.unit,
    });
    context.strokeStyle = page.line;
    context.lineWidth = 1 / ratio;
    context.beginPath();
    for (const y of [RULER, RULER + LAG, HEAD]) {
      context.moveTo(0, this.surface.sharp(y * this.unit));
      context.lineTo(width, this.surface.sharp(y * this.unit));
    }
    context.stroke();
    context.textBaseline = "middle";
    context.textAlign = "left";
    context.font = this.surface.font(12, 500);
    context.fillStyle = page.ink;
    const left = 14 * this.unit;
    context.fillText("lag of the loop", left, (RULER + LAG / 2 - 7) * this.unit);
    context.fillText("loop", left, this.yOf(0));
    context.font = this.surface.font(10.5);
    context.fillStyle = page.muted;
    context.fillText(`up to ${duration(longest)} here`, left, (RULER + LAG / 2 + 8) * this.unit);
    const step = tickStep(((end - begin) / this.plotWidth) * 96 * this.unit);
    for (let time = Math.ceil(begin / step) * step; time < end; time += step) {
      const x = this.xOf(time);
      if (x > this.gutter + 8 && x < width - 44 * this.unit)
        context.fillText(
          instant(Math.round(time), step),
          x + 4 * this.unit,
          (RULER / 2) * this.unit,
        );
    }
    context.fillText(
      `${count(this.session.filter.shown.length - 1)} tasks`,
      left,
      (RULER / 2) * this.unit,
    );
  }
}
