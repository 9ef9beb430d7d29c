"""One line of a training program's output, read into what is known of the training."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloudtui.model.pace import Pace
from cloudtui.model.training import LOSSES_KEPT, Bar, Training, is_nested

LONGEST = 4000
"""Characters; a longer line is no line of a training."""
MOST = 10**15
"""Steps, epochs and seconds that are believed."""
BARS_KEPT = 4
STEADY_AFTER = 60.0
"""Seconds after which a bar's mean pace says more than the one that it prints."""


def lines_of(text: str) -> list[str]:
    """The lines without colours, those that a carriage return overwrote too."""
    plain = _ESCAPE.sub("", text) if "\x1b" in text else text
    return [part for part in _BREAK.split(plain) if part.strip()]


def read_line(line: str, so_far: Training) -> Training:
    """`so_far` after one line without colours."""
    if len(line) > LONGEST or not _DIGIT.search(line):
        return so_far
    for reader in (_cell, _bar, _keras, _trainer, _epoch_line, _plain, _heading):
        after = reader(line, so_far)
        if after is not None:
            return after
    return so_far


# Readers: each gives the state after the line, or None when the line is not its own.

_DIGIT = re.compile(r"\d|nan|inf", re.IGNORECASE)
_BREAK = re.compile(r"[\r\n\b]+")
_NUMBER = r"[+-]?(?:nan|inf(?:inity)?|(?:\d+(?:,\d{3})*(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)"
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_DICT = re.compile(r"\{[^{}]*'(?:[a-z_]*loss|learning_rate|epoch)'[^{}]*\}", re.IGNORECASE)
_ITEM = re.compile(rf"'([A-Za-z_][\w/.-]*)':\s*'?({_NUMBER})'?(?=\s*[,}}])", re.IGNORECASE)
_PAIR = re.compile(
    rf"(?<![\w.])([A-Za-z][\w/.-]{{0,40}}?)\s*(?:=|:|\s)\s*({_NUMBER})(?![\w.])%?", re.IGNORECASE
)
_CELL = re.compile(r"\[cell (\d{1,6}) of (\d{1,6})\]")
_COUNT = r"\d+(?:\.\d+)?[kMGT]?"
_TQDM = re.compile(
    rf"(?P<label>[^|]*?)(?:(?:^|(?<=[\s:]))\d{{1,3}}%)?\|[^|]*\|\s*"
    rf"(?P<step>{_COUNT})/(?P<steps>{_COUNT})\s*"
    r"\[(?P<gone>[\d:]+|\?)<(?P<left>[\d:]+|\?)(?P<rest>[^\]]*)"
)
_UNBOUND = re.compile(rf"(?:^|[\s:])(?P<step>{_COUNT})it\s+\[(?P<gone>[\d:]+)(?P<rest>,[^\]]*)\]")
_RATE = re.compile(
    r"(?<![\d.])(?P<value>\d{1,20}(?:\.\d{1,20})?)(?P<scale>[kMG]?)\s{0,8}"
    r"(?:(?P<each>[A-Za-z]+)/s(?![\w/])|s/(?P<one>[A-Za-z]+))"
)
_RICH = re.compile(
    r"(?:Epoch\s+(?P<epoch>\d+)(?:/(?P<epochs>\d+))?)?.*?[━╸╺]+\s+(?P<step>\d+)/(?P<steps>\d+)\s+"
    r"(?P<gone>[\d:]+)\s+•\s+(?P<left>[\d:-]+)\s+(?P<rest>.*)"
)
_KERAS = re.compile(
    r"^\s*(?P<step>\d+)/(?P<steps>\d+)\s+(?:[━]+|\[[=>.\s]*\])\s*"
    r"(?:-\s*)?(?:ETA:\s*)?(?P<time>[\d:]+(?:us|ms|s|m|h)?)?(?P<rest>.*)"
)
_KERAS_LINE = re.compile(r"^\s*(?P<step>\d+)/(?P<steps>\d+) - (?P<time>\d+m?s)(?P<rest> - .*)")
_PER_STEP = re.compile(r"(?<![\d.])(?P<value>\d{1,20}(?:\.\d{1,20})?)(?P<unit>us|ms|s)/step")
_EPOCH = re.compile(r"\bepoch\s*[:=]?\s*\[?\s*(\d+(?:\.\d+)?)\s*(?:/|of)\s*(\d+)", re.IGNORECASE)
_EPOCH_STEP = re.compile(
    r"\b(?:epoch|train(?:ing)?):?\s*\[?\s*(?P<epoch>\d+)(?:/(?P<epochs>\d+))?\s*\]?\s*"
    r"\[\s*(?P<step>\d+)\s*/\s*(?P<steps>\d+)",
    re.IGNORECASE,
)
_STEP = re.compile(
    r"\b(?:step|iter(?:ation)?|batch|global_step)s?\s*[:=]?\s*\[?\s*(\d+)(?:\s*(?:/|of)\s*(\d+))?",
    re.IGNORECASE,
)
_ETA = re.compile(
    r"\beta[:=]?\s*(?:(?P<days>\d+) days?, )?(?P<clock>\d+:\d\d(?::\d\d)?)\b", re.IGNORECASE
)
_LABELLED_EPOCH = re.compile(r"\bEpoch[ :=]+(\d+)(?:\s*/\s*(\d+))?", re.IGNORECASE)
_EPOCHS_TOLD = re.compile(r"^\s*Num Epochs\s*=\s*([\d,]+)")
_STEPS_TOLD = re.compile(r"^\s*Total optimization steps\s*=\s*([\d,]+)")
_ASIDE = re.compile(
    r"eval|valid|\bval\b|test|predict|sanity|map|filter|flatten|download|upload|fetch|load|"
    r"generat|tokeni|saving|writ|reading|process|extract|checkpoint|shard|comput|cast|resolv|"
    r"\.(?:json|safetensors|bin|txt|parquet|zip|gz)\b",
    re.IGNORECASE,
)
"""Labels of bars that are not the training itself."""
_LOSS = ("loss", "train_loss", "train/loss", "training_loss", "train_loss_step", "total_loss")
_LR = ("learning_rate", "lr", "train/lr", "lr-adamw", "lr-adam")
_NOT_METRICS = frozenset(
    {*_LOSS, *_LR,
     "step", "steps", "epoch", "epochs", "iter", "iteration", "batch", "eta", "time", "v_num",
     "it", "global_step", "at", "of", "line", "version", "pid", "gpu", "seed", "size", "rank",
     "memory", "max_mem", "data", "data_time", "last_time", "last_data_time"}
)  # fmt: skip


