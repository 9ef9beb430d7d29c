"""PuTTY's puttygen, asked to convert keys; passphrases go through pipes, never over argv."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path

from cloudtui.model.errors import CloudtuiError, CredentialsProblem, NotFound, Timeout
from cloudtui.ssh.child import begin, said

SECONDS = 30.0
MISSING = "Install it: sudo apt install putty-tools, or on macOS: brew install putty"


async def to_putty(path: Path, key: bytes, passphrase: str) -> bytes:
    """The .ppk of an OpenSSH private key under `passphrase`; open when that is empty.

    Raises:
        NotFound: puttygen is not installed.
        CloudtuiError: it refuses; its words are the detail.
    """
    return await _convert(path, key, "private", passphrase)


async def from_putty(path: Path, key: bytes, passphrase: str) -> bytes:
    """The OpenSSH private key of a .ppk, under the same passphrase.

    Raises:
        NotFound: puttygen is not installed.
        CredentialsProblem: that is not its passphrase.
        CloudtuiError: it refuses; its words are the detail.
    """
    return await _convert(path, key, "private-openssh-new", passphrase)


async def _convert(path: Path, key: bytes, kind: str, passphrase: str) -> bytes:
    program = shutil.which("puttygen")
    if program is None:
        raise NotFound(
            f"{path} cannot be converted: puttygen, which reads and writes PuTTY's keys, is not "
            "installed.",
            hint=MISSING,
        )
    with tempfile.TemporaryDirectory(prefix="cloudtui-") as name:  # 0700
        before, after = Path(name, "before"), Path(name, "after")
        await asyncio.to_thread(_write, before, key)
        # Of the system, not of the user's locale: its words are looked at.
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": name}
        old, new = _pipe(passphrase), _pipe(passphrase)
        try:
            process = await begin(
                *(program, str(before), "-q", "-O", kind, "-o", str(after)),
                *("--old-passphrase", f"/dev/fd/{old}", "--new-passphrase", f"/dev/fd/{new}"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                pass_fds=(old, new),
                env=environment,
            )
        finally:
            os.close(old)
            os.close(new)
        try:
            told, _ = await said(process, seconds=SECONDS)
        except TimeoutError:
            raise Timeout(f"puttygen did not convert {path} within {SECONDS:.0f} s.") from None
        if not process.returncode and (made := await asyncio.to_thread(_content, after)):
            return made
        words = " ".join(told.decode(errors="replace").replace(str(before), str(path)).split())
    if "passphrase" in words:
        raise CredentialsProblem(f"That is not the passphrase of {path}.", words)
    raise CloudtuiError(f"puttygen did not convert {path}.", words)


def _pipe(text: str) -> int:
    """A descriptor that the text can be read from, once."""
    reading, writing = os.pipe()
    try:
        os.write(writing, f"{text}\n".encode())  # far below what a pipe holds
    finally:
        os.close(writing)
    return reading


def _write(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""
