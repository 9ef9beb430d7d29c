"""What was last seen of the runs of each machine: a file a machine, for its owner alone.

Secrets are left out: values of environment variables, what looks like a token or a password.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cloudtui.files import paths
from cloudtui.files.atomic import write_atomically
from cloudtui.files.lock import alone
from cloudtui.model.job import Holder, Job, JobState
from cloudtui.model.last_seen import SeenRuns
from cloudtui.model.then import StepState, ThenStep
from cloudtui.model.training import Bar, Training
from cloudtui.model.without_secrets import command_without_secrets, without_secrets

LARGEST = 4 << 20
RUNS_KEPT = 200
LOSSES_KEPT = 32
LETTERS_KEPT = 500
"""Of a line, or a word of a command."""
LAST_MOMENT = 32_503_680_000
"""The year 3000: what lies behind cannot be told in every time zone."""
_ID = re.compile(r"[\w-]{1,64}")
Stamps = dict[str, int]
"""When each file was changed, by instance id, in nanoseconds."""


def folder() -> Path:
    """Where they are kept."""
    return paths.state_dir() / "runs"


def stamps() -> Stamps:
    """Of all that is kept; empty when there is nothing that can be read."""
    found: Stamps = {}
    with contextlib.suppress(OSError):
        for path in folder().glob("*.json"):
            with contextlib.suppress(OSError):
                found[path.stem] = path.stat().st_mtime_ns
    return found


def load(instance_id: str) -> SeenRuns | None:
    """What was last seen there; None when there is nothing, or nothing that can be read."""
    path = _file(instance_id)
    try:
        if path is None or path.stat().st_size > LARGEST:
            return None
        raw = json.loads(path.read_text("utf-8"))
        return SeenRuns(
            instance_id,
            _shown(raw["name"]),
            _shown(raw["region"]),
            _shown(raw["profile"]),
            _shown(raw["account"]),
            _time(raw["seen"]),
            tuple(job for each in raw["runs"] if (job := _job(instance_id, each))),
            _moment(raw.get("gone")),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return None


def change(instance_id: str, changed: Callable[[SeenRuns | None], SeenRuns | None]) -> None:
    """Replace what is kept of one machine, one program after the other; None and what has no run
    is kept no more.

    Raises:
        OSError: it cannot be kept.
    """
    path = _file(instance_id)
    if path is None:
        return
    with alone(folder() / ".lock"):
        before = load(instance_id)
        after = changed(before)
        if after is None or not after.runs:
            path.unlink(missing_ok=True)
        elif after != before:
            write_atomically(path, json.dumps(_host(after)).encode())


def _file(instance_id: str) -> Path | None:
    return folder() / f"{instance_id}.json" if _ID.fullmatch(instance_id) else None


def _host(seen: SeenRuns) -> dict[str, object]:
    return {
        "name": seen.name,
        "region": seen.region,
        "profile": seen.profile,
        "account": seen.account,
        "seen": seen.seen.timestamp(),
        "gone": seen.gone.timestamp() if seen.gone else None,
        "runs": [_kept(job) for job in seen.runs[:RUNS_KEPT]],
    }


_TIMES = ("queued", "started", "ended", "last_output", "missing")
_COUNTS = ("step", "steps", "epoch", "epochs", "loss", "learning_rate", "rate", "eta")
_FLAGS = ("broken", "of_epoch", "from_zero", "names_last")


def _kept(job: Job) -> dict[str, object]:
    seen = job.training
    return {
        "id": job.id,
        "command": [word[:LETTERS_KEPT] for word in command_without_secrets(job.command)[:100]],
        "cwd": job.cwd[:LETTERS_KEPT],
        "holder": job.holder.value,
        "state": job.state.value,
        "exit_status": job.exit_status,
        "signal": job.signal,
        "why": job.why,
        "asked": job.asked,
        **{name: _seconds(getattr(job, name)) for name in _TIMES},
        "last_lines": [_line(text) for text in job.last_lines or (job.last_line,) if text],
        "log_bytes": job.log_bytes,
        "gpus": job.gpus,
        "after": job.after,
        "then": [
            {
                "text": command_without_secrets([step.text])[0],
                "state": step.state.value,
                "result": _line(step.result),
                "number": step.number,
            }
            for step in job.then
        ],
        "training": {
            **{name: getattr(seen, name) for name in (*_COUNTS, *_FLAGS)},
            "losses": seen.losses[-LOSSES_KEPT:],
            "bars": [(bar.label, bar.step, bar.steps, bar.gone) for bar in seen.bars],
            "cell": seen.cell,
        },
    }


def _line(text: str) -> str:
    # What is hidden may begin before the cut and end after it.
    return without_secrets(text[: 8 * LETTERS_KEPT])[:LETTERS_KEPT]


def _job(instance_id: str, raw: Mapping[str, Any]) -> Job | None:
    """None for what is none."""
    try:
        lines = tuple(_shown(line) for line in raw["last_lines"])
        return Job(
            _shown(raw["id"]),
            instance_id,
            tuple(map(_shown, raw["command"])),
            _shown(raw["cwd"]),
            Holder(raw["holder"]),
            "",
            JobState(raw["state"]),
            exit_status=None if raw["exit_status"] is None else int(raw["exit_status"]),
            signal=_shown(raw["signal"]),
            why=_shown(raw["why"]),
            asked=int(raw["asked"]),
            last_line=lines[-1] if lines else "",
            last_lines=lines,
            log_bytes=int(raw["log_bytes"]),
            gpus=tuple(map(int, raw["gpus"])),
            after=tuple(map(_shown, raw["after"])),
            then=tuple(
                ThenStep(
                    _shown(step["text"]),
                    StepState(step["state"]),
                    _shown(step["result"]),
                    int(step["number"]),
                )
                for step in raw["then"]
            ),
            training=_training(raw["training"]),
            queued=_moment(raw["queued"]),
            started=_moment(raw["started"]),
            ended=_moment(raw["ended"]),
            last_output=_moment(raw["last_output"]),
            missing=_moment(raw["missing"]),
        )
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError):
        return None


def _training(raw: Mapping[str, Any]) -> Training:
    whole = ("step", "steps", "epochs")
    counts = {
        name: None if raw[name] is None else int(raw[name]) if name in whole else float(raw[name])
        for name in _COUNTS
    }
    cell = raw.get("cell")
    return Training(
        **counts,  # type: ignore[arg-type]
        **{name: bool(raw[name]) for name in _FLAGS},  # type: ignore[arg-type]
        cell=(int(cell[0]), int(cell[1])) if cell else None,
        losses=tuple(map(float, raw["losses"])),
        bars=tuple(
            Bar(_shown(label), int(step), int(steps), float(gone))
            for label, step, steps, gone in raw["bars"]
        ),
    )


def _shown(text: object) -> str:
    if not isinstance(text, str):
        raise TypeError
    return text


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else _time(seconds)


def _time(seconds: float) -> datetime:
    if not 0 <= seconds < LAST_MOMENT:
        raise ValueError
    return datetime.fromtimestamp(seconds, UTC)
