"""kernels [NAME], kernels stop, interrupt, restart."""

from __future__ import annotations

import argparse
import importlib
import shlex
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

from cloudtui.cli import output
from cloudtui.cli.prompts import agree
from cloudtui.core.events import NotebooksState
from cloudtui.core.notebooks import HostNotebooks, wants_password
from cloudtui.core.workbench import Workbench
from cloudtui.model.errors import CloudtuiError, CredentialsProblem, NotFound, UsageError
from cloudtui.model.instance import Instance
from cloudtui.model.kernel import Kernel, NotebookServer
from cloudtui.model.words import data_size, plural, since

Opened = Callable[[argparse.Namespace], AbstractAsyncContextManager[Workbench]]

ELSEWHERE: dict[str, tuple[str, str]] = {
    "log": ("kernel_log", "log"),
    "run": ("kernel_log", "run"),
    "record": ("kernel_log", "record"),
}
"""Verbs with a module of their own: its name, and the function that takes `Opened` and the words,
`words.rest` without the verb."""


async def perform(opened: Opened, words: argparse.Namespace) -> int:
    """The exit code of `cloudtui kernels`.

    Raises:
        CloudtuiError: it was not done.
    """
    if words.name in ELSEWHERE:
        module, function = ELSEWHERE[words.name]
        verb = getattr(importlib.import_module(f"cloudtui.cli.{module}"), function)
        done: int = await verb(opened, words)
        return done
    if words.name in CHANGES:
        return await _change(opened, words, CHANGES[words.name])
    if words.rest or words.server:
        raise UsageError(
            f"{shlex.join([words.name, *words.rest])} is too much: one NAME, or none.",
            hint="See: cloudtui kernels --help",
        )
    async with opened(words) as bench:
        if words.name:
            return await _one(bench, words)
        return await _all(bench, words)


# Listing

COLUMNS = ("PORT", "WHAT", "ID", "STATE", "ACTIVE", "MEMORY", "CLIENTS", "NOTEBOOK OR FOLDER")


async def _one(bench: Workbench, words: argparse.Namespace) -> int:
    instance = await bench.inventory.find(words.name)
    state = await asked(bench, instance)
    servers = state.servers or ()
    if getattr(words, "json", False):
        output.document(_document(instance, servers))
    elif servers:
        output.table(COLUMNS, rows(servers))
    else:
        output.narrate(
            f"No Jupyter server runs on {instance.label}. "
            f"Start one: cloudtui jupyter {shlex.quote(instance.spoken)}"
        )
    return _told(server.error for server in servers)


async def asked(bench: Workbench, instance: Instance) -> NotebooksState:
    """The servers of one instance, their passwords asked for.

    Raises:
        CloudtuiError: the host could not be asked.
    """
    state = await bench.notebooks.list(instance)
    if state.error:
        raise state.error
    for server in state.servers or ():
        if wants_password(server):
            try:
                await bench.notebooks.log_in(instance, server.server)
            except CredentialsProblem as error:
                output.narrate(error.title)
    return bench.notebooks.state(instance.id)


async def _all(bench: Workbench, words: argparse.Namespace) -> int:
    """Ask every running instance; one that fails is told after the others'."""
    listed = await bench.inventory.load()
    await bench.notebooks.refresh(ask=True)
    hosts = bench.notebooks.hosts
    failures = [error for _, error in listed.errors]
    failures += [host.state.error for host in hosts if host.state.error]
    failures += [server.error for host in hosts for server in host.servers if server.error]
    if getattr(words, "json", False):
        output.document(
            {
                "hosts": [_host(host) for host in hosts],
                "errors": output.problems(error for _, error in listed.errors),
            }
        )
    else:
        lines = [(h.instance.spoken, *row) for h in hosts for row in rows(h.servers)]
        if lines:
            output.table(("HOST", *COLUMNS), lines)
        for host in hosts:
            if host.words and not host.state.error:
                output.narrate(f"{host.instance.label}: {host.words}")
        if not hosts and not failures:
            output.narrate("No instance runs. List all of them: cloudtui ls")
    return _told(failures)


def _told(errors: Iterable[CloudtuiError | None]) -> int:
    """Tell what failed; the exit code of the first."""
    failures = [error for error in errors if error]
    for error in failures:
        output.failure(error)
    return failures[0].exit_code if failures else 0


def rows(servers: Iterable[NotebookServer]) -> list[tuple[str, ...]]:
    """A line for each server, then its kernels and terminals."""
    now = datetime.now(UTC)
    found: list[tuple[str, ...]] = []
    for server in servers:
        state = "not told" if server.error else server.version or "-"
        folder = server.server.root_dir or "-"
        port = str(server.server.port)
        found.append((port, "server", "-", state, "-", _memory(server.memory), "-", folder))
        found += [(port, "kernel", *_columns(kernel, now)) for kernel in server.kernels]
        found += [(port, "terminal", t, "-", "-", "-", "-", "-") for t in server.terminals]
    return found


def _columns(kernel: Kernel, now: datetime) -> tuple[str, ...]:
    return (
        kernel.short_id,
        kernel.state,
        since(kernel.last_activity, now),
        _memory(kernel.memory),
        str(kernel.connections),
        kernel.path or "-",
    )


def _memory(count: int | None) -> str:
    return "-" if count is None else data_size(count)


