"""Wires the rooms together: words are read, then one front or the other is opened."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cloudtui.cli.arguments import asks_for_json, parsed
from cloudtui.files import installed

if TYPE_CHECKING:
    import argparse
    from types import TracebackType

    from cloudtui.core.workbench import Workbench
    from cloudtui.files.settings import Settings
    from cloudtui.model.remote import Prompts

EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """The `cloudtui` program; returns its exit code."""
    sys.excepthook = report_crash
    if not os.environ.get("HOME", "none"):
        del os.environ["HOME"]  # as where it is not set: the home folder is the user's own
    from cloudtui.cli import output

    output.prepare()
    try:
        try:
            code = _told(argv)
        finally:
            output.flush()
    except output.Unwritten as error:
        output.discard_stdout()
        output.failure(error)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        output.discard_stdout()
        return EXIT_INTERRUPTED + 11
    return code


def _told(argv: Sequence[str] | None) -> int:
    """The exit code of what the words ask for; a failure is told, with --json as a document too."""
    from cloudtui.cli import output
    from cloudtui.model.errors import CloudtuiError

    json = asks_for_json(argv)
    try:
        words = parsed(argv)
        json = getattr(words, "json", False)
        return _perform(words)
    except output.Unwritten:
        raise
    except CloudtuiError as error:
        output.failure(error)
        if json:
            output.failed_document(error)
        return error.exit_code


def report_crash(
    kind: type[BaseException], value: BaseException, trace: TracebackType | None
) -> None:
    """A bug: the report goes to a file without locals, one line tells where. In parts of two
    versions it is none."""
    if installed.replaced():
        sys.stderr.write(f"{installed.RUN_AGAIN}\n")
        return
    from cloudtui.cli.output import narrate
    from cloudtui.files.crash import write_report

    file = write_report(value.with_traceback(trace))
    narrate(f"cloudtui stopped on a bug of its own ({kind.__name__}). The report is in {file}")


def _perform(words: argparse.Namespace) -> int:
    match words.verb:
        case None:
            return console(words)
        case "demo":
            return demo(words)
        case "doctor":
            words.wrong_keys = wrong_keys
            return command(words)
        case _:
            return command(words)


def wrong_keys(settings: Settings) -> list[str]:
    """A sentence for each of the user's own keys that the console cannot take."""
    from cloudtui.ui.actions_leader import with_all_keys

    return with_all_keys(settings.keys, settings.leader)[1]


def command(words: argparse.Namespace) -> int:
    """Run one verb on an event loop of its own; SIGTERM and SIGHUP leave as Ctrl-C does."""
    import asyncio
    import signal

    from cloudtui.cli.commands import perform

    async def performed() -> int:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        caught: list[int] = []

        def leave(number: int) -> None:
            caught.append(number)
            task.cancel()

        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, leave, number)
        try:
            return await perform(words)
        except asyncio.CancelledError:
            if caught:
                return 128 + caught[0]
            raise

    return asyncio.run(performed())


def console(words: argparse.Namespace) -> int:
    """Open the console on the AWS that the environment and the settings name."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        from cloudtui.model.errors import UsageError

        raise UsageError(
            "The console needs a terminal, and stdin or stdout is not one.",
            hint="Without one, use a verb: cloudtui ls. All of them: cloudtui --help",
        )
    from cloudtui.core.amazons import PROFILE, wanted
    from cloudtui.core.workbench import Workbench
    from cloudtui.files import last_places
    from cloudtui.files.settings import load
    from cloudtui.ui.app import run

    settings = load()
    profiles = getattr(words, "profiles", ()) or last_places.profiles()
    known = wanted(profiles, PROFILE, settings.profiles)
    regions = getattr(words, "regions", ()) or last_places.regions(known)

    def make_workbench(prompts: Prompts) -> Workbench:
        return Workbench(
            settings,
            prompts,
            profiles=profiles,
            regions=regions,
            read_only=getattr(words, "read_only", False),
            keep_tunnels=True,
        )

    return run(make_workbench, settings=settings)


def _run_in_demo(command: Sequence[str]) -> int:
    """The command's exit code, negative for a signal; SIGTERM and SIGHUP are passed on to it."""
    import signal
    import subprocess

    children: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def pass_on(caught: int, _frame: object) -> None:
        if not children:
            early.append(caught)
        for child in children:
            child.send_signal(caught)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    with subprocess.Popen(command) as child:
        children.append(child)
        for caught in early:
            child.send_signal(caught)
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                continue  # the terminal sent it to the command too, which decides


def demo(words: argparse.Namespace) -> int:
    """Open the console, or run a command, on the embedded cloud; it ends with it."""
    from cloudtui.demo.launch import Demo
    from cloudtui.files import paths
    from cloudtui.model.errors import NotFound

    crashes = str(paths.crash_dir())
    with Demo() as cloud:
        cloud.apply(os.environ)
        os.environ[paths.CRASHES] = crashes  # a report outlives the demo's folder
        if words.command:
            try:
                code = _run_in_demo(words.command)
            except OSError as error:
                raise NotFound(
                    f"{words.command[0]} cannot be run: {error.strerror}.",
                    hint="Name a program that is on the PATH: cloudtui demo -- PROGRAM ...",
                ) from error
            return code if code >= 0 else 128 - code
        return console(words)


if __name__ == "__main__":
    sys.exit(main())
