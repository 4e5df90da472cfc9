"""The list of a gallery: a model of particles whose pictures come when they are wanted, how one is drawn, and the view."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QAbstractListModel, QModelIndex, QPoint, QRect, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QColor, QImage, QPainter, QPen
from qtpy.QtWidgets import QListView, QStyle, QStyledItemDelegate, QWidget

from core.particles import Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from qtpy.QtWidgets import QStyleOptionViewItem

    from core.particles import ParticleTable
    from core.types import BoolArray, IntArray

CACHE = 96 * 2**20  # bytes of pictures that are kept
EDGE, GAP, MARGIN, TEXT = 72, 2, 5, 18  # pixels
AHEAD = 24  # pictures that are made before they are seen
STATUS_COLORS = {Status.ACCEPTED: "#4caf50", Status.CANDIDATE: "#8a9099", Status.REJECTED: "#e5534b"}
FLAG_COLOR = "#ffb300"


class GalleryModel(QAbstractListModel):
    """Particles in their order; a picture that is asked for and not there is wanted."""

    pictures_wanted = Signal(list)  # ids, those that are seen first

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.ids: IntArray = np.empty(0, np.int64)
        self.edge = EDGE
        self._table: ParticleTable | None = None
        self._flagged: BoolArray = np.empty(0, np.bool_)
        self._notes: tuple[str, ...] = ()
        self._places: dict[int, int] = {}
        self._pictures: OrderedDict[int, QImage] = OrderedDict()
        self._bytes = 0
        self._wanted: set[int] = set()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._on_timer)

    def set_particles(self, table: ParticleTable, flagged: BoolArray, notes: tuple[str, ...]) -> None:
        """Show n particles in the order of a table, with a word on each of them."""
        same = np.array_equal(self.ids, table.ids)
        if not same:
            self.beginResetModel()
        self.ids, self._table, self._flagged, self._notes = table.ids, table, flagged, notes
        self._places = {number: row for row, number in enumerate(table.ids.tolist())}
        if not same:
            self.endResetModel()
        elif len(table):
            self.dataChanged.emit(self.index(0), self.index(len(table) - 1))

    def row_of(self, particle_id: int) -> int | None:
        """Return where a particle is shown."""
        return self._places.get(particle_id)

    def forget_pictures(self) -> None:
        """Ask for every picture anew."""
        self._pictures.clear()
        self._bytes = 0
        if len(self.ids):
            self.dataChanged.emit(self.index(0), self.index(len(self.ids) - 1))

    def set_picture(self, particle_id: int, picture: NDArray[np.uint8]) -> None:
        """Take the three slabs of a particle, (3, edge, edge)."""
        edge = picture.shape[1]
        strip = np.ascontiguousarray(np.concatenate(list(picture), axis=1))
        image = QImage(strip.data, 3 * edge, edge, 3 * edge, QImage.Format.Format_Grayscale8)
        smooth = Qt.TransformationMode.SmoothTransformation  # once, rather than whenever it is drawn
        image = image.scaled(3 * self.edge, self.edge, transformMode=smooth).convertToFormat(QImage.Format.Format_Grayscale8)
        self._bytes += image.width() * image.height() if particle_id not in self._pictures else 0
        self._pictures[particle_id] = image
        while self._bytes > CACHE and len(self._pictures) > 1:
            _, old = self._pictures.popitem(last=False)
            self._bytes -= old.width() * old.height()
        row = self._places.get(particle_id)
        if row is not None:
            self.dataChanged.emit(self.index(row), self.index(row))

    def picture(self, row: int) -> QImage | None:
        """Return the slabs of a particle side by side; None where they are not there yet, and then they are wanted."""
        number = int(self.ids[row])
        found = self._pictures.get(number)
        if found is not None:
            self._pictures.move_to_end(number)
        else:
            self._wanted.add(row)
            if not self._timer.isActive():
                self._timer.start(0)
        return found

    def _on_timer(self) -> None:
        """Ask for what was drawn without a picture, and for what comes next."""
        seen, self._wanted = sorted(row for row in self._wanted if row < len(self.ids)), set()
        if seen:
            ahead = range(seen[-1] + 1, min(seen[-1] + 1 + AHEAD, len(self.ids)))
            rows = [*seen, *ahead]
            self.pictures_wanted.emit([n for n in self.ids[rows].tolist() if n not in self._pictures])

    def facts(self, row: int) -> tuple[Status, bool, str]:
        """Return status, flag and a few words on a particle."""
        status = Status.CANDIDATE if self._table is None else Status(self._table.statuses[row])
        return status, bool(self._flagged[row]), self._notes[row]

    # ---- Qt's own questions ----

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.ids)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole) and index.isValid():
            status, flagged, note = self.facts(index.row())
            return f"{note} · {status.name.lower()}{' · flagged' if flagged else ''}"
        return None


class GalleryDelegate(QStyledItemDelegate):
    """Three slabs side by side, a few words below, and a frame in the colour of what was decided."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.edge = EDGE

    @property
    def size(self) -> QSize:
        """Of one particle in pixels."""
        return QSize(3 * self.edge + 2 * GAP + 2 * MARGIN, self.edge + TEXT + 2 * MARGIN)

    def sizeHint(self, _option: QStyleOptionViewItem, _index: QModelIndex) -> QSize:
        return self.size

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        model: GalleryModel = index.model()
        status, flagged, note = model.facts(index.row())
        place = option.rect.adjusted(2, 2, -2, -2)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.save()
        if selected:
            painter.fillRect(place, QColor("#2f7fb8"))
        image = model.picture(index.row())
        left, top, edge = option.rect.left() + MARGIN, option.rect.top() + MARGIN, self.edge
        for number in range(3):
            target = QRect(left + number * (edge + GAP), top, edge, edge)
            if image is None:
                painter.fillRect(target, QColor(128, 128, 128, 60))
            else:
                side = image.height()
                painter.drawImage(target, image, QRect(number * side, 0, side, side))
        painter.setPen(QPen(QColor(STATUS_COLORS[status]), 2))
        painter.drawRect(place)
        words = QRect(QPoint(left, top + edge), QSize(3 * edge + 2 * GAP, TEXT + 2))
        painter.setPen(QColor("white") if selected else option.palette.text().color())
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, note)
        painter.setPen(QColor(FLAG_COLOR) if flagged and not selected else painter.pen().color())
        said = "" if status is Status.CANDIDATE else status.name.lower()
        said = " ".join(part for part in (said, "⚑" if flagged else "") if part)
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, said)
        painter.restore()


