"""Exporting: what would be written, writing it, and the command that does the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import QApplication

from app import notify
from app.controllers.exportorder import STATUSES, ExportOrder
from core.delivery import chosen, deliver
from core.errors import PickerError
from core.io.particles.formats import Need
from core.io.particles.registry import format_named
from core.masks import Masks
from core.previews import preview_delivery

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.panels.export import ExportPanel
    from app.session import Session
    from core.particles import ParticleTable
    from core.tomogram import Tomogram

FILES_TIP = "The files that Export will write"


class ExportController(QObject):
    """Keeps the preview up to date and writes the files."""

    def __init__(self, session: Session, panel: ExportPanel) -> None:
        super().__init__(panel)  # so that its timer ends with the panel
        self._session, self._panel, self._ready, self._count = session, panel, False, 0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(300)
        self._timer.timeout.connect(self.refresh)
        panel.export_requested.connect(self.export)
        panel.edited.connect(self._on_panel_edited)
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

    def _survey(self) -> ExportOrder:
        """Return what would be handed over now; raises `PickerError` where a tomogram cannot be opened."""
        panel, session = self._panel, self._session
        config, tomograms, self._count = panel.config, [], 0
        reviews = dict(session.review) if config.what == "shown" else None
        for tomogram, table in self._tables():
            made = None if reviews is None else session.made.get(tomogram.id)
            if isinstance(made, str):
                raise PickerError(made)
            status, specs = STATUSES.get(config.what), tuple(session.classes.values())
            kept = chosen(table, panel.class_id, reviews, specs, tomogram, status, made)
            self._count += len(kept)
            tomograms += [tomogram] if len(kept) else []
        takes = Need.PIXEL_SIZE in format_named(config.format).needs | format_named(config.format).wants
        star = Path(config.tomograms_star).expanduser() if config.tomograms_star and takes else None
        return ExportOrder(
            config=config,
            tomograms=tomograms,
            class_id=panel.class_id,
            reviews=reviews,
            options=panel.options,
            star=star,
            asked=dict(session.masks),
            masks={name: made for name, made in session.made.items() if isinstance(made, Masks)},
        )

    def _tables(self) -> Iterator[tuple[Tomogram, ParticleTable]]:
        project, shown = self._session.project, self._session.tomogram
        if project is None or shown is None:
            return
        names = [shown.id] if self._panel.scope.currentIndex() == 0 else [record.id for record in project.store.tomograms()]
        for name in names:
            table = project.store.table(name)
            if len(table):  # the file of another one may be away
                yield (shown if name == shown.id else project.tomogram(name)), table

    def export(self) -> None:
        """Write, read back and say what came of it."""
        project = self._session.project
        if project is None:
            return
        try:
            done = deliver(project, self.path, self._panel.format, **self._survey().handed())
        except (PickerError, OSError) as exc:
            self._panel.set_result("")
            notify.show(exc)
            return
        text = f"✓ {done.count} particles written to {done.files[0].name}, read back and checked."
        self._panel.set_result(text, "\n".join([*map(str, done.files), *done.notices]))

    def _show(self) -> None:
        reason, command, order, told, self._count = "", "", None, {}, 0
        try:
            order = self._survey()
            told = order.series if order.star is not None else {}
            order.handed()  # says what does not fit together
            command = self._command(order)
        except PickerError as exc:
            reason = notify.sentence(exc)
        if self._session.tomogram is None:
            reason = "Open a tomogram first."
        elif not self._count:
            reason = reason or "There is nothing to export yet: mark particles, or pick and accept some."
        else:
            reason = reason or order.lacking() or ("" if self._panel.path.text().strip() else "Say which file to write.")
        names = [] if order is None else order.ids
        self._panel.set_state(reason, f"{self._count} particles of {', '.join(names)}.", command)
        self._panel.tomograms.set_entries([] if order is None else order.entries(told))
        self._ready = not reason
        if self._ready:
            self._timer.start()
        else:
            self._timer.stop()  # when the window goes, nothing may come after it
            self._panel.set_files([], FILES_TIP)

    def _command(self, order: ExportOrder) -> str:
        project = self._session.project
        if project is None or not order.tomograms:
            return ""
        return order.command(project.folder, self.path, self._session.classes)

    def refresh(self) -> None:
        """Show which files would be written; only while somebody looks, for it writes a few particles aside."""
        project = self._session.project
        if project is None or not self._ready or not self._panel.isVisible():
            return
        try:
            order = self._survey().handed(all_told=True)  # the table shows the numbers already
            preview = preview_delivery(project, self.path, self._panel.format, **order)
        except (PickerError, OSError) as exc:
            self._panel.set_files([notify.sentence(exc)], notify.sentence(exc))
            return
        heads = dict.fromkeys((preview.files[0], preview.files[-1]))
        begins = [line for file in heads if file.head for line in ("", f"{file.path.name} begins:", *file.head)]
        self._panel.set_files([*preview.tree(), *begins], str(preview.files[0].path), preview.notices)

    # ---- callbacks ----

    def _on_session_classes(self) -> None:
        self._panel.set_classes(tuple(self._session.classes.values()))
        self._show()

    def _on_session_tomogram(self) -> None:
        project, tomogram = self._session.project, self._session.tomogram
        self._panel.set_result("")
        if project is not None and tomogram is not None:
            self._panel.path.setText(str(project.folder / f"{tomogram.id}{self._panel.suffix}"))
        self._show()

    def _on_panel_format(self, _index: int) -> None:
        if self._panel.path.text():
            self._panel.path.setText(str(self.path.with_suffix(self._panel.suffix)))

    def _on_panel_edited(self) -> None:
        self._panel.set_result("")  # it told of another file
        self._show()

    def _on_panel_copy(self) -> None:
        QApplication.clipboard().setText(self._panel.command.text())
