"""What a run is doing, read from what real programs print."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudtui.model.pace import MOST, Pace
from cloudtui.model.training import LOSSES_KEPT, SPARKS, Training, grown, parts, read, sparkline

TRAINER = (
    "{'loss': 0.3475, 'grad_norm': 2.4, 'learning_rate': 1.5732e-05, 'epoch': 0.6403}\n"
    " 21%|\x1b[36m████████▋\x1b[0m          | 4018/18750 [31:26<1:55:16, \x1b[32m2.13it/s\x1b[0m]"
)


def test_the_mean_loss_that_the_trainer_tells_at_its_end_is_not_the_last_one() -> None:
    summary = "{'train_runtime': 60.5, 'train_loss': 0.9, 'epoch': 3.0}"
    found = read(f"{TRAINER}\n{summary}")
    assert (found.loss, found.losses, found.epoch) == (0.3475, (0.3475,), 3.0)
    assert found.metrics["train_loss"] == 0.9
    assert read(f"{{'loss': nan, 'epoch': 2.9}}\n{summary}").broken
    assert read(summary).loss == 0.9, "no other was told"


def test_a_notebook_tells_its_cells_and_steps_of_one_are_not_those_of_the_next() -> None:
    found = read(f"[cell 1 of 3] import torch\n[cell 2 of 3] train()\n{TRAINER}")
    assert (found.cell, found.step, found.loss) == ((2, 3), 4018, 0.3475)
    assert parts(found)[0] == "cell 2 of 3"
    after = read("[cell 3 of 3] save()", found)
    assert (after.cell, after.step, after.eta, after.losses) == ((3, 3), None, None, (0.3475,))
    assert read("[3 cells done; outputs are in a.ipynb]", after) == after


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


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 400), max_size=3), st.integers(0, 10))
def test_the_losses_kept_are_those_of_the_whole_run(looks: list[int], seed: int) -> None:
    losses, found = [round((seed + n * 7 % 11) / 3 + n, 6) for n in range(sum(looks))], Training()
    said = [f"step {step} loss={loss}\n" for step, loss in enumerate(losses)]
    for number, look in enumerate(looks):
        start = sum(looks[:number])
        found = read("".join(said[start : start + look]), found)
    assert len(found.losses) < LOSSES_KEPT
    assert found.losses == tuple(losses[found.every - 1 :: found.every])
    assert found.every == 1 or len(found.losses) >= LOSSES_KEPT // 2


@given(st.text(max_size=300))
def test_any_text_is_survived(text: str) -> None:
    found = read(text)
    assert found.done is None or 0 <= found.done <= 1


@given(st.lists(st.floats(), max_size=60), st.integers(0, 40))
def test_a_sparkline_has_a_block_for_each_as_far_as_it_is_wide(
    values: list[float], width: int
) -> None:
    shown = sparkline(values, width)
    finite = [v for v in values if math.isfinite(v)]
    assert len(shown) == min(width, len(finite))
    assert set(shown) <= set(SPARKS)


def test_a_sparkline_goes_from_the_least_to_the_greatest() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8) == SPARKS
    assert sparkline([5, 5], 4) == "▄▄"
    assert sparkline([9, 7, 5, 3, 1, 1.2, 0.8, 1], 4) == "█▄▁▁"


def test_what_is_known_in_words() -> None:
    assert parts(read(TRAINER)) == [
        "loss 0.3475", "step 4,018 of 18,750  21 %", "1h 55m left", "epoch 0.6403", "2.13 it/s",
        "lr 1.57e-05",
    ]  # fmt: skip
    assert parts(Training(rate=0.25, step=3)) == ["step 3", "4 s/it"]
    assert parts(Training()) == []


RECORDINGS = sorted((Path(__file__).parent.parent / "recordings/training").glob("*.log"))
TOLD = [path for path in RECORDINGS if path.stem != "lightning-tqdm"]
"""Those that say how long the whole run is."""


@dataclass
class Recorded:
    """A run that was recorded with its times: what was printed when, and its true end."""

    rows: list[tuple[float, str]]

    @staticmethod
    def of(path: Path) -> Recorded:
        return Recorded(
            [(at, text) for at, text in map(json.loads, path.read_text("utf-8").splitlines())]
        )

    @property
    def end(self) -> float:
        return self.rows[-1][0]

    def between(self, begin: float, end: float) -> tuple[str, float]:
        """What was printed then, and when the last of it was."""
        found = [(at, text) for at, text in self.rows if begin < at <= end]
        last = max((at for at, _ in self.rows if at <= end), default=0.0)
        return "".join(text for _, text in found), last


@pytest.mark.parametrize("path", TOLD, ids=lambda p: p.stem)
def test_the_end_is_told_within_a_twentieth_from_a_third_of_the_run_on(path: Path) -> None:
    """Looked at every 5 s, as the console does. Before its first evaluation a run hides what
    the others will take."""
    run, found, seen, wrong = Recorded.of(path), Training(), -1.0, 0.0
    while seen < 0.9 * run.end:
        text, last = run.between(seen, seen := seen + 5)
        found = read(text, found, when=last, started=0.0, now=seen)
        if seen > 0.3 * run.end:
            assert found.eta is not None
            wrong = max(wrong, abs(seen + found.eta - run.end) / run.end)
    assert wrong <= 0.05
    assert len(found.losses) > 5 or path.stem == "accelerate"  # which prints none


@pytest.mark.parametrize("path", TOLD, ids=lambda p: p.stem)
@pytest.mark.parametrize("part", [0.4, 0.6, 0.8])
def test_the_end_of_a_log_alone_tells_about_when(path: Path, part: float) -> None:
    run = Recorded.of(path)
    now = part * run.end
    text, last = run.between(-1, now)
    tail = text.encode()[-4000:].decode(errors="ignore")
    found = read(tail, when=last, started=0.0, now=now)
    if found.done is not None and found.whole:
        assert found.eta is not None
        assert abs(now + found.eta - run.end) / run.end <= 0.12


def test_a_clock_of_whole_seconds_is_enough() -> None:
    def bar(step: int) -> str:
        gone, left = step // 4, (400 - step) // 4
        clock = f"{gone // 60:02d}:{gone % 60:02d}<{left // 60:02d}:{left % 60:02d}"
        return f"\r{step // 4}%|█| {step}/400 [{clock},  4.00it/s]"

    found = read("".join(bar(step) for step in range(60, 116)))
    assert found.eta == pytest.approx(71, abs=4)


def test_an_epoch_of_an_unknown_count_ends_when_it_ends() -> None:
    run = Recorded.of(next(p for p in RECORDINGS if p.stem == "lightning-tqdm"))
    text, last = run.between(-1, 160)
    found = read(text, when=last, started=0.0, now=160)
    assert (found.epoch, found.whole) == (0.0, False)
    ends = next(at for at, line in run.rows if "Epoch 0: 100%" in line)
    assert found.eta == pytest.approx(ends - 160, abs=25)
    assert any(words.endswith(" left of the epoch") for words in parts(found))


def test_an_evaluation_and_a_download_do_not_hide_the_training() -> None:
    bar = "\r 34%|█| 1250/3750 [11:31<23:02,  1.81it/s]"
    found = read(bar)
    for line in (
        "\r 18%|█| 12/66 [00:08<00:40,  1.35it/s]\x1b[A\n",
        "\rmodel.safetensors:  45%|█| 198M/440M [00:11<00:13, 17.9MB/s]",
        "\rMap:  45%|█| 45000/100000 [00:11<00:13, 4179.11 examples/s]",
    ):
        found = read(line, found)
        assert (found.step, found.steps) == (1250, 3750)
    assert read(bar.replace("1250", "1251"), found).step == 1251


def test_epochs_around_batches_are_one_run() -> None:
    found = read(
        "Epochs:  30%|█| 3/10 [05:00<11:40, 100.00s/it]\n"
        "Epoch 4:  50%|█| 120/240 [00:50<00:50,  2.40it/s, loss=0.3]\x1b[A"
    )
    assert (found.step, found.steps, found.epochs) == (120, 240, 10)
    assert found.done == pytest.approx(0.35)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("  4%|▎| 1.20M/12.0M [00:30<04:30, 40.0ktok/s, loss=1.5]", (1_200_000, 40_000.0, 1.5)),
        ("Epoch: [2][  50/5005]\tTime 0.5 (0.6)\tLoss 6.9e+00 (7.0e+00)", (50, None, 6.9)),
        ("Train: 3 [  50/1251 (  4%)]  Loss: 6.95 (6.93)", (50, None, 6.95)),
        ("938/938 - 5s - 5ms/step - accuracy: 0.91 - loss: 0.31", (938, 200.0, 0.31)),
        ("450it [00:30, 15.00it/s, loss=0.5]", (450, 15.0, 0.5)),
        ("eta: 3:20:10  iter: 19  total_loss: 1.2  lr: 0.02", (19, None, 1.2)),
    ],
)
def test_more_ways_to_say_it(line: str, wanted: tuple[int, float | None, float]) -> None:
    found = read(line)
    assert (found.step, found.rate, found.loss) == wanted


def test_a_grown_log_is_read_on_where_it_was_left() -> None:
    lines = [f"step {n} loss={n / 1000}\n" for n in range(1, 200)]
    text = "".join(lines)
    found, size = Training(), 0
    for end in (200, 900, 901, 1500, 3000, len(text)):
        found = grown(text[:end][-1000:], end, found, size)
        size = end
    assert found.losses[-1] == read(text).losses[-1]
    assert len(set(found.losses)) >= len(found.losses) - 6  # lines that the cuts went through
    assert found.step == 199
    assert grown(text[:500], 500, found, size).step == read(text[:500]).step


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1)), max_size=300))
def test_any_moments_give_a_sane_end(moments: list[tuple[float, float]]) -> None:
    pace = Pace()
    for when, done in moments:
        pace = pace.at(when, done)
    assert len(pace.moments) <= MOST + 1
    left = pace.left(3.0)
    assert left is None or left >= 0
