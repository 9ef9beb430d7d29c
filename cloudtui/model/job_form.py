"""A new run as it is typed into a form: field by field, with what is wrong beside each."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from cloudtui.model import then
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.job import Holder, JobSpec, check_job_name, name_of
from cloudtui.model.upload import sync_places
from cloudtui.model.words import listed, plural

FIELDS: Mapping[str, tuple[str, str]] = {
    "command": ("command", "python train.py --epochs 3"),
    "name": ("name", ""),
    "cwd": ("folder", "where it runs: the one uploaded to, or the home folder"),
    "sync": ("upload", "from this folder what changed: .:~/bert"),
    "env": ("env", "SEED=1 HF_TOKEN   a name alone: with its value here"),
    "gpus": ("GPUs", "how many it needs for itself; waits until they are free"),
    "after": ("after", "runs that it waits for"),
    "then": ("then", "copy:out:results s3:s3://bucket/bert 'run:./eval.sh' stop"),
}
"""The fields in their order: what they are called, and what can be typed."""
SECRET = ("env",)
"""Fields that are not remembered."""
OVERWRITE, ANY, QUEUE = "overwrite", "after_any", "queue"
TICKS: Mapping[str, str] = {
    OVERWRITE: "overwrite",
    ANY: "however they end",
    QUEUE: "queue: wait until the runs before it have ended",
}
"""What is ticked or not."""
BESIDE: Mapping[str, str] = {"sync": OVERWRITE, "after": ANY}
"""The fields that a tick belongs to, which means nothing while they are empty."""
HOLDER = "holder"
HOLDERS: Mapping[str, str] = {"": "any", **{holder.value: holder.value for holder in Holder}}
"""Where its terminal is shown; for any in tmux, else in screen, else nowhere."""

_SHELL = re.compile(r"[|&;<>()$`*?~{}\[\]#!\n]|^\s*\w+=")
"""What a shell has to look at."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_MOST_GPUS = 64


@dataclass(frozen=True, slots=True)
class Form:
    """What was typed, understood."""

    spec: JobSpec
    sync: tuple[Path, str] | None = None
    """A folder of this computer, and the one that it goes to."""
    overwrite: bool = False
    """What was changed there since is sent too."""

    def words(self, host: str) -> str:
        """What starting does, in sentences."""
        spec = self.spec
        told = []
        if self.sync:
            here, there = self.sync
            over = ", also over what was changed there" if self.overwrite else ""
            told.append(f"Sends what changed in {here} to {there}{over}.")
        where = f" in {spec.cwd}" if spec.cwd else " in the home folder"
        gpus = f" on {plural(spec.gpus, 'GPU')} of its own" if spec.gpus else ""
        told.append(f"Starts {spec.name} on {host}{where}{gpus}; it goes on without this computer.")
        if spec.after:
            ends = ", however they end" if spec.after_any else ""
            told.append(f"It waits for {listed(spec.after)}{ends}.")
        if spec.queue:
            told.append("It waits for the runs that are queued before it.")
        if spec.holder is not None:
            shown = "no session" if spec.holder is Holder.NONE else spec.holder
            told.append(f"Its terminal is shown in {shown}.")
        if spec.then:
            told.append(f"Then: {listed(spec.then)}.")
        return " ".join(told)


def command_of(text: str) -> tuple[str, ...]:
    """The argument list; a line that a shell has to look at is given to one.

    Raises:
        ValueError: a quote is not closed.
    """
    words = shlex.split(text)
    return ("sh", "-c", text.strip()) if _SHELL.search(text) else tuple(words)


def words_of(command: tuple[str, ...]) -> tuple[str, ...]:
    """The words that a name can be made of."""
    if command[:2] != ("sh", "-c") or len(command) != 3:
        return command
    try:
        words = shlex.split(command[2])
    except ValueError:
        return command
    if words[:1] == ["cd"] and "&&" in words:
        words = words[words.index("&&") + 1 :]
    return tuple(words)


def read_form(
    values: Mapping[str, str],
    *,
    ticks: Collection[str] = (),
    holder: str = "",
    runs: Collection[str] = (),
    environ: Mapping[str, str] = {},
) -> tuple[Form | None, dict[str, str]]:
    """The form, or None and what is wrong by field. `ticks` are those of `TICKS` that are set,
    `holder` one of `HOLDERS`, `runs` the ids that `after` may name; none when they are not known.
    `environ` is the environment here."""
    typed = {name: values.get(name, "").strip() for name in FIELDS}
    wrong: dict[str, str] = {}

    def words(field: str) -> tuple[str, ...]:
        try:
            return tuple(shlex.split(typed[field].replace(",", " ") if field == "after"
                                     else typed[field]))  # fmt: skip
        except ValueError:
            wrong[field] = "A quote is not closed."
            return ()

    command: tuple[str, ...] = ()
    try:
        command = command_of(typed["command"])
    except ValueError:
        wrong["command"] = "A quote is not closed."
    if not command and "command" not in wrong:
        wrong["command"] = "It needs a command."
    if typed["name"]:
        try:
            check_job_name(typed["name"])
        except CloudtuiError as error:
            wrong["name"] = error.title
    gpus = int(typed["gpus"]) if typed["gpus"].isdecimal() and typed["gpus"].isascii() else 0
    if typed["gpus"] and (not typed["gpus"].isdecimal() or gpus > _MOST_GPUS):
        wrong["gpus"] = f"A number up to {_MOST_GPUS}."
    env: list[tuple[str, str]] = []
    for word in words("env"):
        name, equals, value = word.partition("=")
        if not _VARIABLE.match(name):
            wrong["env"] = f"NAME=VALUE, not {word[:20]}"
        elif not equals and name not in environ:
            wrong["env"] = f"{name[:20]} has no value here."
        elif not equals:
            value = environ[name]
        env.append((name, value))
    after = words("after")
    missing = [word for word in after if runs and word not in runs]
    if missing:
        wrong["after"] = f"No run {missing[0][:20]} there."
    steps = words("then")
    for step in steps:
        try:
            then.parse(step)
        except CloudtuiError as error:
            wrong["then"] = error.title.removeprefix("--then ")
    sync = None
    if typed["sync"]:
        try:
            sync = sync_places(typed["sync"])
        except CloudtuiError as error:
            wrong["sync"] = error.title
    if wrong:
        return None, wrong
    spec = JobSpec(
        command,
        typed["name"] or name_of(words_of(command)),
        typed["cwd"] or (sync[1] if sync else ""),
        tuple(env),
        Holder(holder) if holder else None,
        gpus=gpus,
        after=after,
        after_any=bool(after) and ANY in ticks,
        queue=QUEUE in ticks,
        then=steps,
    )
    return Form(spec, sync, sync is not None and OVERWRITE in ticks), {}
