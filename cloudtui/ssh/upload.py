"""A folder's files sent to a host as one tar stream; `host/upload.sh` unpacks it there."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterator, Sequence

from cloudtui.model.errors import CloudtuiError, Refused
from cloudtui.model.upload import Listed, parse_listing
from cloudtui.model.words import listed as listing
from cloudtui.ssh.connection import Connection
from cloudtui.ssh.host_program import path, placed

PROGRAM = "upload.sh"
BLOCK = 256 << 10
"""Bytes read at once."""
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_ANSWER = 64 << 20
"""Bytes of a listing that are taken."""


async def listed(conn: Connection, folder: str, names: Sequence[bytes]) -> Listed:
    """What stands on the host at these paths below the folder; one round trip.

    Raises:
        CloudtuiError: the host could not say.
    """
    await placed(conn, PROGRAM)
    lines = b"".join(name + b"\0" for name in names if b"\n" not in name)
    out, err, _ = await _asked(conn, "list", folder, lines)
    found = await asyncio.to_thread(parse_listing, out)
    if found is None:
        raise CloudtuiError(
            f"{conn.route.spoken} did not say what it has of {folder}.",
            err.decode(errors="replace").strip()[-400:],
        )
    return found


async def hashes(conn: Connection, folder: str, names: Sequence[bytes]) -> dict[bytes, str]:
    """The SHA-256 of these files there, in hex; those that cannot be read are left out."""
    out, _, _ = await _asked(conn, "hash", folder, b"".join(name + b"\0" for name in names))
    found = {}
    for line in out.split(b"\n"):
        digest, _, name = line.partition(b"  ")
        if digest.startswith(b"\\"):  # so it marks names that it had to write otherwise
            digest = digest[1:]
            name = _ESCAPED.sub(lambda found: b"\n" if found[1] == b"n" else found[1], name)
        if len(digest) == 64:
            found[name] = digest.decode(errors="replace")
    return found


async def links(conn: Connection, folder: str, names: Sequence[bytes]) -> dict[bytes, bytes]:
    """Where these symbolic links there lead; to nowhere what is none."""
    out, _, _ = await _asked(conn, "links", folder, b"".join(name + b"\0" for name in names))
    words = out.split(b"\0")
    return dict(zip(words[::2], words[1::2], strict=False))


async def send(
    conn: Connection,
    folder: str,
    blocks: Iterator[bytes],
    on_sent: Callable[[int], None],
) -> None:
    """Unpack a tar archive there; `on_sent` gets the bytes of the stream so far. Nothing there is
    changed before all of it has arrived; a failure of `blocks` is raised.

    Raises:
        Refused: the folder there cannot be written.
        CloudtuiError: the host's disk is full, or it could not unpack.
    """
    err = bytearray()
    command = await conn.program(_command("unpack"), lambda data: None, err.extend)
    try:
        command.write(os.fsencode(folder) + b"\n")
        sent = 0
        ending = asyncio.ensure_future(command.wait())
        try:
            while block := await asyncio.to_thread(next, blocks, b""):
                if ending.done():
                    break  # it gave up: its exit status says why
                command.write(block)
                draining = asyncio.ensure_future(command.drain())
                await asyncio.wait((draining, ending), return_when=asyncio.FIRST_COMPLETED)
                draining.cancel()
                sent += len(block)
                on_sent(sent)
            if not ending.done():
                command.write_eof()
            status = await ending
        finally:
            ending.cancel()
    finally:
        await command.close()
    if status:
        raise _failed(conn, folder, status, err.decode(errors="replace").strip())


def _failed(conn: Connection, folder: str, status: int, said: str) -> CloudtuiError:
    host, said = conn.route.spoken, said[-400:]
    if "No space left" in said or "quota" in said.lower():
        return CloudtuiError(
            f"The disk of {host} is full: the files for {folder} do not fit.",
            said,
            f"Make room there (du -xhd1 {folder}), or leave more out in a .cloudtuiignore.",
        )
    if status == 81 or "ermission denied" in said or "Read-only" in said:
        return Refused(
            f"{folder} cannot be written on {host}.", said, "Choose another: --sync LOCAL:REMOTE"
        )
    if status == 87:
        changed = tuple(said.splitlines())
        return Refused(
            f"{listing(changed)} of {folder} changed on {host} while the files were sent; "
            "nothing was put there.",
            hint="The same once more compares anew.",
        )
    return CloudtuiError(f"{host} did not take the files for {folder}.", said)


def _command(verb: str) -> str:
    return f'sh "{path(PROGRAM)}" {verb}'


async def _asked(conn: Connection, verb: str, folder: str, data: bytes) -> tuple[bytes, bytes, int]:
    out, err = bytearray(), bytearray()

    def keep(more: bytes) -> None:
        if len(out) < _ANSWER:
            out.extend(more)

    command = await conn.program(_command(verb), keep, err.extend)
    try:
        command.write(os.fsencode(folder) + b"\n")
        for start in range(0, len(data), BLOCK):
            command.write(data[start : start + BLOCK])
            await command.drain()
        command.write_eof()
        status = await command.wait()
        return bytes(out), bytes(err), status
    finally:
        await command.close()
