"""What is known of one tomogram before its picks are matched."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from core.particles import Status

if TYPE_CHECKING:
    from core.particles import ParticleTable
    from core.tomogram import Mask
    from core.types import Angstrom, Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is known of one tomogram.

    Attributes
    ----------
    truth : ParticleTable
        References: accepted ones are to be found, candidates are neutral, rejected ones are ignored.
    picks : ParticleTable
        Picks of the same tomogram; their status does not matter.
    voxel_size : Angstrom | None
        Å per voxel; None where it is not known and diameters are in voxels, too.
    complete : bool
        Whether every particle is among the references; if not, some picks that count as false may be right.
    occupancy : Volume | None
        (z, y, x) number of the reference that fills a voxel, counted from 1 in the order of `truth`, and 0 where there is none.
    """

    truth: ParticleTable
    picks: ParticleTable
    voxel_size: Angstrom | None
    complete: bool = True
    occupancy: Volume | None = field(default=None, repr=False)

    @property
    def scale(self) -> float:
        """What distances in voxels are multiplied by to be in the unit of diameters."""
        return 1.0 if self.voxel_size is None else self.voxel_size

    def within(self, mask: Mask | None) -> Case:
        """Leave out what lies outside of a mask: references there need not be found, but excuse a pick within that lies on one.

        Parameters
        ----------
        mask : Mask | None
            Where particles count; None for everywhere.

        Returns
        -------
        Case
            With as many references, and the picks that are left.
        """
        if mask is None:
            return self
        away = (self.truth.statuses == Status.ACCEPTED) & ~mask.inside(self.truth.positions)
        truth = replace(self.truth, statuses=np.where(away, int(Status.CANDIDATE), self.truth.statuses))
        return replace(self, truth=truth, picks=self.picks.select(mask.inside(self.picks.positions)))
