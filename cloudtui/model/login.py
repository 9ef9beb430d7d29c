"""What a login to AWS through the browser shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


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