def _host(host: HostNotebooks) -> dict[str, Any]:
    error = host.state.error
    return {
        **_document(host.instance, host.servers),
        "region": host.instance.region,
        "error": output.problem(error) if error else None,
    }


def _document(instance: Instance, servers: Sequence[NotebookServer]) -> dict[str, Any]:
    return {
        "instance": instance.id,
        "name": instance.name,
        "servers": [_server(server) for server in servers],
    }


def _server(found: NotebookServer) -> dict[str, Any]:
    """No token: whoever is shown this need not be let in."""
    server = found.server
    return {
        "port": server.port,
        "host": server.host,
        "base_url": server.base_url,
        "folder": server.root_dir,
        "version": found.version or None,
        "lab": server.lab,
        "secure": server.secure,
        "password": server.password or wants_password(found),
        "environment": server.environment or None,
        "pid": server.pid,
        "memory": found.memory,
        "kernels": [_kernel(kernel) for kernel in found.kernels],
        "terminals": list(found.terminals),
        "error": output.problem(found.error) if found.error else None,
    }


def _kernel(kernel: Kernel) -> dict[str, Any]:
    return {
        "id": kernel.id,
        "name": kernel.name,
        "state": kernel.state,
        "last_activity": kernel.last_activity.isoformat() if kernel.last_activity else None,
        "connections": kernel.connections,
        "notebook": kernel.path or None,
        "session": kernel.session_id or None,
        "memory": kernel.memory,
    }


# Changing

Change = Callable[[Workbench, Instance, NotebookServer, Kernel], Awaitable[None]]


async def _stop(bench: Workbench, machine: Instance, server: NotebookServer, one: Kernel) -> None:
    await bench.notebooks.shutdown(machine, server, one)


async def _interrupt(
    bench: Workbench, machine: Instance, server: NotebookServer, one: Kernel
) -> None:
    await bench.notebooks.interrupt(machine, server, one)


async def _restart(
    bench: Workbench, machine: Instance, server: NotebookServer, one: Kernel
) -> None:
    await bench.notebooks.restart(machine, server, one)


CHANGES: dict[str, tuple[Change, str, str]] = {
    "stop": (_stop, "Shut down", "Ended"),
    "interrupt": (_interrupt, "", "Interrupted"),
    "restart": (_restart, "Restart", "Restarted"),
}
"""What is done, the question's verb (none: no question), and the word afterwards."""


async def _change(
    opened: Opened, words: argparse.Namespace, change: tuple[Change, str, str]
) -> int:
    do, question, done = change
    ends_server = words.name == "stop" and bool(words.server) and len(words.rest) == 1
    if len(words.rest) != (1 if ends_server else 2):
        raise UsageError(
            f"cloudtui kernels {words.name} wants a NAME and a KERNEL.",
            hint="See: cloudtui kernels NAME",
        )
    async with opened(words) as bench:
        bench.notebooks.may_change()
        instance = await bench.inventory.find(words.rest[0])
        if ends_server:
            return await _stop_server(bench, instance, words)
        server, kernel = await bench.notebooks.find(instance, words.rest[1], port=words.server)
        name = f"the kernel {kernel.short_id} of {kernel.path or 'no notebook'}"
        if question:
            lost = "The cell it runs and its" if kernel.busy else "Its"
            output.narrate(f"{question} {name} on {instance.label}. {lost} variables are lost.")
            await _agreed(words)
        await do(bench, instance, server, kernel)
        output.narrate(f"{done} {name} on {instance.label}.")
    _changed(words, instance, server.server.port, kernel)
    return 0


async def _stop_server(bench: Workbench, instance: Instance, words: argparse.Namespace) -> int:
    state = await asked(bench, instance)
    found = [s for s in state.servers or () if s.server.port == words.server]
    if not found:
        raise NotFound(
            f"No Jupyter server of {instance.label} is on port {words.server}.",
            ", ".join(str(s.server.port) for s in state.servers or ()) or "None runs there.",
            f"See: cloudtui kernels {shlex.quote(instance.spoken)}",
        )
    busy = sum(kernel.busy for kernel in found[0].kernels)
    output.narrate(
        f"Shut down the Jupyter server on port {words.server} of {instance.label} with "
        f"{plural(len(found[0].kernels), 'kernel')}, {busy} busy, and "
        f"{plural(len(found[0].terminals), 'terminal')}."
    )
    await _agreed(words)
    await bench.notebooks.shutdown_server(instance, found[0])
    output.narrate(f"Ended the Jupyter server on port {words.server} of {instance.label}.")
    _changed(words, instance, words.server)
    return 0


def _changed(
    words: argparse.Namespace, instance: Instance, port: int, kernel: Kernel | None = None
) -> None:
    """With `--json`, what was changed; without a kernel it is the server."""
    if not getattr(words, "json", False):
        return
    about = {"instance": instance.id, "name": instance.name or None, "done": words.name}
    one = {"kernel": kernel and kernel.id, "notebook": (kernel and kernel.path) or None}
    output.document({**about, "port": port, **one})


async def _agreed(words: argparse.Namespace) -> None:
    again = ["cloudtui", "kernels", words.name, *words.rest]
    again += ["--server", str(words.server)] if words.server else []
    await agree("Do it?", "Nothing was ended", shlex.join(again), yes=getattr(words, "yes", False))
