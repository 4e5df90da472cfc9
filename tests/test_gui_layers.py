from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.display import Look
from core.particles import Status
from core.tomogram import Tomogram

if TYPE_CHECKING:
    from app.layers.particles import ParticleLayer, Rings

pytestmark = pytest.mark.usefixtures("toolkit")


def rings(statuses: list[Status]) -> Rings:
    from app.layers.particles import Rings, colors_of, symbols_of

    n, codes = len(statuses), np.array(statuses, np.int64)
    return Rings(
        positions=np.arange(3.0 * n).reshape(n, 3),
        sizes=np.full(n, 5, np.float32),
        colors=colors_of(np.ones(n, np.int64), codes, {1: "#ff0000"}, np.zeros(n, bool)),
        symbols=symbols_of(codes),
        shown=np.ones(n, bool),
    )


@pytest.fixture
def layer() -> ParticleLayer:
    from app.layers.particles import ParticleLayer

    return ParticleLayer(1.0, "pixel", 0.1)


A, C, R = Status.ACCEPTED, Status.CANDIDATE, Status.REJECTED


@pytest.mark.parametrize("course", [[[A], [A, A, R], [A, A]], [[R], [R, A], [A]], [[A, R, A], [A, A, A], [], [C]]])
def test_what_is_drawn_follows_through_growing_and_shrinking(layer: ParticleLayer, course: list[list[Status]]) -> None:
    for statuses in course:
        wanted = rings(statuses)
        layer.show(wanted)
        assert np.array_equal(layer.layer.data, wanted.positions)
        assert [str(s) for s in layer.layer.symbol] == [{"x": "x"}.get(s, "disc") for s in wanted.symbols]
        assert np.allclose(layer.layer.border_color, wanted.colors)


def test_the_threshold_only_hides(layer: ParticleLayer) -> None:
    layer.show(rings([A, C, C]))
    layer.show_only(np.array([True, False, True]))
    assert layer.layer.shown.tolist() == [True, False, True]
    assert len(layer.layer.data) == 3


def test_moved_particles_are_drawn_where_they_are(layer: ParticleLayer) -> None:
    first = rings([A, A])
    layer.show(first)
    layer.show(replace(first, positions=first.positions + 1))
    assert np.array_equal(layer.layer.data, first.positions + 1)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_sections_answer_as_an_array_does(axis: int) -> None:
    from app.layers.volume import Sections

    data = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    sections = Sections(Tomogram(id="t", path=None, voxel_size=1.0, data=data), Look())
    key = [slice(None)] * 3
    key[axis] = 2
    assert np.array_equal(sections[tuple(key)], data[tuple(key)])
    assert (sections.shape, sections.ndim, len(sections)) == (data.shape, 3, 3)
