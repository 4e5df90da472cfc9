"""How quick the window is: start, open, scroll, click to disk, latency while training. Needs a screen, or xvfb-run."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

START = time.perf_counter()
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.launch import Application


def seconds(work: Callable[[], Any]) -> float:
    """Time some work, with everything that it makes the window draw."""
    from qtpy.QtWidgets import QApplication

    began = time.perf_counter()
    work()
    QApplication.processEvents()
    return time.perf_counter() - began


def big_file(path: Path, shape: tuple[int, int, int]) -> None:
    """Write a float32 tomogram of noise, the same section over and over."""
    from core.io.volumes import mrc_writer

    section = np.random.default_rng(0).normal(size=shape[1:]).astype(np.float32)
    with mrc_writer(path, shape, np.float32, 10.0) as writer:
        for _ in range(shape[0]):
            writer.write(section[None])


def scroll(desk: Application, axis: int, times: int = 20) -> float:
    """Return seconds for one step along an axis, all three canvases drawn."""
    return seconds(lambda: [step(desk, axis) for _ in range(times)]) / times


def step(desk: Application, axis: int) -> None:
    """Turn one page and draw it."""
    from qtpy.QtWidgets import QApplication

    desk.window.views.step(axis, 1)
    QApplication.processEvents()


def clicks(desk: Application, count: int = 50) -> tuple[float, float]:
    """Return median seconds until a click is on disk, and until it is drawn too."""
    rng, store = np.random.default_rng(0), desk.session.project.store
    name, shape = desk.session.tomogram.id, np.array(desk.session.tomogram.shape)
    desk.session.project.store.changed.block()
    bare = [seconds(lambda: store.add(name, rng.uniform(0, 1, 3) * (shape - 1), 1)) for _ in range(count)]
    desk.session.project.store.changed.unblock()
    drawn = [seconds(lambda: desk.annotate.add(rng.uniform(0, 1, 3) * (shape - 1))) for _ in range(count)]
    return float(np.median(bare)), float(np.median(drawn))


def many(desk: Application, count: int) -> list[tuple[str, str]]:
    """Add candidates everywhere, and return rows on how quick the window is with them."""
    from core.particles import ParticleTable, Source, Status

    rng, session = np.random.default_rng(1), desk.session
    shape, store, name = np.array(session.tomogram.shape), session.project.store, session.tomogram.id
    found = ParticleTable.build(
        name,
        rng.uniform(0, 1, (count, 3)) * (shape - 1),
        1,
        scores=rng.uniform(0, 1, count),
        source=Source.PICKED,
        status=Status.CANDIDATE,
    )
    store.add_many(found)
    session.set_threshold(1, 0.0)
    ids = session.table.ids
    rows = [(f"scroll along {name}", f"{1000 * scroll(desk, axis):.0f} ms a step") for axis, name in enumerate("zyx")]
    for what, work in (
        ("click", lambda: desk.annotate.add(rng.uniform(0, 1, 3) * (shape - 1))),
        ("move", lambda: store.move(int(rng.choice(ids)), rng.uniform(0, 1, 3) * (shape - 1))),
        ("select", lambda: session.select(int(rng.choice(ids)))),
        ("threshold", lambda: session.set_threshold(1, float(rng.uniform(0.0, 0.2)))),
        ("undo", desk.annotate.undo),
    ):
        times = [seconds(work) for _ in range(15)]
        rows.append((f"{what}, drawn", f"{1000 * np.median(times):.0f} ms (worst {1000 * max(times):.0f})"))
    return [(f"{count} particles: {what}", value) for what, value in rows]


def solid(desk: Application) -> tuple[float, float]:
    """Return seconds until the tomogram is shown in three dimensions, and the longest that the window was busy meanwhile."""
    from qtpy.QtWidgets import QApplication

    late, began = [], time.perf_counter()
    desk.window.solid.trigger()
    while not desk.window.views.corner.in_solid:
        last = time.perf_counter()
        QApplication.processEvents()
        late.append(time.perf_counter() - last)
    taken = time.perf_counter() - began
    desk.window.solid.trigger()
    return taken, max(late)


def latency(desk: Application, duration: float) -> float:
    """Return the 95th percentile of the event loop's lateness over some seconds, in seconds."""
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication

    late: list[float] = []
    due = [time.perf_counter()]
    timer = QTimer()
    timer.setInterval(10)

    def tick() -> None:
        now = time.perf_counter()
        late.append(max(0.0, now - due[0] - 0.01))
        due[0] = now

    timer.timeout.connect(tick)
    timer.start()
    end = time.perf_counter() + duration
    while time.perf_counter() < end:
        QApplication.processEvents()
        time.sleep(0.001)
    timer.stop()
    return float(np.percentile(late, 95))


def training(desk: Application, duration: float) -> float:
    """Return the latency while a network is trained in the other process."""
    from qtpy.QtWidgets import QApplication

    desk.window.train.minutes.setValue(30)
    desk.train.train()
    while desk.runner.busy and not multiprocessing.active_children():
        QApplication.processEvents()
    latency(desk, 10.0)  # until it has begun
    measured = latency(desk, duration)
    desk.runner.cancel()
    while desk.runner.busy:
        QApplication.processEvents()
    return measured


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=int, nargs=3, default=(500, 1000, 1000))
    parser.add_argument("--particles", type=int, default=50_000)
    parser.add_argument("--training", type=float, default=20.0, help="seconds of latency to measure; 0 for none")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DEEPETPICKER_HOME"] = folder
        from app.launch import Application, start_toolkit

        start_toolkit()
        from qtpy.QtCore import QSettings

        desk = Application(QSettings(f"{folder}/settings.ini", QSettings.Format.IniFormat))
        desk.window.ask_before_closing = False
        seconds(desk.window.show)
        rows = [("start", f"{time.perf_counter() - START:.1f} s")]
        big_file(Path(folder) / "big.mrc", tuple(arguments.shape))
        rows.append(("open", f"{seconds(lambda: desk.project.open_path(Path(folder) / 'big.mrc')):.1f} s"))
        rows += [
            (f"scroll along {name}", f"{1 / (taken := scroll(desk, axis)):.0f} steps/s, {1000 * taken:.0f} ms a step")
            for axis, name in enumerate("zyx")
        ]
        bare, drawn = clicks(desk)
        rows += [("click to disk", f"{1000 * bare:.1f} ms"), ("click to disk and drawn", f"{1000 * drawn:.0f} ms")]
        taken, late = solid(desk)
        rows.append(("3-D view, from the menu to the picture", f"{taken:.1f} s (window busy for {1000 * late:.0f} ms at most)"))
        rows += many(desk, arguments.particles)
        rows.append(("latency at rest, 95 %", f"{1000 * latency(desk, 3.0):.0f} ms"))
        if arguments.training:
            rows.append(("latency while training, 95 %", f"{1000 * training(desk, arguments.training):.0f} ms"))
        print("\n".join(f"| {name} | {value} |" for name, value in rows))
        desk.window.close()


if __name__ == "__main__":
    main()
