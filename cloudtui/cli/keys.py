"""keys ls, create, import, delete, fix, convert, passphrase, agent."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager

from cloudtui.cli import output
from cloudtui.cli.prompts import TerminalPrompts, agree
from cloudtui.core.keys import KeyListing
from cloudtui.core.workbench import Workbench
from cloudtui.files.paths import short
from cloudtui.model.errors import CloudtuiError, Refused
from cloudtui.model.key_pair import (
    AgentKey,
    KeyFormat,
    KeyRow,
    KeyType,
    LocalKey,
    delete_words,
    sha256_fingerprint,
)
from cloudtui.model.words import plural

Opened = Callable[[argparse.Namespace], AbstractAsyncContextManager[Workbench]]

NAMES_SHOWN = 3
NOT_HERE = "not here"


async def perform(opened: Opened, words: argparse.Namespace) -> int:
    """The exit code of `cloudtui keys WHAT`.

    Raises:
        CloudtuiError: it was not done.
    """
    verb = VERBS[words.keys_verb or "ls"]
    async with opened(words) as bench:
        return await verb(bench, words)


async def _ls(bench: Workbench, words: argparse.Namespace) -> int:
    state = await bench.inventory.load()
    listing = await bench.keys.list()
    failures = [*(e for _, e in state.errors), *(e for _, e in listing.errors)]
    if _json(words):
        output.document(_document(listing, failures))
    else:
        _print(listing)
    told = set[str]()
    for failed in failures:
        if failed.title not in told:
            output.failure(failed)
        told.add(failed.title)
    if listing.agent_error:
        output.failure(listing.agent_error)
    return failures[0].exit_code if failures else 0


def _print(listing: KeyListing) -> None:
    if listing.rows:
        output.table(
            ("NAME", "REGION", "TYPE", "PRIVATE KEY", "MACHINES", "FINGERPRINT"),
            [
                (
                    row.pair.name,
                    row.pair.region,
                    row.pair.type or "-",
                    _where(row),
                    _machines(row) or "-",
                    row.pair.fingerprint or "-",
                )
                for row in listing.rows
            ],
        )
    elif not listing.errors:
        output.narrate("No key pair here. Make one: cloudtui keys create NAME")
    for key in listing.trouble:
        output.narrate(key.problem or f"{key.path} can be read by others (mode {key.mode:04o}).")
        output.narrate(
            f"  {key.cure or 'Close it: cloudtui keys fix ' + shlex.quote(str(key.path))}"
        )


def _where(row: KeyRow) -> str:
    place = short(row.files[0].path) if row.files else ""
    return ", ".join(filter(None, (place, "agent" if row.agent else ""))) or NOT_HERE


def _machines(row: KeyRow) -> str:
    names = [m.spoken for m in row.machines]
    more = f" +{len(names) - NAMES_SHOWN}" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more


def _document(listing: KeyListing, failures: Iterable[CloudtuiError]) -> dict[str, object]:
    return {
        "key_pairs": [_pair(row) for row in listing.rows],
        "private_keys": [_file(key) for key in listing.files],
        "agent": [_agent_key(key) for key in listing.agent],
        "errors": output.problems(failures),
    }


def _pair(row: KeyRow) -> dict[str, object]:
    pair = row.pair
    return {
        "name": pair.name,
        "id": pair.id,
        "region": pair.region,
        "profile": pair.profile,
        "type": pair.type,
        "fingerprint": pair.fingerprint,
        "public_key": pair.public_key or None,
        "created": pair.created.isoformat() if pair.created else None,
        "private_keys": [str(key.path) for key in row.files],
        "agent": bool(row.agent),
        "machines": [{"id": m.id, "name": m.name} for m in row.machines],
    }


def _file(key: LocalKey) -> dict[str, object]:
    return {
        "path": str(key.path),
        "mode": f"{key.mode:04o}",
        "open_to_others": key.open_to_others,
        "format": key.format.value if key.format else None,
        "algorithm": key.algorithm or None,
        "bits": key.bits or None,
        "passphrase": key.encrypted,
        "comment": key.comment,
        "fingerprint": sha256_fingerprint(key.public_key) or None,
        "problem": key.problem or None,
    }


def _agent_key(key: AgentKey) -> dict[str, object]:
    return {"algorithm": key.algorithm, "comment": key.comment, "fingerprint": key.fingerprint}


async def _create(bench: Workbench, words: argparse.Namespace) -> int:
    place = await bench.keys.target()
    made = await bench.keys.create(words.name, place, KeyType(words.type), words.file)
    output.narrate(f"Created the key pair {made.pair.label} in {place.region}.")
    if _json(words):
        output.document(
            {
                "name": made.pair.name,
                "id": made.pair.id,
                "region": place.region,
                "type": made.pair.type,
                "fingerprint": made.pair.fingerprint,
                "private_key": str(made.path),
            }
        )
    else:
        output.narrate("EC2 does not keep its private key. It is only in this file, mode 0400:")
        output.line(str(made.path))
    return 0


async def _import(bench: Workbench, words: argparse.Namespace) -> int:
    public_key = await bench.keys.files.public_key(words.file)
    name = words.name or words.file.stem
    place = await bench.keys.target()
    pair = await bench.keys.put(name, place, public_key)
    if _json(words):
        output.document(
            {
                "name": pair.name,
                "id": pair.id,
                "region": place.region,
                "type": pair.type,
                "fingerprint": pair.fingerprint,
            }
        )
    else:
        output.line(f"Imported {short(words.file)} as the key pair {pair.label} in {place.region}.")
    return 0


async def _delete(bench: Workbench, words: argparse.Namespace) -> int:
    await bench.inventory.load()
    row = await bench.keys.find(words.name)
    pair = row.pair
    for sentence in delete_words(row, short):
        output.narrate(sentence)
    question = f"Delete the key pair {pair.label} in {pair.region}?"
    again = f"cloudtui keys delete {shlex.quote(words.name)}"
    await agree(question, "Nothing was deleted", again, yes=getattr(words, "yes", False))
    await bench.keys.delete(pair)
    if _json(words):
        output.document({"name": pair.name, "id": pair.id, "region": pair.region, "deleted": True})
    else:
        output.line(f"Deleted the key pair {pair.label} in {pair.region}.")
    return 0


async def _fix(bench: Workbench, words: argparse.Namespace) -> int:
    found = await bench.keys.files.to_fix(words.files)
    done: list[LocalKey] = []
    failures: list[CloudtuiError] = []
    if found:
        for key in found:
            output.narrate(f"{short(key.path)} has mode {key.mode:04o}: others may read it.")
        question = f"Give {plural(len(found), 'file')} the mode 0400?"
        again = shlex.join(["cloudtui", "keys", "fix", *map(str, words.files)])
        await agree(question, "Nothing was changed", again, yes=getattr(words, "yes", False))
        for key in found:
            try:
                await bench.keys.files.fix(key.path)
                done.append(key)
            except CloudtuiError as error:
                failures.append(error)
    elif not _json(words):
        output.narrate("No private key is open to others.")
    if _json(words):
        output.document(
            {
                "fixed": [{"path": str(k.path), "was": f"{k.mode:04o}"} for k in done],
                "errors": output.problems(failures),
            }
        )
    else:
        for key in done:
            output.line(f"{short(key.path)} has mode 0400 now.")
    for failed in failures:
        output.failure(failed)
    return failures[0].exit_code if failures else 0


async def _convert(bench: Workbench, words: argparse.Namespace) -> int:
    wanted = KeyFormat.PUTTY if words.to == "ppk" else KeyFormat.OPENSSH
    path = await bench.keys.files.convert(
        words.file, wanted, words.out, TerminalPrompts().passphrase
    )
    if _json(words):
        output.document({"path": str(path), "format": wanted.value})
    else:
        output.narrate(f"{short(words.file)} is as it was. Its key in {wanted.value}'s format:")
        output.line(str(path))
    return 0


async def _passphrase(bench: Workbench, words: argparse.Namespace) -> int:
    async def new() -> str | None:
        for again in (False, True, True):
            given = await TerminalPrompts().answers(
                "The two were not the same." if again else "",
                (
                    ("New passphrase (empty for none): ", False),
                    ("The same again: ", False),
                ),
            )
            if given is None:
                raise Refused(
                    "The passphrase was not changed: there is no terminal to type it on.",
                    hint="Run it in a terminal.",
                )
            if given[0] == given[1]:
                return given[0]
        raise Refused("The passphrase was not changed: the two were not the same three times.")

    await bench.keys.files.change_passphrase(words.file, TerminalPrompts().passphrase, new)
    key = await bench.keys.files.look(words.file)
    if _json(words):
        output.document({"path": str(key.path), "passphrase": key.encrypted})
    else:
        has = "is under the new passphrase" if key.encrypted else "has no passphrase"
        output.line(f"{short(key.path)} {has} now.")
    return 0


async def _agent(bench: Workbench, words: argparse.Namespace) -> int:
    held = await bench.keys.files.agent()
    if _json(words):
        output.document({"agent": [_agent_key(key) for key in held]})
    elif held:
        output.table(
            ("TYPE", "FINGERPRINT", "COMMENT"),
            [(key.algorithm, key.fingerprint, key.comment or "-") for key in held],
        )
    else:
        output.narrate("The ssh agent holds no key, or none runs. Add one: ssh-add FILE")
    return 0


def _json(words: argparse.Namespace) -> bool:
    return bool(getattr(words, "json", False))


VERBS: dict[str, Callable[[Workbench, argparse.Namespace], Awaitable[int]]] = {
    "ls": _ls,
    "create": _create,
    "import": _import,
    "delete": _delete,
    "fix": _fix,
    "convert": _convert,
    "passphrase": _passphrase,
    "agent": _agent,
}