def _trainer(line: str, so_far: Training) -> Training | None:
    found = _DICT.search(line) if "'" in line else None
    if not found:
        return None
    values = {name: _value(text) for name, text in _ITEM.findall(found[0])}
    if "train_runtime" in values and "train_loss" in values and so_far.loss is not None:
        # The summary at the end: the mean of all losses is not the last one.
        mean = values.pop("train_loss")
        so_far = replace(so_far, metrics={**so_far.metrics, "train_loss": mean})
    return _with(so_far, values) if values else None


def _bar(line: str, so_far: Training) -> Training | None:
    if "[" in line and "|" in line and (found := _TQDM.search(line)):
        return _tqdm(line, found, so_far)
    if "•" in line and (found := _RICH.match(line)):
        rest = found["rest"]
        told = _counted(so_far, _int(found["step"]), _int(found["steps"]))
        told = replace(
            told, eta=_seconds(found["left"]), rate=_rate(rest) or told.rate, of_epoch=True
        )
        if found["epoch"]:
            # Lightning counts from 0, and names the last epoch, not how many there are.
            last = found["epochs"]
            told = replace(
                told,
                epoch=_float(found["epoch"]),
                epochs=_int(last) if last else told.epochs,
                from_zero=True,
                names_last=True,
            )
        return _painted(so_far, _with(told, _pairs(_RATE.sub(" ", rest))))
    if "it [" in line and (found := _UNBOUND.search(line)):
        told = replace(so_far, step=_whole(found["step"]), steps=None)
        told = replace(told, rate=_rate(found["rest"]) or told.rate)
        return _painted(so_far, _with(told, _pairs(_RATE.sub(" ", found["rest"]))))
    return None


