"""Marks and picks in the real window: views of the scores, decisions, snapping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from core.config import ReviewConfig
from core.io.volumes import write_mrc
from core.networkfile import note_thresholds
from core.particles import ClassSpec, ParticleTable, Source, Status

if TYPE_CHECKING:
    from pathlib import Path

    from app.launch import Application

VOXEL_SIZE, DIAMETER = 10.0, 120.0
SHAPE = (32, 64, 64)
BALL = (16, 32, 32)
# two good picks 5 voxels apart, one at a face, two poor ones, and one on the mark
PICKS = [[10, 20, 20], [10, 20, 25], [2, 50, 50], [20, 50, 20], [20, 20, 50], [16, 33, 33]]
SCORES = np.array([0.9, 0.8, 0.7, 0.3, 0.2, 0.85], np.float32)


@pytest.fixture
def opened(desk: Application, tmp_path: Path) -> Application:
    """A dark ball with a mark on it, and six picks."""
    grid = np.stack(np.indices(SHAPE), axis=-1)
    data = np.random.default_rng(0).normal(0, 0.3, SHAPE).astype(np.float32)
    data[((grid - BALL) ** 2).sum(axis=-1) <= (DIAMETER / VOXEL_SIZE / 2) ** 2] -= 2
    write_mrc(tmp_path / "one.mrc", data, VOXEL_SIZE)
    desk.project.close()
    desk.project.open_path(tmp_path / "one.mrc")
    store = desk.session.project.store
    store.update_class(ClassSpec(id=1, name="ball", diameter=DIAMETER))
    store.add_class(ClassSpec(id=2, name="cube", diameter=DIAMETER))
    store.add("one", BALL, 1)
    store.add_many(ParticleTable.build("one", PICKS, 1, scores=SCORES, source=Source.PICKED, status=Status.CANDIDATE))
    desk.window.go_to_step(3)
    return desk


def press(button: Any) -> None:
    assert button.isEnabled()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def seen(desk: Application) -> list[int]:
    """Ids of the particles that are drawn in the section through their centre."""
    table, views, found = desk.session.table, desk.window.views, []
    for row, position in enumerate(table.positions):
        views.go_to(position)
        if row in views.canvases[0].rings.rows:
            found.append(int(table.ids[row]))
    return found


def state(desk: Application) -> dict[int, tuple[int, int]]:
    table = desk.session.table
    return {int(i): (int(c), int(s)) for i, c, s in zip(table.ids, table.class_ids, table.statuses, strict=True)}


def choose(button: Any, name: str) -> None:
    next(action for action in button.menu().actions() if action.text().startswith(name)).trigger()


# ---- views ----


def test_what_the_panel_says_is_what_is_drawn_before_anything_is_chosen(opened: Application) -> None:
    panel = opened.window.pick
    assert (panel.threshold.value(), panel.value.text()) == (500, "0.50")
    assert seen(opened) == [1, 2, 3, 4]
    assert panel.count.text() == "3 of 6 shown · 1 accepted · 0 rejected"


@pytest.mark.parametrize(
    ("widget", "value", "ids"),
    [
        ("threshold", 750, [1, 2, 3]),
        ("min_distance", 0.5, [1, 2, 4]),
        ("edge", 3, [1, 2, 3]),
        ("threshold", 250, [1, 2, 3, 4, 5]),
    ],
)
def test_threshold_distance_and_margin_only_change_what_is_shown(
    opened: Application, widget: str, value: float, ids: list[int]
) -> None:
    before = state(opened)
    getattr(opened.window.pick, widget).setValue(value)
    assert seen(opened) == ids
    assert opened.window.pick.count.text().startswith(f"{len(ids) - 1} of 6 shown")
    assert state(opened) == before


def test_what_is_exported_is_what_is_shown(opened: Application, tmp_path: Path) -> None:
    window = opened.window
    opened.session.set_review({1: ReviewConfig(threshold=0.25, min_distance=0.5, edge=3)})
    window.export.which.setCurrentIndex(1)
    window.export.kind.setCurrentIndex(window.export.kind.findText("table", Qt.MatchFlag.MatchContains))
    window.export.path.setText(str(tmp_path / "out.csv"))
    window.go_to_step(4)
    press(window.export.export)
    rows = np.genfromtxt(tmp_path / "out.csv", delimiter=",", names=True)
    found = np.stack([rows[axis] for axis in "zyx"], axis=1)
    np.testing.assert_allclose(found, opened.session.table.positions[opened.session.shown], atol=0.01)
    assert seen(opened) == [1, 2, 5]


# ---- thresholds of networks ----


def networks(desk: Application, **thresholds: float) -> list[Path]:
    """Files of networks that nobody will load, with what lies beside them."""
    models = [desk.session.project.models / f"{name}.pt" for name in thresholds]
    for model, threshold in zip(models, thresholds.values(), strict=True):
        model.touch()
        note_thresholds(model, [ClassSpec(id=9, name="ball", diameter=1.0)], {9: threshold})
    return models


def test_a_project_opens_with_the_threshold_of_its_network(opened: Application) -> None:
    networks(opened, one=0.31)
    folder = opened.session.project.folder
    opened.project.close()
    opened.project.open_path(folder)
    assert opened.session.review_of(1).threshold == 0.31
    assert (opened.window.pick.threshold.value(), opened.window.pick.value.text()) == (310, "0.31")


@pytest.mark.parametrize(("by_hand", "wanted"), [(None, 0.75), (0.6, 0.6)])
def test_another_network_brings_its_threshold_unless_a_hand_has_moved_it(
    opened: Application, by_hand: float | None, wanted: float
) -> None:
    networks(opened, one=0.31, two=0.75)
    panel, folder = opened.window.pick, opened.session.project.folder
    opened.session.set_model(folder / "models" / "one.pt")
    if by_hand is not None:
        panel.threshold.setValue(round(1000 * by_hand))
    panel.model.setCurrentIndex(panel.model.findData(str(folder / "models" / "two.pt")))
    assert opened.session.review_of(1).threshold == wanted
    opened.window.reset_step.trigger()
    assert opened.session.review_of(1).threshold == 0.75


# ---- decisions ----


def test_accepting_all_shown_makes_no_double_and_is_one_step(opened: Application) -> None:
    before = state(opened)
    press(opened.window.pick.accept_all)
    after = state(opened)
    assert {i for i, (_, status) in after.items() if status == Status.ACCEPTED} == {1, 2, 4}
    assert set(before) - set(after) == {3}  # 5 voxels from a better one
    assert 7 not in seen(opened)  # on the mark
    assert opened.session.table.positions[0].tolist() == list(BALL)
    opened.window.undo.trigger()
    assert state(opened) == before


@pytest.mark.parametrize(("button", "changed"), [("reject_all", Status.REJECTED), ("remove_hidden", None)])
def test_rejecting_all_shown_and_removing_all_hidden_are_one_step_each(
    opened: Application, button: str, changed: Status | None
) -> None:
    before = state(opened)
    press(getattr(opened.window.pick, button))
    after = state(opened)
    if changed is None:
        assert set(before) - set(after) == {5, 6, 7}
    else:
        assert {i for i, (_, status) in after.items() if status == changed} == {2, 3, 4}
    opened.window.undo.trigger()
    assert state(opened) == before


def test_all_shown_can_be_of_another_class(opened: Application) -> None:
    choose(opened.window.pick.reclassify_all, "cube")
    assert {i for i, (number, status) in state(opened).items() if (number, status) == (2, Status.ACCEPTED)} == {2, 4}
    opened.window.undo.trigger()
    assert {number for number, _ in state(opened).values()} == {1}


def test_one_pick_is_judged_and_the_next_selected(opened: Application) -> None:
    window = opened.window
    window.forward.trigger()
    assert opened.session.selected == 2
    window.reject.trigger()
    assert state(opened)[2] == (1, Status.REJECTED)
    assert opened.session.selected == 3
    press(window.pick.accept)
    assert state(opened)[3] == (1, Status.ACCEPTED)
    assert opened.session.selected == 4
    window.reclass_keys[1].trigger()
    assert state(opened)[4] == (2, Status.ACCEPTED)


def test_the_most_doubtful_come_first_and_are_seen_though_hidden(opened: Application) -> None:
    window = opened.window
    assert 5 not in seen(opened)
    QTest.mouseClick(window.pick.doubtful, Qt.MouseButton.LeftButton, pos=QPoint(8, window.pick.doubtful.height() // 2))
    window.forward.trigger()
    assert opened.session.selected == 4
    window.forward.trigger()
    assert opened.session.selected == 5
    assert 5 in seen(opened)
    assert window.pick.count.text().startswith("3 of 6 shown")
    window.accept.trigger()
    assert state(opened)[5] == (1, Status.ACCEPTED)
    assert opened.session.selected == 6


def test_a_rejected_pick_and_a_mark_can_be_judged_again(opened: Application) -> None:
    opened.session.project.store.reject(4)
    opened.session.select(4)
    assert not opened.window.pick.reject.isEnabled()
    press(opened.window.pick.accept)
    opened.session.select(1)
    press(opened.window.pick.reject)
    assert (state(opened)[4], state(opened)[1]) == ((1, Status.ACCEPTED), (1, Status.REJECTED))


def test_a_mark_gets_another_class_in_the_list(opened: Application) -> None:
    opened.window.go_to_step(1)
    opened.annotate.fly_to(1)
    choose(opened.window.marks.reclassify, "cube")
    assert state(opened)[1] == (2, Status.ACCEPTED)


def test_what_cannot_be_done_says_why(opened: Application) -> None:
    panel = opened.window.pick
    assert panel.again.toolTip() == "Train a first network (step 3): this goes on from it."
    assert panel.accept.toolTip() == "Select a pick first: click it."
    panel.threshold.setValue(1000)
    assert panel.accept_all.toolTip() == "No pick is shown."
    opened.session.project.store.remove([2, 3, 4, 5, 6, 7])
    for widget in (panel.accept_all, panel.threshold, panel.min_distance, panel.on):
        assert widget.toolTip() == "There are no open picks: press Pick first."
        assert not widget.isEnabled()


# ---- snapping ----


def click(desk: Application, position: tuple[float, float, float]) -> None:
    from qtpy.QtCore import QPoint
    from qtpy.QtWidgets import QApplication

    desk.window.views.go_to(np.asarray(position, float))
    QApplication.processEvents()  # a step that was just shown may still change the size of the canvases
    canvas = desk.window.views.canvases[0]
    place = QPoint(*canvas.to_pixels(np.asarray(position, float), VOXEL_SIZE))
    QTest.mouseMove(canvas.native, place)
    QTest.mouseClick(canvas.native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)


def test_a_click_snaps_to_the_centre_when_asked_to(opened: Application) -> None:
    opened.window.go_to_step(1)
    opened.session.project.store.remove([1, 7])
    press(opened.window.marks.snap)
    assert opened.annotate.snapping
    click(opened, (18, 34, 30))
    assert np.linalg.norm(opened.session.table.positions[-1] - BALL) < 1
    opened.window.undo.trigger()
    assert 8 not in state(opened)
    opened.window.snap.trigger()
    assert not opened.annotate.snapping
    click(opened, (18, 34, 30))
    assert np.abs(opened.session.table.positions[-1] - (18, 34, 30)).max() < 0.5


# ---- importing ----


def test_particles_of_a_file_are_shown_before_they_are_imported(opened: Application, tmp_path: Path) -> None:
    dialog, before = opened.window.importing, state(opened)
    (tmp_path / "in.csv").write_text("x,y,z,class\n1,2,3,ball\n30,20,10,rod\n99,5,5,rod\n")
    opened.importing.open_path(str(tmp_path / "in.csv"))
    assert dialog.isVisible()
    assert "1 of 3 positions lie outside" in dialog.problem.text()
    assert not dialog.accept_button.isEnabled()
    assert [dialog.preview.item(2, place).text() for place in range(6)] == ["one", "99.00", "5.00", "5.00", "rod (new)", "no"]
    dialog.outside.setCurrentIndex(dialog.outside.findData("drop"))
    press(dialog.accept_button)
    assert not dialog.isVisible()
    assert opened.session.table.positions[-2:].tolist() == [[3, 2, 1], [10, 20, 30]]
    assert [spec.name for spec in opened.session.classes.values()] == ["ball", "cube", "rod"]
    opened.window.undo.trigger()
    assert state(opened) == before


def test_a_file_that_cannot_be_read_is_a_sentence_in_the_dialog(opened: Application, tmp_path: Path) -> None:
    dialog = opened.window.importing
    (tmp_path / "in.csv").write_text("nothing to see\n")
    opened.importing.open_path(str(tmp_path / "in.csv"))
    assert "in.csv" in dialog.problem.text()
    assert dialog.accept_button.toolTip() == dialog.problem.text()
    dialog.reject()
