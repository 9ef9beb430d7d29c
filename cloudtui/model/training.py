"""What a training run is doing, read from the lines that it prints; its code is not touched.

Understood are Hugging Face's Trainer, Lightning, Keras, tqdm in any nesting, and lines such as
`step 100 loss=0.34`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from cloudtui.model.pace import Pace
from cloudtui.model.words import duration

LOSSES_KEPT = 200
SPARKS = "▁▂▃▄▅▆▇█"
INNER = ("epoch", "batch", "step", "train")
"""In the label of a bar that is drawn inside another one."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A progress bar on the screen."""

    label: str
    step: int
    steps: int
    gone: float
    """Seconds since it began, as it says."""

    @property
    def done(self) -> float:
        return min(1.0, self.step / self.steps) if self.steps else 0.0


@dataclass(frozen=True, slots=True)
class Training:
    """What is known so far; what was never printed is None."""

    step: int | None = None
    steps: int | None = None
    """All of them, of the run or, with Keras and Lightning, of the epoch."""
    epoch: float | None = None
    epochs: int | None = None
    loss: float | None = None
    learning_rate: float | None = None
    rate: float | None = None
    """Steps a second."""
    eta: float | None = None
    """Seconds to the end of the run as far as that can be told, else of the epoch: from how far
    it was when, before that is known as the program says."""
    metrics: Mapping[str, float] = field(default_factory=dict, hash=False)
    """Other numbers by name: `eval_loss`, `accuracy`."""
    losses: tuple[float, ...] = ()
    """Those read so far, oldest first; finite ones only, and one in `every`."""
    broken: bool = False
    """The loss is not a number any more, or infinite."""
    cell: tuple[int, int] | None = None
    """The cell of a notebook that is executed, and how many there are."""
    every: int = field(default=1, compare=False, repr=False)
    """It doubles where `losses` would be too many, so that they reach back to the first look."""
    passed: int = field(default=0, compare=False, repr=False)
    """Losses since the last of `losses`."""
    of_epoch: bool = field(default=False, compare=False)
    """`steps` are those of an epoch."""
    from_zero: bool = field(default=False, compare=False)
    """The first epoch is 0."""
    names_last: bool = field(default=False, compare=False)
    """`epochs` is the number of the last one, which began with 0."""
    bars: tuple[Bar, ...] = field(default=(), compare=False, repr=False)
    """Those that are under way, the one that began first being the outermost."""
    pace: Pace = field(default_factory=Pace, compare=False, repr=False)
    paced_by_bar: bool = field(default=False, compare=False, repr=False)
    """The seconds of `pace` are the outermost bar's own."""
    moved: float | None = field(default=None, compare=False, repr=False)
    """When the last moment of `pace` was written."""

    @property
    def nested(self) -> bool:
        return is_nested(self.bars)

    @property
    def done(self) -> float | None:
        """The part of the run that is done, 0 to 1."""
        if self.nested:
            outer, inner = self.bars[0], self.bars[1]
            return min(1.0, (outer.step + inner.done) / outer.steps) if outer.steps else None
        part = min(1.0, self.step / self.steps) if self.step is not None and self.steps else None
        if self.epoch is not None and self.epochs and (self.of_epoch or part is None):
            first = 0 if self.from_zero or not self.of_epoch else 1
            epochs = max(self.epochs + self.names_last, 1)
            return max(0.0, min(1.0, (self.epoch - first + (part or 0.0)) / epochs))
        return part

    @property
    def whole(self) -> bool:
        """Whether `done` and `eta` are of the run, and not of one of an unknown count of epochs."""
        return not self.of_epoch or bool(self.epochs) or self.nested


def is_nested(bars: tuple[Bar, ...]) -> bool:
    """Whether what the outermost bar counts is gone through by the bar in it. That of an
    evaluation takes longer than one step of the training."""
    if len(bars) < 2:
        return False
    outer, inner = bars[0], bars[1]
    if "epoch" in outer.label.lower() or any(word in inner.label.lower() for word in INNER):
        return True
    if not outer.step or not inner.done:
        return not outer.step
    return outer.gone / outer.step > 0.8 * (inner.gone + 1) / inner.done


