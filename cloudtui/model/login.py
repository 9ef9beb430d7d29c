"""AWS profiles, and what a login through the browser shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """Where a profile's credentials come from."""

    KEYS = "keys"
    SSO = "sso"
    ROLE = "role"
    PROCESS = "process"
    LOGIN = "login"
    """`aws login`: the web console's own session."""
    NONE = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile of ~/.aws/config and ~/.aws/credentials."""

    name: str
    region: str = ""
    kind: Kind = Kind.NONE
    mfa: bool = False
    """Whether taking its role asks for an MFA code."""


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What the user compares and confirms in the browser."""

    code: str
    url: str
    """The page that asks for the code."""
    link: str
    """The same page with the code filled in."""
    until: datetime
    """When the code is worth nothing any more."""
