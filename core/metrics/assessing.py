"""Picks of several tomograms against their references by a rule: curves, figures, errors and confusion, apart and pooled."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from core.errors import ConfigError
from core.metrics.matching import Ranking, best_first, match, passes, pooled
from core.metrics.owners import owners
from core.metrics.summary import best_threshold, f1_curve, figures
from core.particles import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.metrics.cases import Case
    from core.metrics.matching import Reals
    from core.metrics.rules import Rule
    from core.metrics.summary import Curve, Figures
    from core.particles import ClassSpec, ParticleTable
    from core.types import BoolArray, IntArray

NOTHING, EXCUSED = -1, -2


@dataclass(frozen=True, slots=True)
class Judged:
    """A case after matching; picks stand in the order of their scores, the best first."""

    case: Case
    truth: ParticleTable  # those to be found
    picks: ParticleTable
    scores: Reals
    partners: IntArray  # row of the truth, NOTHING, or EXCUSED by a neutral reference
    distances: Reals


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """All cases, matched; thresholds are views of it.

    Attributes
    ----------
    rule : Rule
        What counts as right.
    classes : tuple[ClassSpec, ...]
        The classes that were scored.
    judged : tuple[Judged, ...]
        The tomograms.
    """

    rule: Rule
    classes: tuple[ClassSpec, ...]
    judged: tuple[Judged, ...] = field(repr=False)

    @property
    def tomograms(self) -> list[str]:
        """Names, each once, in order."""
        return list(dict.fromkeys(one.case.truth.tomogram_id for one in self.judged))

    @property
    def complete(self) -> bool:
        """Whether every particle is among the references everywhere."""
        return all(one.case.complete for one in self.judged)

    def ranking(self, class_id: int | None = None, tomogram: str | None = None, *, angstrom: bool = False) -> Ranking:
        """Return picks of one class or all, of one tomogram or all.

        Parameters
        ----------
        class_id : int | None
            None pools the classes; by the rule of SHREC, a pick is right there whatever class it says.
        tomogram : str | None
            None pools the tomograms.
        angstrom : bool
            Distances in Å in place of voxels; they stay in voxels where the voxel size is not known.

        Returns
        -------
        Ranking
            Best score first.
        """
        chosen = [one for one in self.judged if tomogram in (None, one.case.truth.tomogram_id)]
        if class_id is None and self.rule.lying:
            return pooled([_ranked(one, None, angstrom) for one in chosen])
        wanted = [spec.id for spec in self.classes if class_id in (None, spec.id)]
        return pooled([_ranked(one, number, angstrom) for one in chosen for number in wanted])

    def curve(self, class_id: int | None = None, tomogram: str | None = None) -> Curve:
        """Return precision, recall and the rule's score at every threshold; arguments as for `ranking`."""
        return f1_curve(self.ranking(class_id, tomogram), self.rule.beta)

    def best(self, class_id: int | None = None, tomogram: str | None = None) -> tuple[float, float]:
        """Return the threshold with the best score, and that score; arguments as for `ranking`."""
        return best_threshold(self.ranking(class_id, tomogram), self.rule.beta)

    def figures(
        self, thresholds: Mapping[int, float] | None = None, class_id: int | None = None, tomogram: str | None = None
    ) -> Figures:
        """Sum up the picks that count.

        Parameters
        ----------
        thresholds : Mapping[int, float] | None
            Least score of each class id; a class left out counts all its picks.
        class_id, tomogram : int | None, str | None
            As for `ranking`.

        Returns
        -------
        Figures
            At these thresholds.
        """
        return figures(self.cut(thresholds).ranking(class_id, tomogram))

    def cut(self, thresholds: Mapping[int, float] | None) -> Assessment:
        """Leave out the picks below the thresholds, which changes no match of the others."""
        if not thresholds:
            return self
        return Assessment(rule=self.rule, classes=self.classes, judged=tuple(self._cut(one, thresholds) for one in self.judged))

    def _cut(self, one: Judged, thresholds: Mapping[int, float]) -> Judged:
        kept = _kept(one.picks.class_ids, one.scores, thresholds)
        if np.isnan(one.scores).any():  # those pass, but were matched after others that do not
            return _judge(replace(one.case, picks=one.picks.select(kept)), self.classes, self.rule)
        return replace(
            one,
            picks=one.picks.select(kept),
            scores=one.scores[kept],
            partners=one.partners[kept],
            distances=one.distances[kept],
        )

    def score(self, figures: Figures) -> float:
        """Return F1 or F4, whichever the rule asks for."""
        return figures.f4 if self.rule.beta == 4 else figures.f1

    def overall(self, thresholds: Mapping[int, float] | None = None) -> float:
        """Return the weighted mean of the scores of all classes that the truth holds."""
        apart = {spec.id: self.figures(thresholds, spec.id) for spec in self.classes}
        return self.rule.combine({number: self.score(one) for number, one in apart.items() if one.truth}, self.classes)

    def confusion(self, thresholds: Mapping[int, float] | None = None) -> IntArray:
        """Count picks of each class on references of each class.

        Parameters
        ----------
        thresholds : Mapping[int, float] | None
            As for `figures`.

        Returns
        -------
        IntArray
            (c + 1, c + 1) rows are the classes of picks, columns those of references, in the order of `classes`; the last column
            counts picks on nothing, the last row references without a pick. The diagonal holds the hits.
        """
        table = np.zeros((len(self.classes) + 1,) * 2, np.int64)
        for one in self.cut(thresholds).judged:
            table += _confused(one, self.classes, self.rule)
        return table


