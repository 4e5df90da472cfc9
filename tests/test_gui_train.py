"""Training in the window: resumed, followed by picking, told of, and never in anybody's way."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import QTimer

from app.panels.train import Curves
from core.annotations import Role
from core.io.volumes import write_mrc
from core.messages import Progress
from core.particles import Status
from core.runs import unfinished

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.launch import Application

LONG = 180_000  # ms that are waited at most for what takes seconds on a machine that has nothing else to do
CENTRES = np.array([(z, y, x) for z in (10, 22) for y in (12, 32, 52) for x in (11, 32, 53)], float)


@pytest.fixture
def marked(desk: Application, tmp_path: Path) -> Application:
    """Eighteen dark balls, all marked, and settings that train in seconds."""
    data = np.random.default_rng(0).normal(0, 0.3, (32, 64, 64)).astype(np.float32)
    grid = np.stack(np.indices(data.shape), axis=-1)
    for centre in CENTRES:
        data[((grid - centre) ** 2).sum(axis=-1) <= 36] -= 2
    write_mrc(tmp_path / "blobs.mrc", data, 10.0)
    desk.project.close()
    desk.project.open_path(tmp_path / "blobs.mrc")
    desk.annotate._on_panel_class_edited(1, "diameter", "120")
    for centre in CENTRES:
        desk.annotate.add(centre)
    desk.window.go_to_step(2)
    budget(desk, 0, 5)
    return desk


def budget(desk: Application, steps: int, minutes: float, validations: int = 1) -> None:
    desk.window.train.minutes.setValue(minutes)
    values = {"steps": steps, "patch": 32, "batch": 2, "validations": validations, "learning_rate": 5e-3}
    desk.window.train._forms["train"].set_values(values)


def training(desk: Application, qtbot: QtBot) -> None:
    desk.train.train()
    qtbot.waitUntil(lambda: "loss" in desk.window.jobs.text.text(), timeout=LONG)


@pytest.mark.engine
def test_a_stopped_run_is_offered_and_goes_on_where_it_stopped(marked: Application, qtbot: QtBot) -> None:
    panel = marked.window.train
    budget(marked, 24, 5, validations=8)
    training(marked, qtbot)
    qtbot.waitUntil(lambda: len(panel.curves.points) >= 2, timeout=LONG)
    marked.runner.cancel()
    qtbot.waitUntil(lambda: not marked.runner.busy and not panel.stopped.isHidden(), timeout=LONG)
    run = panel.runs.currentData()
    assert unfinished(marked.session.project.runs) == [run]
    before = len(panel.curves.points)
    panel.resume.click()
    qtbot.waitUntil(lambda: panel.result.text().startswith("Done"), timeout=LONG)
    qtbot.waitUntil(lambda: not marked.runner.busy, timeout=LONG)
    assert len(panel.curves.points) > before
    assert unfinished(marked.session.project.runs) == []
    assert panel.stopped.isHidden()
    panel.log.click()
    lines = marked.train._log.text.toPlainText().splitlines()
    marked.train._log.close()
    words = [line[21:].split()[0] for line in lines]
    assert words[0] == "Started"
    assert "Stopped" in words
    assert "Resumed." in words[words.index("Stopped") :]
    assert words[-1] == "Done."
    assert [int(line.split()[3].rstrip(",")) for line in lines if line[21:].startswith("Step")][-1] == 24


@pytest.mark.engine
def test_picking_follows_where_that_is_wanted_and_training_again_continues_from_the_last_network(
    marked: Application, qtbot: QtBot
) -> None:
    panel, session = marked.window.train, marked.session
    budget(marked, 4, 5)
    panel.then_pick.setChecked(True)
    with qtbot.waitSignal(marked.pick.picked, timeout=LONG):
        marked.train.train_again()  # of none yet: a fresh one
    panel.then_pick.setChecked(False)
    qtbot.waitUntil(lambda: not marked.runner.busy, timeout=LONG)
    assert marked.window.step == 3
    assert (session.table.statuses == Status.ACCEPTED).sum() == len(CENTRES)
    first = session.model
    session.set_threshold(1, 0.987)
    marked.train.train_again()
    assert panel.again.isChecked()
    qtbot.waitUntil(lambda: session.model != first and not marked.runner.busy, timeout=LONG)
    now = session.review_of(1).threshold
    assert f"its own threshold: particle {now:.2f} (was 0.99)" in panel.result.text()


def test_what_is_held_back_and_what_would_help_is_said_before(marked: Application) -> None:
    advice = marked.window.train.advice
    assert advice.text() == "Ready to train; marked so far: particle 18."
    marked.window.train.minutes.setValue(2.5)
    assert "voxels wide" in marked.window.train.chosen.text()
    assert "At most 2.5 min." in marked.window.train.chosen.text()
    marked.session.project.store.remove(marked.session.table.ids[5:])
    assert "10 more marks of particle are recommended" in advice.text()
    marked.tomograms._on_list_role("blobs", Role.VALIDATION)
    marked.session.reload()
    assert "F1 will be measured on blobs" in advice.text()


def test_what_cannot_be_learnt_is_a_sentence_before_anything_starts(marked: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    from app import notify

    said: list[str] = []
    monkeypatch.setattr(notify, "show", lambda exc, _parent=None: said.append(notify.sentence(exc)))
    marked.window.train.split.setCurrentIndex(marked.window.train.split.findData("tomogram"))
    marked.train.train()
    assert not marked.runner.busy
    assert "add a tomogram or split by clicks" in said[0]
    assert not list(marked.session.project.runs.glob("*"))


@pytest.mark.engine
def test_a_job_that_fails_says_why_in_the_panel(marked: Application, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    from app import notify

    said: list[str] = []
    monkeypatch.setattr(notify, "show", lambda exc, _parent=None: said.append(notify.sentence(exc)))
    marked.train.train()
    qtbot.waitUntil(lambda: bool(multiprocessing.active_children()), timeout=LONG)
    for child in multiprocessing.active_children():
        child.kill()
    qtbot.waitUntil(lambda: not marked.runner.busy, timeout=LONG)
    assert "memory ran out" in said[0]
    assert said[0] in marked.window.train.result.text()


@pytest.mark.engine
def test_the_window_answers_while_a_network_is_trained(marked: Application, qtbot: QtBot) -> None:
    training(marked, qtbot)
    ticks: list[float] = []
    timer = QTimer()
    timer.setInterval(10)
    timer.timeout.connect(lambda: ticks.append(time.monotonic()))
    child = psutil.Process(multiprocessing.active_children()[0].pid)
    used = sum(child.cpu_times()[:2])
    timer.start()
    qtbot.waitUntil(lambda: len(ticks) > 100 and ticks[-1] - ticks[0] > 4, timeout=LONG)
    timer.stop()
    worked = sum(child.cpu_times()[:2]) - used
    late = 1000 * (np.diff(ticks) - 0.010)
    sys.stdout.write(
        f"\nlateness while training: median {np.median(late):.1f} ms, 95 % {np.percentile(late, 95):.1f} ms,"
        f" largest {late.max():.1f} ms; the child computed for {worked:.1f} s of {ticks[-1] - ticks[0]:.1f} s\n"
    )
    marked.runner.cancel()
    qtbot.waitUntil(lambda: not marked.runner.busy, timeout=LONG)
    assert worked > 0.5  # it was real training that went on beside
    assert np.percentile(late, 95) < 50


def test_closing_the_window_ends_worker_and_child_within_five_seconds(marked: Application, qtbot: QtBot) -> None:
    training(marked, qtbot)
    child, job = psutil.Process(multiprocessing.active_children()[0].pid), marked.runner._job
    started = time.monotonic()
    marked.window.close()
    took = time.monotonic() - started
    sys.stdout.write(f"\nclosing during training took {took:.2f} s\n")
    assert took < 5
    assert job.isFinished()
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


RAISING = """
import sys, threading
from qtpy.QtCore import QTimer
import app.launch as launch
from app.launch import Application

