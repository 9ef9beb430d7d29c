"""hosts ls, add, edit, rm, sync, diff, undo."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from cloudtui.cli import access, output
from cloudtui.cli.prompts import agree
from cloudtui.core.hosts import Planned
from cloudtui.core.workbench import Workbench
from cloudtui.files.identity_files import as_written
from cloudtui.files.paths import short
from cloudtui.model.errors import CloudtuiError, NotFound, UsageError
from cloudtui.model.host_drift import HostRow, row_of
from cloudtui.model.instance import why_not_connect

Opened = Callable[[argparse.Namespace], AbstractAsyncContextManager[Workbench]]


async def perform(opened: Opened, words: argparse.Namespace) -> int:
    """The exit code of `cloudtui hosts WHAT`.

    Raises:
        CloudtuiError: it was not done.
    """
    verb = VERBS[words.hosts_verb or "ls"]
    async with opened(words) as bench:
        return await verb(bench, words)


async def _ls(bench: Workbench, words: argparse.Namespace) -> int:
    rows = (await bench.hosts.load()).rows
    errors = [error for _, error in bench.inventory.state.errors]
    wanted = [word.casefold() for word in getattr(words, "words", ())]
    shown = [row for row in rows if all(word in _haystack(row) for word in wanted)]
    if _json(words):
        output.document({"hosts": [_row(row) for row in shown], "errors": output.problems(errors)})
    elif shown:
        output.table(
            ("ALIAS", "HOSTNAME", "USER", "MACHINE", "STATE", "WRONG", "FILE"),
            [
                (
                    row.entry.alias,
                    row.entry.get("HostName") or "-",
                    row.entry.get("User") or "-",
                    row.machine or "-",
                    row.instance.state.value if row.instance else "-",
                    row.mark or "-",
                    f"{short(row.entry.file)}:{row.entry.line}",
                )
                for row in shown
            ],
        )
    else:
        output.narrate(
            "No entry matches." if rows else "The ssh config has no entry of a single host."
        )
        output.narrate("Add a machine: cloudtui hosts add NAME")
    if not _json(words):
        for row in shown:
            for drift in row.drifts:
                output.narrate(f"{row.entry.alias}: {drift.words}")
    for error in errors:
        output.failure(error)
    return errors[0].exit_code if errors else 0


def _haystack(row: HostRow) -> str:
    entry = row.entry
    words = (entry.alias, entry.get("HostName"), entry.get("User"), row.machine, row.mark)
    return " ".join(words).casefold()


def _row(row: HostRow) -> dict[str, object]:
    entry = row.entry
    return {
        "alias": entry.alias,
        "hostname": entry.get("HostName") or None,
        "user": entry.get("User") or None,
        "proxyjump": entry.get("ProxyJump") or None,
        "instance": row.instance.id if row.instance else entry.instance_id or None,
        "name": row.instance.name if row.instance else None,
        "state": row.instance.state.value if row.instance else None,
        "drift": [{"kind": d.kind.value, "words": d.words} for d in row.drifts],
        "address": row.address or None,
        "file": str(entry.file),
        "line": entry.line,
        "ours": entry.ours,
    }


async def _add(bench: Workbench, words: argparse.Namespace) -> int:
    instance = await bench.inventory.find(words.name)
    draft = await bench.hosts.draft(
        instance,
        alias=words.alias,
        user=words.user or "",
        key=_key(words.key),
        port=words.port or 0,
        jump=words.jump or "",
        private=words.private,
    )
    planned = await bench.hosts.plan(draft)
    if planned.change.empty:
        output.narrate(f"{planned.alias} is in the ssh config as it should be.")
    else:
        await _save(bench, planned, words, ask=planned.in_place)
    if not words.no_connect and not why_not_connect(instance):
        try:
            await bench.hosts.meet(instance)
        except CloudtuiError as error:
            output.narrate(f"The entry {planned.alias} is there, but the connection failed.")
            raise error
    output.line(f"ssh {shlex.quote(planned.alias)}")
    return 0


async def _edit(bench: Workbench, words: argparse.Namespace) -> int:
    await bench.hosts.load()
    values: dict[str, str | None] = {}
    given = {
        "HostName": words.hostname,
        "User": words.user,
        "IdentityFile": as_written(key) if (key := _key(words.key)) else None,
        "Port": str(words.port) if words.port else None,
        "ProxyJump": words.jump,
    }
    values.update({name: value for name, value in given.items() if value is not None})
    if words.hostname == "none":
        values["HostName"] = None
    for option in words.options:
        keyword, equals, value = option.partition("=")
        if not keyword or not equals:
            raise UsageError(
                f"--set {option} is not KEYWORD=VALUE.", hint="As in: --set ForwardAgent=yes"
            )
        values[keyword] = value or None
    if not values:
        raise UsageError(
            "Nothing to change was named.",
            hint=f"As in: cloudtui hosts edit {words.alias} --user ubuntu",
        )
    planned = await bench.hosts.plan_edit(words.alias, values)
    if planned.change.empty:
        output.narrate(f"{words.alias} says so already.")
        return 0
    await _save(bench, planned, words, ask=True)
    return 0


async def _rm(bench: Workbench, words: argparse.Namespace) -> int:
    rows = (await bench.hosts.load()).rows
    for alias in words.aliases:
        row_of(alias, rows)
    for alias in words.aliases:
        await _save(bench, await bench.hosts.plan_remove(alias), words, ask=True)
    return 0


async def _sync(bench: Workbench, words: argparse.Namespace) -> int:
    rows = await _chosen(bench, words)
    failures: list[CloudtuiError] = []
    asked = await _synced_together(bench, rows)
    count = len(rows) - len(asked)
    for row in asked:
        try:
            planned = await bench.hosts.plan_sync(row)
            if planned and not planned.change.empty:
                count += 1
                output.narrate("; ".join(drift.words for drift in row.drifts))
                await _save(bench, planned, words, ask=planned.in_place or not row.address)
            else:
                for drift in row.drifts:
                    output.narrate(f"{row.entry.alias}: {drift.words}")
        except CloudtuiError as error:
            output.failure(error)
            failures.append(error)
    if not count:
        output.narrate("Every entry has the address of its machine.")
    return failures[0].exit_code if failures else 0


async def _synced_together(bench: Workbench, rows: Sequence[HostRow]) -> Sequence[HostRow]:
    """Save what needs no question at once, as one change to take back; the rows that are left:
    all of them where one cannot be saved, for each to be told of."""
    ours = [row for row in rows if row.address and row.entry.ours]
    if len(ours) < 2:
        return rows
    try:
        await bench.hosts.heal(ours)
    except CloudtuiError:
        return rows
    for row in ours:
        output.narrate("; ".join(drift.words for drift in row.drifts))
        output.narrate(f"Host {row.entry.alias}: HostName {row.address}")
    return [row for row in rows if row not in ours]


async def _diff(bench: Workbench, words: argparse.Namespace) -> int:
    plans = [plan for row in await _chosen(bench, words) if (plan := await _plan(bench, row))]
    if _json(words):
        output.document(
            {
                "changes": [
                    {"alias": p.alias, "title": p.change.title, "diff": p.change.diff}
                    for p in plans
                ]
            }
        )
        return 0
    for plan in plans:
        output.narrate(plan.change.title)
        output.line(plan.change.diff.rstrip("\n"))
    if not plans:
        output.narrate("Every entry has the address of its machine.")
    return 0


async def _plan(bench: Workbench, row: HostRow) -> Planned | None:
    plan = await bench.hosts.plan_sync(row)
    return plan if plan and not plan.change.empty else None


async def _chosen(bench: Workbench, words: argparse.Namespace) -> Sequence[HostRow]:
    rows = (await bench.hosts.load()).rows
    errors = bench.inventory.state.errors
    if errors and not bench.inventory.state.instances:
        raise errors[0][1]
    for _, error in errors:
        output.failure(error)
    named = [row_of(alias, rows) for alias in words.aliases] if words.aliases else rows
    return [row for row in named if row.drifts]


async def _undo(bench: Workbench, words: argparse.Namespace) -> int:
    await bench.hosts.look()
    await _save(bench, await bench.hosts.plan_undo(), words, ask=True)
    return 0


async def _save(
    bench: Workbench, planned: Planned, words: argparse.Namespace, *, ask: bool
) -> None:
    """Show the change, ask where that is due, and save it.

    Raises:
        CloudtuiError: it cannot be saved, which is found out before it is asked about.
        Refused: the answer was no, or there is no terminal to give one.
    """
    change = planned.change
    yes = getattr(words, "yes", False)
    if ask and not yes:
        await bench.hosts.check(planned)
    output.narrate(change.title)
    if ask:
        output.narrate(change.diff.rstrip("\n"))
        again = shlex.join(["cloudtui", "hosts", words.hosts_verb, *_named(words)])
        await agree("Save this?", "Nothing was changed", again, yes=yes)
    await bench.hosts.save(planned)
    if ask:
        undoing = words.hosts_verb == "undo"
        output.narrate(
            "Saved. Another undo takes back the save before that."
            if undoing
            else "Saved. Take it back with: cloudtui hosts undo"
        )


def _named(words: argparse.Namespace) -> list[str]:
    one = getattr(words, "name", "") or getattr(words, "alias", "")
    return [one] if one else list(getattr(words, "aliases", ()))


def _key(text: str | None) -> Path | None:
    """The key file named, which must be there: a new file or a wrong one is found out here."""
    if not text:
        return None
    path = Path(text).expanduser()
    if not path.is_file() and not path.with_name(f"{path.name}.pub").is_file():
        raise NotFound(f"There is no key file {path}.", hint="See: cloudtui keys")
    return path


def _json(words: argparse.Namespace) -> bool:
    return bool(getattr(words, "json", False))


VERBS: dict[str, Callable[[Workbench, argparse.Namespace], Awaitable[int]]] = {
    "ls": _ls,
    "add": _add,
    "edit": _edit,
    "rm": _rm,
    "sync": _sync,
    "diff": _diff,
    "undo": _undo,
    **access.VERBS,
}
