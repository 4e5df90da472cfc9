"""What the canvases show, looked at pixel by pixel."""

from __future__ import annotations

import dataclasses
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtGui import QAction, QImage

from core.io.volumes import write_mrc
from core.messages import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

    from app.launch import Application
    from app.views.section import Section

VOXEL_SIZE, RADIUS = 10.0, 12
SHAPE = (40, 64, 64)
CENTRE = np.array([19.0, 33.0, 30.0])


@pytest.fixture
def opened(desk: Application, tmp_path: Path, qtbot: QtBot) -> Application:
    desk.project.close()
    write_mrc(tmp_path / "noise.mrc", np.random.default_rng(0).normal(size=SHAPE).astype(np.float32), VOXEL_SIZE)
    desk.project.open_path(tmp_path / "noise.mrc")
    desk.annotate._on_panel_class_edited(1, "diameter", str(2 * RADIUS * VOXEL_SIZE))
    qtbot.wait(50)
    return desk


def pixels(canvas: Section) -> Any:
    """(height, width, 3) red, green and blue of what is on the screen, 0 to 255."""
    image = canvas.native.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    bits = image.constBits()
    bits.setsize(image.sizeInBytes())
    rows = np.frombuffer(bits, np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(int)


def ring_radius(canvas: Section, centre: np.ndarray) -> float:
    """Mean distance of yellow pixels from where a position is drawn, in voxels; 0 where there are none."""
    red, green, blue = np.moveaxis(pixels(canvas), -1, 0)
    down, right = np.nonzero((red > 200) & (green > 170) & (blue < 40))
    if not len(down):
        return 0.0
    x, y = canvas.to_pixels(centre, VOXEL_SIZE)
    per_voxel = canvas.model.scene.camera.zoom * VOXEL_SIZE / 10
    return float(np.hypot(down - y, right - x).mean() / per_voxel)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("away", [0, 5, -8, 11, 12, -14])
def test_a_ring_on_the_screen_is_the_cross_section_of_its_sphere(opened: Application, axis: int, away: int, qtbot: QtBot) -> None:
    opened.annotate.add(CENTRE)
    place = CENTRE.copy()
    place[axis] += away
    opened.window.views.go_to(place)
    qtbot.wait(20)
    wanted = max(RADIUS**2 - away**2, 0) ** 0.5
    assert ring_radius(opened.window.views.canvases[axis], CENTRE) == pytest.approx(wanted, abs=0.25)


# ---- rings of all particles at once ----


def test_a_fitted_section_stays_fitted_when_the_window_changes_its_size(opened: Application, qtbot: QtBot) -> None:
    canvas, camera = opened.window.views.canvases[0], opened.window.views.canvases[0].model.scene.camera
    told: list[tuple[int, int]] = []
    canvas.viewer.canvas._scene_canvas.events.resize.connect(lambda event: told.append(tuple(event.size)), position="last")

    def sized(width: int, height: int) -> float:
        told.clear()
        opened.window.resize(width, height)
        qtbot.waitUntil(lambda: bool(told) and told[-1] == (canvas.native.width(), canvas.native.height()))
        return float(camera.zoom)

    opened.window.fit.trigger()
    small = sized(1000, 660)
    grown = sized(1500, 950)
    assert grown > 1.2 * small
    opened.window.fit.trigger()
    assert camera.zoom == pytest.approx(grown, rel=1e-3)
    canvas.model.scene.camera.zoom *= 2
    sized(1100, 700)
    zoomed = float(camera.zoom)
    opened.window.fit.trigger()
    assert zoomed > 1.2 * camera.zoom, "somebody had zoomed in"


def test_size_and_line_of_all_rings_are_set_in_the_panel_and_kept(opened: Application, qtbot: QtBot, tmp_path: Path) -> None:
    opened.annotate.add(CENTRE)
    views, controls = opened.window.views, opened.window.tomograms.rings
    views.go_to(CENTRE)
    controls.size.setValue(50)
    qtbot.wait(20)
    assert ring_radius(views.canvases[0], CENTRE) == pytest.approx(RADIUS / 2, abs=0.25)
    write_mrc(tmp_path / "other.mrc", np.zeros(SHAPE, np.float32) + np.arange(64, dtype=np.float32), VOXEL_SIZE)
    opened.project.open_path(tmp_path / "other.mrc")
    opened.annotate.add(CENTRE)
    views.go_to(CENTRE)
    qtbot.wait(20)
    assert ring_radius(views.canvases[0], CENTRE) == pytest.approx(RADIUS / 2, abs=0.25)
    assert float(opened.settings.value("ring size")) == 0.5
    controls.size.setValue(100)


def test_thicker_rings_cover_more_of_the_screen(opened: Application, qtbot: QtBot) -> None:
    opened.annotate.add(CENTRE)
    opened.window.views.go_to(CENTRE)
    covered = []
    for _ in range(3):
        qtbot.wait(20)
        red, _, blue = np.moveaxis(pixels(opened.window.views.canvases[0]), -1, 0)
        covered.append(int(((red > 200) & (blue < 40)).sum()))
        for _ in range(3):
            opened.window.thicker.trigger()
    assert covered[0] < 0.8 * covered[1] < 0.8 * covered[2]
    for _ in range(9):
        opened.window.thinner.trigger()
    assert opened.window.views.ring_style.line == 2.0


# ---- crosshair and layout ----


def send(canvas: Section, kind: Any, position: Any, buttons: Any) -> None:
    """A mouse event with Shift held down."""
    from qtpy.QtCore import QEvent, QPointF, Qt
    from qtpy.QtGui import QMouseEvent
    from qtpy.QtWidgets import QApplication

    place = QPointF(*canvas.to_pixels(np.asarray(position, float), VOXEL_SIZE))
    button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else Qt.MouseButton.LeftButton
    event = QMouseEvent(
        kind, place, QPointF(canvas.native.mapToGlobal(place.toPoint())), button, buttons, Qt.KeyboardModifier.ShiftModifier
    )
    QApplication.sendEvent(canvas.native, event)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_shift_and_drag_move_the_crosshair_and_mark_nothing(opened: Application, axis: int) -> None:
    from qtpy.QtCore import QEvent, Qt

    views = opened.window.views
    views.go_to(CENTRE)
    places = [CENTRE + np.eye(3)[(axis + 1) % 3] * step for step in (0, 3, 6, 9)]
    canvas, left = views.canvases[axis], Qt.MouseButton.LeftButton
    send(canvas, QEvent.Type.MouseButtonPress, places[0], left)
    for place in places[1:]:
        send(canvas, QEvent.Type.MouseMove, place, left)
    assert np.abs(views.position - CENTRE).max() >= 2  # while the button is still down
    send(canvas, QEvent.Type.MouseButtonRelease, places[-1], Qt.MouseButton.NoButton)
    assert np.abs(views.position - places[-1]).max() <= 1
    assert not len(opened.session.table)


def test_keys_turn_pages_along_every_axis(opened: Application) -> None:
    views = opened.window.views
    views.go_to(CENTRE)
    for (axis, by), action in opened.window.pages.items():
        before = views.position.copy()
        action.trigger()
        assert (views.position - before).tolist() == (np.eye(3)[axis] * by).tolist()
    keys = [action.shortcut().toString() for action in opened.window.pages.values()]
    assert len(set(keys)) == 6


def test_tab_shows_the_first_section_alone_and_all_again(opened: Application) -> None:
    views, action = opened.window.views, opened.window.single
    assert action.shortcut().toString() == "X"
    action.trigger()
    assert [canvas.isVisible() for canvas in views.canvases] == [True, False, False]
    action.trigger()
    assert [canvas.isVisible() for canvas in views.canvases] == [True, True, True]


# ---- y upwards, themes, files that are dropped ----


def test_y_upwards_turns_the_picture_and_not_the_coordinates(opened: Application, qtbot: QtBot) -> None:
    views = opened.window.views
    views.go_to(CENTRE)
    qtbot.wait(20)
    before = pixels(views.canvases[0])
    opened.window.y_up.trigger()
    qtbot.wait(20)
    height = views.canvases[0].native.height()
    low, high = (views.canvases[0].to_pixels(np.array([0.0, y, 30]), VOXEL_SIZE)[1] for y in (10, 50))
    assert high < height / 2 < low
    upwards = pixels(views.canvases[0])
    assert np.abs(upwards - before).mean() > 5  # the picture is another
    click(views.canvases[0], (CENTRE[0], 10, 40))
    opened.window.y_up.trigger()
    click(views.canvases[0], (CENTRE[0], 50, 20))
    assert np.abs(opened.session.table.positions - [(CENTRE[0], 10, 40), (CENTRE[0], 50, 20)]).max() < 0.5


def click(canvas: Section, position: Any) -> None:
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest

    place = QPoint(*canvas.to_pixels(np.asarray(position, float), VOXEL_SIZE))
    QTest.mouseMove(canvas.native, place)
    QTest.mouseClick(canvas.native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)


def test_the_light_theme_is_put_on_and_remembered(opened: Application, tmp_path: Path) -> None:
    from qtpy.QtWidgets import QApplication

    from app import style

    dark = QApplication.instance().styleSheet()
    opened.window.light.trigger()
    light = QApplication.instance().styleSheet()
    assert light != dark
    assert style.COLORS["light"]["bar"] in light
    assert opened.settings.value("theme") == "light"
    red, green, blue = QImage.pixelColor(opened.window.grab().toImage(), 3, opened.window.height() // 2).getRgb()[:3]
    assert min(red, green, blue) > 150
    from app.launch import Application

    again = Application(opened.settings)
    assert again.window.light.isChecked()
    assert QApplication.instance().styleSheet() == light
    again.close()
    again.window.deleteLater()
    opened.window.light.trigger()
    assert QApplication.instance().styleSheet() == dark


def test_a_tomogram_that_is_dropped_on_the_window_is_opened(opened: Application, tmp_path: Path) -> None:
    from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
    from qtpy.QtGui import QDragEnterEvent, QDropEvent
    from qtpy.QtWidgets import QApplication

    write_mrc(tmp_path / "dropped.mrc", np.random.default_rng(1).normal(size=SHAPE).astype(np.float32), VOXEL_SIZE)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "dropped.mrc"))])
    held, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(50, 50), Qt.DropAction.CopyAction, data, held, none)
    QApplication.sendEvent(opened.window, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(opened.window, QDropEvent(QPointF(50, 50), Qt.DropAction.CopyAction, data, held, none))
    assert opened.session.tomogram.id == "dropped"


# ---- the score map ----


def brightness(canvas: Section, place: Any) -> Any:
    """Red, green and blue around a position."""
    x, y = canvas.to_pixels(np.asarray(place, float), VOXEL_SIZE)
    return pixels(canvas)[y - 3 : y + 4, x - 3 : x + 4].mean(axis=(0, 1))


def test_the_score_map_shines_through_where_it_is_and_survives_reopening(opened: Application, qtbot: QtBot) -> None:
    from core.scoremap import score_map_writer

    place = np.array([19, 20, 44])
    beside = place + np.array([0, 8, -8])
    scores = np.zeros((1, *SHAPE), np.float16)
    scores[0, 17:22, 18:23, 42:47] = 1
    controls, views, folder = opened.window.pick.score_map, opened.window.views, opened.session.project.folder
    assert not controls.opacity.isEnabled()
    with score_map_writer(opened.session.project.score_map(opened.session.tomogram.id), SHAPE, VOXEL_SIZE) as keep:
        keep.write(opened.session.tomogram.box, scores)
    opened.project.close()
    opened.project.open_path(folder)
    assert controls.opacity.isEnabled()
    views.go_to(beside)  # the crosshair elsewhere, but within the first section
    assert all(canvas.overlay.layer is None for canvas in views.canvases)  # nothing is read before somebody asks
    for axis, canvas in enumerate(views.canvases):
        there = beside.copy()
        there[axis] = place[axis]
        views.go_to(there)
        qtbot.wait(20)
        before, away = brightness(canvas, place), brightness(canvas, place - (4, 4, 8))
        controls.opacity.setValue(80)
        qtbot.wait(20)
        assert (brightness(canvas, place) - before)[0] > 40
        assert brightness(canvas, place - (4, 4, 8)) == pytest.approx(away, abs=3)
        controls.opacity.setValue(0)
        qtbot.wait(20)
        assert brightness(canvas, place) == pytest.approx(before, abs=1)


# ---- three dimensions ----


def test_three_dimensions_are_made_when_asked_for_from_a_small_copy(opened: Application, qtbot: QtBot, tmp_path: Path) -> None:
    corner, window = opened.window.views.corner, opened.window
    assert not corner.in_solid
    opened.annotate.add(CENTRE)
    window.solid.trigger()
    qtbot.waitUntil(lambda: corner.in_solid, timeout=5000)
    assert corner.solid.texture.dtype == np.uint8
    assert corner.solid.texture.shape == SHAPE
    assert corner.solid._balls._data["a_position"].tolist() == [CENTRE[::-1].tolist()]
    write_mrc(tmp_path / "long.mrc", np.random.default_rng(2).normal(size=(10, 40, 400)).astype(np.float32), VOXEL_SIZE)
    opened.project.open_path(tmp_path / "long.mrc")
    qtbot.waitUntil(lambda: corner.in_solid and corner.solid.shape == (10, 40, 400), timeout=5000)
    assert max(corner.solid.texture.shape) <= 160
    assert not corner.solid._balls.visible
    opened.project.open_path(tmp_path / "noise.mrc")
    qtbot.waitUntil(lambda: corner.in_solid and corner.solid.shape == SHAPE, timeout=5000)
    window.solid.trigger()
    assert not corner.in_solid


def test_the_window_closes_while_three_dimensions_are_prepared(
    opened: Application, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.controllers import viewing

    begun = []

    def endless(tomogram: object) -> Iterator[Progress]:
        begun.append(tomogram)
        while True:
            time.sleep(0.005)
            yield Progress(stage="Preparing", done=0, total=1)

    monkeypatch.setattr(viewing, "small_copy", endless)
    opened.window.solid.trigger()
    qtbot.waitUntil(lambda: len(begun) == 1, timeout=5000)
    opened.window.solid.trigger()
    opened.window.solid.trigger()  # what was begun is good for the second request, too
    assert "Preparing" in opened.window.views.corner.text.text()
    opened.session.set_tomogram(dataclasses.replace(opened.session.tomogram))  # as when another is opened
    qtbot.waitUntil(lambda: len(begun) == 2, timeout=5000)
    assert begun[1] is opened.session.tomogram
    started = time.monotonic()
    opened.viewing.close()
    assert time.monotonic() - started < 1
    opened.window.solid.trigger()
    assert not opened.window.views.corner.in_solid


@pytest.mark.parametrize("upwards", [False, True])
def test_in_three_dimensions_nothing_is_mirrored(opened: Application, qtbot: QtBot, upwards: bool) -> None:
    window, corner = opened.window, opened.window.views.corner
    if upwards:
        window.y_up.trigger()
    window.solid.trigger()
    qtbot.waitUntil(lambda: corner.in_solid, timeout=5000)
    camera = corner.solid._view.camera
    camera.elevation, camera.azimuth = 0, 90
    qtbot.wait(20)
    seen = corner.solid._view.scene.node_transform(corner.solid._view)
    middle = seen.map([0, 0, 0])[:3]
    along = {name: seen.map(unit)[:3] - middle for name, unit in zip("xyz", np.eye(3), strict=True)}
    assert along["x"][0] > 0.1  # to the right
    assert along["y"][1] * (-1 if upwards else 1) > 0.1  # the widget counts pixels downwards
    assert np.linalg.det(np.array(list(along.values()))) > 0
    window.solid.trigger()
    if upwards:
        window.y_up.trigger()


# ---- movies ----


def test_a_movie_is_one_menu_entry_and_shows_what_is_seen(opened: Application, qtbot: QtBot, tmp_path: Path) -> None:
    from PIL import Image

    opened.annotate.add(CENTRE)
    dialog = opened.window.movies
    opened.window.movie.trigger()
    qtbot.waitUntil(dialog.isVisible, timeout=2000)
    assert (dialog.first.value(), dialog.last.value()) == (1, SHAPE[0])
    dialog.first.setValue(int(CENTRE[0]) + 1)
    dialog.last.setValue(int(CENTRE[0]) + 4)
    dialog.path.setText(str(tmp_path / "film"))
    dialog.make.click()
    qtbot.waitUntil(lambda: not opened.runner.busy, timeout=10_000)
    assert not dialog.isVisible()
    with Image.open(tmp_path / "film.gif") as film:
        assert (film.n_frames, film.size) == (4, (4 * SHAPE[2], 4 * SHAPE[1]))
        red, green, blue = np.moveaxis(np.asarray(film.convert("RGB")).astype(int), -1, 0)
    down, right = np.nonzero((red > 200) & (green > 170) & (blue < 60))
    y, x = (CENTRE[1:] + 0.5) * 4 - 0.5
    assert np.hypot(down - y, right - x).mean() == pytest.approx(4 * RADIUS, abs=1)


def test_the_corner_tells_the_position_and_the_grey_from_the_first_moment(opened: Application) -> None:
    text = opened.window.views.corner.text.text()
    assert [f"<td>{name}</td>" in text for name in ("x", "y", "z", "grey")] == [True] * 4
    assert "wheel: sections" in text


def test_the_guide_lists_the_keys_that_there_are(opened: Application) -> None:
    page = (Path(__file__).parent.parent / "docs" / "guide.md").read_text(encoding="utf-8")
    table = page.partition("## Mouse and keys")[2].partition("\n## ")[0].replace("\N{MINUS SIGN}", "-")
    table = "\n".join(row.rpartition(" | ")[2] for row in table.splitlines()[3:])
    for spoken, key in (("Page Up", "PgUp"), ("Page Down", "PgDown"), ("Delete", "Del")):
        table = table.replace(spoken, key)
    listed = set(re.findall(r"(?:Ctrl\+)?(?:Shift\+)?(?:PgUp|PgDown|Del|F1|[A-Z0-9+-])(?=[ ,|])", table.replace("|", " | ")))
    paged = {modifier + key for modifier in ("", "Shift+", "Ctrl+") for key in ("PgUp", "PgDown")}
    named = {key for key in listed if not key.endswith(("PgUp", "PgDown"))} | paged
    named |= {f"{modifier}{number}" for modifier in ("", "Ctrl+") for number in range(1, 10)}
    there = {action.shortcut().toString() for action in opened.window.findChildren(QAction)} - {""}
    assert there == named
