"""What a run is doing, read from what real programs print."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.training import LOSSES_KEPT, SPARKS, Training, parts, read, sparkline

TRAINER = (
    "{'loss': 0.3475, 'grad_norm': 2.4, 'learning_rate': 1.5732e-05, 'epoch': 0.6403}\n"
    " 21%|\x1b[36m████████▋\x1b[0m          | 4018/18750 [31:26<1:55:16, \x1b[32m2.13it/s\x1b[0m]"
)


def test_the_trainer_of_hugging_face() -> None:
    found = read(TRAINER)
    assert (found.loss, found.learning_rate, found.epoch) == (0.3475, 1.5732e-05, 0.6403)
    assert (found.step, found.steps, found.rate) == (4018, 18750, 2.13)
    assert found.eta == 6916
    assert found.metrics == {"grad_norm": 2.4}
    assert found.losses == (0.3475,)
    assert found.done == pytest.approx(4018 / 18750)


def test_values_written_as_text_and_evaluations() -> None:
    found = read("{'loss': '0.25', 'epoch': '1.5'}\n{'eval_loss': 0.4, 'eval_f1': 0.9, 'epoch': 2}")
    assert (found.loss, found.epoch) == (0.25, 2.0)
    assert found.metrics == {"eval_loss": 0.4, "eval_f1": 0.9}


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (
            "Epoch 3:  45%|████▌     | 450/1000 [00:30<00:37, 14.8it/s, v_num=0, train_loss=0.345]",
            Training(450, 1000, 3.0, None, 0.345, None, 14.8, 37, {}, (0.345,)),
        ),
        (
            "Epoch 3/9 ━━━━━━╸━━━ 450/1000 0:00:30 • 0:00:37 14.8it/s v_num: 0 train_loss: 0.345",
            Training(450, 1000, 3.0, 9, 0.345, None, 14.8, 37, {}, (0.345,)),
        ),
        (
            "450/1875 ━━━━━━━━━━━━━━━━━━━━ 3s 2ms/step - accuracy: 0.8912 - loss: 0.3450",
            Training(450, 1875, None, None, 0.345, None, 500.0, 2.85, {"accuracy": 0.8912},
                     (0.345,)),
        ),
        (
            "450/1875 [=====>........] - ETA: 3s - loss: 0.345 - accuracy: 0.8912",
            Training(450, 1875, None, None, 0.345, None, None, None, {"accuracy": 0.8912},
                     (0.345,)),
        ),
        ("Epoch 3/10", Training(epoch=3.0, epochs=10)),
        (
            "Epoch [3/10], Step [100/600], Loss: 0.1234",
            Training(100, 600, 3.0, 10, 0.1234, losses=(0.1234,)),
        ),
        ("iter 100: loss 2.3456, time 12.3ms, mfu 3.4%", Training(100, loss=2.3456,
         metrics={"mfu": 3.4}, losses=(2.3456,))),
        ("step=7 loss=.5 lr=1e-5", Training(7, loss=0.5, learning_rate=1e-5, losses=(0.5,))),
        ("100%|██████| 8/8 [00:02<00:00,  3.50s/it]", Training(8, 8, rate=1 / 3.5, eta=0)),
        ("  0%|      | 0/8 [00:00<?, ?it/s]", Training(0, 8)),
    ],
)  # fmt: skip
def test_lines_of_other_programs(line: str, wanted: Training) -> None:
    assert read(line) == wanted


@pytest.mark.parametrize(
    "line",
    [
        "Downloading shards: done", "loss of connection to 10.0.0.7", "", "$ ls -l", "100 files",
        "2026-11-21 09:30:00 INFO loading model", "Epoch", "{'a': 1}", "no loss here: none",
    ],
)  # fmt: skip
def test_lines_that_say_nothing(line: str) -> None:
    assert read(line) == Training()


@pytest.mark.parametrize("text", ["nan", "NaN", "inf", "-inf", "Infinity"])
def test_a_loss_that_is_no_number_any_more(text: str) -> None:
    found = read(f"{{'loss': 0.5, 'epoch': 1}}\n{{'loss': {text}, 'epoch': 1.1}}")
    assert found.broken
    assert found.losses == (0.5,)
    assert not read("loss=0.4", found).broken


def test_a_bar_painted_over_and_over_keeps_its_last_state() -> None:
    bars = "".join(f"\r{n}%|█| {n}/100 [00:0{n}<00:10, 1.0it/s, loss=0.{n}]" for n in range(1, 10))
    found = read(bars)
    assert (found.step, found.loss) == (9, 0.9)
    assert len(found.losses) == 9


def test_a_bar_painted_twice_at_one_step_counts_once() -> None:
    bar = "\r 5%|█| 5/100 [00:05<00:10, 1.0it/s, loss=0.5]"
    assert read(bar * 3).losses == (0.5,)


@given(st.lists(st.floats(0, 10), max_size=300))
def test_the_last_losses_are_kept(losses: list[float]) -> None:
    found = Training()
    for step, loss in enumerate(losses):
        found = read(f"step {step} loss={loss:.17g}", found)
    assert found.losses == tuple(losses)[-LOSSES_KEPT:]


@given(st.text(max_size=300))
def test_any_text_is_survived(text: str) -> None:
    found = read(text)
    assert found.done is None or 0 <= found.done <= 1


@given(st.lists(st.floats(), max_size=60), st.integers(0, 40))
def test_a_sparkline_has_a_block_for_each_of_the_last(values: list[float], width: int) -> None:
    shown = sparkline(values, width)
    finite = [v for v in values if math.isfinite(v)]
    assert len(shown) == min(width, len(finite))
    assert set(shown) <= set(SPARKS)


def test_a_sparkline_goes_from_the_least_to_the_greatest() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8) == SPARKS
    assert sparkline([5, 5], 4) == "▄▄"


def test_what_is_known_in_words() -> None:
    assert parts(read(TRAINER)) == [
        "loss 0.3475", "step 4,018 of 18,750  21 %", "1h 55m left", "epoch 0.6403", "2.13 it/s",
        "lr 1.57e-05",
    ]  # fmt: skip
    assert parts(Training(rate=0.25, step=3)) == ["step 3", "4 s/it"]
    assert parts(Training()) == []
