// Colours: those of states in both themes, and those of the page that canvases draw with.
//
// The hues are near the eight of Okabe and Ito, which readers with any common colour blindness can
// tell apart; each is moved in lightness until it stands out from the theme's ground. Within a
// family the kinds differ in lightness, so that `queue.get` and `queue.put` are relatives and not
// the same.

import { STATES, familyOf, stateName } from "./vocabulary.js";

/** @import { Family } from "./vocabulary.js" */
/** @typedef {"light" | "dark"} Theme */
/** @typedef {[number, number, number]} Rgb */

/** @type {Record<Theme, Record<Family, Rgb>>} */
const FAMILY_COLOURS = {
  light: {
    running: [0, 139, 101],
    ready: [235, 170, 40],
    queue: [0, 102, 168],
    lock: [196, 70, 10],
    signal: [190, 80, 150],
    task: [70, 165, 216],
    io: [206, 186, 96],
    time: [150, 156, 164],
    outside: [70, 74, 82],
  },
  dark: {
    running: [24, 178, 134],
    ready: [236, 180, 62],
    queue: [64, 146, 214],
    lock: [220, 92, 34],
    signal: [206, 112, 172],
    task: [120, 198, 240],
    io: [240, 230, 120],
    time: [112, 119, 130],
    outside: [206, 210, 216],
  },
};

/** How much darker (below zero) or lighter a kind is than its family.
 * @type {Record<string, number>} */
const SHADES = {
  "queue.put": -0.22,
  "queue.join": 0.25,
  semaphore: 0.2,
  condition: -0.2,
  barrier: 0.35,
  future: -0.2,
  gather: -0.2,
  wait: 0.18,
  "task-group": -0.12,
  timeout: -0.18,
  yield: 0.2,
  "stream.drain": -0.2,
  "name-lookup": 0.25,
  subprocess: -0.35,
  connect: 0.15,
  accept: -0.1,
  executor: -0.15,
  "rust-future": 0.2,
};

/** The colours that canvases draw with. `style.css` has them for the rest of the page. */
const PAGE_COLOURS = {
  light: {
    ground: "#fcfbf9",
    raised: "#ffffff",
    ink: "#22262b",
    muted: "#6a717b",
    faint: "#a9afb7",
    line: "#e6e3dd",
    stripe: "#f6f4f0",
    accent: "#1b5fa8",
    alarm: "#c22f2f",
    onFill: "#ffffff",
  },
  dark: {
    ground: "#15181c",
    raised: "#1c2025",
    ink: "#e4e6e8",
    muted: "#979fa9",
    faint: "#5d6570",
    line: "#2a2f36",
    stripe: "#191d22",
    accent: "#7db7f0",
    alarm: "#ff7b72",
    onFill: "#0e1114",
  },
};

/** The colours of one theme. */
export class Palette {
  /** @param {Theme} theme */
  constructor(theme) {
    this.theme = theme;
    this.page = PAGE_COLOURS[theme];
    /** The colour of each state as three bytes. @type {Rgb[]} */
    this.rgb = [];
    /** The same as CSS. @type {string[]} */
    this.css = [];
    /** The same in the order of a canvas's pixels, without opacity. */
    this.pixel = new Uint32Array(STATES);
    for (let state = 0; state < STATES; state++) {
      const base = FAMILY_COLOURS[theme][familyOf(state)];
      const rgb = shaded(base, SHADES[stateName(state)] ?? 0);
      this.rgb.push(rgb);
      this.css.push(cssOf(rgb));
      this.pixel[state] = rgb[0] | (rgb[1] << 8) | (rgb[2] << 16);
    }
  }

  /** The colour of a family, as CSS. @param {Family} family @param {number} [opacity] */
  family(family, opacity = 1) {
    return cssOf(FAMILY_COLOURS[this.theme][family], opacity);
  }

  /** The colour of a state, as CSS. @param {number} state @param {number} [opacity] */
  state(state, opacity = 1) {
    return opacity === 1 ? this.css[state] : cssOf(this.rgb[state], opacity);
  }
}

/** @param {Rgb} rgb @param {number} [opacity] */
function cssOf([red, green, blue], opacity = 1) {
  return opacity === 1
    ? `rgb(${red} ${green} ${blue})`
    : `rgb(${red} ${green} ${blue} / ${opacity})`;
}

/** @param {Rgb} rgb @param {number} shade @returns {Rgb} */
function shaded(rgb, shade) {
  const towards = shade < 0 ? 0 : 255;
  const [red, green, blue] = rgb.map((each) =>
    Math.round(each + (towards - each) * Math.abs(shade)),
  );
  return [red, green, blue];
}
