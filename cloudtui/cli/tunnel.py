"""tunnel NAME, tunnel ls, tunnel stop, tunnel retry."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cloudtui.cli import output
from cloudtui.core import kept_tunnels
from cloudtui.core.events import Event, TunnelsChanged
from cloudtui.core.tunnel_kept import may_open
from cloudtui.core.workbench import Workbench
from cloudtui.files import wanted_tunnels
from cloudtui.model.errors import CloudtuiError, Refused, UsageError
from cloudtui.model.instance import Instance
from cloudtui.model.tunnel import (
    Direction,
    TunnelPhase,
    TunnelSpec,
    TunnelState,
    find_tunnels,
    parse_tunnel,
    port_label,
)
from cloudtui.model.words import data_size, plural, since

Opened = Callable[..., AbstractAsyncContextManager[Workbench]]


async def perform(opened: Opened, words: argparse.Namespace) -> int:
    """The exit code of `cloudtui tunnel`.

    Raises:
        CloudtuiError: it was not done, or a tunnel that was held has ended for good.
    """
    match words.name:
        case "ls":
            return await _ls(opened, words)
        case "stop":
            return await _stop(opened, words)
        case "retry":
            return await _retry(opened, words)
    specs = _specs(words)
    async with opened(words, keep_tunnels=words.background) as bench:
        for spec in specs:
            may_open(spec, read_only=bench.read_only)
        instance = await bench.inventory.find(words.name)
        if not specs:
            return await _listening(bench, instance, words)
        states = await _open(bench, instance, specs, words)
        if getattr(words, "json", False):
            output.document({"tunnels": [_document(t) for t in states]})
            output.flush()
        else:
            for state in states:
                output.line(_sentence(state))
        if words.background:
            keys = " ".join(t.key for t in states)
            output.narrate(f"Open in the background. Close: cloudtui tunnel stop {keys}")
            return 0
        _tell_problems(bench)
        output.narrate(
            f"Holding {plural(len(states), 'tunnel')} to {instance.label}. Ctrl-C closes."
        )
        bench.inventory.start()
        async with asyncio.TaskGroup() as group:
            for state in states:
                group.create_task(bench.tunnels.wait(state.key))
    return 0


def _specs(words: argparse.Namespace) -> list[TunnelSpec]:
    specs = [parse_tunnel(text) for text in (*words.tunnels, *words.local)]
    if words.local_port:
        if len(specs) != 1:
            raise UsageError(
                "--local-port goes with exactly one TUNNEL.",
                hint="With several, name each port: cloudtui tunnel NAME 9000:8888 9001:6006",
            )
        specs = [replace(specs[0], listen_port=words.local_port)]
    specs += [parse_tunnel(text, Direction.REMOTE) for text in words.remote]
    specs += [parse_tunnel(text, Direction.DYNAMIC) for text in words.dynamic]
    for spec in specs:
        if spec.exposed:
            output.narrate(f"{spec} is open to other computers too, not to this one alone.")
    return specs


async def _open(
    bench: Workbench,
    instance: Instance,
    specs: Sequence[TunnelSpec],
    words: argparse.Namespace,
) -> list[TunnelState]:
    states: list[TunnelState] = []
    connection = await bench.connections.get(instance)
    trip = await connection.latency() if getattr(words, "json", False) else None
    for spec in specs:
        state = await bench.tunnels.open(instance, spec)
        states.append(replace(state, latency=state.latency or trip))
        if spec.direction is not Direction.LOCAL:
            continue
        try:
            answers = await connection.probe_port(spec.host, spec.port)
        except Refused:
            await bench.tunnels.close_one(state.key)
            raise
        if not answers:
            output.narrate(
                f"Nothing listens on port {spec.port} of {instance.spoken} yet; the tunnel "
                "waits for it."
            )
    return states


async def _listening(bench: Workbench, instance: Instance, words: argparse.Namespace) -> int:
    ports = await bench.listening(instance)
    if getattr(words, "json", False):
        found = [{"port": p.port, "name": p.name, "program": p.program} for p in ports]
        output.document({"listening": found})
    elif ports:
        output.table(("PORT", "WHAT", "PROGRAM"), [(str(p.port), p.name, p.program) for p in ports])
    else:
        output.narrate(f"No program of {instance.label} listens on a port.")
        return 0
    usual = " ".join(str(p.port) for p in ports[:2])
    if usual:
        output.narrate(f"Forward them here: cloudtui tunnel {words.name} {usual}")
    return 0


async def _ls(opened: Opened, words: argparse.Namespace) -> int:
    async with opened(words, keep_tunnels=True) as bench:
        kept = bench.tunnels
        assert isinstance(kept, kept_tunnels.KeptTunnels)
        runs = await kept.meet()
        if kept.states:
            await kept.look()
        states = kept.states
    if getattr(words, "json", False):
        output.document({"running": runs, "tunnels": [_document(t) for t in states]})
    elif states:
        output.table(
            ("STOP WITH", "TUNNEL", "WHAT", "STATE", "SINCE", "OPEN", "IN", "OUT", "CUTS"),
            [_columns(t) for t in states],
        )
        for state in states:
            if problem := state.error or state.problem:
                output.narrate(f"{state.key}: {problem}")
    elif wanted := wanted_tunnels.load():
        output.narrate(
            f"{plural(len(wanted), 'tunnel')} of the last run will be opened again when the "
            "console starts, or with: cloudtui tunnel NAME PORT --background"
        )
    else:
        output.narrate(
            "No tunnel in the background. Open one: cloudtui tunnel NAME 8888 --background"
        )
    return 0


async def _stop(opened: Opened, words: argparse.Namespace) -> int:
    if words.all:
        closed = await _keys(opened, words) if getattr(words, "json", False) else None
        running = await kept_tunnels.stop(forget=True)
        if closed is not None:
            output.document({"closed": closed})
        if running:
            output.narrate("Every tunnel in the background is closed.")
        else:
            output.narrate("No tunnel is open in the background.")
        return 0
    if not words.tunnels:
        raise UsageError(
            "Which one?", hint="cloudtui tunnel stop 8888, or --all. See: cloudtui tunnel ls"
        )
    async with opened(words, keep_tunnels=True) as bench:
        kept, keys = await _in_background(bench, words.tunnels)
        for key in keys:
            await kept.close_one(key)
            output.narrate(f"Closed {key}.")
    if getattr(words, "json", False):
        output.document({"closed": keys})
    return 0


async def _keys(opened: Opened, words: argparse.Namespace) -> list[str]:
    """Those in the background; a keeper of another version does not tell."""
    async with opened(words, keep_tunnels=True) as bench:
        with contextlib.suppress(CloudtuiError):
            return [t.key for t in (await _in_background(bench, ()))[0].states]
    return []


async def _retry(opened: Opened, words: argparse.Namespace) -> int:
    """Connect again now; wait until each is up, or say why it is not."""
    async with opened(words, keep_tunnels=True) as bench:
        kept, keys = await _in_background(bench, words.tunnels)
        if not words.tunnels:
            keys = [t.key for t in kept.states if t.phase is not TunnelPhase.UP]
        some = bool(kept.states)
        for key in keys:
            await kept.retry(key)
        states = [await kept.settled(key) for key in keys]
    if getattr(words, "json", False):
        output.document({"tunnels": [_document(t) for t in states]})
    for state in states:
        output.narrate(f"{state.where} is {state.phase.value}.")
        if state.phase is not TunnelPhase.UP and state.error:
            output.narrate(str(state.error))
    if not keys:
        output.narrate(
            "Every tunnel in the background is up." if some else "No tunnel is in the background."
        )
    return 0 if all(t.phase is TunnelPhase.UP for t in states) else 5


async def _in_background(
    bench: Workbench, texts: Sequence[str]
) -> tuple[kept_tunnels.KeptTunnels, list[str]]:
    """The tunnels in the background, and the keys of those that are meant."""
    kept = bench.tunnels
    assert isinstance(kept, kept_tunnels.KeptTunnels)
    await kept.meet()
    found = [state.key for text in texts for state in find_tunnels(kept.states, text)]
    return kept, list(dict.fromkeys(found))


def _tell_problems(bench: Workbench) -> None:
    """Say why a connection could not be passed on, once for each reason."""
    told: dict[str, str] = {}

    def heard(event: Event) -> None:
        if isinstance(event, TunnelsChanged):
            for state in event.tunnels:
                title = state.problem.title if state.problem else ""
                if state.phase is TunnelPhase.UP and title and told.get(state.key) != title:
                    output.narrate(f"{state.where}: {state.problem}")
                told[state.key] = title

    bench.listen(heard)


def _sentence(state: TunnelState) -> str:
    quiet = state.direction is not Direction.LOCAL
    name = "" if quiet else port_label(state.remote_port).partition(" ")[2]
    return f"{state.where}{f'  {name}' if name else ''}"


def _columns(state: TunnelState) -> tuple[str, ...]:
    return (
        state.key,
        state.where,
        state.label,
        state.phase.value,
        since(state.since, datetime.now(UTC)),
        str(state.connections),
        data_size(state.bytes_in),
        data_size(state.bytes_out),
        str(state.cuts),
    )


def _document(state: TunnelState) -> dict[str, Any]:
    error = state.error or state.problem
    return {
        "key": state.key,
        "direction": state.direction.value,
        "local_port": state.local_port,
        "remote_port": state.remote_port,
        "host": state.host,
        "bind": state.bind,
        "instance": state.instance_id,
        "machine": state.machine,
        "label": state.label,
        "state": state.phase.value,
        "since": state.since.isoformat(),
        "connections": state.connections,
        "bytes_in": state.bytes_in,
        "bytes_out": state.bytes_out,
        "cuts": state.cuts,
        "latency_ms": None if state.latency is None else round(state.latency * 1000, 1),
        "error": str(error) if error else None,
    }
