"""What a training run is doing, read from the lines that it prints; its code is not touched.

Understood are Hugging Face's Trainer, Lightning, Keras, tqdm, and lines such as `step 100
loss=0.34`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from cloudtui.model.words import duration

LOSSES_KEPT = 200
SPARKS = "▁▂▃▄▅▆▇█"


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
    """Seconds to the last of `steps`, as the program says."""
    metrics: Mapping[str, float] = field(default_factory=dict, hash=False)
    """Other numbers by name: `eval_loss`, `accuracy`."""
    losses: tuple[float, ...] = ()
    """The last ones, oldest first; finite ones only."""
    broken: bool = False
    """The loss is not a number any more, or infinite."""

    @property
    def done(self) -> float | None:
        """The part that is done, 0 to 1."""
        if self.step is None or not self.steps:
            return None
        return min(1.0, self.step / self.steps)


def read(text: str, so_far: Training | None = None) -> Training:
    """`so_far` after these lines; a line that a carriage return overwrote counts too."""
    found = so_far or Training()
    for line in _lines(text):
        found = read_line(line, found)
    return found


def read_line(line: str, so_far: Training) -> Training:
    """`so_far` after one line without colours."""
    if len(line) > 4000:
        return so_far
    for reader in (_trainer, _bar, _keras, _epoch_line, _plain):
        after = reader(line, so_far)
        if after is not None:
            return after
    return so_far


def parts(training: Training) -> list[str]:
    """What is known, in words, the most telling first: `loss 0.3248`, `21 %`, `1h 55m left`."""
    t = training
    found: list[str] = []
    if t.loss is not None:
        found.append(f"loss {t.loss:.4g}")
    if t.step is not None:
        of = f" of {t.steps:,}" if t.steps else ""
        percent = f"  {t.done * 100:.0f} %" if t.done is not None else ""
        found.append(f"step {t.step:,}{of}{percent}")
    if t.eta:
        found.append(f"{duration(t.eta)} left")
    if t.epoch is not None:
        found.append(f"epoch {t.epoch:.4g}" + (f" of {t.epochs}" if t.epochs else ""))
    if t.rate:
        found.append(f"{t.rate:.3g} it/s" if t.rate >= 1 else f"{1 / t.rate:.3g} s/it")
    if t.learning_rate is not None:
        found.append(f"lr {t.learning_rate:.3g}")
    return found


def sparkline(values: Iterable[float], width: int) -> str:
    """The last `width` values, each a block between the least and the greatest of them."""
    shown = [v for v in values if math.isfinite(v)][-width:] if width > 0 else []
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    span = high - low
    if not span or not math.isfinite(span):
        return SPARKS[3] * len(shown)
    top = len(SPARKS) - 1
    return "".join(SPARKS[min(top, int((v - low) / span * (top + 1)))] for v in shown)


# Readers: each gives the state after the line, or None when the line is not its own.

_NUMBER = r"[+-]?(?:nan|inf(?:inity)?|(?:\d+(?:,\d{3})*(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)"
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_DICT = re.compile(r"\{[^{}]*'(?:[a-z_]*loss|learning_rate|epoch)'[^{}]*\}", re.IGNORECASE)
_ITEM = re.compile(rf"'([A-Za-z_][\w/.-]*)':\s*'?({_NUMBER})'?(?=\s*[,}}])", re.IGNORECASE)
_PAIR = re.compile(
    rf"(?<![\w.])([A-Za-z][\w/.-]{{0,40}}?)\s*(?:=|:|\s)\s*({_NUMBER})(?![\w.])%?", re.IGNORECASE
)
_TQDM = re.compile(
    r"(?:^|\s|:)(?:\s*\d{1,3}%)?\|[^|]*\|\s*(?P<step>\d+)/(?P<steps>\d+)\s*"
    r"\[(?P<gone>[\d:]+|\?)<(?P<left>[\d:]+|\?)(?P<rest>[^\]]*)"
)
_RATE = re.compile(r"(?P<value>\d+(?:\.\d+)?)\s*(?P<unit>it/s|s/it|steps?/s|batch/s|s/batch)")
_RICH = re.compile(
    r"(?:Epoch\s+(?P<epoch>\d+)(?:/(?P<epochs>\d+))?)?.*?[━╸╺]+\s+(?P<step>\d+)/(?P<steps>\d+)\s+"
    r"(?P<gone>[\d:]+)\s+•\s+(?P<left>[\d:-]+)\s+(?P<rest>.*)"
)
_KERAS = re.compile(
    r"^\s*(?P<step>\d+)/(?P<steps>\d+)\s+(?:[━]+|\[[=>.\s]*\])\s*"
    r"(?:-\s*)?(?:ETA:\s*)?(?P<time>[\d:]+(?:us|ms|s|m|h)?)?(?P<rest>.*)"
)
_PER_STEP = re.compile(r"(?P<value>\d+(?:\.\d+)?)(?P<unit>us|ms|s)/step")
_EPOCH = re.compile(r"\bepoch\s*[:=]?\s*\[?\s*(\d+(?:\.\d+)?)\s*(?:/|of)\s*(\d+)", re.IGNORECASE)
_STEP = re.compile(
    r"\b(?:step|iter(?:ation)?|batch|global_step)s?\s*[:=]?\s*\[?\s*(\d+)(?:\s*(?:/|of)\s*(\d+))?",
    re.IGNORECASE,
)
_LOSS = ("loss", "train_loss", "train/loss", "training_loss", "train_loss_step", "total_loss")
_LR = ("learning_rate", "lr", "train/lr", "lr-adamw", "lr-adam")
_NOT_METRICS = frozenset(
    {"step", "steps", "epoch", "epochs", "iter", "iteration", "batch", "eta", "time", "v_num",
     "it", "global_step", "at", "of", "line", "version", "pid", "gpu", "seed", "size", "rank"}
)  # fmt: skip


def _trainer(line: str, so_far: Training) -> Training | None:
    found = _DICT.search(line)
    if not found:
        return None
    values = {name: _value(text) for name, text in _ITEM.findall(found[0])}
    return _with(so_far, values) if values else None


def _bar(line: str, so_far: Training) -> Training | None:
    found = _TQDM.search(line) or _RICH.search(line)
    if not found:
        return None
    rest = found["rest"]
    told = _counted(so_far, int(found["step"]), int(found["steps"]))
    told = replace(told, eta=_seconds(found["left"]), rate=_rate(rest) or told.rate)
    if epoch := re.search(r"\bEpoch\s+(\d+)(?:/(\d+))?", line[: found.start("step")]):
        told = replace(
            told, epoch=float(epoch[1]), epochs=int(epoch[2]) if epoch[2] else told.epochs
        )
    return _painted(so_far, _with(told, _pairs(_RATE.sub(" ", rest))))


def _keras(line: str, so_far: Training) -> Training | None:
    found = _KERAS.match(line)
    if not found:
        return None
    step, steps = int(found["step"]), int(found["steps"])
    told = _counted(so_far, step, steps)
    rest = found["rest"]
    if each := _PER_STEP.search(line):
        seconds = float(each["value"]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[each["unit"]]
        if seconds:
            told = replace(told, rate=1 / seconds, eta=max(0, steps - step) * seconds)
    pairs = _pairs(_PER_STEP.sub(" ", rest).replace(" - ", " , "))
    return _painted(so_far, _with(told, pairs))


def _epoch_line(line: str, so_far: Training) -> Training | None:
    found = _EPOCH.search(line)
    if not found:
        return None
    told = replace(so_far, epoch=float(found[1]), epochs=int(found[2]))
    rest = line[: found.start()] + " " + line[found.end() :]
    return _plain(rest, told) or told


def _plain(line: str, so_far: Training) -> Training | None:
    values = _pairs(line)
    if not any(_is_loss(name) for name in values):
        return None
    told = so_far
    if step := _STEP.search(line):
        told = _counted(told, int(step[1]), int(step[2]) if step[2] else None)
    return _with(told, values)


def _pairs(text: str) -> dict[str, float]:
    return {name.lower(): _value(number) for name, number in _PAIR.findall(text)}


def _is_loss(name: str) -> bool:
    return name == "loss" or name.endswith(("_loss", "/loss", ".loss"))


def _with(so_far: Training, values: Mapping[str, float]) -> Training:
    low = {name.lower(): value for name, value in values.items()}
    told = so_far
    loss = next((low[name] for name in _LOSS if name in low), None)
    if loss is not None:
        finite = math.isfinite(loss)
        losses = (*so_far.losses, loss)[-LOSSES_KEPT:] if finite else so_far.losses
        told = replace(told, loss=loss, losses=losses, broken=not finite)
    rate = next((low[name] for name in _LR if name in low), None)
    if rate is not None:
        told = replace(told, learning_rate=rate)
    if "epoch" in low and math.isfinite(low["epoch"]):
        told = replace(told, epoch=low["epoch"])
    more = {
        name: value
        for name, value in low.items()
        if name not in (*_LOSS, *_LR) and name not in _NOT_METRICS
    }
    return replace(told, metrics={**told.metrics, **more}) if more else told


def _painted(before: Training, after: Training) -> Training:
    """A bar is painted again and again at the same step: its loss counts once."""
    if (before.step, before.loss) == (after.step, after.loss):
        return replace(after, losses=before.losses)
    return after


def _counted(so_far: Training, step: int, steps: int | None) -> Training:
    return replace(so_far, step=step, steps=steps if steps is not None else so_far.steps)


def _value(text: str) -> float:
    return float(text.replace(",", ""))


def _seconds(clock: str) -> float | None:
    """`1:55:16` and `07` in seconds; None for `?` and `-:--:--`."""
    parts = clock.split(":")
    if not all(part.isascii() and part.isdigit() for part in parts) or len(parts) > 4:
        return None
    total = 0
    for part, size in zip(parts, (86_400, 3_600, 60, 1)[-len(parts) :], strict=True):
        total += int(part) * size
    return float(total)


def _rate(text: str) -> float | None:
    found = _RATE.search(text)
    if not found:
        return None
    value = float(found["value"])
    if found["unit"].startswith("s/"):
        return 1 / value if value else None
    return value


def _lines(text: str) -> list[str]:
    plain = _ESCAPE.sub("", text)
    return [part for part in re.split(r"[\r\n\b]+", plain) if part.strip()]
