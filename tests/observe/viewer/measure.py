"""Prints how fast the viewer opens and draws, for traces of so many events or of two usual sizes.

    python tests/observe/viewer/measure.py [events ...]

Times depend on the machine and on its load, so no test asserts them. A frame is counted when its
drawing has come to its end, with the window zoomed in and out by a quarter each time.
"""

from __future__ import annotations

import pathlib
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[2] / "support")]

import browser  # noqa: E402
import synthetic  # noqa: E402

import chromium  # noqa: E402
from greenloop.tracing import Trace  # noqa: E402
from greenloop.tracing.html import write_html  # noqa: E402

FRAMES = """
const done = arguments[arguments.length - 1];
const { timeline, session } = greenloop;
const drawn = [];
session.showAll();
const began = performance.now();
function frame() {
  session.zoom(session.cursor, drawn.length % 60 < 30 ? 1.25 : 0.8);
  const before = performance.now();
  timeline.surface.drawNow();
  drawn.push(performance.now() - before);
  if (drawn.length < 180) return requestAnimationFrame(frame);
  const rate = (drawn.length * 1000) / (performance.now() - began);
  drawn.sort((a, b) => a - b);
  done([rate, drawn[90], drawn[178]]);
}
requestAnimationFrame(frame);
"""

SHOW = """
const [view, done] = arguments;
const began = performance.now();
greenloop.show(view);
requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
"""


def measure(events: int, size: tuple[int, int], folder: str) -> None:
    """Print the figures of a trace with about so many events on a page of this size."""
    loop = synthetic.factory(events, producers=6, consumers=30)
    trace = Trace(loop.head(), loop.columns())
    path = pathlib.Path(folder, "trace.html")
    began = time.perf_counter()
    write_html(trace, path)
    written = time.perf_counter() - began
    driver = chromium.start(*size)
    try:
        page = browser.Page(driver, f"{path.as_uri()}#timeline")
        opened = page.run("return openedAfter") / 1000
        rate, median, p99 = driver.execute_async_script(FRAMES)
        views = ", ".join(
            f"{view} {driver.execute_async_script(SHOW, view):.0f} ms"
            for view in ("sequence", "graph", "tables", "path")
        )
    finally:
        driver.quit()
    size_in_mb = path.stat().st_size / 1e6
    print(f"{len(trace):9,} events at {size[0]} × {size[1]}:")
    print(f"  written in {written:.2f} s ({size_in_mb:.1f} MB), opened in {opened:.2f} s")
    print(f"  zooming: {rate:.0f} frames/s, drawn in {median:.1f} ms, p99 {p99:.1f} ms")
    print(f"  first look at {views}")


if __name__ == "__main__":
    sizes = [int(argument) for argument in sys.argv[1:]] or [100_000, 1_000_000]
    with tempfile.TemporaryDirectory() as folder:
        for events in sizes:
            for size in ((1280, 800), (3840, 2160)):
                measure(events, size, folder)
