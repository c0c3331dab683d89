// The reader's place: the window of time, the cursor, the selected span, the filter, the theme.
//
// All views share it, so that an instant chosen in one is the instant that the others show.
// Listeners are told the name of a change.

import { Filter } from "./filter.js";
import { Lag } from "./lag.js";
import { Lanes } from "./lanes.js";
import { Palette } from "./palette.js";
import { Resources } from "./resources.js";
import { Kind, RUNNING } from "./vocabulary.js";

/** @import { Theme } from "./palette.js" */
/** @import { Recording } from "./recording.js" */
/** @import { Family } from "./vocabulary.js" */

/** @typedef {"window" | "cursor" | "selection" | "filter" | "theme" | "task"} Change */

/** No window is shorter: clocks tell no nanoseconds apart. */
const SHORTEST = 50;

/** The share of the whole by which a window may go beyond the first and the last event. */
const MARGIN = 0.02;

export class Session {
  /** @param {Recording} recording @param {Theme} theme */
  constructor(recording, theme) {
    this.recording = recording;
    this.lanes = new Lanes(recording);
    this.resources = new Resources(recording);
    this.filter = new Filter(recording, this.lanes);
    this.palette = new Palette(theme);
    const whole = recording.end - recording.begin;
    this.least = recording.begin - whole * MARGIN;
    this.most = recording.end + whole * MARGIN;
    this.begin = this.least;
    this.end = this.most;
    /** The instant that the graph shows. */
    this.cursor = recording.begin + whole / 2;
    /** The selected span, or -1. */
    this.selection = -1;
    /** The lane whose critical path is shown. */
    this.chosen = this.lanes.count > 1 ? 1 : 0;
    /** Spans that were selected before. @type {number[]} */
    this.history = [];
    /** @type {Set<(change: Change) => void>} */
    this.listeners = new Set();
    /** @type {Lag | undefined} */
    this.knownLag = undefined;
  }

  /** Made when it is first drawn: a page that opens at another view does without. */
  get lag() {
    this.knownLag ??= new Lag(this.recording, this.lanes);
    return this.knownLag;
  }

  /** @param {Change} change */
  changed(change) {
    for (const listener of this.listeners) listener(change);
  }

  /** Show the time from `begin` to `end`, or the nearest window that is allowed.
   * @param {number} begin @param {number} end */
  show(begin, end) {
    const width = Math.min(Math.max(end - begin, SHORTEST), this.most - this.least);
    const middle = (begin + end) / 2;
    const from = Math.min(Math.max(middle - width / 2, this.least), this.most - width);
    if (from === this.begin && from + width === this.end) return;
    this.begin = from;
    this.end = from + width;
    this.changed("window");
  }

  showAll() {
    this.show(this.least, this.most);
  }

  /** Zoom so that `time` stays where it is. @param {number} time @param {number} factor */
  zoom(time, factor) {
    const width = Math.min(
      Math.max((this.end - this.begin) / factor, SHORTEST),
      this.most - this.least,
    );
    const share = (time - this.begin) / (this.end - this.begin);
    const begin = time - share * width;
    this.show(begin, begin + width);
  }

  /** @param {number} shift in nanoseconds */
  pan(shift) {
    this.show(this.begin + shift, this.end + shift);
  }

  /** @param {number} time */
  moveCursor(time) {
    this.cursor = this.within(time);
    this.changed("cursor");
  }

  /** The nearest instant of the recording: at its very end no task does anything any more.
   * @param {number} time */
  within(time) {
    const { begin, end } = this.recording;
    return Math.min(Math.max(time, begin), end - 0.5);
  }

  /** Select a span; -1 for none. The cursor goes to its begin unless an instant is given.
   * @param {number} span @param {number} [time] */
  select(span, time) {
    if (span === this.selection) return;
    if (this.selection >= 0) this.history.push(this.selection);
    this.choose(span, time);
  }

  /** Go back to the span that was selected before. */
  back() {
    const span = this.history.pop();
    if (span === undefined) return false;
    this.choose(span);
    this.reveal(span);
    return true;
  }

  /** Select the step that made the selected span's task ready. False if no task did. */
  goToCause() {
    const found = this.wakerOf(this.selection);
    if (found < 0) return false;
    this.select(found, this.recording.time[this.lanes.causeOf(this.selection)]);
    this.reveal(found);
    return true;
  }

  /** The span in which a task made another one ready, or -1. @param {number} span */
  wakerOf(span) {
    if (span < 0) return -1;
    const event = this.lanes.causeOf(span);
    if (event < 0) return -1;
    const { kind, task, time } = this.recording;
    if (kind[event] !== Kind.WOKEN && kind[event] !== Kind.TASK_CREATED) return -1;
    const lane = task[event] ? (this.lanes.laneOf[task[event]] ?? -1) : -1;
    if (lane < 0) return -1;
    const found = this.lanes.find(lane, time[event]);
    const there = found < this.lanes.first[lane + 1];
    return there && this.lanes.state[found] === RUNNING ? found : -1;
  }

  /** Move the window so that a span is inside of it and can be seen. @param {number} span */
  reveal(span) {
    const { start, end } = this.lanes;
    const size = end[span] - start[span];
    const width = this.end - this.begin;
    const inside = start[span] >= this.begin && end[span] <= this.end;
    const seen = size > width / 400 && size < width;
    if (inside && seen) return;
    const next = size > width || size < width / 400 ? Math.max(size * 12, SHORTEST) : width;
    const middle = (start[span] + end[span]) / 2;
    this.show(middle - next / 2, middle + next / 2);
  }

  /** @param {number} lane */
  chooseTask(lane) {
    this.chosen = lane;
    this.changed("task");
  }

  /** @param {string} text */
  applyFilter(text) {
    this.filter.apply(text);
    this.changed("filter");
  }

  /** @param {Family} family */
  toggleFamily(family) {
    this.filter.toggle(family);
    this.changed("filter");
  }

  /** @param {Theme} theme */
  setTheme(theme) {
    this.palette = new Palette(theme);
    this.changed("theme");
  }

  /** @param {number} span @param {number} [time] */
  choose(span, time) {
    this.selection = span;
    if (span >= 0) {
      this.cursor = this.within(time ?? this.lanes.start[span]);
      const lane = this.lanes.lane[span];
      if (lane) this.chosen = lane;
    }
    this.changed("selection");
  }
}
