"""What `doctor` finds: one line a check, with its cure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was looked at, what was seen, and what to do about it."""

    check: str
    health: Health
    seen: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who AWS says is asking (STS GetCallerIdentity)."""

    account: str
    arn: str

    @property
    def user(self) -> str:
        """The last part of the ARN: user name, role session name or `root`."""
        return self.arn.rsplit("/", 1)[-1].rsplit(":", 1)[-1]

    @property
    def root(self) -> bool:
        return self.arn.endswith(":root")
