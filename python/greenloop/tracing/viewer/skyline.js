// A skyline: the longest lag of each column as a bar, drawn as one picture.
//
// Thousands of bars one by one take longer than all lanes, and as one shape even longer: its edges
// are smoothed. So the pixels are set here, and the picture is drawn in one piece.

import { READY } from "./vocabulary.js";

/** @import { Lag } from "./lag.js" */
/** @import { Palette } from "./palette.js" */
/** @import { Surface } from "./surface.js" */

export class Skyline {
  constructor() {
    this.canvas = document.createElement("canvas");
    const context = this.canvas.getContext("2d");
    if (!context) throw new Error("the browser has no canvas");
    this.context = context;
    this.image = new ImageData(1, 1);
    this.pixels = new Uint32Array(1);
    this.lags = new Float32Array(1);
  }

  /** Draw the lags of a stretch of time; returns the longest.
   * @param {Surface} surface @param {Lag} lag @param {Palette} palette
   * @param {{begin: number, end: number}} stretch
   * @param {{left: number, bottom: number, width: number, height: number}} box */
  draw(surface, lag, palette, { begin, end }, { left, bottom, width, height }) {
    const columns = Math.max(1, Math.round(width * surface.ratio));
    const rows = Math.max(1, Math.round(height * surface.ratio));
    this.prepare(columns, rows);
    const longest = lag.fill(begin, end, this.lags);
    if (!longest) return 0;
    const pixel = palette.pixel[READY] | 0xff000000;
    for (let x = 0; x < columns; x++) {
      if (!this.lags[x]) continue;
      const high = Math.max(1, Math.round((this.lags[x] / longest) * rows));
      for (let y = rows - high; y < rows; y++) this.pixels[y * columns + x] = pixel;
    }
    this.context.putImageData(this.image, 0, 0);
    surface.context.drawImage(this.canvas, left, bottom - height, width, height);
    return longest;
  }

  /** An empty picture of this size. @param {number} columns @param {number} rows */
  prepare(columns, rows) {
    if (this.image.width === columns && this.image.height === rows) {
      this.pixels.fill(0);
      return;
    }
    this.image = new ImageData(columns, rows);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.lags = new Float32Array(columns);
    this.canvas.width = columns;
    this.canvas.height = rows;
  }
}