def _tqdm(line: str, found: re.Match[str], so_far: Training) -> Training | None:
    label, rest = found["label"].strip(" :\t%|"), found["rest"]
    each = _RATE.search(rest)
    if each and (each["each"] or each["one"]) in ("B", "iB", "bytes"):
        return so_far  # a download
    if _ASIDE.search(label) and "train" not in label.lower():
        return so_far
    step, steps = _whole(found["step"]), _whole(found["steps"])
    bar = Bar(_LABELLED_EPOCH.sub("Epoch", label), step, steps, _seconds(found["gone"]) or 0.0)
    bars = _with_bar(so_far, bar)
    changed: dict[str, Any] = {"bars": bars}
    before = so_far.bars[0] if so_far.bars else None
    if before and (bars[0].label, bars[0].steps) != (before.label, before.steps):
        changed |= {"pace": Pace(), "paced_by_bar": False}
    values = _pairs(_RATE.sub(" ", rest))
    if "'" in line and (dict_ := _DICT.search(line)):
        values |= {name.lower(): _value(text) for name, text in _ITEM.findall(dict_[0])}
    nested = is_nested(bars)
    if bars[0] is not bar and not nested:
        # Beside the training's own bar, such as that of an evaluation.
        told = replace(so_far, **changed)
        return _paced(_with(told, {k: v for k, v in values.items() if _is_loss(k)}), bar)
    rate = _rate(rest)
    changed |= {"step": step, "steps": steps, "of_epoch": False}
    if rate:
        changed["rate"] = rate
    if nested and bars[0] is bar:
        changed |= {"step": bars[1].step, "steps": bars[1].steps, "rate": so_far.rate}
    if bars[0] is bar:
        changed["eta"] = _seconds(found["left"])
    epoch = _LABELLED_EPOCH.search(label) if label else None
    if epoch:
        epochs = _int(epoch[2]) if epoch[2] else None
        changed["epoch"] = _float(epoch[1])
        if nested:  # the bar around it says how many there are
            changed["epochs"] = epochs or bars[0].steps
        else:
            changed |= {
                "epochs": epochs or so_far.epochs,
                "of_epoch": True,
                "from_zero": so_far.from_zero or _float(epoch[1]) == 0,
            }
            if not changed["epochs"] and step and bar.gone >= STEADY_AFTER:
                changed["eta"] = bar.gone / step * (steps - step)
    elif nested:
        changed |= {"epoch": float(bars[0].step), "epochs": bars[0].steps}
    return _painted(so_far, _with(_paced(replace(so_far, **changed), bar), values))


def _with_bar(so_far: Training, bar: Bar) -> tuple[Bar, ...]:
    """The bars under way after this one was painted: those in it are over then."""
    around: list[Bar] = []
    for each in so_far.bars:
        if each.label == bar.label and each.steps == bar.steps:
            if each.step <= bar.step and each.gone <= bar.gone + 1:
                return (*around, bar)
            continue  # another of its kind, which is over
        if each.step >= each.steps and (so_far.loss is None or each is not so_far.bars[0]):
            continue  # over, and not the training
        around.append(each)
    place = next((n for n, each in enumerate(around) if each.gone < bar.gone), len(around))
    return (*around[:place], bar, *around[place:])[:BARS_KEPT] if place < BARS_KEPT else (bar,)


def _paced(told: Training, painted: Bar) -> Training:
    """With this moment of the outermost bar's own clock."""
    done = told.done
    if done is None or not told.whole or not told.bars or told.of_epoch:
        return told
    outer = told.bars[0]
    seconds = outer.gone
    pace = told.pace if told.paced_by_bar else Pace()
    if painted is not outer:  # which is painted less often
        seconds += painted.gone
        seconds = max(seconds, pace.moments[-1][0] if pace.moments else 0.0)
    if not pace.moments and done > 0 and outer.gone > 0:
        pace = pace.at(0.0, 0.0)
    return replace(told, pace=pace.at(seconds, done), paced_by_bar=True)


