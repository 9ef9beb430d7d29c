"""The checks of `cloudtui doctor`: each says what was seen, and its cure."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import stat
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

from cloudtui import __version__
from cloudtui.core.browser import why_no_browser
from cloudtui.core.key_files import KeyFiles
from cloudtui.core.workbench import Workbench
from cloudtui.files import keys, settings, ssh_config, themes
from cloudtui.files.paths import settings_file, ssh_dir
from cloudtui.files.settings import Settings
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.finding import Finding, Health
from cloudtui.model.instance import Instance, State
from cloudtui.model.remote import NoPrompts, Route
from cloudtui.model.words import plural
from cloudtui.ssh.child import begin, said
from cloudtui.vt import engine

SSH_SECONDS = 10.0
REGION = re.compile(r"[a-z]+(-[a-z]+)+-\d+")
PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")


async def examine(
    *,
    profiles: Sequence[str] = (),
    regions: Sequence[str] = (),
    wrong_keys: Callable[[Settings], Sequence[str]] = lambda _: (),
) -> AsyncIterator[Finding]:
    """Every check in turn; nothing is changed, and no host is connected to.

    `wrong_keys` gives a sentence for each of the user's own keys that the console cannot take.
    """
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("cloudtui", Health.OK, f"{__version__} on Python {version}")
    yield _terminal()
    yield _panes()
    yield await _openssh()
    yield _browser()
    try:
        found = settings.load()
    except CloudtuiError as error:
        yield _problem("settings", error)
        found = Settings()
    else:
        there = settings_file().exists()
        yield Finding("settings", Health.OK, f"{settings_file()}{'' if there else ' (none yet)'}")
        for finding in await asyncio.to_thread(lambda: list(_names(found, wrong_keys(found)))):
            yield finding
    yield await _ssh_config(found)
    for finding in await asyncio.to_thread(lambda: list(_key_files(found))):
        yield finding
    for key in await KeyFiles(found).list():
        if key.trouble and key.problem:
            yield Finding("key file", Health.WARNING, key.problem.rstrip("."), key.cure)
    async with Workbench(found, NoPrompts(), profiles=profiles, regions=regions) as bench:
        async for finding in _cloud(bench, found):
            yield finding


def _problem(check: str, error: CloudtuiError) -> Finding:
    seen = " ".join(part for part in (error.title, error.detail) if part)
    return Finding(check, Health.PROBLEM, seen, error.hint)


def _names(found: Settings, wrong_keys: Sequence[str]) -> Iterator[Finding]:
    """What the settings name that there is not; the console starts all the same."""
    files, errors = themes.read_themes()
    for error in errors:
        yield _problem("theme", error)
    known = sorted(str(file["name"]) for file in files)
    if found.theme not in known:
        cure = f"Known: {', '.join(known)}."
        yield Finding("settings", Health.WARNING, f"there is no theme {found.theme!r}", cure)
    for region in found.regions:
        if region != "all" and not REGION.fullmatch(region):
            cure = "Regions are called as us-east-1 is; all stands for every enabled one."
            yield Finding("settings", Health.WARNING, f"{region!r} is no region's name", cure)
    for sentence in wrong_keys:
        cure = "The keys, and what they are called: README, section Keys."
        yield Finding("settings", Health.WARNING, sentence.rstrip("."), cure)


def _terminal() -> Finding:
    name = os.environ.get("TERM", "")
    if not sys.stdout.isatty():
        return Finding("terminal", Health.OK, "stdout is not a terminal; the verbs need none")
    size = os.get_terminal_size(sys.stdout.fileno())
    seen = f"{name or 'TERM is not set'}, {size.columns}x{size.lines}"
    if name in ("", "dumb"):
        return Finding("terminal", Health.PROBLEM, seen, "Set TERM, as in: TERM=xterm-256color")
    if size.columns < 60 or size.lines < 15:
        cure = "The console needs 60x15; make the window larger."
        return Finding("terminal", Health.WARNING, seen, cure)
    return Finding("terminal", Health.OK, seen)


def _panes() -> Finding:
    reason = engine.available()
    if reason:
        cure = "Panes are off in the console; cloudtui attach and cloudtui ssh work without them."
        return Finding("panes", Health.WARNING, reason, cure)
    return Finding("panes", Health.OK, "terminal engine installed")


async def _openssh() -> Finding:
    found = shutil.which("ssh")
    if not found:
        return Finding(
            "OpenSSH",
            Health.WARNING,
            "ssh is not on the PATH, so ~/.ssh/config cannot be read the way OpenSSH reads it",
            "Install it: sudo apt install openssh-client",
        )
    process = await begin(
        *(found, "-V"),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, told = await said(process, seconds=SSH_SECONDS)
    except TimeoutError:
        return Finding(
            "OpenSSH",
            Health.WARNING,
            f"{found} -V had not ended after {SSH_SECONDS:g} s",
            f"Run it by hand: {found} -V",
        )
    return Finding("OpenSSH", Health.OK, told.decode(errors="replace").strip())


def _browser() -> Finding:
    reason = why_no_browser()
    if reason:
        return Finding(
            "browser",
            Health.WARNING,
            reason,
            "Jupyter's address is printed all the same; open it in any browser here.",
        )
    return Finding("browser", Health.OK, os.environ.get("BROWSER") or "the system's own")


async def _ssh_config(found: Settings) -> Finding:
    file = found.ssh_config or ssh_dir() / "config"
    if found.ssh_config and not file.exists():
        cure = "Correct ssh_config in the settings, or take the line out."
        return Finding("ssh config", Health.PROBLEM, f"there is no file {file}", cure)
    if not file.exists():
        return Finding("ssh config", Health.OK, f"{file} (none; instances are reached directly)")
    from cloudtui.ssh.resolve import resolve

    try:
        await resolve("cloudtui-doctor", Route("cloudtui-doctor", "127.0.0.1"), found.ssh_config)
    except CloudtuiError as error:
        return _problem("ssh config", error)
    entries = await asyncio.to_thread(ssh_config.read_entries, file)
    if found.ssh_config is None and file.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return Finding(
            "ssh config",
            Health.PROBLEM,
            f"{file} can be written by others, so ssh refuses it",
            f"chmod 600 {file}",
        )
    return Finding("ssh config", Health.OK, f"{file}, {plural(len(entries), 'Host entry')}")


def _key_files(found: Settings) -> Iterator[Finding]:
    seen = 0
    for file in _candidates(found.key_folders):
        try:
            with file.open("rb") as stream:
                head = stream.read(64)
        except PermissionError:
            yield Finding(
                "key file",
                Health.WARNING,
                f"{file} cannot be read",
                f"ls -l {file} tells whose it is",
            )
            continue
        except OSError:
            continue
        if not PRIVATE_KEY.match(head):
            continue
        seen += 1
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & 0o077:
            yield Finding(
                "key file",
                Health.PROBLEM,
                f"{file} has mode {mode:04o}, so ssh refuses it",
                f"chmod 400 {file}",
            )
    yield Finding("key files", Health.OK, f"{plural(seen, 'private key')} in the usual places")


def _candidates(folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        inside = folder == ssh_dir()
        try:
            files = sorted(folder.iterdir())
        except OSError:
            continue
        for file in files:
            if file.is_file() and (file.suffix == ".pem" or (inside and file.suffix == "")):
                yield file


async def _cloud(bench: Workbench, found: Settings) -> AsyncIterator[Finding]:
    state = await bench.inventory.load()
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        yield Finding("endpoint", Health.OK, f"{endpoint} (AWS_ENDPOINT_URL)")
    for identity in state.identities.values():
        who = f"{identity.user} in account {identity.account}"
        if identity.root:
            cure = "Make an IAM user or use IAM Identity Center; the root user can do everything."
            yield Finding("credentials", Health.WARNING, f"root user, {who}", cure)
        else:
            yield Finding("credentials", Health.OK, who)
    if state.regions:
        yield Finding("region", Health.OK, ", ".join(state.regions))
    for place, error in state.errors:
        yield _problem(f"instances in {place.region}" if place.region else "AWS", error)
    if not state.errors:
        running = [i for i in state.instances if i.state is State.RUNNING]
        seen = f"{len(state.instances)} listed, {len(running)} running"
        yield Finding("instances", Health.OK, seen)
        for finding in _key_pairs(running, found):
            yield finding


def _key_pairs(running: list[Instance], found: Settings) -> Iterator[Finding]:
    config = ssh_config.read_entries(found.ssh_config or ssh_dir() / "config")
    for name in sorted({i.key_name for i in running if i.key_name}):
        users = [i for i in running if i.key_name == name]
        named = all(
            ssh_config.find_alias(
                [n for n in (i.name, i.id) if n],
                [a for a in (i.public_ip, i.ipv6, i.private_ip) if a],
                config,
            )
            for i in users
        )
        if keys.find_private_key(name, found.key_folders) or named:
            continue
        who = ", ".join(i.spoken for i in users[:5])
        yield Finding(
            f"key pair {name}",
            Health.WARNING,
            f"no private key of that name was found; {who} cannot be reached with it",
            f"Put {name}.pem into ~/.ssh with mode 0400.",
        )
