// The picture of a lane at any zoom: one row of pixels for each of running, ready and waiting.
//
// A span wider than a pixel fills its columns. Spans that share a column are merged: the share of
// running, of ready and of waiting time in it becomes the opacity of its three pixels. Both take
// binary searches and differences of sums, so a picture costs columns and not spans.

import { POLLING, READY, RUNNING } from "./vocabulary.js";

/** @import { Lanes } from "./lanes.js" */

/** Rows of the picture for each lane: waiting, ready, running. */
export const ROWS = 3;

/** Even the shortest span is seen: a microsecond in a column of a second has this opacity. */
const LEAST = 0.3;

/** The most labels that a lane has room for. */
const MOST_WIDE = 400;

export class Raster {
  /** @param {Lanes} lanes */
  constructor(lanes) {
    this.lanes = lanes;
    this.canvas = document.createElement("canvas");
    const context = this.canvas.getContext("2d");
    if (!context) throw new Error("the browser has no canvas");
    this.context = context;
    this.image = new ImageData(1, 1);
    this.pixels = new Uint32Array(1);
    this.width = 1;
    /** For each row of the picture, 1 if anything is in it. */
    this.filled = new Uint8Array(1);
    /** The spans of the lane drawn last that are wide enough for a label. */
    this.wide = new Uint32Array(MOST_WIDE);
    this.wideCount = 0;
  }

  /** Make room for `rows` lanes, all of it empty. @param {number} width @param {number} rows */
  begin(width, rows) {
    const height = Math.max(1, rows * ROWS);
    if (this.image.width !== width || this.image.height < height) {
      // Grows by halves: lanes come and go while a reader types a filter.
      this.image = new ImageData(width, Math.ceil(height * 1.5));
      this.pixels = new Uint32Array(this.image.data.buffer);
      this.canvas.width = width;
      this.canvas.height = this.image.height;
    } else {
      this.pixels.fill(0, 0, width * height);
    }
    this.width = width;
    this.filled = new Uint8Array(height);
  }

  /** Put the rows where they can be drawn from. @param {number} rows */
  finish(rows) {
    this.context.putImageData(this.image, 0, 0, 0, 0, this.width, Math.max(1, rows * ROWS));
  }

  /** Draw a lane between two instants into its rows.
   * @param {number} lane @param {number} row @param {number} begin @param {number} end
   * @param {Uint32Array} colours of each state @param {Float32Array} opacity of each state
   * @param {number} labelled the least width of a span with a label, in columns */
  lane(lane, row, begin, end, colours, opacity, labelled) {
    const { start, end: ends, state, first } = this.lanes;
    const { width, pixels } = this;
    const perColumn = (end - begin) / width;
    const base = row * ROWS * width;
    const last = first[lane + 1];
    this.wideCount = 0;
    let span = this.lanes.find(lane, begin);
    let column = 0;
    while (column < width && span < last) {
      const left = begin + column * perColumn;
      const right = left + perColumn;
      if (ends[span] <= left) {
        span = this.gallop(span, last, left);
        continue;
      }
      if (start[span] >= right) {
        column = Math.max(column + 1, Math.floor((start[span] - begin) / perColumn));
        continue;
      }
      if (start[span] <= left && ends[span] >= right) {
        const stop = Math.min(
          width,
          Math.max(column + 1, Math.floor((ends[span] - begin) / perColumn)),
        );
        const what = state[span];
        const which = what === RUNNING ? 2 : what === READY ? 1 : 0;
        const pixel = colours[what] | (Math.round(opacity[what] * 255) << 24);
        this.filled[row * ROWS + which] = 1;
        pixels.fill(pixel, base + which * width + column, base + which * width + stop);
        if (stop - column >= labelled && this.wideCount < MOST_WIDE)
          this.wide[this.wideCount++] = span;
        column = stop;
        continue;
      }
      const next = this.gallop(span, last, right);
      this.mixed(span, next, last, left, right, base + column, colours, opacity);
      // The span that reaches over the column's end is looked at again.
      span = next;
      column++;
    }
  }

  /** Turn the rows of a lane into its bands, from above: waits pale under running; these under
   * ready;
   * and the line below, where waits have their full colour. The bands lie beside each other, so
   * each
   * pixel of the screen is drawn once. @param {number} row @param {number} pale */
  compose(row, pale) {
    const { width, pixels, filled } = this;
    const first = row * ROWS;
    const [waiting, ready, running] = [0, 1, 2].map((each) => (first + each) * width);
    for (let column = 0; column < width; column++) {
      const wait = pixels[waiting + column];
      const turn = pixels[ready + column];
      const run = pixels[running + column];
      if (run >>> 24 === 255) {
        pixels[waiting + column] = pixels[ready + column] = run;
        continue;
      }
      const alpha = Math.round((wait >>> 24) * pale);
      const tint = (wait & 0xffffff) | (alpha << 24);
      pixels[waiting + column] = over(run, tint);
      pixels[ready + column] = over(run, over(turn, tint));
      pixels[running + column] = over(run, over(turn, wait));
    }
    const any = filled[first] | filled[first + 1] | filled[first + 2];
    filled.fill(any, first, first + ROWS);
  }

