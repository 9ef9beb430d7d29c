"""Tags: what EC2 allows, and what a change would do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cloudtui.model.instance import Instance

KEY_LENGTH = 128
VALUE_LENGTH = 256
MOST = 50
"""Tags of one resource; those of AWS's own do not count."""


@dataclass(frozen=True, slots=True)
class TagChange:
    """Tags to be set, and keys to be removed."""

    put: Mapping[str, str] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.put or self.removed)


@dataclass(frozen=True, slots=True)
class SharedTag:
    """One tag of several machines."""

    key: str
    values: tuple[str, ...]
    """The different values, in the machines' order."""
    count: int
    """How many of the machines have it."""

    @property
    def value(self) -> str | None:
        """The one value, or None when the machines differ."""
        return self.values[0] if len(self.values) == 1 else None


def shared(machines: Iterable[Instance]) -> tuple[SharedTag, ...]:
    """Every tag that one of the machines has, `Name` first, then by key."""
    found: dict[str, list[str]] = {}
    for machine in machines:
        for key, value in machine.tags.items():
            found.setdefault(key, []).append(value)
    keys = sorted(found, key=lambda key: (key != "Name", key.casefold(), key))
    return tuple(SharedTag(k, tuple(dict.fromkeys(found[k])), len(found[k])) for k in keys)


def reserved(key: str) -> bool:
    """Whether the tag is AWS's own: it cannot be changed."""
    return key.lower().startswith("aws:")


def key_problem(key: str) -> str:
    """Why a tag cannot have the key, or nothing."""
    if not key:
        return "A tag needs a key."
    if reserved(key):
        return "Keys that begin with aws: are AWS's own."
    if len(key) > KEY_LENGTH:
        return f"The key has {len(key)} characters; EC2 takes {KEY_LENGTH}."
    return _characters(key, "key")


def value_problem(value: str) -> str:
    """Why a tag cannot have the value, or nothing."""
    if len(value) > VALUE_LENGTH:
        return f"The value has {len(value)} characters; EC2 takes {VALUE_LENGTH}."
    return _characters(value, "value")


def _characters(text: str, what: str) -> str:
    if not text.isprintable():
        return f"The {what} holds a character that cannot be printed."
    return ""


def too_many(machines: Iterable[Instance], change: TagChange) -> tuple[Instance, ...]:
    """The machines that would have more tags than EC2 takes."""
    return tuple(
        m for m in machines if sum(not reserved(k) for k in changed(m.tags, change)) > MOST
    )


def changed(tags: Mapping[str, str], change: TagChange) -> dict[str, str]:
    """The tags as they are after the change."""
    kept = {k: v for k, v in tags.items() if k not in change.removed}
    return {**kept, **change.put}


def diff(machines: Iterable[Instance], change: TagChange) -> tuple[tuple[str, str], ...]:
    """Lines that tell the change: a sign (`+`, `~`, `-`) and the words."""
    known = {tag.key: tag for tag in shared(machines)}
    lines: list[tuple[str, str]] = []
    for key, value in change.put.items():
        before = known.get(key)
        if before is None:
            lines.append(("+", f"{key} = {value}"))
            continue
        old = before.value if before.value is not None else f"{len(before.values)} values"
        lines.append(("~", f"{key} = {value}   was {old or 'empty'}"))
    for key in sorted(change.removed):
        before = known.get(key)
        gone = before.value if before else ""
        lines.append(("-", f"{key} = {gone if gone is not None else 'several values'}"))
    return tuple(lines)
