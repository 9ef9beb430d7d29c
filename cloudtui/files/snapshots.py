"""The last listing of an account, kept in the cache folder so that a console has rows at once.

A file is a line about itself, then lines of at most 250 rows each: none is long enough to hold
Python's global lock, and with it the screen, for more than a few milliseconds.
"""

from __future__ import annotations

import contextlib
import gc
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from typing import Any

from cloudtui.files import paths
from cloudtui.files.atomic import write_atomically
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance, State

SCHEMA = 1
ROWS_A_LINE = 250
KEPT_DAYS = 30
"""Files that no console wrote for so long are removed."""
LARGEST = 64 * 1024 * 1024
"""Bytes of a file that is read at all: some 100,000 rows."""

Rows = tuple[Instance, ...]

_FIELDS = tuple(f.name for f in fields(Instance) if f.name != "profile")
_VALUES = attrgetter(*_FIELDS)
_TIME = _FIELDS.index("launched")
_STATE = _FIELDS.index("state")
_GROUPS = _FIELDS.index("security_groups")
_VOLUMES = _FIELDS.index("volume_ids")
_PROFILE = [f.name for f in fields(Instance)].index("profile")
_STATES: dict[str, State] = {state.value: state for state in State}


def _kind(name: str, annotation: object) -> tuple[type, ...]:
    if name == "launched":
        return (str, type(None))
    if name in ("security_groups", "volume_ids"):
        return (list,)
    if name == "tags":
        return (dict,)
    return (bool,) if annotation == "bool" else (str,)


_KINDS = tuple(_kind(f.name, f.type) for f in fields(Instance) if f.name != "profile")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The rows of one profile's account, by region, and when each region was listed."""

    account: str = ""
    """The account's number as STS said it; empty when it did not."""
    regions: tuple[str, ...] = ()
    """Every enabled region, the home region first; empty when never asked."""
    rows: Mapping[str, Rows] = field(default_factory=dict)
    listed: Mapping[str, datetime] = field(default_factory=dict)


class Broken(CloudtuiError):
    """The file was no snapshot, and has been set aside."""


def _path(key: str) -> Path:
    return paths.cache_dir() / "instances" / f"{key}.jsonl"


def load(key: str, profile: str) -> Snapshot | None:
    """What was kept under the key, its rows as `profile` sees them; None when nothing was.

    Raises:
        Broken: the file cannot be used; it has been renamed.
    """
    path = _path(key)
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError("it is too large")
        with path.open("rb") as file, _no_collection():
            return _read(file, profile)
    except OSError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as error:
        aside = path.with_suffix(".broken")
        try:
            path.replace(aside)
            where = f"It is now {aside}."
        except OSError as refused:
            where = f"{path} cannot be renamed: {refused.strerror}."
        raise Broken(
            "The machines of the last time cannot be shown: their file is broken.",
            f"{type(error).__name__}: {error}. {where}"[:400],
            "Nothing is lost: AWS is asked for them now.",
        ) from error


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Many rows and no cycles: looking for those would freeze the screen."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _read(lines: Any, profile: str) -> Snapshot:
    head = json.loads(next(lines, b""))
    if head["schema"] != SCHEMA or tuple(head["fields"]) != _FIELDS:
        return Snapshot()  # of another version of cloudtui
    rows: dict[str, list[Instance]] = {}
    listed: dict[str, datetime] = {}
    left = head["lines"]
    for line in lines:
        part = json.loads(line)
        region = part["region"]
        listed[region] = datetime.fromisoformat(part["listed"])
        if listed[region].tzinfo is None:
            raise ValueError("a time without a zone")
        rows.setdefault(region, []).extend(_instance(v, region, profile) for v in part["rows"])
        left -= 1
    if left:
        raise ValueError("its end is missing")
    regions = tuple(str(region) for region in head["regions"])
    return Snapshot(
        str(head["account"]), regions, {r: tuple(found) for r, found in rows.items()}, listed
    )


def _instance(values: list[Any], region: str, profile: str) -> Instance:
    if len(values) != len(_KINDS) or not all(map(isinstance, values, _KINDS)):
        raise ValueError("a row of another shape")
    if values[1] != region:
        raise ValueError("a row of another region")
    values[_STATE] = _STATES[values[_STATE]]
    if values[_TIME] is not None:
        values[_TIME] = datetime.fromisoformat(values[_TIME])
    values[_GROUPS] = tuple([(str(group), str(name)) for group, name in values[_GROUPS]])
    values[_VOLUMES] = tuple(map(str, values[_VOLUMES]))
    values.insert(_PROFILE, profile)
    return Instance(*values)


def save(key: str, snapshot: Snapshot) -> None:
    """Keep it under the key, readable by this user only, in place of what was kept.

    Raises:
        CloudtuiError: the disk does not take it; what was kept stays.
    """
    path = _path(key)
    try:
        write_atomically(path, b"".join(_lines(snapshot)))
        _sweep(path.parent)
    except OSError as error:
        raise CloudtuiError(
            f"The list of machines cannot be kept for the next start: {error.strerror}.",
            f"File: {path}",
            "Everything else works; the next start shows rows when AWS has answered.",
        ) from error


def _lines(snapshot: Snapshot) -> Iterator[bytes]:
    body = list(_body(snapshot))
    head = {
        "schema": SCHEMA,
        "account": snapshot.account,
        "regions": snapshot.regions,
        "fields": _FIELDS,
        "lines": len(body),
    }
    yield _line(head)
    yield from body


def _body(snapshot: Snapshot) -> Iterator[bytes]:
    for region, rows in snapshot.rows.items():
        if region not in snapshot.listed:
            continue
        listed = snapshot.listed[region].astimezone(UTC).isoformat(timespec="seconds")
        for start in range(0, len(rows) or 1, ROWS_A_LINE):
            part = [_values(instance) for instance in rows[start : start + ROWS_A_LINE]]
            yield _line({"region": region, "listed": listed, "rows": part})


def _values(instance: Instance) -> Sequence[Any]:
    values = list(_VALUES(instance))
    if instance.launched is not None:
        values[_TIME] = instance.launched.isoformat()
    return values


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n"


def _sweep(folder: Path) -> None:
    oldest = time.time() - KEPT_DAYS * 86_400
    for file in folder.iterdir():
        with contextlib.suppress(OSError):
            if file.stat().st_mtime < oldest:
                file.unlink()