  /** Draw a column in which more than one span is, or a part of one.
   * @param {number} span @param {number} next the first that ends behind the column
   * @param {number} last @param {number} left @param {number} right @param {number} place
   * @param {Uint32Array} colours @param {Float32Array} opacity */
  mixed(span, next, last, left, right, place, colours, opacity) {
    const { start, end: ends, state, running, ready } = this.lanes;
    const width = right - left;
    let ran = running[next] - running[span];
    let was = ready[next] - ready[span];
    let covered = next > span ? ends[next - 1] - left : 0;
    // The first span may begin before the column, and the last one may end behind it.
    const before = next > span ? Math.max(0, left - start[span]) : 0;
    if (state[span] === RUNNING) ran -= before;
    else if (state[span] === READY) was -= before;
    if (next > span && start[span] > left) covered -= start[span] - left;
    if (next < last && start[next] < right) {
      const inside = right - Math.max(start[next], left);
      if (state[next] === RUNNING) ran += inside;
      else if (state[next] === READY) was += inside;
      covered += inside;
    }
    const until = next < last && start[next] < right ? next : next - 1;
    const waited = Math.max(0, covered - ran - was);
    if (ran > 0) this.put(place + 2 * this.width, colours[RUNNING], ran / width, opacity[RUNNING]);
    if (was > 0) this.put(place + this.width, colours[READY], was / width, opacity[READY]);
    if (waited > 0) {
      const what = this.foremost(span, until, left, right);
      if (what >= 0) this.put(place, colours[what], waited / width, opacity[what]);
    }
  }

  /** @param {number} place @param {number} colour @param {number} share @param {number} opacity */
  put(place, colour, share, opacity) {
    const seen = (LEAST + (1 - LEAST) * Math.min(1, share)) * opacity;
    this.pixels[place] = colour | (Math.round(seen * 255) << 24);
    this.filled[Math.floor(place / this.width)] = 1;
  }

  /** The wait that takes the most of a column, of a few that are looked at; -1 without any.
   * @param {number} from @param {number} until @param {number} left @param {number} right */
  foremost(from, until, left, right) {
    const { start, end: ends, state } = this.lanes;
    const step = Math.max(1, Math.floor((until - from + 1) / 12));
    let longest = 0;
    let found = -1;
    for (let i = from; i <= until; i += step) {
      // Running, ready and waiting take turns: one of three neighbours waits.
      for (let span = i; span < Math.min(i + 3, until + 1); span++) {
        const what = state[span];
        if (what === RUNNING || what === READY) continue;
        const size = Math.min(ends[span], right) - Math.max(start[span], left);
        if (size > longest) {
          longest = size;
          found = what;
        }
      }
    }
    return found;
  }

  /** The first span from `span` on that ends after `time`: near ones are found at once.
   * @param {number} span @param {number} last @param {number} time */
  gallop(span, last, time) {
    const { end: ends } = this.lanes;
    let step = 1;
    let low = span;
    while (low + step < last && ends[low + step] <= time) {
      low += step;
      step *= 2;
    }
    let high = Math.min(last, low + step + 1);
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ends[middle] <= time) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** One pixel over another, both with their opacities. @param {number} above
 * @param {number} below */
function over(above, below) {
  const high = above >>> 24;
  if (high === 255 || below >>> 24 === 0) return above;
  if (high === 0) return below;
  const low = ((below >>> 24) * (255 - high)) / 255;
  const alpha = high + low;
  const red = ((above & 255) * high + (below & 255) * low) / alpha;
  const green = (((above >> 8) & 255) * high + ((below >> 8) & 255) * low) / alpha;
  const blue = (((above >> 16) & 255) * high + ((below >> 16) & 255) * low) / alpha;
  return red | (green << 8) | (blue << 16) | (Math.round(alpha) << 24);
}

/** The opacity of each state when those for which `shown` is 0 are dimmed.
 * @param {Uint8Array} shown */
export function opacities(shown) {
  const opacity = new Float32Array(shown.length);
  for (let state = 0; state < shown.length; state++) opacity[state] = shown[state] ? 1 : 0.1;
  opacity[POLLING] *= 0.55;
  return opacity;
}
