"""What is kept on this computer of commands and logs of others: never their secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable

HIDDEN = "…"
_SECRET = (
    r"(?:token|secret|passw(?:or)?d|passphrase|pwd|credentials?|"
    r"(?:api|access|secret|private|auth|account|license)[_-]?key)"
)
_FLAG = re.compile(rf"--?[\w.-]*{_SECRET}", re.IGNORECASE)
_NAMED = re.compile(
    # Looked for where a word begins alone: from every letter of a long one it takes seconds.
    rf"(?P<name>(?<![\w.-])[\w.-]*{_SECRET}[\"']?\s*[=:]\s*"
    rf"|(?<![\w.-])--?[\w.-]*{_SECRET}\s+|\b(?:bearer|basic)\s+)"
    r"(?P<value>\"[^\"]*\"|'[^']*'|[^\s\"',;&]+)",
    re.IGNORECASE,
)
_BARE = re.compile(
    r"\b(?:hf_\w{16,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|sk-[\w-]{16,}|"
    r"(?:AKIA|ASIA)[A-Z0-9]{16}|xox[abeoprs]-[\w-]{10,}|AIza[\w-]{30,}|"
    r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|[0-9a-f]{40,}|[A-Za-z0-9+/]{60,}={0,2})"
)
_ADDRESS = re.compile(r"(?<=://)[^/\s@]+(?=@)")
_VARIABLE = re.compile(r"\b([A-Z_][A-Z0-9_]+=)(\"[^\"]*\"|'[^']*'|[^\s\"']+)")
_NUMBER = re.compile(r"[\d.,:/%eE+-]*")


def without_secrets(text: str) -> str:
    """The text with what looks like a password, a token or a key hidden; counts of tokens stay."""
    text = _NAMED.sub(_named, text)
    return _ADDRESS.sub(HIDDEN, _BARE.sub(HIDDEN, text))


def _named(found: re.Match[str]) -> str:
    counts = "token" in found["name"].lower() and len(found["value"]) < 12
    if counts and _NUMBER.fullmatch(found["value"]):
        return found[0]
    return found["name"] + HIDDEN


def command_without_secrets(words: Iterable[str]) -> tuple[str, ...]:
    """The words of a command so, values of environment variables too."""
    kept: list[str] = []
    for word in words:
        if kept and _FLAG.fullmatch(kept[-1]):
            kept.append(HIDDEN)
        else:
            kept.append(without_secrets(_VARIABLE.sub(rf"\1{HIDDEN}", word)))
    return tuple(kept)
