// How times, counts and shares are written: three significant digits and one unit.
//
// Times are nanoseconds since the recording began, as in the trace.

const UNITS = /** @type {const} */ ([
  [1e9, "s"],
  [1e6, "ms"],
  [1e3, "µs"],
  [1, "ns"],
]);

/** A duration such as `1.23 ms`. @param {number} nanoseconds */
export function duration(nanoseconds) {
  if (!Number.isFinite(nanoseconds)) return "–";
  if (nanoseconds === 0) return "0";
  const size = Math.abs(nanoseconds);
  // From two minutes on, seconds are too many to be read.
  if (size >= 120e9) {
    const minutes = Math.floor(size / 60e9);
    return `${minutes} min ${Math.round((size - minutes * 60e9) / 1e9)} s`;
  }
  for (const [unit, name] of UNITS) {
    // A number that three digits would round up to the next unit is written in that one.
    if (size >= unit * 0.9995) return `${digits(nanoseconds / unit)} ${name}`;
  }
  return `${digits(nanoseconds)} ns`;
}

/** An instant, as exact as neighbours `step` apart need to differ.
 * @param {number} nanoseconds @param {number} step */
export function instant(nanoseconds, step) {
  if (nanoseconds === 0) return "0";
  const size = Math.max(Math.abs(nanoseconds), step);
  const [unit, name] = UNITS.find(([each]) => size >= each) ?? UNITS[3];
  const decimals = Math.max(0, Math.min(9, Math.ceil(Math.log10(unit / step) - 1e-9)));
  return `${(nanoseconds / unit).toFixed(decimals)} ${name}`;
}

/** A count with thin spaces between its thousands. @param {number} number */
export function count(number) {
  return String(Math.round(number)).replace(/\B(?=(\d{3})+$)/g, "\u2009");
}

/** A share of a whole, such as `12.3 %`. @param {number} part @param {number} whole */
export function share(part, whole) {
  if (!(whole > 0)) return "–";
  const percent = (part / whole) * 100;
  if (percent > 0 && percent < 0.05) return "< 0.1 %";
  return `${percent >= 99.95 ? "100" : percent.toFixed(1)} %`;
}

/** `one` or `many`, with the count before it. @param {number} number @param {string} one
 * @param {string} [many] */
export function counted(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** A place in the source, short: file name and line.
 * @param {{file: string, line: number} | null | undefined} site */
export function place(site) {
  if (!site) return "";
  const file = site.file.slice(site.file.lastIndexOf("/") + 1);
  return site.line ? `${file}:${site.line}` : file;
}

/** The distance of ticks, at least `least` apart: 1, 2 or 5 times a power of ten.
 * @param {number} least */
export function tickStep(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  for (const factor of [1, 2, 5]) {
    if (factor * power >= least) return factor * power;
  }
  return 10 * power;
}

/** `text` cut so that it is at most `width` wide, with an ellipsis.
 * @param {CanvasRenderingContext2D} context @param {string} text @param {number} width */
export function fitted(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (context.measureText(`${text.slice(0, middle)}…`).width <= width) low = middle;
    else high = middle - 1;
  }
  return low > 1 ? `${text.slice(0, low)}…` : "";
}

/** @param {number} number */
function digits(number) {
  const size = Math.abs(number);
  if (size >= 99.95) return number.toFixed(0);
  if (size >= 9.995) return number.toFixed(1);
  return number.toFixed(2);
}
