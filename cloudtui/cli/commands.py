"""One function a verb: words in, lines out, the exit code back."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import IO, TYPE_CHECKING

from cloudtui.cli import login, output
from cloudtui.cli.arguments import LIFECYCLE
from cloudtui.cli.prompts import TerminalPrompts
from cloudtui.core.events import Event, Noted
from cloudtui.core.tasks import aside
from cloudtui.core.workbench import Workbench
from cloudtui.files import settings
from cloudtui.model.errors import (
    CloudtuiError,
    ConnectionCut,
    CredentialsProblem,
    NotFound,
    NotRunning,
    UsageError,
)
from cloudtui.model.finding import Health
from cloudtui.model.instance import Instance, resolve
from cloudtui.model.session import Ending, Program, Session
from cloudtui.model.words import since

if TYPE_CHECKING:
    from cloudtui.core.all_sessions import HostSessions
    from cloudtui.model.job import Job


@asynccontextmanager
async def opened(
    words: argparse.Namespace, *, keep_tunnels: bool = False
) -> AsyncIterator[Workbench]:
    """The workbench of one command; its notes are narrated."""
    prompts = TerminalPrompts(yes=getattr(words, "yes", False))
    bench = Workbench(
        settings.load(),
        prompts,
        profiles=getattr(words, "profiles", ()),
        regions=getattr(words, "regions", ()),
        read_only=getattr(words, "read_only", False),
        keep_tunnels=keep_tunnels,
    )
    async with bench:
        bench.listen(_narrate_note)
        yield bench


def _narrate_note(event: Event) -> None:
    if isinstance(event, Noted):
        output.narrate(event.note.text)


async def ssh(words: argparse.Namespace) -> int:
    """A shell in this terminal, or one command with its streams and exit status passed on."""
    async with opened(words) as bench:
        instance = await bench.inventory.find(words.name)
        if words.instance_connect:
            bench.connections.use_instance_connect(instance)
        if words.command or not sys.stdin.isatty():
            return await _run(bench, instance, " ".join(words.command))
        from cloudtui.core.full_screen import take_over

        end = await take_over(
            lambda columns, rows, on_data: bench.sessions.shell(instance, columns, rows, on_data)
        )
    if end.ending is Ending.LOST:
        raise ConnectionCut(end.sentence, hint=f"Again: cloudtui ssh {words.name}")
    return end.exit_status or 0


async def _run(bench: Workbench, instance: Instance, command: str) -> int:
    """Run `command`, or the shell on stdin when it is empty."""
    connection = await bench.connections.get(instance)
    gone: asyncio.Future[OSError] = asyncio.get_running_loop().create_future()

    def passed(stream: IO[bytes], data: bytes) -> None:
        try:
            stream.write(data)
            stream.flush()
        except OSError as error:
            if not gone.done():
                gone.set_result(error)

    remote = await connection.command(
        command or "exec ${SHELL:-sh} -s",
        partial(passed, sys.stdout.buffer),
        partial(passed, sys.stderr.buffer),
        lasting=True,
    )

    async def feed() -> None:
        read = partial(os.read, sys.stdin.fileno(), 65_536)
        with contextlib.suppress(OSError):
            while data := await aside(read):
                remote.write(data)
                await remote.drain()
        remote.write_eof()

    feeding, ending = asyncio.create_task(feed()), asyncio.create_task(remote.wait())
    try:
        await asyncio.wait((ending, gone), return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            error = gone.result()
            raise error if isinstance(error, BrokenPipeError) else output.unwritten(error)
        return ending.result()
    finally:
        for task in (feeding, ending):
            task.cancel()
        await remote.close()


async def sessions(words: argparse.Namespace) -> int:
    """Print the tmux and screen sessions of one instance, or of every running one."""
    if not words.name:
        return await _all_sessions(words)
    async with opened(words) as bench:
        instance = await bench.inventory.find(words.name)
        state = await bench.sessions.list(instance)
    if state.error:
        raise state.error
    listing = state.listing
    assert listing is not None
    if words.json:
        output.document(
            {
                "instance": instance.id,
                "name": instance.name,
                "tmux": listing.tmux_version,
                "screen": listing.screen_version,
                "sessions": [_session(s) for s in listing.sessions],
            }
        )
    elif listing.sessions:
        output.table(SESSION_COLUMNS, [_columns(s) for s in listing.sessions])
    elif listing.programs:
        output.narrate(
            f"No session runs on {instance.label}. "
            f"Make one: cloudtui attach {instance.spoken} --new NAME"
        )
    else:
        output.narrate(
            f"Neither tmux nor screen is installed on {instance.label}. Install one there "
            f"(sudo apt install tmux), or open a shell: cloudtui ssh {instance.spoken}"
        )
    return 0


SESSION_COLUMNS = ("PROGRAM", "NAME", "RUNS", "ID", "WINDOWS", "ATTACHED", "AGE")


def _columns(session: Session) -> tuple[str, ...]:
    return (
        session.program.value,
        session.name,
        session.command or "-",
        session.id,
        "-" if session.windows is None else str(session.windows),
        "dead" if session.dead else str(session.attached) if session.attached else "no",
        since(session.created, datetime.now(UTC)),
    )


async def _all_sessions(words: argparse.Namespace) -> int:
    """Ask every running instance; one that fails is told after the others' sessions."""
    async with opened(words) as bench:
        listed = await bench.inventory.load()
        await bench.all_sessions.refresh(ask=True)
        hosts = bench.all_sessions.hosts
    failures = [error for _, error in listed.errors]
    failures += [host.state.error for host in hosts if host.state.error]
    if words.json:
        output.document(
            {
                "hosts": [_host(host) for host in hosts],
                "errors": output.problems(error for _, error in listed.errors),
            }
        )
    else:
        rows = [(h.instance.spoken, *_columns(s)) for h in hosts for s in h.sessions]
        if rows:
            output.table(("HOST", *SESSION_COLUMNS), rows)
        for host in hosts:
            if host.words and not host.state.error:
                output.narrate(f"{host.instance.label}: {host.words}")
        if not hosts and not failures:
            output.narrate("No instance runs. List all of them: cloudtui ls")
    for error in failures:
        output.failure(error)
    return failures[0].exit_code if failures else 0


