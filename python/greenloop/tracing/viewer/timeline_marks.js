// The marks over the lanes: arrows of wake-ups, the critical path, the cursor, words on a span.

import { LOOP } from "./lanes.js";
import { duration } from "./units.js";
import { Kind, READY, WAITING, stateName } from "./vocabulary.js";

/** @import { Timeline } from "./timeline.js" */

/** More wake-ups than these in the window would be a web, and only the selected one is drawn. */
const MOST_ARROWS = 160;

/** The height of the ruler in units: marks begin below it. */
export const RULER = 26;

/** A line along the pieces of the critical path. @param {Timeline} view
 * @param {CanvasRenderingContext2D} context */
export function drawPath(view, context) {
  if (!view.path.length) return;
  const { page } = view.session.palette;
  const { begin, end } = view.session;
  context.strokeStyle = page.alarm;
  context.lineWidth = 2 * view.unit;
  context.lineJoin = "round";
  context.beginPath();
  const pixel = (end - begin) / view.plotWidth;
  let drawing = false;
  let drawn = -Infinity;
  let last = -1;
  for (const piece of view.path) {
    if (piece.end < begin || piece.begin > end) continue;
    // Of pieces that share a pixel, those that change nothing of it are left out.
    if (piece.lane === last && piece.end - drawn < pixel) continue;
    const row = view.rowOf(piece.lane);
    if (row < 1) {
      drawing = false;
      continue;
    }
    const y = view.yOf(row) + view.barOf(row) * 0.58;
    const from = view.xOf(Math.max(piece.begin, begin));
    if (drawing) context.lineTo(from, y);
    else context.moveTo(from, y);
    context.lineTo(view.xOf(Math.min(piece.end, end)), y);
    drawing = true;
    drawn = piece.end;
    last = piece.lane;
  }
  context.stroke();
}

/** Wake-ups as arrows: that of the selected span, and all of them if they are few.
 * @param {Timeline} view @param {CanvasRenderingContext2D} context
 * @param {{first: number, last: number}} rows */
export function drawArrows(view, context, { first, last }) {
  const { lanes, selection, begin, end, filter, palette } = view.session;
  const few = [];
  for (let row = first; row <= last && few.length <= MOST_ARROWS; row++) {
    const lane = filter.shown[row];
    const stop = lanes.first[lane + 1];
    for (let span = lanes.find(lane, begin); span < stop && lanes.start[span] < end; span++) {
      if (lanes.state[span] === READY) few.push(span);
      if (few.length > MOST_ARROWS) break;
    }
  }
  context.save();
  context.beginPath();
  context.rect(view.gutter, view.top, view.surface.width, view.surface.height);
  context.clip();
  if (few.length <= MOST_ARROWS) {
    context.globalAlpha = selection >= 0 ? 0.3 : 0.55;
    for (const span of few) arrow(view, context, span, palette.page.muted, 1);
    context.globalAlpha = 1;
  }
  if (selection >= 0) drawSelection(view, context, selection);
  context.restore();
}

/** @param {Timeline} view @param {CanvasRenderingContext2D} context @param {number} selection */
function drawSelection(view, context, selection) {
  const { lanes, palette } = view.session;
  arrow(view, context, selection, palette.page.accent, 2);
  const x = view.xOf(lanes.start[selection]);
  const row = view.rowOf(lanes.lane[selection]);
  if (row < 0) return;
  const bar = view.barOf(row);
  const wide = Math.max(view.xOf(lanes.end[selection]) - x, 3 * view.unit);
  context.strokeStyle = palette.page.accent;
  context.lineWidth = 2 * view.unit;
  context.beginPath();
  context.roundRect(
    x - view.unit,
    view.yOf(row) - bar / 2 - view.unit,
    wide + 2 * view.unit,
    bar + 2 * view.unit,
    3 * view.unit,
  );
  context.stroke();
}

/** The arrow from the waker to the task that a span belongs to.
 * @param {Timeline} view @param {CanvasRenderingContext2D} context @param {number} span
 * @param {string} colour
 * @param {number} width */
function arrow(view, context, span, colour, width) {
  const { lanes, recording } = view.session;
  const event = lanes.causeOf(span);
  if (
    event < 0 ||
    (recording.kind[event] !== Kind.WOKEN && recording.kind[event] !== Kind.TASK_CREATED)
  )
    return;
  const waker = recording.task[event] ? (lanes.laneOf[recording.task[event]] ?? -1) : LOOP;
  const from = view.rowOf(waker);
  const to = view.rowOf(lanes.lane[span]);
  if (from < 0 || to < 0 || from === to) return;
  // Nothing outside of the tasks is drawn as a waker, unless the reader asks.
  if (waker === LOOP && width === 1) return;
  const x = view.xOf(recording.time[event]);
  const start = view.yOf(from);
  const down = to > from ? 1 : -1;
  const stop = view.yOf(to) - down * view.barOf(to) * 0.5;
  const head = 3.5 * view.unit * Math.sqrt(width);
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = width * view.unit;
  context.beginPath();
  context.moveTo(x, start);
  context.lineTo(x, stop - down * head);
  context.stroke();
  context.beginPath();
  context.arc(x, start, 1.8 * view.unit * Math.sqrt(width), 0, 2 * Math.PI);
  context.fill();
  context.beginPath();
  context.moveTo(x, stop);
  context.lineTo(x - head * 0.8, stop - down * head * 1.6);
  context.lineTo(x + head * 0.8, stop - down * head * 1.6);
  context.fill();
}

/** @param {Timeline} view @param {CanvasRenderingContext2D} context */
export function drawCursor(view, context) {
  const { cursor, palette } = view.session;
  const x = view.surface.sharp(view.xOf(cursor));
  if (x < view.gutter || x > view.surface.width) return;
  context.strokeStyle = palette.page.accent;
  context.lineWidth = 1;
  context.setLineDash([3 * view.unit, 3 * view.unit]);
  context.beginPath();
  context.moveTo(x, RULER * view.unit);
  context.lineTo(x, view.surface.height);
  context.stroke();
  context.setLineDash([]);
}

/** A word about the span under the pointer. @param {Timeline} view
 * @param {CanvasRenderingContext2D} context */
export function drawHover(view, context) {
  if (view.hovered < 0 || view.hoverX < 0) return;
  const { lanes, recording, palette } = view.session;
  const state = lanes.state[view.hovered];
  const took = lanes.end[view.hovered] - lanes.start[view.hovered];
  let text = `${stateName(state)}  ${duration(took)}`;
  if (state >= WAITING && lanes.other[view.hovered])
    text += `  ${recording.nameOf(lanes.other[view.hovered])}`;
  context.font = view.surface.font(11, 500);
  const wide = context.measureText(text).width + 14 * view.unit;
  const x = Math.min(view.hoverX + 10 * view.unit, view.surface.width - wide - 4);
  const row = view.rowOf(lanes.lane[view.hovered]);
  const y = Math.max(view.yOf(row) - view.laneHeight / 2 - 22 * view.unit, RULER * view.unit);
  context.fillStyle = palette.page.ink;
  context.beginPath();
  context.roundRect(x, y, wide, 20 * view.unit, 4 * view.unit);
  context.fill();
  context.fillStyle = palette.page.ground;
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.fillText(text, x + 7 * view.unit, y + 10.5 * view.unit);
}
