from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("qtpy")

from app.panels.form import Form, meanings
from core.config import LabelConfig, NetworkConfig, PickConfig, PreprocessConfig, TrainConfig
from core.errors import ConfigError

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

KINDS = (LabelConfig, NetworkConfig, PickConfig, PreprocessConfig, TrainConfig)


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_is_explained(kind: type[Any]) -> None:
    assert set(meanings(kind)) == set(kind.__dataclass_fields__)


@pytest.mark.parametrize("kind", KINDS)
def test_an_untouched_form_gives_the_defaults(qtbot: QtBot, kind: type[Any]) -> None:
    form = Form(kind)
    qtbot.addWidget(form)
    assert form.config() == kind()


def test_values_go_in_and_come_out(qtbot: QtBot) -> None:
    form = Form(PickConfig)
    qtbot.addWidget(form)
    form.set_values({"tile": 96, "half_turn": True, "nms": "published", "unknown": 1})
    assert form.config() == PickConfig(tile=96, half_turn=True, nms="published")


def test_values_out_of_range_are_refused_by_the_engine(qtbot: QtBot) -> None:
    form = Form(PickConfig)
    qtbot.addWidget(form)
    form.set_values({"tile": 97})
    with pytest.raises(ConfigError, match="multiple of 8"):
        form.config()


def test_edits_by_hand_are_told_and_those_by_program_are_not(qtbot: QtBot) -> None:
    form = Form(LabelConfig)
    qtbot.addWidget(form)
    with qtbot.assertNotEmitted(form.edited):
        form.set_values({"diameter_fraction": 0.6})
    with qtbot.waitSignal(form.edited):
        form._editors["diameter_fraction"].setValue(0.7)