def _keras(line: str, so_far: Training) -> Training | None:
    found = _KERAS.match(line) or _KERAS_LINE.match(line)
    if not found:
        return None
    step, steps = _int(found["step"]), _int(found["steps"])
    told = replace(_counted(so_far, step, steps), of_epoch=True)
    rest = found["rest"]
    if each := _PER_STEP.search(line):
        seconds = _float(each["value"]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[each["unit"]]
        if seconds:
            left = max(0, steps - step) * seconds
            if told.epoch is not None and told.epochs:
                left += max(0.0, told.epochs - told.epoch) * steps * seconds
            told = replace(told, rate=1 / seconds, eta=left)
    pairs = _pairs(_PER_STEP.sub(" ", rest).replace(" - ", " , "))
    return _painted(so_far, _with(told, pairs))


def _epoch_line(line: str, so_far: Training) -> Training | None:
    if "poch" not in line and "rain" not in line and "POCH" not in line:
        return None
    if found := _EPOCH_STEP.search(line):
        told = _counted(so_far, _int(found["step"]), _int(found["steps"]))
        epoch, epochs = _float(found["epoch"]), found["epochs"]
        told = replace(
            told,
            epoch=epoch,
            epochs=_int(epochs) if epochs else told.epochs,
            of_epoch=True,
            from_zero=told.from_zero or epoch == 0,
        )
        return _with_eta(line, _with(told, _pairs(line[: found.start()] + line[found.end() :])))
    found = _EPOCH.search(line)
    if not found:
        return None
    epoch = _float(found[1])
    told = replace(
        so_far,
        epoch=epoch,
        epochs=_int(found[2]),
        of_epoch=True,
        from_zero=so_far.from_zero or epoch == 0,
    )
    if epoch != so_far.epoch and told.step is not None:
        told = replace(told, step=0)  # nothing of the new one was done yet
    rest = line[: found.start()] + " " + line[found.end() :]
    return _plain(rest, told) or told


def _plain(line: str, so_far: Training) -> Training | None:
    values = _pairs(line)
    if not any(_is_loss(name) for name in values):
        return None
    told = so_far
    if step := _STEP.search(line):
        told = _counted(told, _int(step[1]), _int(step[2]) if step[2] else None)
    return _with_eta(line, _with(told, values))


def _cell(line: str, so_far: Training) -> Training | None:
    """A notebook begins its next cell: what counted steps in the one before counts no more."""
    found = _CELL.match(line) if line.startswith("[cell ") else None
    if not found:
        return None
    return Training(
        cell=(int(found[1]), int(found[2])),
        loss=so_far.loss,
        losses=so_far.losses,
        broken=so_far.broken,
        metrics=so_far.metrics,
        every=so_far.every,
        passed=so_far.passed,
    )


def _heading(line: str, so_far: Training) -> Training | None:
    """What the Trainer says before it begins."""
    if found := _EPOCHS_TOLD.search(line):
        return replace(so_far, epochs=_int(found[1].replace(",", "")), of_epoch=False)
    if found := _STEPS_TOLD.search(line):
        return replace(so_far, steps=_int(found[1].replace(",", "")))
    return None


def _with_eta(line: str, told: Training) -> Training:
    found = _ETA.search(line)
    if not found:
        return told
    days = _int(found["days"] or "")
    left = _seconds(found["clock"])
    return told if left is None else replace(told, eta=left + days * 86_400)


def _pairs(text: str) -> dict[str, float]:
    return {name.lower(): _value(number) for name, number in _PAIR.findall(text)}


def _is_loss(name: str) -> bool:
    return name == "loss" or name.endswith(("_loss", "/loss", ".loss"))


def _with(so_far: Training, values: Mapping[str, float]) -> Training:
    if not values:
        return so_far
    low = {name.lower(): value for name, value in values.items()}
    changed: dict[str, Any] = {}
    loss = next((low[name] for name in _LOSS if name in low), None)
    if loss is not None:
        changed |= {"loss": loss, "broken": not math.isfinite(loss)}
        if math.isfinite(loss):
            changed |= _kept(so_far, loss)
    rate = next((low[name] for name in _LR if name in low), None)
    if rate is not None:
        changed["learning_rate"] = rate
    if "epoch" in low and math.isfinite(low["epoch"]):
        changed["epoch"] = low["epoch"]
    more = {name: value for name, value in low.items() if name not in _NOT_METRICS}
    if more:
        changed["metrics"] = {**so_far.metrics, **more}
    return replace(so_far, **changed) if changed else so_far


def _kept(so_far: Training, loss: float) -> dict[str, Any]:
    """The losses with this one, if it is its turn."""
    passed = so_far.passed + 1
    if passed < so_far.every:
        return {"passed": passed}
    losses = (*so_far.losses, loss)
    if len(losses) < LOSSES_KEPT:
        return {"losses": losses, "passed": 0}
    return {"losses": losses[1::2], "passed": 0, "every": so_far.every * 2}


def _painted(before: Training, after: Training) -> Training:
    """A bar is painted again and again at the same step: its loss counts once."""
    if (before.step, before.loss) == (after.step, after.loss):
        return replace(after, losses=before.losses, every=before.every, passed=before.passed)
    return after


def _counted(so_far: Training, step: int, steps: int | None) -> Training:
    return replace(so_far, step=step, steps=steps if steps is not None else so_far.steps)


def _value(text: str) -> float:
    return float(text.replace(",", ""))


_SCALES = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


def _whole(text: str) -> int:
    """`1.20k` as a whole number."""
    scale = _SCALES.get(text[-1], 1.0)
    return int(_float(text.rstrip("kMGT")) * scale + 0.5) if scale > 1 else int(_float(text))


def _int(digits: str) -> int:
    """No larger than `MOST`; 0 of nothing."""
    return int(digits) if 0 < len(digits) < len(str(MOST)) else MOST if digits else 0


def _float(text: str) -> float:
    """No larger than `MOST`."""
    return min(float(text), float(MOST))


def _seconds(clock: str) -> float | None:
    """`1:55:16` and `07` in seconds; None for `?` and `-:--:--`."""
    parts = clock.split(":")
    if not all(part.isascii() and part.isdigit() for part in parts) or len(parts) > 4:
        return None
    total = 0
    for part, size in zip(parts, (86_400, 3_600, 60, 1)[-len(parts) :], strict=True):
        total += _int(part) * size
    return float(total)


def _rate(text: str) -> float | None:
    found = _RATE.search(text)
    if not found:
        return None
    value = _float(found["value"]) * _SCALES.get(found["scale"], 1.0)
    if found["one"]:
        return 1 / value if value else None
    return value
