"""Where machines are: one region, as one profile sees it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """One account's view of one region.

    An empty region stands for every region of the profile, as when none of them could be asked.
    """

    profile: str = ""
    """An AWS profile; empty for the default one."""
    region: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile of ~/.aws, as far as its files tell."""

    name: str
    """`default` for the default one."""
    region: str = ""
    kind: str = ""
    """`keys`, `sso`, `role`, `process`, `login`, or empty when it names no credentials."""