def _host(host: HostSessions) -> dict[str, object]:
    listing, error = host.state.listing, host.state.error
    return {
        "instance": host.instance.id,
        "name": host.instance.name,
        "region": host.instance.region,
        "tmux": listing.tmux_version if listing else None,
        "screen": listing.screen_version if listing else None,
        "sessions": [_session(s) for s in host.sessions],
        "error": output.problem(error) if error else None,
    }


def _session(session: Session) -> dict[str, object]:
    return {
        "program": session.program.value,
        "id": session.id,
        "name": session.name,
        "windows": session.windows,
        "command": session.command,
        "attached": session.attached,
        "created": session.created.isoformat() if session.created else None,
        "dead": session.dead,
    }


async def attach(words: argparse.Namespace) -> int:
    """Hand this terminal to a session; leaving it detaches and ends nothing."""
    from cloudtui.core.full_screen import take_over
    from cloudtui.model.job import Job

    async with opened(words) as bench:
        instance, name = await _named(bench, words.name)
        if words.instance_connect:
            bench.connections.use_instance_connect(instance)
        if words.new:
            found: Session | Job = await _made(bench, instance, words)
        else:
            found = await _found(bench, instance, name)
        end = await take_over(
            lambda *size_and_sink: (
                bench.jobs.attach(instance, found, *size_and_sink)
                if isinstance(found, Job)
                else bench.sessions.attach(instance, found, *size_and_sink)
            )
        )
    called = found.name if isinstance(found, Session) else found.id
    again = f"Again: cloudtui attach {instance.spoken}:{called}"
    match end.ending:
        case Ending.LOST:
            raise ConnectionCut(end.sentence, hint=again)
        case Ending.FAILED:
            raise CloudtuiError(end.sentence, hint=f"See: cloudtui sessions {instance.spoken}")
        case _:
            output.narrate(end.sentence)
            return 0


