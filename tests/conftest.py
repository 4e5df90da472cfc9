"""What all tests share: one thread for each numeric library, fixed seeds for generated examples."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small arrays: threads cost more than they give, and shared machines suffer

from hypothesis import settings

settings.register_profile("house", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("house")
