"""The first contact with an instance: its host key against what its console announced."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from cloudtui.core.known_machines import Machines
from cloudtui.model.errors import CloudtuiError, HostKeyChanged
from cloudtui.model.host_key import Comparison, Verdict, announces, compare
from cloudtui.model.instance import Instance
from cloudtui.model.remote import HostKey, Prompts

SECONDS = 10.0
"""How long EC2 is waited for before the question is put without its word."""
FRESH = 60.0
"""Seconds for which a console output that settled nothing is not asked for again."""


class FirstContact:
    """Prompts that ask about an instance's host key only when its console output does not tell."""

    def __init__(self, machines: Machines, prompts: Prompts) -> None:
        self._machines = machines
        self._prompts = prompts
        self._consoles: dict[str, tuple[float, tuple[str, ...]]] = {}
        """By instance id: when it was read, in the loop's time, and its lines."""

    async def trust_host_key(self, key: HostKey) -> bool:
        """True without a question when the console announced the key.

        Raises:
            HostKeyChanged: it announced another key of this type.
        """
        instance = self._machines.by_id(key.machine) if key.machine else None
        if instance is None:
            return await self._prompts.trust_host_key(key)
        found = await self._compare(key, instance)
        match found.verdict:
            case Verdict.MATCH:
                return True
            case Verdict.MISMATCH:
                raise _mismatch(key, instance, found)
            case Verdict.SILENT:
                return await self._prompts.trust_host_key(replace(key, note=found.reason))

    async def passphrase(self, key_file: Path, again: bool) -> str | None:
        return await self._prompts.passphrase(key_file, again)

    async def answers(self, title: str, prompts: tuple[tuple[str, bool], ...]) -> list[str] | None:
        return await self._prompts.answers(title, prompts)

    async def _compare(self, key: HostKey, instance: Instance) -> Comparison:
        now = asyncio.get_running_loop().time()
        when, lines = self._consoles.get(instance.id, (0.0, ()))
        if lines and now - when < FRESH:
            found = compare(key, lines)
            if found.verdict is not Verdict.MISMATCH:
                return found
        try:
            async with asyncio.timeout(SECONDS):
                lines = await self._read(instance)
        except CloudtuiError as error:
            return Comparison(Verdict.SILENT, reason=f"{error.title} {error.hint}".strip())
        except TimeoutError:
            reason = f"EC2 did not tell the machine's console output within {SECONDS:.0f} s."
            return Comparison(Verdict.SILENT, reason=reason)
        self._consoles[instance.id] = (now, lines)
        return compare(key, lines)

    async def _read(self, instance: Instance) -> tuple[str, ...]:
        from cloudtui.aws import details

        amazon = await self._machines.amazon_for(instance)
        found = await details.console_output(amazon, instance)
        if found.latest and not announces(found.lines):
            # Written over since; EC2's copy is of soon after the start.
            found = await details.console_output(amazon, instance, latest=False)
        return found.lines


def _mismatch(key: HostKey, instance: Instance, found: Comparison) -> HostKeyChanged:
    return HostKeyChanged(
        f"What answers at {key.host} port {key.port} is not {instance.label}: its host key is not "
        "the one that the machine's console announced.",
        f"Offered: {key.algorithm} {key.fingerprint}. Announced: {', '.join(found.announced)}.",
        "Nothing was sent to it. If the machine's host keys were made anew since, put the new one "
        f"into ~/.ssh/known_hosts by hand, under the name {instance.id}.",
    )