class GalleryView(QListView):
    """Lines of particles that are scrolled by the pixel."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setMovement(QListView.Movement.Static)
        self.setSelectionMode(QListView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.cells, self.drawing = GalleryModel(self), GalleryDelegate(self)
        self.setModel(self.cells)
        self.setItemDelegate(self.drawing)
        self.set_edge(self.drawing.edge)

    def set_edge(self, edge: int) -> None:
        """Draw slabs with so many pixels along the edge."""
        self.drawing.edge = edge
        if edge != self.cells.edge:
            self.cells.edge = edge
            self.cells.forget_pictures()
        self.scheduleDelayedItemsLayout()
        self.verticalScrollBar().setSingleStep(self.drawing.size.height() // 3)

    @property
    def chosen(self) -> list[int]:
        """Ids of the particles that are selected, in their order."""
        rows = sorted(index.row() for index in self.selectionModel().selectedIndexes())
        return [int(number) for number in self.cells.ids[rows]]

    def choose(self, ids: Iterable[int], current: int | None = None) -> None:
        """Select particles, and make one of them the current one."""
        from qtpy.QtCore import QItemSelection, QItemSelectionModel

        rows = [row for number in ids if (row := self.cells.row_of(number)) is not None]
        selection = QItemSelection()
        for row in rows:
            selection.select(self.cells.index(row), self.cells.index(row))
        flags = QItemSelectionModel.SelectionFlag
        place = self.cells.row_of(current) if current is not None else None
        if place is not None:
            self.selectionModel().setCurrentIndex(self.cells.index(place), flags.NoUpdate)
        self.selectionModel().select(selection, flags.ClearAndSelect)