async def _found(bench: Workbench, instance: Instance, name: str) -> Session | Job:
    """The session of that name, else the run, which may have none.

    Raises:
        NotFound: neither.
    """
    try:
        return await bench.sessions.find(instance, name)
    except (NotFound, NotRunning) as error:
        if not name:
            raise
        try:
            return await bench.jobs.find(instance, name)
        except NotFound:
            raise error from None


async def _named(bench: Workbench, text: str) -> tuple[Instance, str]:
    """Instance and session of NAME[:SESSION]; a Name tag may hold colons itself."""
    name, colon, session = text.rpartition(":")
    if not colon:
        return await bench.inventory.find(text), ""
    await bench.inventory.load()
    try:
        return resolve(text, bench.inventory.state.instances), ""
    except NotFound:
        return await bench.inventory.find(name), session


async def _made(bench: Workbench, instance: Instance, words: argparse.Namespace) -> Session:
    state = await bench.sessions.list(instance)
    if state.error:
        raise state.error
    programs = state.listing.programs if state.listing else ()
    if not programs:
        raise NotFound(
            f"Neither tmux nor screen is installed on {instance.label}.",
            hint=f"Install one there (sudo apt install tmux), or open a shell: "
            f"cloudtui ssh {instance.spoken}",
        )
    program = Program(words.program) if words.program else programs[0]
    return await bench.sessions.new(instance, program, words.new)


async def doctor(words: argparse.Namespace) -> int:
    """Check everything the other verbs need; 1 when something must be mended."""
    from cloudtui.core.doctor import examine

    marks = {Health.OK: "ok", Health.WARNING: "warning", Health.PROBLEM: "PROBLEM"}
    findings = []
    async for finding in examine(
        profiles=getattr(words, "profiles", ()),
        regions=getattr(words, "regions", ()),
        wrong_keys=getattr(words, "wrong_keys", lambda _: ()),
    ):
        findings.append(finding)
        if not words.json:
            output.line(f"{marks[finding.health]:<8} {finding.check}: {finding.seen}")
            if finding.cure:
                output.line(f"{'':<8} → {finding.cure}")
    if words.json:
        output.document([{**asdict(f), "health": f.health.value} for f in findings])
    return 1 if any(f.health is Health.PROBLEM for f in findings) else 0


VERBS: dict[str, Callable[[argparse.Namespace], Awaitable[int]]] = {
    "ssh": ssh,
    "sessions": sessions,
    "attach": attach,
    "doctor": doctor,
}
ELSEWHERE = {
    "ls": ("listing", "ls"),
    **dict.fromkeys(LIFECYCLE, ("lifecycle", "change")),
    "hosts": ("hosts", "perform"),
    "keys": ("keys", "perform"),
    "ip": ("ip", "perform"),
    "jupyter": ("jupyter", "perform"),
    "kernels": ("kernels", "perform"),
    "tunnel": ("tunnel", "perform"),
    "run": ("run", "perform"),
    "jobs": ("jobs", "perform"),
    "logs": ("logs", "perform"),
    "cp": ("cp", "perform"),
}
"""Verbs with a module of their own, which only they import."""


def verb_of(name: str) -> Callable[[argparse.Namespace], Awaitable[int]]:
    """What performs a verb.

    Raises:
        UsageError: there is no such verb.
    """
    if name in VERBS:
        return VERBS[name]
    if name not in ELSEWHERE:
        raise UsageError(f"{name} is no verb.", hint="See: cloudtui --help")
    module, function = ELSEWHERE[name]
    return partial(getattr(importlib.import_module(f"cloudtui.cli.{module}"), function), opened)


async def perform(words: argparse.Namespace) -> int:
    """The verb's exit code.

    Raises:
        CloudtuiError: what happened, with its exit code.
    """
    verb = verb_of(words.verb)
    try:
        return await verb(words)
    except CredentialsProblem as error:
        async with opened(words) as bench:
            if not await login.offered(bench, error):
                raise
    return await verb(words)
