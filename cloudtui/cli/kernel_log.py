"""kernels log, run and record: what notebooks printed while nobody looked."""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import sys
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any

from cloudtui.cli import output
from cloudtui.core.workbench import Workbench
from cloudtui.model.errors import CloudtuiError, NotFound, UsageError
from cloudtui.model.instance import Instance
from cloudtui.model.log_lines import plain
from cloudtui.model.recording import HostRecorder, NotebookRun, Recording, moment, parse_run
from cloudtui.model.transcript import Transcript
from cloudtui.model.words import data_size, plural, stamp

Opened = Callable[[argparse.Namespace], AbstractAsyncContextManager[Workbench]]

TAIL = 256 << 10
"""Bytes read first for the last lines of a log."""


# kernels log


async def log(opened: Opened, words: argparse.Namespace) -> int:
    """Print what was recorded of a notebook's kernel, and with `-f` what it prints from now on."""
    if words.server and len(words.rest) == 1:
        raise UsageError(
            "--server goes with a NOTEBOOK: the one whose kernel runs on the server of that port.",
            hint="What was recorded of every server: cloudtui kernels log NAME",
        )
    if len(words.rest) not in (1, 2):
        raise UsageError(
            "cloudtui kernels log wants a NAME and a NOTEBOOK.",
            hint="See what was recorded: cloudtui kernels log NAME",
        )
    async with opened(words) as bench:
        instance = await bench.inventory.find(words.rest[0])
        if len(words.rest) == 1:
            return await _list(bench, instance, words)
        kernels = await _kernels(bench, instance, words.server) if words.server else None
        recording = await bench.recordings.find(instance, words.rest[1], kernels)
        recorder = bench.recordings.state(instance.id).recorder
        if recorder and (problem := _hint(recorder, instance)):
            output.narrate(problem)
        if getattr(words, "json", False):
            return await _json(bench, instance, recording, words)
        if words.follow:
            await follow(bench, instance, recording, lines=words.lines, times=words.times)
            return 0
        transcript = await _read(bench, instance, recording, words.lines)
        lines = list(transcript.lines())
        for when, text in lines[-words.lines :] if words.lines else lines:
            _print(when, text, times=words.times)
    return 0


async def _kernels(bench: Workbench, instance: Instance, port: int) -> Collection[str]:
    """The ids of the kernels of one server there."""
    state = await bench.notebooks.list(instance)
    if state.error:
        raise state.error
    found = [server for server in state.servers or () if server.server.port == port]
    if not found:
        raise NotFound(
            f"No Jupyter server of {instance.label} is on port {port}.",
            hint=f"See: cloudtui kernels {shlex.quote(instance.spoken)}",
        )
    if found[0].error:
        raise found[0].error
    return {kernel.id for kernel in found[0].kernels}


async def _list(bench: Workbench, instance: Instance, words: argparse.Namespace) -> int:
    """Print what was recorded of each kernel."""
    state = await bench.recordings.list(instance)
    if state.error:
        raise state.error
    assert state.recorder
    if getattr(words, "json", False):
        output.document(_document(instance, state.recorder))
        return 0
    _table(state.recorder)
    if said := _hint(state.recorder, instance):
        output.narrate(said)
    elif not state.recorder.recordings:
        output.narrate(f"No kernel of {instance.label} was recorded yet.")
    return 0


def _hint(recorder: HostRecorder, instance: Instance) -> str:
    if not recorder.running:
        return (
            f"Nothing is recorded on {instance.label} now. "
            f"Switch it on: cloudtui kernels record {shlex.quote(instance.spoken)}"
        )
    return recorder.problem.replace("NAME", shlex.quote(instance.spoken))


async def _read(
    bench: Workbench, instance: Instance, recording: Recording, lines: int
) -> Transcript:
    """What there is; of a long log not much more than so many lines."""
    tail = TAIL + lines * 200 if lines else 0
    while True:
        transcript = Transcript()

        def take(record: dict[str, Any], transcript: Transcript = transcript) -> None:
            transcript.feed(record)

        await bench.recordings.log(instance, recording.id, take, tail=tail)
        if not tail or tail >= recording.size or len(transcript.log) >= lines:
            return transcript
        tail *= 8


