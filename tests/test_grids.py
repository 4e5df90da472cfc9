from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.annotations import Link
from core.errors import ConfigError, ProjectError
from core.filters import binned
from core.grids import Alignment, Mapping, link_doubts, mapping, mirrored, position_doubts
from core.io.volumes import write_mrc
from core.particles import ClassSpec, ParticleTable
from core.project import Project
from core.project.linking import between, carry_over, groups, link, linked, survey, to_carry, unlink
from core.tomogram import Tomogram

SHAPE = (48, 64, 96)


def specimen(seed=0):
    return np.random.default_rng(seed).normal(size=(12, 16, 24)).repeat(4, 0).repeat(4, 1).repeat(4, 2).astype("f4")


def made(data, voxel_size=10.0, name="t", origin=(0.0, 0.0, 0.0)):
    return Tomogram(id=name, path=None, voxel_size=voxel_size, data=data, origin=origin)


def empty(shape, voxel_size):
    return made(np.zeros(shape, "i1"), voxel_size)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_means_of_blocks_lie_in_the_middle_of_their_voxels(factor):
    """The centre of mass of one bright block is where its voxel is mapped to."""
    fine, place = np.zeros(SHAPE, "f4"), (2, 3, 5)
    fine[tuple(slice(i * factor, (i + 1) * factor) for i in place)] = 1
    coarse = binned(fine, factor)
    assert np.argwhere(coarse).tolist() == [list(place)]
    found = mapping(made(coarse, 10.0 * factor), made(fine), Alignment.FACES)
    np.testing.assert_allclose(found.apply(np.array([place], float))[0], np.argwhere(fine).mean(axis=0))
    assert found.offset == ((factor - 1) / 2,) * 3


def test_every_other_voxel_and_a_common_middle():
    fine, coarse = empty((50, 63, 96), 5.0), empty((25, 32, 48), 10.0)
    assert mapping(coarse, fine, Alignment.FIRST_VOXEL).apply(np.array([[1.0, 2, 3]])).tolist() == [[2, 4, 6]]
    middle = mapping(coarse, fine, Alignment.MIDDLE_VOXEL)
    assert middle.apply(np.array([[12.0, 16, 24]])).tolist() == [[25, 31, 48]]


@pytest.mark.parametrize(("sizes", "ratio"), [((13.4799, 3.37), 4), ((3.37, 13.4799), 0.25), ((10, 10), 1), ((10, 6.6), 10 / 6.6)])
def test_the_noise_of_headers_is_no_part_of_the_ratio(sizes, ratio):
    assert mapping(empty(SHAPE, sizes[0]), empty(SHAPE, sizes[1]), Alignment.FACES).scale[0] == ratio


def test_without_voxel_sizes_the_extents_tell_the_ratio():
    assert mapping(empty((25, 30, 50), 0.0), empty((50, 60, 99), 10.0), Alignment.FACES).scale == (2, 2, 2)
    with pytest.raises(ConfigError, match="give both"):
        mapping(empty((25, 30, 50), 0.0), empty((50, 60, 50), 10.0), Alignment.FACES)


@given(
    scale=st.tuples(*[st.floats(0.1, 10)] * 3),
    offset=st.tuples(*[st.floats(-50, 50)] * 3),
    position=st.tuples(*[st.floats(-1e3, 1e3)] * 3),
)
def test_there_and_back_is_where_it_began(scale, offset, position):
    one, point = Mapping(scale, offset), np.array([position])
    np.testing.assert_allclose(one.then(one.inverse()).apply(point), point, atol=1e-9)
    np.testing.assert_allclose(one.inverse().apply(one.apply(point)), point, atol=1e-9)


@pytest.mark.parametrize("noise", [0, 1])
def test_a_mirrored_copy_is_noticed_and_a_denoised_one_is_not(noise):
    data = specimen()
    noisy = made(data + noise * np.random.default_rng(1).normal(size=SHAPE).astype("f4"))
    coarse = binned(data, 2)
    for other, expected in (
        (coarse, False),
        (coarse[::-1], True),
        (-coarse, False),
        (-coarse[::-1], True),
        (binned(specimen(5), 2), False),
    ):
        target = made(other, 20.0)
        assert mirrored(noisy, target, mapping(noisy, target, Alignment.FACES)) == expected


