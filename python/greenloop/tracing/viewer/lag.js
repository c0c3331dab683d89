// The lag of the loop: how long tasks that could go on had to wait for their turn.
//
// Each step gives one sample, at the instant at which it began. The longest lag of any stretch of
// time comes from a pyramid of maxima, so that a pixel asks a few numbers however much it covers.

import { READY, RUNNING } from "./vocabulary.js";

/** @import { Lanes } from "./lanes.js" */
/** @import { Recording } from "./recording.js" */
import { Kind } from "./vocabulary.js";

const BRANCHES = 16;

export class Lag {
  /** @param {Recording} recording @param {Lanes} lanes */
  constructor(recording, lanes) {
    const byEvent = new Float32Array(recording.length);
    let samples = 0;
    for (let span = 1; span < lanes.spans; span++) {
      const before = span - 1;
      if (lanes.state[span] !== RUNNING || lanes.state[before] !== READY) continue;
      if (lanes.lane[before] !== lanes.lane[span] || lanes.opened[span] < 0) continue;
      byEvent[lanes.opened[span]] = lanes.end[before] - lanes.start[before];
      samples++;
    }
    this.time = new Float64Array(samples);
    const lags = new Float32Array(samples);
    let filled = 0;
    for (let i = 0; i < recording.length && filled < samples; i++) {
      if (recording.kind[i] !== Kind.STEP_BEGAN || byEvent[i] === 0) continue;
      this.time[filled] = recording.time[i];
      lags[filled++] = byEvent[i];
    }
    this.samples = filled;
    /** Each level has the maxima of `BRANCHES` entries of the one before. */
    this.levels = [lags];
    for (let level = lags; level.length > BRANCHES;) {
      level = maxima(level);
      this.levels.push(level);
    }
    this.longest = this.between(0, filled);
  }

  /** The longest lag of the steps that began from `begin` to `end`.
   * @param {number} begin @param {number} end */
  longestIn(begin, end) {
    return this.between(this.position(begin), this.position(end));
  }

  /** The longest lag of each of `into.length` equal parts of a stretch of time; returns the longest
   * of all. @param {number} begin @param {number} end @param {Float32Array} into */
  fill(begin, end, into) {
    const step = (end - begin) / into.length;
    let from = this.position(begin);
    let longest = 0;
    for (let i = 0; i < into.length; i++) {
      const to = this.position(begin + (i + 1) * step);
      into[i] = to > from ? this.between(from, to) : 0;
      longest = Math.max(longest, into[i]);
      from = to;
    }
    return longest;
  }

  /** How many samples are before an instant. @param {number} time */
  position(time) {
    let low = 0;
    let high = this.samples;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.time[middle] < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The longest of the samples from `from` up to and without `to`.
   * @param {number} from @param {number} to */
  between(from, to) {
    let longest = 0;
    let level = 0;
    while (from < to) {
      const samples = this.levels[level];
      // The ends that do not fill a whole entry of the next level are looked at here.
      while (from < to && from % BRANCHES) longest = Math.max(longest, samples[from++]);
      while (from < to && to % BRANCHES) longest = Math.max(longest, samples[--to]);
      if (level + 1 === this.levels.length) {
        while (from < to) longest = Math.max(longest, samples[from++]);
      }
      from /= BRANCHES;
      to /= BRANCHES;
      level++;
    }
    return longest;
  }
}

/** @param {Float32Array} level */
function maxima(level) {
  const above = new Float32Array(Math.ceil(level.length / BRANCHES));
  for (let i = 0; i < level.length; i++) {
    const place = Math.floor(i / BRANCHES);
    if (level[i] > above[place]) above[place] = level[i];
  }
  return above;
}
