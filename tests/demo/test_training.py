from __future__ import annotations

import ast
import re
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from cloudtui.demo import training


def test_losses_fall_and_look_like_the_trainers() -> None:
    steps = 3 * training.STEPS_PER_EPOCH
    logged = list(training.losses(steps))
    assert list(logged[0]) == ["loss", "grad_norm", "learning_rate", "epoch"]
    assert ast.literal_eval(str(logged[5])) == logged[5]
    early = sum(line["loss"] for line in logged[:100])
    late = sum(line["loss"] for line in logged[-100:])
    assert late < 0.6 * early
    assert logged[-1]["epoch"] == 3.0
    rates = [line["learning_rate"] for line in islice(logged, 50)]
    assert rates == sorted(rates, reverse=True)


@given(st.integers(1, 20_000), st.floats(0, 10_000))
def test_the_bar_keeps_its_width(step: int, seconds: float) -> None:
    drawn = training.bar(step, 20_000, 0, seconds)
    found = re.fullmatch(r" *\d+%\|(.{24})\| \d+/20000 \[[\d:]+<[\d:]+, +[\d.]+it/s\]", drawn)
    assert found, drawn
