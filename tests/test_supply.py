"""Crops that are made ahead."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
import torch

from core.errors import PickerError
from core.supply import Supply

CPU = torch.device("cpu")
SOON = 10


class Drawer:
    """Draws words for crops, and notes which steps it was asked for and by whom."""

    train = SimpleNamespace(batch=1)

    def __init__(self, broken=()):
        self.made = {step: threading.Event() for step in range(6)}
        self.threads, self.broken, self.free = [], broken, threading.Event()
        self.free.set()

    def batch(self, step, rows):
        self.free.wait(SOON)
        self.threads.append(threading.current_thread())
        self.made[step].set()
        if step in self.broken:
            raise PickerError("The disk is gone.")
        return [f"{step}/{row}" for row in rows]


def test_the_next_step_is_made_before_it_is_asked_for():
    drawer = Drawer()
    with Supply(drawer, CPU) as supply:
        assert supply.crops(0, range(2, 4)) == ["0/2", "0/3"]
        assert drawer.made[1].wait(SOON)
        assert supply.crops(1, range(2, 4)) == ["1/2", "1/3"]
        assert supply.crops(2) == ["2/0"]
        assert supply.crops(4) == ["4/0"]  # a jump costs what was made in vain
    assert threading.current_thread() not in drawer.threads
    assert not any(thread.is_alive() for thread in drawer.threads)


def test_without_looking_ahead_only_what_is_asked_for_is_made():
    drawer = Drawer()
    with Supply(drawer, CPU, ahead=False) as supply:
        assert supply.crops(0) == ["0/0"]
    assert [step for step, made in drawer.made.items() if made.is_set()] == [0]


def test_only_waiting_counts():
    drawer = Drawer()
    with Supply(drawer, CPU) as supply:
        supply.crops(0)
        drawer.made[1].wait(SOON)
        before = supply.waited
        supply.crops(1)
        assert supply.waited - before < 0.05
        drawer.made[2].wait(SOON)
        drawer.free.clear()
        threading.Timer(0.1, drawer.free.set).start()
        before = supply.waited
        supply.crops(5)  # the third is in its way as well
        assert supply.waited - before > 0.05


def test_what_goes_wrong_meanwhile_is_told_when_its_step_comes():
    with Supply(Drawer(broken=[1]), CPU) as supply:
        supply.crops(0)
        with pytest.raises(PickerError, match="The disk is gone"):
            supply.crops(1)
