from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from core.display import Look
from core.particles import Status
from core.tomogram import Tomogram

if TYPE_CHECKING:
    from app.layers.particles import ParticleRings, Rings

pytestmark = pytest.mark.usefixtures("toolkit")


def rings(statuses: list[Status]) -> Rings:
    from app.layers.particles import Rings, colors_of, symbols_of

    n, codes = len(statuses), np.array(statuses, np.int64)
    return Rings(
        positions=np.arange(3.0 * n).reshape(n, 3) * (0, 1, 1),
        sizes=np.full(n, 5, np.float32),
        colors=colors_of(np.ones(n, np.int64), codes, {1: "#ff0000"}, np.zeros(n, bool)),
        symbols=symbols_of(codes),
        shown=np.ones(n, bool),
    )


@pytest.fixture
def layer() -> ParticleRings:
    from app.layers.particles import ParticleRings

    return ParticleRings(None, 0, (1, 2))


A, C, R = Status.ACCEPTED, Status.CANDIDATE, Status.REJECTED


def drawn(layer: ParticleRings) -> Any:
    """What goes to the graphics card, one record for each mark."""
    return layer._circles.vertices.reshape(-1, 4)[:, 0]


@pytest.mark.parametrize("course", [[[A], [A, A, R], [A, A]], [[R], [R, A], [A]], [[A, R, A], [A, A, A], [], [C]]])
def test_what_is_drawn_follows_through_growing_and_shrinking(layer: ParticleRings, course: list[list[Status]]) -> None:
    for statuses in course:
        wanted = rings(statuses)
        layer.show(wanted)
        assert layer.rows.tolist() == list(range(len(statuses)))
        assert [bool(crossed) for crossed in drawn(layer)["a_crossed"]] == [status == R for status in statuses]
        assert np.allclose(drawn(layer)["a_color"], wanted.colors)
        assert np.allclose(drawn(layer)["a_centre"], wanted.positions[:, (2, 1)])


def test_the_threshold_only_hides(layer: ParticleRings) -> None:
    layer.show(replace(rings([A, C, C]), shown=np.array([True, False, True])))
    assert layer.rows.tolist() == [0, 2]
    assert len(layer.data) == 3


def test_moved_particles_are_drawn_where_they_are(layer: ParticleRings) -> None:
    first = rings([A, A])
    layer.show(first)
    layer.show(replace(first, positions=first.positions + 0.5))
    assert np.allclose(drawn(layer)["a_centre"], first.positions[:, (2, 1)] + 0.5)


def test_size_scale_and_section_decide_the_radius(layer: ParticleRings) -> None:
    from app.layers.particles import RingStyle

    layer.show(replace(rings([A]), sizes=np.array([10], np.float32)))
    layer.cut(3)
    assert drawn(layer)["a_radius"] == pytest.approx([4.0])
    layer.set_scale(1.5)
    assert drawn(layer)["a_radius"] == pytest.approx([6.0])
    layer.set_style(RingStyle(size=0.5, line=3.0))
    assert drawn(layer)["a_radius"] == pytest.approx([3.0])
    layer.cut(5)
    assert not len(drawn(layer))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_sections_answer_as_an_array_does(axis: int) -> None:
    from app.layers.volume import Sections

    data = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    sections = Sections(Tomogram(id="t", path=None, voxel_size=1.0, data=data), Look())
    key = [slice(None)] * 3
    key[axis] = 2
    assert np.array_equal(sections[tuple(key)], data[tuple(key)])
    assert (sections.shape, sections.ndim, len(sections)) == (data.shape, 3, 3)
