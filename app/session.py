"""What is open and chosen right now; setting a value tells who listens. Knows nothing of Qt."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from psygnal import Signal

from core.config import ReviewConfig
from core.display import diameters
from core.masks import Masks
from core.particles import ClassSpec, ParticleTable, Status
from core.review import above, placed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from core.masks import MaskConfig
    from core.project import Project
    from core.tomogram import Tomogram
    from core.types import BoolArray, FloatArray, IntArray


class Session:
    """One open project, one shown tomogram, one class to mark, one selection.

    Only the GUI thread touches it.
    """

    leaving = Signal()  # what is open is about to go: the last moment to keep what was changed
    project_changed = Signal()
    tomogram_changed = Signal()
    classes_changed = Signal()
    class_changed = Signal()
    table_changed = Signal()
    selection_changed = Signal()
    highlight_changed = Signal()
    review_changed = Signal()
    model_changed = Signal()
    masks_changed = Signal()  # what is asked for
    mask_changed = Signal()  # what came of it

    def __init__(self) -> None:
        self.project: Project | None = None
        self.tomogram: Tomogram | None = None
        self.classes: dict[int, ClassSpec] = {}
        self.table = ParticleTable.build("", np.empty((0, 3)))
        self.review: dict[int, ReviewConfig] = {}  # what is asked of candidates; a class that is not in it has the defaults
        self._placed: BoolArray | None = None  # kept while only thresholds move
        self.masks: dict[str, MaskConfig] = {}  # by tomogram, and for all others
        self.made: dict[str, Masks | str] = {}  # by tomogram: what is on and worked out, or why it is not
        self.skip_masked = False  # whether picking leaves masked regions out
        self.selected: int | None = None
        self.highlighted: IntArray = np.empty(0, np.int64)  # ids that stand out on the canvases
        self.model: Path | None = None
        self.class_id: int | None = None

    def set_project(self, project: Project | None) -> None:
        """Take another project, with nothing of the former left."""
        self.leaving.emit()
        self.project = project
        self.set_tomogram(None)
        self.review = {}
        self.masks, self.made = {}, {}
        self.set_classes(() if project is None else project.store.classes())
        self.project_changed.emit()

    def set_tomogram(self, tomogram: Tomogram | None) -> None:
        """Show another tomogram."""
        self.leaving.emit()
        self.tomogram = tomogram
        self.selected = None
        self.highlight(())
        self.tomogram_changed.emit()
        self.reload()

    def set_classes(self, classes: tuple[ClassSpec, ...]) -> None:
        """Take over the classes of the project."""
        self.classes = {spec.id: spec for spec in classes}
        self._placed = None
        if self.class_id not in self.classes:
            self.class_id = next(iter(self.classes), None)
        self.classes_changed.emit()
        self.class_changed.emit()

    def set_class(self, class_id: int) -> None:
        """Choose the class that clicks add."""
        if class_id in self.classes and class_id != self.class_id:
            self.class_id = class_id
            self.class_changed.emit()

    def reload(self) -> None:
        """Read the particles of the tomogram again."""
        self._placed = None
        if self.project is None or self.tomogram is None:
            self.table = ParticleTable.build("", np.empty((0, 3)))
        else:
            self.table = self.project.store.table(self.tomogram.id)
        if self.selected is not None and self.selected not in self.table.ids:
            self.selected = None
        self.table_changed.emit()

    def select(self, particle_id: int | None) -> None:
        """Select one particle, or none."""
        if particle_id != self.selected:
            self.selected = particle_id
            self.selection_changed.emit()

    def highlight(self, ids: Sequence[int]) -> None:
        """Let some particles stand out on the canvases."""
        if list(ids) != self.highlighted.tolist():
            self.highlighted = np.array(ids, np.int64)
            self.highlight_changed.emit()

    def review_of(self, class_id: int) -> ReviewConfig:
        """Return what is asked of the candidates of a class."""
        return self.review.get(class_id, ReviewConfig())

    def set_review(self, reviews: Mapping[int, ReviewConfig]) -> None:
        """Change what is asked of the candidates of some classes."""
        changed = {number: review for number, review in reviews.items() if self.review.get(number) != review}
        if changed:
            before = {number: self.review_of(number) for number in changed}
            self.review.update(changed)
            if any(replace(changed[number], threshold=old.threshold) != old for number, old in before.items()):
                self._placed = None
            self.review_changed.emit()

    def set_masks(self, masks: Mapping[str, MaskConfig]) -> None:
        """Change what is asked of places."""
        if dict(masks) != self.masks:
            self.masks = dict(masks)
            self.masks_changed.emit()

    def set_made(self, made: Mapping[str, Masks | str]) -> None:
        """Take what was worked out of masks, by tomogram."""
        if dict(made) != self.made:
            self.made = dict(made)
            self._placed = None
            self.mask_changed.emit()
            self.review_changed.emit()

    def set_threshold(self, class_id: int, threshold: float) -> None:
        """Change the score from which picks of a class count."""
        self.set_review({class_id: replace(self.review_of(class_id), threshold=threshold)})

    def advise(self, thresholds: Mapping[str, float], others: Sequence[Mapping[str, float]] = ()) -> None:
        """Take the thresholds of a network, by name of the class, where none was moved by hand.

        A threshold that is the usual one, or that of another network, was not.
        """
        for number, spec in self.classes.items():
            usual = [ReviewConfig().threshold, *(other[spec.name] for other in others if spec.name in other)]
            if spec.name in thresholds and self.review_of(number).threshold in usual:
                self.set_threshold(number, thresholds[spec.name])

    def set_model(self, model: Path | None) -> None:
        """Choose the network that picks."""
        self.model = model
        self.model_changed.emit()

    # ---- derived ----

    @property
    def writable(self) -> bool:
        """Whether clicks can be kept."""
        return self.project is not None and not self.project.store.read_only

    @property
    def mask(self) -> Masks | None:
        """Where candidates of the tomogram that is shown count; None for everywhere."""
        made = self.made.get(self.tomogram.id) if self.tomogram is not None else None
        return made if isinstance(made, Masks) else None

    @property
    def sizes(self) -> FloatArray:
        """(n,) diameters of the particles in voxels."""
        return diameters(self.table, self.classes, self.tomogram.voxel_size if self.tomogram else 0.0)

    @property
    def shown(self) -> BoolArray:
        """(n,) all but the candidates that do not count; the same as `core.review.shown`, in less time."""
        return self.placed & above(self.table, self.review)

    @property
    def placed(self) -> BoolArray:
        """(n,) all but the candidates that lie in a margin or too near a better one, whatever they score."""
        if self.tomogram is None:
            return np.ones(len(self.table), np.bool_)
        if self._placed is None:
            self._placed = placed(self.table, self.review, self.classes, self.tomogram.shape, self.tomogram.voxel_size, self.mask)
        return self._placed

    @property
    def seen(self) -> BoolArray:
        """(n,) what is drawn: all that are shown, and the selected one in any case."""
        return self.shown | (self.table.ids == (self.selected or 0))

    def ids(self, status: Status, class_id: int | None = None, *, shown: bool | None = None) -> IntArray:
        """Return ids of particles of one status, of one class or all, shown, hidden, or both."""
        rows = self.table.statuses == status
        if class_id is not None:
            rows &= self.table.class_ids == class_id
        if shown is not None:
            rows &= self.shown == shown
        return self.table.ids[rows]