async def follow(
    bench: Workbench,
    instance: Instance,
    recording: Recording,
    *,
    offset: int = 0,
    lines: int = 0,
    times: bool = False,
    until: Callable[[dict[str, Any]], bool] = lambda record: False,
) -> Transcript:
    """Print lines as they are finished: until Ctrl-C, the kernel's end, or the record that
    `until` waits for. With `lines` only so many of those that are there."""
    transcript = Transcript()
    printed, caught_up, ended = 0, not lines, asyncio.Event()

    def take(record: dict[str, Any]) -> None:
        nonlocal printed, caught_up
        transcript.feed(record)
        if record["kind"] == "now" and not caught_up:
            caught_up, printed = True, max(0, transcript.complete - lines)
        if not caught_up:
            return
        for when, text in transcript.lines(printed):
            if printed >= transcript.complete:
                break
            printed += 1
            _print(when, text, times=times)
        if last := transcript.log.lines[-1]:
            output.passing(plain(last))
        if transcript.words.ended or until(record):
            ended.set()

    def cut(error: CloudtuiError | None) -> None:
        output.narrate("Connected again." if error is None else f"{error.title} Trying again …")

    tail = TAIL + lines * 1000 if lines else 0
    reading = asyncio.create_task(
        bench.recordings.log(
            instance, recording.id, take, offset=offset, tail=tail, follow=True, on_cut=cut
        )
    )
    ending = asyncio.create_task(ended.wait())
    try:
        await asyncio.wait((reading, ending), return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            reading.result()
    finally:
        for task in (reading, ending):
            task.cancel()
        await asyncio.gather(reading, ending, return_exceptions=True)
    return transcript


def _print(when: datetime | None, text: str, *, times: bool) -> None:
    shown = text if sys.stdout.isatty() else plain(text)
    if times:
        clock = when.astimezone().strftime("%Y-%m-%d %H:%M:%S") if when else ""
        shown = f"{clock:<19}  {shown}".rstrip()
    output.line(shown)


async def _json(
    bench: Workbench, instance: Instance, recording: Recording, words: argparse.Namespace
) -> int:
    """One document; with `-f` a JSON record on each line instead."""
    if words.follow:

        def tell(record: dict[str, Any]) -> None:
            if record["kind"] not in ("now", "run"):
                output.line(json.dumps(_record(record), ensure_ascii=False))

        await bench.recordings.log(instance, recording.id, tell, follow=True)
        return 0
    records: list[dict[str, Any]] = []
    await bench.recordings.log(instance, recording.id, lambda r: records.append(_record(r)))
    output.document(
        {
            "instance": instance.id,
            "kernel": recording.id,
            "notebook": recording.path or None,
            "state": recording.state or None,
            "records": records[-words.lines :] if words.lines else records,
        }
    )
    return 0


def _record(record: dict[str, Any]) -> dict[str, Any]:
    when = moment(record.get("t"))
    rest = {key: value for key, value in record.items() if key != "t"}
    return {"time": when.isoformat() if when else None, **rest}


# kernels run


async def run(opened: Opened, words: argparse.Namespace) -> int:
    """Run every code cell of a notebook on its host; with `-f` print what they print."""
    if len(words.rest) != 2:
        raise UsageError(
            "cloudtui kernels run wants a NAME and a NOTEBOOK.",
            hint="See: cloudtui kernels --help",
        )
    async with opened(words) as bench:
        instance = await bench.inventory.find(words.rest[0])
        recording, cells = await bench.recordings.run(
            instance, words.rest[1], port=words.server or 0
        )
        name, path = shlex.quote(instance.spoken), shlex.quote(recording.path)
        output.narrate(
            f"{plural(cells, 'cell')} of {recording.path} run on {instance.label}, with or without "
            "this terminal."
        )
        if getattr(words, "json", False):
            document = {"kernel": recording.id, "notebook": recording.path, "cells": cells}
            output.document({"instance": instance.id, **document})
            return 0
        if not words.follow:
            output.narrate(f"See them run: cloudtui kernels log {name} {path} -f")
            return 0
        end: list[NotebookRun] = []

        def ended(record: dict[str, Any]) -> bool:
            run = parse_run(record) if record["kind"] == "run" else None
            if run and run.state != "running":
                end.append(run)
            return bool(end)

        await follow(
            bench, instance, recording, offset=recording.end, times=words.times, until=ended
        )
    if not end:
        raise CloudtuiError(f"The kernel of {recording.path} ended.")
    output.narrate(f"{recording.path}: {end[0].words}")
    return 0 if end[0].state == "done" else 1


# kernels record


async def record(opened: Opened, words: argparse.Namespace) -> int:
    """Switch recording on for a host, or with `--stop` off; say what there is."""
    if len(words.rest) != 1:
        raise UsageError(
            "cloudtui kernels record wants one NAME.", hint="See: cloudtui kernels --help"
        )
    if words.server:
        raise UsageError(
            "cloudtui kernels record takes no --server: it records every kernel of your user."
        )
    async with opened(words) as bench:
        instance = await bench.inventory.find(words.rest[0])
        if words.stop:
            recorder = await bench.recordings.stop(instance)
        else:
            recorder = await bench.recordings.start(instance)
    if getattr(words, "json", False):
        output.document(_document(instance, recorder))
        return 0
    _table(recorder)
    name = shlex.quote(instance.spoken)
    if words.stop:
        output.narrate(
            f"Nothing is recorded on {instance.label} any more. What was recorded stays there."
        )
        return 0
    live = sum(r.live for r in recorder.recordings)
    output.narrate(
        f"What notebooks print on {instance.label} is recorded there, now of "
        f"{plural(live, 'kernel')}. Read it: cloudtui kernels log {name} NOTEBOOK"
    )
    for port, problem in recorder.servers:
        if problem:
            output.narrate(
                f"The Jupyter server on port {port}: {problem}. Its kernels are recorded all the "
                "same; the names of their notebooks are those they were started with."
            )
    for recording in recorder.recordings:
        if recording.state == "locked":
            output.narrate(
                f"The kernel of {recording.spoken} cannot be recorded: its sockets are encrypted "
                "(transport_encryption in the settings of Jupyter there)."
            )
    if recorder.problem:
        output.narrate(recorder.problem)
        return 1
    return 0


def _table(recorder: HostRecorder) -> None:
    if recorder.recordings:
        output.table(
            ("KERNEL", "STATE", "SIZE", "LAST", "NOTEBOOK"),
            [_columns(r) for r in recorder.recordings],
        )


def _columns(recording: Recording) -> tuple[str, ...]:
    return (
        recording.id[:8],
        recording.state or "-",
        data_size(recording.size),
        stamp(recording.written),
        recording.path or "-",
    )


def _document(instance: Instance, recorder: HostRecorder) -> dict[str, Any]:
    return {
        "instance": instance.id,
        "running": recorder.running,
        "since": recorder.since.isoformat() if recorder.since else None,
        "bytes": recorder.size,
        "problem": recorder.problem or None,
        "servers": [{"port": port, "problem": why or None} for port, why in recorder.servers],
        "recordings": [
            {
                "kernel": r.id,
                "notebook": r.path or None,
                "state": r.state or None,
                "bytes": r.size,
                "written": r.written.isoformat() if r.written else None,
            }
            for r in recorder.recordings
        ],
    }