def read(
    text: str,
    so_far: Training | None = None,
    *,
    when: float | None = None,
    started: float | None = None,
    now: float | None = None,
) -> Training:
    """`so_far` after these lines; a line that a carriage return overwrote counts too.

    `when` the last of them was written, when the run `started`, and when it is `now`, in seconds
    of one clock, tell the end also where the program says no times.
    """
    from cloudtui.model.training_lines import lines_of, read_line

    found = so_far or Training()
    for line in lines_of(text):
        found = read_line(line, found)
    return _estimated(found, so_far, when, started, now)


def grown(
    tail: str,
    size: int,
    so_far: Training,
    size_then: int,
    *,
    when: float | None = None,
    started: float | None = None,
    now: float | None = None,
) -> Training:
    """`so_far` after a log of `size_then` bytes grew to `size`, of which `tail` is the end.

    So a loss is not counted twice, and what has left the tail is not forgotten.
    """
    new = size - size_then
    if size_then <= 0 or new < 0:
        return read(tail, when=when, started=started, now=now)
    data = tail.encode(errors="replace")
    if new < len(data):
        tail = data[len(data) - new :].decode(errors="ignore") if new else ""
    return read(tail, so_far, when=when, started=started, now=now)


def _estimated(
    found: Training,
    before: Training | None,
    when: float | None,
    started: float | None,
    now: float | None,
) -> Training:
    done = found.done
    if done is None or not found.whole:
        return found
    pace, moved = found.pace, found.moved
    if when is not None and not found.paced_by_bar:
        if not pace.moments and started is not None and started < when:
            pace = pace.at(started, 0.0)
        pace = pace.at(when, done)
    if before is None or pace != before.pace:
        moved = when
    idle = max(0.0, now - moved) if now is not None and moved is not None else 0.0
    left = pace.left(idle)
    if left is None and (found.eta is None or found.of_epoch or found.nested):
        left = pace.mean_left
    eta = found.eta if left is None else left
    return replace(found, pace=pace, moved=moved, eta=eta)


def parts(training: Training) -> list[str]:
    """What is known, in words, the most telling first: `loss 0.3248`, `21 %`, `1h 55m left`."""
    t = training
    found: list[str] = []
    if t.cell:
        found.append(f"cell {t.cell[0]:,} of {t.cell[1]:,}")
    if t.loss is not None:
        found.append(f"loss {t.loss:.4g}")
    if t.step is not None:
        of = f" of {t.steps:,}" if t.steps else ""
        percent = f"  {t.done * 100:.0f} %" if t.done is not None else ""
        found.append(f"step {t.step:,}{of}{percent}")
    if t.eta:
        found.append(f"{duration(t.eta)} left" + ("" if t.whole else " of the epoch"))
    if t.epoch is not None:
        found.append(f"epoch {t.epoch:.4g}" + (f" of {t.epochs}" if t.epochs else ""))
    if t.rate:
        found.append(f"{t.rate:.3g} it/s" if t.rate >= 1 else f"{1 / t.rate:.3g} s/it")
    if t.learning_rate is not None:
        found.append(f"lr {t.learning_rate:.3g}")
    return found


def sparkline(values: Iterable[float], width: int) -> str:
    """All values in `width` blocks at most, each the mean of its share of them, from the least
    to the greatest of these means."""
    finite = [v for v in values if math.isfinite(v)]
    count = min(width, len(finite))
    if count <= 0:
        return ""
    cuts = [place * len(finite) // count for place in range(count + 1)]
    shown = [_mean(finite[start:end]) for start, end in pairwise(cuts)]
    low, high = min(shown), max(shown)
    span = high - low
    if not span or not math.isfinite(span):
        return SPARKS[3] * len(shown)
    top = len(SPARKS) - 1
    return "".join(SPARKS[min(top, int((v - low) / span * (top + 1)))] for v in shown)


def _mean(values: Sequence[float]) -> float:
    """Their sum may be more than a float holds."""
    return sum(v / len(values) for v in values)