begin = Application.__init__

def failing():
    yield from ()
    raise RuntimeError("in a job")

def slot():
    raise RuntimeError("in a slot")

def thread():
    raise RuntimeError("in a thread")

def go(desk):
    from qtpy.QtWidgets import QWidget

    class Bad(QWidget):
        painted = False

        def paintEvent(self, event):
            if not self.painted:
                self.painted = True
                raise RuntimeError("in a paint event")

    QTimer.singleShot(0, slot)
    threading.Thread(target=thread).start()
    desk.runner.start("failing", failing(), succeeded=desk.project._on_failed, failed=desk.project._on_failed)
    desk.bad = Bad()
    desk.bad.show()
    QTimer.singleShot(1500, lambda: end(desk))

def end(desk):
    from qtpy.QtWidgets import QApplication

    boxes = [w for w in QApplication.topLevelWidgets() if w.objectName() == "problem" and w.isVisible()]
    print(len(boxes), desk.window.isVisible(), flush=True)
    boxes[0].close()  # as Esc does; the others go with the window
    print(boxes[0].isVisible(), flush=True)
    desk.bad.close()
    desk.window.close()

def begun(self, *rest):
    begin(self, *rest)
    QTimer.singleShot(800, lambda: go(self))

Application.__init__ = begun
sys.exit(launch.main([]))
"""


def test_no_exception_anywhere_closes_the_window(tmp_path: Path) -> None:
    if not os.environ.get("DISPLAY") and os.name == "posix":
        pytest.skip("needs a screen: run the tests with xvfb-run")
    place = {"XDG_CONFIG_HOME": str(tmp_path), "DEEPETPICKER_HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", RAISING], env=os.environ | place, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.split() == ["4", "True", "False"], done.stderr
    assert done.returncode == 0, done.stderr
    for where in ("in a slot", "in a thread", "in a job", "in a paint event"):
        assert where in done.stderr


def test_small_losses_are_written_as_they_are(qtbot: QtBot) -> None:
    curves = Curves()
    qtbot.addWidget(curves)
    curves.show()
    axis = curves.getPlotItem().getAxis("left")
    axis.setRange(0.2, 0.4)
    assert "0.001" not in axis.labelString()


def test_several_gpus_are_offered_where_there_are_some(marked: Application, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    panel, asked = marked.window.train, []

    def noted(_job: object, *_: object, **how: object) -> Iterator[Progress]:
        asked.append(how["devices"])
        yield Progress(stage="Starting", done=0, total=1)

    monkeypatch.setattr("core.host.hosted", noted)
    assert (panel.devices.count(), panel.devices.isHidden()) == (1, True)  # none here
    for count, choice in ((1, 0), (4, 0), (4, 2)):
        panel.set_devices(count)
        assert panel.devices.isHidden() == panel._devices_label.isHidden() == (count == 1)
        panel.devices.setCurrentIndex(choice)
        marked.train.train()
        qtbot.waitUntil(lambda: not marked.runner.busy)
    assert asked == [None, None, 2]
    panel.set_devices(0)
