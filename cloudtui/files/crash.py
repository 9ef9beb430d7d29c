"""Crash reports: where it happened and with what versions, without values and without secrets."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import sys
import tempfile
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from cloudtui import __version__
from cloudtui.files import paths

KEPT = 20
"""Reports older than the newest this many are deleted."""

_LIBRARIES = ("textual", "asyncssh", "aiobotocore", "botocore", "pyghostty", "moto")
_MESSAGE = 2000
_FRAMES = 60
_CHAIN = 20


def write_report(exc: BaseException) -> Path:
    """Write what is needed to find the bug to a new file, 0600, and return its path.

    The report holds no local variables, and messages are redacted. When the state folder cannot
    be written the file lies in the system's folder for temporary files.
    """
    data = "\n".join(_lines(exc)).encode("utf-8", "backslashreplace") + b"\n"
    folder = paths.crash_dir()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = _write(folder, data)
    except OSError:
        return _write(Path(tempfile.gettempdir()), data)
    with contextlib.suppress(OSError):
        for old in sorted(folder.glob("crash-*.txt"))[:-KEPT]:
            old.unlink()
    return path


def _write(folder: Path, data: bytes) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    descriptor, name = tempfile.mkstemp(prefix=f"crash-{stamp}-", suffix=".txt", dir=folder)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    return Path(name)


def _lines(exc: BaseException) -> Iterator[str]:
    yield f"cloudtui {__version__} crashed at {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    yield f"Python {platform.python_version()} on {platform.platform()}"
    yield f"Terminal {os.environ.get('TERM', '-')} {os.environ.get('TERM_PROGRAM', '')}".rstrip()
    yield "Libraries " + ", ".join(_versions())
    yield ""
    seen: set[int] = set()
    yield from _told(exc, seen, "")
    yield ""
    yield "The report holds no values of variables. Send it with what you did before."


def _versions() -> Iterator[str]:
    for name in _LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            yield f"{name} {metadata.version(name)}"


def _told(exc: BaseException, seen: set[int], indent: str) -> Iterator[str]:
    """The exception after the one that caused it, as Python prints them."""
    if id(exc) in seen or len(seen) >= _CHAIN:
        return
    seen.add(id(exc))
    before = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)
    if before is not None:
        yield from _told(before, seen, indent)
        yield ""
        yield f"{indent}Then:"
    for frame in traceback.extract_tb(exc.__traceback__, limit=-_FRAMES):
        yield f"{indent}  {_place(frame.filename)}:{frame.lineno} in {frame.name}"
        if frame.line:
            yield f"{indent}      {redacted(frame.line)}"
    yield f"{indent}{_message(exc)}"
    if isinstance(exc, BaseExceptionGroup):
        for inner in exc.exceptions:
            yield from _told(inner, seen, indent + "    ")


def _message(exc: BaseException) -> str:
    # Copes with an exception whose __str__ fails, and adds its notes.
    return redacted("".join(traceback.format_exception_only(exc)).strip())[:_MESSAGE]


def _place(filename: str) -> str:
    """A source file without the user's name in it."""
    for folder in sorted(filter(None, sys.path), key=len, reverse=True):
        if filename.startswith(folder.rstrip("/") + "/"):
            return filename[len(folder.rstrip("/")) + 1 :]
    return _without_home(filename)


def _without_home(text: str) -> str:
    home = os.environ.get("HOME", "")
    return text.replace(home, "~") if len(home) > 1 else text


_REMOVED = "(removed)"
_KEY_BLOCK = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
_NAMED = re.compile(
    r"""(?ix)
    ( [\w.-]* (?: token | secret | passw(?:or)?d | passphrase | passwd | api[_-]?key
                | access[_-]?key | signature | credential | authorization | cookie ) [\w.-]*
      ["']? \s* (?: [=:] | => ) \s* )
    (?: (?:bearer|basic|token|aws4-hmac-sha256) \s+ )?
    (?: "[^"]*" | '[^']*' | [^\s"'&,;)\]}]+ )
    """
)
_ACCESS_KEY = re.compile(r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{8,}")
_LONG = re.compile(r"(?<![\w+/=-])(?:[A-Za-z0-9+/=]{40}|[A-Za-z0-9+_=-]{32,})(?![\w+/=-])")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}")


def redacted(text: str) -> str:
    """`text` without what looks like a token, password or key, and without the home folder."""
    text = _KEY_BLOCK.sub(_REMOVED, text)
    text = _NAMED.sub(rf"\1{_REMOVED}", text)
    text = _BEARER.sub(rf"\1 {_REMOVED}", text)
    text = _ACCESS_KEY.sub(_REMOVED, text)
    return _without_home(_LONG.sub(_REMOVED, text))
