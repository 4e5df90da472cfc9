"""Clusters in the real window: grouped in a process, gone round with the mouse, judged in one stroke, sorted by in the gallery."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from core.checkpoint import save_checkpoint
from core.clusters import ALONE, Clusters, load_clusters, save_clusters
from core.io.volumes import write_mrc
from core.particles import ClassSpec, ParticleTable, Source, Status
from core.pretrained import pretrained

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.launch import Application

COUNT = 40
LABELS = np.repeat([0, 1, ALONE], [20, 15, 5])
MIDDLES = np.array([[6.0, 0, 0], [-6, 0, 0], [0, 9, 0]])  # of cluster 1, of cluster 2, and of what is in none
NONE, SHIFT, CONTROL = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def picked(desk: Application, tmp_path: Path) -> Iterator[Application]:
    """A tomogram with 40 picks, half of them on dark cubes, and a network to see them with."""
    rng = np.random.default_rng(0)
    at = np.stack(np.meshgrid([12, 36], [12, 36, 60, 84], [12, 30, 48, 66, 84], indexing="ij"), axis=-1).reshape(-1, 3)
    data = rng.normal(0, 20, (48, 96, 96))
    for z, y, x in at[::2]:
        data[z - 4 : z + 5, y - 4 : y + 5, x - 4 : x + 5] -= 80
    write_mrc(tmp_path / "one.mrc", data.clip(-127, 127).astype(np.int8), 10.0)
    desk.project.close()
    desk.project.open_path(tmp_path / "one.mrc")
    project = desk.session.project
    project.store.update_class(ClassSpec(id=1, name="cube", diameter=100.0))
    project.store.add_class(ClassSpec(id=2, name="ball", diameter=100.0))
    scores = np.linspace(0.99, 0.6, COUNT, dtype=np.float32)
    project.store.add_many(ParticleTable.build("one", at, 1, scores=scores, source=Source.PICKED, status=Status.CANDIDATE))
    save_checkpoint(pretrained(), project.models / "seen.pt")
    desk.session.set_model(project.models / "seen.pt")
    desk.session.set_threshold(1, 0.0)
    desk.window.go_to_step(3)
    yield desk
    desk.window.grouping.close()


@pytest.fixture
def grouped(picked: Application, qtbot: QtBot) -> Application:
    """The same with clusters that are known, and the dialog open."""
    components = MIDDLES[LABELS] + np.random.default_rng(1).normal(0, 0.4, (COUNT, 3))
    found = Clusters(
        ids=picked.session.table.ids,
        components=components.astype(np.float32),
        labels=LABELS,
        explained=np.array([0.5, 0.2, 0.1], np.float32),
        network="seen",
    )
    save_clusters(found, picked.session.project.clusters("one"))
    opened(picked, qtbot)
    return picked


def opened(desk: Application, qtbot: QtBot) -> None:
    desk.window.clusters.trigger()
    qtbot.waitUntil(desk.window.grouping.isVisible)
    desk.window.grouping.activateWindow()
    QApplication.processEvents()


def spot(desk: Application, x: float, y: float) -> QPoint:
    """Where a place of the plot is on the screen."""
    plot = desk.window.grouping.plot
    return plot.mapFromScene(plot.box.mapViewToScene(QPointF(x, y)))


def draw_round(desk: Application, middle: np.ndarray, modifier: Qt.KeyboardModifier = NONE) -> None:
    """Drag the mouse along a square around a cluster."""
    view = desk.window.grouping.plot.viewport()
    corners = [middle[:2] + 1.5 * np.array(way) for way in ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -0.9))]
    path = [spot(desk, *corner) for corner in corners]
    QTest.mousePress(view, LEFT, modifier, path[0])
    for one, other in pairwise(path):
        for part in (1, 2):
            place = QPointF(one + (other - one) * part / 2)
            around = QPointF(view.mapToGlobal(place.toPoint()))
            QTest.qWait(11)  # pyqtgraph hears of the mouse a hundred times a second
            QApplication.sendEvent(view, QMouseEvent(QEvent.Type.MouseMove, place, around, LEFT, LEFT, modifier))
    QTest.mouseRelease(view, LEFT, modifier, path[-1])


def ids_of(desk: Application, label: int) -> list[int]:
    return desk.session.table.ids[label == LABELS].tolist()


def statuses(desk: Application, ids: list[int]) -> set[int]:
    return set(desk.session.table.statuses[np.isin(desk.session.table.ids, ids)].tolist())


def test_picks_are_grouped_beside_the_window_and_the_groups_are_kept(picked: Application, qtbot: QtBot) -> None:
    dialog, kept = picked.window.grouping, picked.session.project.clusters("one")
    assert picked.gallery.numbers == {}
    opened(picked, qtbot)
    assert picked.runner.name == "Grouping picks"
    assert dialog.jobs.isVisible()
    QTest.mouseClick(dialog.jobs.cancel, LEFT)
    qtbot.waitUntil(lambda: not picked.runner.busy, timeout=10_000)
    assert dialog.empty.text() == "40 picks are not grouped yet: press Group."
    assert not kept.exists()
    QTest.mouseClick(dialog.group, LEFT)
    qtbot.waitUntil(lambda: not picked.runner.busy, timeout=60_000)
    assert load_clusters(kept).network == "seen"
    assert dialog.plot.points.ids.tolist() == picked.session.table.ids.tolist()
    assert dialog.said.text().startswith("40 picks: ")
    assert dialog.plot.isVisible()
    share = dialog.plot.points.explained[0]
    assert dialog.plot.getAxis("bottom").labelText == f"principal component 1 ({share:.0%} of the variance)"
    assert sum(int(dialog.table.item(row, 1).text()) for row in range(dialog.table.rowCount())) == COUNT
    assert list(picked.gallery.numbers) == ["cluster"]


def test_a_line_selects_and_a_key_rejects_as_one_change(grouped: Application) -> None:
    dialog, junk = grouped.window.grouping, ids_of(grouped, 1)
    draw_round(grouped, MIDDLES[1])
    assert sorted(dialog.chosen) == junk
    assert dialog.count.text() == "15 selected: 15 open"
    assert grouped.session.highlighted.tolist() == dialog.chosen
    QTest.keyClick(dialog, Qt.Key.Key_R)
    assert statuses(grouped, junk) == {Status.REJECTED}
    assert statuses(grouped, ids_of(grouped, 0)) == {Status.CANDIDATE}
    assert dialog.count.text() == "15 selected: 15 rejected"
    assert dialog.table.item(1, 5).text() == "15"
    symbols = {int(point.data()): point.symbol() for point in dialog.plot.scatter.points()}
    assert {symbols[number] for number in junk} == {"x"}
    QTest.keyClick(dialog, Qt.Key.Key_Z, CONTROL)
    assert statuses(grouped, junk) == {Status.CANDIDATE}
    draw_round(grouped, MIDDLES[0], SHIFT)
    assert sorted(dialog.chosen) == sorted(junk + ids_of(grouped, 0))
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert dialog.isVisible()
    assert (dialog.chosen, dialog.plot.lasso.polygon().count()) == ([], 0)
    assert not dialog.accept_button.isEnabled()
    assert dialog.accept_button.toolTip().startswith("Select picks first")


def test_a_row_stands_out_in_the_plot_and_on_the_canvases(grouped: Application) -> None:
    dialog, session = grouped.window.grouping, grouped.session
    QTest.mouseClick(dialog.table.viewport(), LEFT, pos=dialog.table.visualItemRect(dialog.table.item(0, 0)).center())
    real = ids_of(grouped, 0)
    assert dialog.chosen == real
    outlined = {int(point.data()) for point in dialog.plot.scatter.points() if point.pen().style() != Qt.PenStyle.NoPen}
    assert outlined == set(real)
    rings = grouped.window.views.canvases[0].rings
    grouped.annotate.fly_to(real[0])
    on_section = np.isin(session.table.ids[rings.rows], real).sum()
    assert len(rings._circles.vertices) == 4 * (len(rings.rows) + on_section)
    assert on_section > 0
    QTest.mouseClick(dialog.accept_button, LEFT)
    assert statuses(grouped, real) == {Status.ACCEPTED}
    assert [dialog.table.item(0, place).text() for place in range(6)] == ["cluster 1", "20", "0.89", "0", "20", "0"]
    assert dialog.table.labels == {0}
    QTest.keyClick(dialog, Qt.Key.Key_2, CONTROL)
    assert set(session.table.class_ids[LABELS == 0].tolist()) == {2}
    dialog.close()
    assert not len(session.highlighted)


def test_a_click_on_a_point_flies_there_and_one_beside_lets_go(grouped: Application) -> None:
    dialog, session = grouped.window.grouping, grouped.session
    number = ids_of(grouped, ALONE)[2]
    x, y = dialog.plot.places[dialog.plot.points.ids == number][0]
    QTest.mouseClick(dialog.plot.viewport(), LEFT, NONE, spot(grouped, x, y))
    assert session.selected == number
    assert dialog.chosen == [number]
    np.testing.assert_allclose(grouped.window.views.position, session.table.positions[session.table.ids == number][0])
    assert len(dialog.plot.aim.points()) == 1
    QTest.mouseClick(dialog.plot.viewport(), LEFT, NONE, spot(grouped, 0, 0))
    assert dialog.chosen == []


def test_what_is_hidden_is_not_there_and_what_came_since_is_told(grouped: Application, qtbot: QtBot) -> None:
    dialog, session = grouped.window.grouping, grouped.session
    assert dialog.said.text() == "40 picks: 35 in 2 clusters, 5 in none."
    session.set_threshold(1, 0.9)
    assert len(dialog.plot.points) == int((session.table.scores >= 0.9).sum()) < COUNT
    session.set_threshold(1, 0.99)
    assert dialog.group.toolTip() == "Only one pick is shown, and groups need at least 10: lower the threshold in step 4."
    session.set_threshold(1, 0.0)
    late = ParticleTable.build("one", [(24, 90, 90)], 1, scores=np.array([0.9]), source=Source.PICKED, status=Status.CANDIDATE)
    session.project.store.add_many(late)
    assert dialog.said.text() == "1 of the 41 picks that are shown are not among them: press Group again."
    assert dialog.group.isEnabled()
    session.project.store.undo()
    session.set_model(None)
    assert dialog.group.toolTip() == "Train a network first (step 3): picks are grouped by what it sees in them."
    session.set_model(session.project.models / "other.pt")
    assert dialog.said.text().startswith("Another network is chosen now")
    session.project.store.remove(session.table.ids.tolist())
    assert dialog.empty.isVisible()
    assert dialog.empty.text() == "There are no picks in this tomogram yet: press Pick in step 4."
    assert grouped.window.clusters.toolTip() == "There are no particles in this tomogram yet."


def test_the_gallery_shows_what_is_selected_in_the_order_of_clusters(grouped: Application, qtbot: QtBot) -> None:
    dialog, gallery = grouped.window.grouping, grouped.window.gallery_window
    draw_round(grouped, MIDDLES[1])
    QTest.mouseClick(dialog.gallery_button, LEFT)
    assert gallery.order.currentText() == "by cluster"
    assert gallery.view.cells.ids.tolist() == [number for label in (0, 1, ALONE) for number in ids_of(grouped, label)]
    assert sorted(gallery.view.chosen) == ids_of(grouped, 1)
    notes = [gallery.view.cells.facts(row)[2].rpartition(" · ")[2] for row in (0, 20, 35)]
    assert notes == ["cluster 1", "cluster 2", "no cluster"]
    gallery.close()
    qtbot.waitUntil(lambda: grouped.gallery._job is None)
