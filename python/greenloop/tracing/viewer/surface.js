// A canvas that fills its element at the screen's own resolution, and the gestures over it.
//
// Drawing is in CSS pixels; a surface is drawn at most once for each frame, however often something
// changes. One finger or button pans, two fingers or the wheel zoom, a press without a move clicks.

/**
 * @typedef {{
 *   zoom?: (x: number, y: number, factor: number) => void,
 *   pan?: (dx: number, dy: number) => void,
 *   scroll?: (x: number, y: number, dx: number, dy: number) => boolean,
 *   click?: (x: number, y: number) => void,
 *   open?: (x: number, y: number) => void,
 *   hover?: (x: number, y: number) => void,
 *   leave?: () => void,
 * }} Gestures `scroll` returns false if the wheel is to zoom instead.
 */

/** How far a pointer may move, in CSS pixels, and still click. */
const CLICK = 4;

const FONT =
  '"Inter", "Segoe UI", system-ui, -apple-system, "Helvetica Neue", "Liberation Sans", ' +
  '"DejaVu Sans", sans-serif';

export class Surface {
  /** @param {HTMLElement} parent @param {(context: CanvasRenderingContext2D) => void} draw */
  constructor(parent, draw) {
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    parent.append(this.canvas);
    // Views cover all of it, and what cannot be seen through is put on the screen faster.
    const context = this.canvas.getContext("2d", { alpha: false });
    if (!context) throw new Error("the browser has no canvas");
    this.context = context;
    this.draw = draw;
    this.width = 0;
    this.height = 0;
    this.ratio = 1;
    /** One thirteenth of the page's text: all sizes are in it. */
    this.unit = 1;
    this.asked = 0;
    new ResizeObserver(() => this.ask()).observe(parent);
  }

  /** Draw with the next frame. */
  ask() {
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = 0;
      this.drawNow();
    });
  }

  /** Draw at once; nothing is drawn while the view is hidden. */
  drawNow() {
    const parent = /** @type {HTMLElement} */ (this.canvas.parentElement);
    const width = parent.clientWidth;
    const height = parent.clientHeight;
    if (!width || !height) return;
    this.ratio = window.devicePixelRatio || 1;
    this.width = width;
    this.height = height;
    this.unit = parseFloat(getComputedStyle(document.documentElement).fontSize) / 13;
    const pixels = [Math.round(width * this.ratio), Math.round(height * this.ratio)];
    if (this.canvas.width !== pixels[0] || this.canvas.height !== pixels[1]) {
      [this.canvas.width, this.canvas.height] = pixels;
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${height}px`;
    }
    this.context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    this.draw(this.context);
  }

  /** The page's font at a size in units. @param {number} size @param {number} [weight] */
  font(size, weight = 400) {
    return `${weight} ${size * this.unit}px ${FONT}`;
  }

  /** The nearest position between two pixels of the screen. @param {number} position */
  whole(position) {
    return Math.round(position * this.ratio) / this.ratio;
  }

  /** A position at which a line one pixel wide is sharp. @param {number} position */
  sharp(position) {
    return (Math.round(position * this.ratio) + 0.5) / this.ratio;
  }

  /** @param {Gestures} gestures */
  listen(gestures) {
    const { canvas } = this;
    /** @type {Map<number, {x: number, y: number}>} */
    const pointers = new Map();
    let moved = 0;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      canvas.focus({ preventScroll: true });
      pointers.set(event.pointerId, at(event));
      if (pointers.size === 1) moved = 0;
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      const here = at(event);
      if (!before) {
        gestures.hover?.(here.x, here.y);
        return;
      }
      if (pointers.size === 2) {
        const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1] ?? here;
        const was = Math.hypot(before.x - other.x, before.y - other.y);
        const is = Math.hypot(here.x - other.x, here.y - other.y);
        if (was > 0 && is > 0)
          gestures.zoom?.((here.x + other.x) / 2, (here.y + other.y) / 2, is / was);
        gestures.pan?.((here.x - before.x) / 2, (here.y - before.y) / 2);
        moved = Infinity;
      } else {
        moved += Math.abs(here.x - before.x) + Math.abs(here.y - before.y);
        if (moved > CLICK) gestures.pan?.(here.x - before.x, here.y - before.y);
      }
      pointers.set(event.pointerId, here);
    });
    canvas.addEventListener("pointerup", (event) => {
      const pressed = pointers.delete(event.pointerId);
      const { x, y } = at(event);
      if (pressed && moved <= CLICK) gestures.click?.(x, y);
    });
    canvas.addEventListener("pointercancel", (event) => pointers.delete(event.pointerId));
    canvas.addEventListener("pointerleave", () => gestures.leave?.());
    canvas.addEventListener("dblclick", (event) => gestures.open?.(at(event).x, at(event).y));
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        const { x, y } = at(event);
        // Some mice count in lines or in pages.
        const unit = event.deltaMode === 0 ? 1 : event.deltaMode === 1 ? 16 : this.height;
        const dx = event.deltaX * unit;
        const dy = event.deltaY * unit;
        // A pinch on a touchpad comes as a wheel with the control key, in small steps.
        if (event.ctrlKey || event.metaKey) {
          gestures.zoom?.(x, y, Math.exp(-dy * 0.01));
          return;
        }
        if (event.shiftKey && !dx && gestures.scroll?.(x, y, dy, 0)) return;
        if (gestures.scroll?.(x, y, dx, dy)) return;
        gestures.zoom?.(x, y, Math.exp(-dy * 0.0016));
      },
      { passive: false },
    );
  }
}

/** @param {MouseEvent} event */
function at(event) {
  return { x: event.offsetX, y: event.offsetY };
}
