"""Exporting: what would be written, writing it, and the command that does the same."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import QApplication

from app import notify
from app.panels.export import SHOWN
from core.config import ReviewConfig
from core.delivery import chosen, deliver
from core.errors import PickerError
from core.io.particles.formats import Need
from core.io.particles.registry import format_named
from core.io.particles.tomograms import geometry_of, read_tomograms_star
from core.previews import preview_delivery

if TYPE_CHECKING:
    from app.panels.export import ExportPanel
    from app.session import Session
    from core.io.particles import TiltSeriesGeometry
    from core.project import Project

FILES_TIP = "The files that Export will write"


class ExportController(QObject):
    """Keeps the preview up to date and writes the files."""

    def __init__(self, session: Session, panel: ExportPanel) -> None:
        super().__init__(panel)  # so that its timer ends with the panel
        self._session, self._panel, self._ready = session, panel, False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(300)
        self._timer.timeout.connect(self.refresh)
        panel.export_requested.connect(self.export)
        panel.edited.connect(self._show)
        panel.copy_requested.connect(self._on_panel_copy)
        panel.kind.currentIndexChanged.connect(self._on_panel_format)
        for signal in (session.table_changed, session.review_changed):
            signal.connect(self._show)
        session.classes_changed.connect(self._on_session_classes)
        session.tomogram_changed.connect(self._on_session_tomogram)

    @property
    def path(self) -> Path:
        """The file as it stands in the panel."""
        return Path(self._panel.path.text()).expanduser()

    def _names(self) -> list[str]:
        project, tomogram = self._session.project, self._session.tomogram
        if project is None or tomogram is None:
            return []
        return [tomogram.id] if self._panel.scope.currentIndex() == 0 else [r.id for r in project.store.tomograms()]

    def _reviews(self) -> dict[int, ReviewConfig] | None:
        return dict(self._session.review) if self._panel.which.currentText() == SHOWN else None

    def _count(self) -> int:
        project = self._session.project
        if project is None:
            return 0
        return sum(self._count_in(project, name) for name in self._names())

    def _count_in(self, project: Project, name: str) -> int:
        session = self._session
        table = project.store.table(name)
        if not len(table):
            return 0
        tomogram = session.tomogram if session.tomogram is not None and session.tomogram.id == name else project.tomogram(name)
        return len(chosen(table, self._panel.class_id, self._reviews(), tuple(session.classes.values()), tomogram))

    def _takes_pixels(self) -> bool:
        chosen = format_named(self._panel.format)
        return Need.PIXEL_SIZE in chosen.needs | chosen.wants

    def _lacks_pixels(self) -> bool:
        """Never guessed: the tomogram may be binned, and every position would be wrong."""
        needed = Need.PIXEL_SIZE in format_named(self._panel.format).needs
        return needed and self._geometry() is None and not self._panel.pixel_size.value()

    def _order(self) -> dict[str, Any]:
        """Return what is handed over, for the preview and for the export alike."""
        return {
            "tomogram_ids": self._names(),
            "class_id": self._panel.class_id,
            "reviews": self._reviews(),
            "pixel_size": (self._panel.pixel_size.value() or None) if self._takes_pixels() else None,
            "tilt_series": self._tilt_series(),
            "names": self._other_names(),
            "options": self._panel.options,
        }

    def _other_names(self) -> dict[str, str]:
        names = self._names()
        return {name: other for name, other in self._panel.config.names.items() if name in names}

    def _geometry(self) -> Path | None:
        """RELION's tomograms.star, where one is given and the format takes it."""
        text = self._panel.geometry.text().strip()
        return Path(text).expanduser() if text and self._takes_pixels() else None

    def _tilt_series(self) -> dict[str, TiltSeriesGeometry] | None:
        path, project = self._geometry(), self._session.project
        if path is None or project is None:
            return None
        filled = [name for name in self._names() if len(project.store.table(name))]
        return geometry_of(read_tomograms_star(path), filled, self._other_names())

    def export(self) -> None:
        """Write, read back and say what came of it."""
        project = self._session.project
        if project is None:
            return
        try:
            done = deliver(project, self.path, self._panel.format, **self._order())
        except (PickerError, OSError) as exc:
            self._panel.result.setText("")
            notify.show(exc)
            return
        self._panel.result.setText(f"✓ {done.count} particles written to {done.files[0].name}, read back and checked.")
        self._panel.result.setToolTip("\n".join([*map(str, done.files), *done.notices]))

    def _show(self) -> None:
        names, count, missing = self._names(), 0, ""
        try:
            count = self._count()
        except PickerError as exc:
            missing = str(exc)
        if missing or not names:
            reason = missing or "Open a tomogram first."
        elif not count:
            reason = "There is nothing to export yet: mark particles, or pick and accept some."
        elif self._lacks_pixels():
            reason = "Give the pixel size of the unbinned tilt series, or RELION's tomograms.star: this format counts in it."
        else:
            reason = "" if self._panel.path.text().strip() else "Say which file to write."
        self._panel.set_state(reason, f"{count} particles of {', '.join(names)}.", self._command(), self._takes_pixels())
        self._panel.set_names(names)
        self._ready = not reason
        if self._ready:
            self._timer.start()
        else:
            self._timer.stop()  # when the window goes, nothing may come after it
            self._panel.set_files([], FILES_TIP)

    def refresh(self) -> None:
        """Show which files would be written; only while somebody looks, for it writes a few particles aside."""
        project = self._session.project
        if project is None or not self._ready or not self._panel.isVisible():
            return
        try:
            preview = preview_delivery(project, self.path, self._panel.format, **self._order())
        except (PickerError, OSError) as exc:
            self._panel.set_files([notify.sentence(exc)], notify.sentence(exc))
            return
        heads = dict.fromkeys((preview.files[0], preview.files[-1]))
        begins = [line for file in heads if file.head for line in ("", f"{file.path.name} begins:", *file.head)]
        tip = "\n".join([*preview.notices, "", str(preview.files[0].path)])
        self._panel.set_files([*preview.tree(), *begins], tip.strip())

    def _command(self) -> str:
        project, reviews = self._session.project, self._reviews()
        if project is None:
            return ""
        try:
            order = self._order()
        except PickerError:  # the preview says what is wrong
            return ""
        words = ["deepetpicker", "export", str(project.folder), "--out", str(self.path), "--format", self._panel.format]
        words += [word for name in order["tomogram_ids"] for word in ("--tomogram", name)]
        if self._panel.class_id is not None:
            words += ["--class", self._session.classes[self._panel.class_id].name]
        if reviews is not None:
            words += ["--status", "shown", *self._review_words(reviews)]
        geometry = self._geometry()
        if geometry is not None:
            words += ["--tomograms-star", str(geometry)]
        elif order["pixel_size"] is not None:
            words += ["--pixel-size", repr(order["pixel_size"])]
        for name, value in order["options"].items():
            words += ["--option", f"{name}={str(value).lower() if isinstance(value, bool) else value}"]
        words += [word for name, other in order["names"].items() for word in ("--name", f"{name}={other}")]
        return shlex.join(words)

    def _review_words(self, reviews: dict[int, ReviewConfig]) -> list[str]:
        usual, words = ReviewConfig(), []
        for number, review in reviews.items():
            if number not in self._session.classes:
                continue
            for option, field in (("--threshold", "threshold"), ("--min-distance", "min_distance"), ("--edge", "edge")):
                if getattr(review, field) != getattr(usual, field):
                    words += [option, f"{self._session.classes[number].name}={getattr(review, field)!r}"]
        return words

    # ---- callbacks ----

    def _on_session_classes(self) -> None:
        self._panel.set_classes(tuple(self._session.classes.values()))
        self._show()

    def _on_session_tomogram(self) -> None:
        project, tomogram = self._session.project, self._session.tomogram
        self._panel.result.setText("")
        if project is not None and tomogram is not None:
            self._panel.path.setText(str(project.folder / f"{tomogram.id}{self._panel.suffix}"))
        self._show()

    def _on_panel_format(self, _index: int) -> None:
        if self._panel.path.text():
            self._panel.path.setText(str(self.path.with_suffix(self._panel.suffix)))

    def _on_panel_copy(self) -> None:
        QApplication.clipboard().setText(self._panel.command.text())