def assess(cases: Sequence[Case], classes: Sequence[ClassSpec], rule: Rule) -> Assessment:
    """Match the picks of tomograms to their references.

    Parameters
    ----------
    cases : Sequence[Case]
        The tomograms.
    classes : Sequence[ClassSpec]
        The classes to score; picks and references of others do not count.
    rule : Rule
        What counts as right.

    Returns
    -------
    Assessment
        For figures at any threshold.

    Raises
    ------
    ConfigError
        If the voxel size of a tomogram is not above 0, or an occupancy volume does not fit the references.
    """
    return Assessment(rule=rule, classes=tuple(classes), judged=tuple(_judge(case, classes, rule) for case in cases))


def _judge(case: Case, classes: Sequence[ClassSpec], rule: Rule) -> Judged:
    if not (np.isfinite(case.scale) and case.scale > 0):
        name = case.truth.tomogram_id
        raise ConfigError(f"Scoring needs the voxel size of {name!r} in Å (above 0), not {case.voxel_size}; give it in step 1.")
    ids = [spec.id for spec in classes]
    picks = case.picks.select(np.isin(case.picks.class_ids, ids))
    picks = picks.select(best_first(picks.scores.astype(np.float64)))
    counted = np.isin(case.truth.class_ids, ids) & (case.truth.statuses == Status.ACCEPTED)
    truth = case.truth.select(counted)
    neutral = case.truth.select(case.truth.statuses == Status.CANDIDATE)
    reaches = {spec.id: rule.reach * spec.diameter / 2 / case.scale for spec in classes}
    if rule.lying:
        partners, distances = owners(truth, picks, reaches, case.occupancy, counted)
    else:
        partners, distances = _one_to_one(truth, picks, neutral, reaches)
    return Judged(case, truth, picks, picks.scores.astype(np.float64), partners, distances)


def _one_to_one(
    truth: ParticleTable, picks: ParticleTable, neutral: ParticleTable, reaches: Mapping[int, float]
) -> tuple[IntArray, Reals]:
    partners, distances = np.full(len(picks), NOTHING, np.int64), np.full(len(picks), np.nan)
    for number, reach in reaches.items():
        mine, theirs = np.flatnonzero(picks.class_ids == number), np.flatnonzero(truth.class_ids == number)
        away, found = match(truth.positions[theirs], picks.positions[mine], reach)
        hit = found >= 0
        partners[mine[hit]], distances[mine[hit]] = theirs[found[hit]], away[hit]
        missed = mine[~hit]
        _, spared = match(neutral.positions[neutral.class_ids == number], picks.positions[missed], reach)
        partners[missed[spared >= 0]] = EXCUSED
    return partners, distances


def _ranked(one: Judged, class_id: int | None, angstrom: bool) -> Ranking:
    """Return picks of a class; of None, a pick is right on any reference that no better one has found."""
    mine = (one.partners != EXCUSED) & (True if class_id is None else one.picks.class_ids == class_id)
    hits = (one.partners >= 0) & mine
    if class_id is not None:
        hits[hits] = one.truth.class_ids[one.partners[hits]] == class_id
    distances = np.where(hits, one.distances * (one.case.scale if angstrom else 1.0), np.nan)
    many = len(one.truth) if class_id is None else int((one.truth.class_ids == class_id).sum())
    return Ranking(one.scores[mine], hits[mine], distances[mine], many)


def _kept(class_ids: IntArray, scores: Reals, thresholds: Mapping[int, float]) -> BoolArray:
    kept = np.ones(len(scores), np.bool_)
    for number, least in thresholds.items():
        rows = class_ids == number
        # scores are kept in single precision, so the threshold must be rounded like them to keep a score that equals it
        kept[rows] = passes(scores[rows], float(np.float32(least)))
    return kept


def _confused(one: Judged, classes: Sequence[ClassSpec], rule: Rule) -> IntArray:
    """Match what the rule has left over to references of other classes, and count."""
    places = {spec.id: place for place, spec in enumerate(classes)}
    partners = one.partners.copy()
    if not rule.lying:
        open_picks = np.flatnonzero(partners == NOTHING)
        free = np.setdiff1d(np.arange(len(one.truth)), partners[partners >= 0])
        for spec in classes:
            rows = free[one.truth.class_ids[free] == spec.id]
            reach = rule.reach * spec.diameter / 2 / one.case.scale
            _, found = match(one.truth.positions[rows], one.picks.positions[open_picks], reach)
            partners[open_picks[found >= 0]] = rows[found[found >= 0]]
            open_picks = open_picks[found < 0]
    table = np.zeros((len(classes) + 1,) * 2, np.int64)
    for pick, partner in zip(one.picks.class_ids.tolist(), partners.tolist(), strict=True):
        if partner != EXCUSED:
            table[places[pick], places[int(one.truth.class_ids[partner])] if partner >= 0 else -1] += 1
    for missed in np.setdiff1d(np.arange(len(one.truth)), partners[partners >= 0]).tolist():
        table[-1, places[int(one.truth.class_ids[missed])]] += 1
    return table
