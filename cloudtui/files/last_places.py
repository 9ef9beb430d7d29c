"""The regions and profiles chosen last in the console; regions are kept for each profile."""

from __future__ import annotations

import os
from collections.abc import Sequence

from cloudtui.files import view


def _key(profiles: Sequence[str]) -> str:
    """Empty where the account may be another the next time: keys in the environment, no name."""
    if not any(profiles) and os.environ.get("AWS_ACCESS_KEY_ID"):
        return ""
    named = [profile or os.environ.get("AWS_PROFILE") or "default" for profile in profiles]
    return " ".join(named or [os.environ.get("AWS_PROFILE") or "default"])


def regions(profiles: Sequence[str]) -> tuple[str, ...]:
    """The regions chosen last for these profiles; none when nothing was chosen."""
    key = _key(profiles)
    return tuple(view.recall_table("regions").get(key, "").split()) if key else ()


def remember_regions(profiles: Sequence[str], chosen: Sequence[str]) -> None:
    """Keep them for the next start; none forgets what was chosen."""
    if key := _key(profiles):
        kept = view.recall_table("regions") | {key: " ".join(chosen)}
        view.remember(regions={name: words for name, words in kept.items() if words})


def profiles() -> tuple[str, ...]:
    """The profiles chosen last; none when the environment names the account."""
    if os.environ.get("AWS_PROFILE") or os.environ.get("AWS_ACCESS_KEY_ID"):
        return ()
    return view.recall("profiles")


def remember_profiles(chosen: Sequence[str]) -> None:
    """Keep them for the next start; the default profile alone forgets what was chosen."""
    view.remember(profiles=tuple(name or "default" for name in chosen) if any(chosen) else ())