def test_what_speaks_against_a_link_is_said():
    data = made(specimen(), name="a")
    clean = made(binned(specimen(), 2), 20.0, name="b")
    assert not list(link_doubts(data, clean, mapping(data, clean, Alignment.FACES)))
    odd = made(clean.data[::-1, :20], 19.9, name="b")
    text = " ".join(link_doubts(data, odd, mapping(data, odd, Alignment.FACES)))
    assert "0.5025 times" in text
    assert "extent along y" in text


def test_a_mirrored_link_is_said():
    data, turned = made(specimen(), name="a"), made(specimen()[::-1], name="b")
    assert ["mirrored along z" in one for one in link_doubts(data, turned, mapping(data, turned, Alignment.FACES))] == [True]


@pytest.mark.parametrize(
    ("positions", "origin", "words"),
    [
        ([[1, 2, 3]], (0, 0, 0), []),
        ([[1, 2, 3], [99, 2, 3], [4, 5, 6]], (0, 0, 0), ["1 of 3"]),
        ([[180, 200, 300], [100, 100, 380]], (0, 0, 0), ["2 of 2", "divided by 4"]),
        ([[1, 2, 3]], (10, 20, 30), ["(30, 20, 10)"]),
    ],
)
def test_odd_positions_are_said(positions, origin, words):
    told = list(position_doubts(np.array(positions, float), made(np.zeros(SHAPE, "i1"), origin=origin)))
    assert len(told) == len(words)
    assert all(word in one for word, one in zip(words, told, strict=True))


@pytest.fixture
def project(tmp_path):
    data = specimen()
    with Project.create(tmp_path / "project") as work:
        work.store.add_class(ClassSpec(id=1, name="ribosome", diameter=250.0))
        for name, volume, size in (("fine", data, 10.0), ("half", binned(data, 2), 20.0), ("quarter", binned(data, 4), 40.0)):
            write_mrc(tmp_path / f"{name}.mrc", volume, size)
            work.add_tomogram(tmp_path / f"{name}.mrc")
        yield work


def test_picks_are_carried_through_a_chain_of_links_and_back(project):
    assert link(project, "quarter", "half") == ()
    assert link(project, "half", "fine") == ()
    assert linked(project, "fine") == ("half", "quarter")
    positions = np.array([[2.0, 3.25, 5.5], [7.125, 8, 9]])
    project.store.add_many(ParticleTable.build("quarter", positions))
    ids, notices = carry_over(project, "quarter", "fine")
    assert (len(ids), notices) == (2, ())
    np.testing.assert_allclose(project.store.table("fine").positions, positions * 4 + 1.5, atol=1e-12)
    assert len(carry_over(project, "quarter", "fine")[0]) == 0
    assert len(carry_over(project, "fine", "quarter")[0]) == 0
    np.testing.assert_allclose(between(project, "fine", "half").apply(np.array([[0.5, 2.5, 4.5]])), [[0, 1, 2]])


def test_links_are_kept_undone_and_refused(project):
    link(project, "half", "fine", Alignment.MIDDLE_VOXEL)
    assert project.store.tomogram("half").link == Link("fine", Alignment.MIDDLE_VOXEL)
    with Project.open(project.folder) as again:
        assert linked(again, "half") == ("fine",)
    for one, other in (("fine", "half"), ("fine", "fine")):
        with pytest.raises(ProjectError, match="linked already"):
            link(project, one, other)
    with pytest.raises(ProjectError, match="are not linked"):
        between(project, "fine", "quarter")
    project.store.undo()
    assert linked(project, "half") == ()
    project.store.redo()
    unlink(project, "half")
    assert project.store.tomogram("half").link is None


def test_a_look_beforehand_changes_nothing(project):
    project.store.add_many(ParticleTable.build("half", np.array([[2.0, 3.25, 5.5], [99.0, 8, 9]])))
    found, doubts = survey(project, "half", "fine", Alignment.FIRST_VOXEL)
    assert (found, doubts) == (Mapping((2.0,) * 3, (0.0,) * 3), ())
    assert groups(project) == {}
    link(project, "half", "fine")
    assert groups(project) == {"fine": ("half",), "half": ("fine",)}
    link(project, "quarter", "half")
    assert groups(project)["half"] == ("fine", "quarter") == linked(project, "half")
    particles, notices = to_carry(project, "half", "fine")
    np.testing.assert_allclose(particles.positions, [[4.5, 7, 11.5], [198.5, 16.5, 18.5]])
    assert "1 of 2 positions lie outside fine." in notices
    assert len(project.store.table("fine")) == 0
    with pytest.raises(ProjectError, match="linked already"):
        survey(project, "fine", "half")
