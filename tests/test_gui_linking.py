"""Tomograms of one tilt series in the window: linked, shown as such, and particles carried over, with real widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from app.panels.tomogramlist import LINKED, NAME
from core.annotations import Link
from core.filters import binned
from core.grids import Alignment
from core.io.volumes import write_mrc
from core.particles import ClassSpec, ParticleTable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qtpy.QtWidgets import QComboBox, QWidget

    from app.launch import Application

FINE, COARSE = "TS_1_bin2", "TS_1_bin4"
POSITIONS = np.array([(4.5, 8.5, 12.5), (20.5, 30.5, 10.5), (11.0, 7.0, 33.0)])


@pytest.fixture
def opened(desk: Application, tmp_path: Path) -> Iterator[Application]:
    """A specimen at two binnings and a third tomogram mirrored along z, with three particles in the first."""
    data = np.random.default_rng(0).normal(size=(8, 12, 16)).repeat(4, 0).repeat(4, 1).repeat(4, 2).astype("f4")
    write_mrc(tmp_path / f"{FINE}.mrc", data, 10)
    write_mrc(tmp_path / f"{COARSE}.mrc", binned(data, 2), 20)
    write_mrc(tmp_path / "mirrored.mrc", data[::-1].copy(), 10)
    desk.project.close()
    desk.project.open_paths([str(tmp_path / f"{name}.mrc") for name in (FINE, COARSE, "mirrored")])
    store = desk.session.project.store
    if not store.classes():
        store.add_class(ClassSpec(id=1, name="ribosome", diameter=250.0))
    store.add_many(ParticleTable.build(FINE, POSITIONS, class_ids=store.classes()[0].id), "Mark")
    desk.project.show_tomogram(FINE)
    desk.window.go_to_step(0)
    yield desk
    desk.window.linking.reject()
    desk.window.carrying.reject()


def press(button: QWidget) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def choose(combo: QComboBox, text: str) -> None:
    assert combo.findText(text) >= 0
    combo.setCurrentText(text)


def names(desk: Application) -> list[str]:
    table = desk.window.tomograms.list
    return [table.item(row, NAME).text() for row in range(table.rowCount())]


def linked(desk: Application, alignment: str = "their outer faces", other: str = COARSE) -> None:
    press(desk.window.tomograms.link)
    choose(desk.window.linking.other, other)
    choose(desk.window.linking.alignment, alignment)
    press(desk.window.linking.link)


def test_linking_is_explained_done_shown_and_undone(opened: Application) -> None:
    panel, dialog = opened.window.tomograms, opened.window.linking
    assert not panel.carry.isEnabled()
    assert "Link it" in panel.carry.toolTip()
    press(panel.link)
    assert dialog.isVisible()
    assert [dialog.other.itemText(row) for row in range(dialog.other.count())] == [COARSE, "mirrored"]
    assert (
        dialog.found.text()
        == f"{FINE} to {COARSE}: positions times 0.5; the first voxel lies at -0.25, -0.25, -0.25 there (x, y, z)."
    )
    assert dialog.doubts.text() == ""
    choose(dialog.alignment, "the centre of their first voxel")
    assert "lies at 0, 0, 0 there" in dialog.found.text()
    press(dialog.link)
    assert not dialog.isVisible()
    assert opened.session.project.store.tomogram(FINE).link == Link(COARSE, Alignment.FIRST_VOXEL)
    assert names(opened) == [f"{LINKED} {FINE}", f"{LINKED} {COARSE}", "mirrored"]
    assert panel.linked.text() == f"Same specimen as {COARSE}."
    assert panel.carry.isEnabled()
    opened.window.undo.trigger()
    assert names(opened) == [FINE, COARSE, "mirrored"]
    assert not panel.carry.isEnabled()


def test_doubts_are_sentences(opened: Application) -> None:
    dialog = opened.window.linking
    press(opened.window.tomograms.link)
    choose(dialog.other, "mirrored")
    assert "mirrored along z" in dialog.doubts.text()
    assert dialog.link.isEnabled()


def test_what_is_linked_already_is_not_offered_and_can_be_unlinked(opened: Application) -> None:
    dialog = opened.window.linking
    linked(opened)
    press(opened.window.tomograms.link)
    assert [dialog.other.itemText(row) for row in range(dialog.other.count())] == ["mirrored"]
    assert COARSE in dialog.what.text()
    press(dialog.unlink)
    assert names(opened) == [FINE, COARSE, "mirrored"]
    press(opened.window.tomograms.link)
    assert not dialog.unlink.isEnabled()


def test_particles_are_counted_carried_over_and_taken_back(opened: Application) -> None:
    store, dialog = opened.session.project.store, opened.window.carrying
    linked(opened)
    press(opened.window.tomograms.carry)
    assert dialog.isVisible()
    assert dialog.found.text() == f"3 particles will be added to {COARSE}."
    assert len(store.table(COARSE)) == 0
    press(dialog.carry)
    np.testing.assert_allclose(store.table(COARSE).positions, POSITIONS / 2 - 0.25)
    press(opened.window.tomograms.carry)
    assert not dialog.carry.isEnabled()
    assert "no accepted particle that is not" in dialog.doubts.text()
    dialog.reject()
    opened.window.undo.trigger()
    assert len(store.table(COARSE)) == 0
    assert len(store.table(FINE)) == 3


def test_one_tomogram_by_itself_says_what_is_missing(opened: Application) -> None:
    store = opened.session.project.store
    for name in (COARSE, "mirrored"):
        store.remove_tomogram(name, with_particles=True)
    assert not opened.window.tomograms.link.isEnabled()
    assert "Add the other tomogram" in opened.window.tomograms.link.toolTip()
