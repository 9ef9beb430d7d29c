"""The user's ssh config as a list of entries that can be added, edited, removed and undone.

OpenSSH itself is asked before anything is saved: every other host must resolve as before.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cloudtui.model.errors import Refused, UsageError
from cloudtui.model.host_entry import ConfigChange, HostEntry, why_not_alias, why_not_value


class SshEntries:
    """One ssh config: the main file, what it includes, and config.d/cloudtui.conf beside it."""

    def __init__(self, config_file: Path) -> None:
        self.config_file = config_file
        self.own_file = config_file.parent / "config.d" / "cloudtui.conf"

    async def entries(self) -> tuple[HostEntry, ...]:
        """Every literal alias in reading order, once. Missing files have none; never raises."""
        return ()

    async def put(self, alias: str, values: Mapping[str, str | None]) -> ConfigChange:
        """The plan for a new entry or for new values of one; None takes a keyword away.

        An entry that is already there is changed where it stands; a new one goes to cloudtui's
        own file. `change.empty` when the config already says so.

        Raises:
            UsageError: the alias or a value cannot be written in an ssh config.
            Refused: a file cannot be read, or the config includes itself.
        """
        if why := why_not_alias(alias):
            raise UsageError(why)
        for keyword, value in values.items():
            if why := why_not_value(keyword, value or "none"):
                raise UsageError(why)
        raise Refused("The ssh config cannot be edited yet.")

    async def remove(self, alias: str) -> ConfigChange:
        """The plan without the alias: its blocks go, and its name in lines that name others too.

        Raises:
            NotFound: no entry of that name.
            Refused: as for `put`.
        """
        raise Refused("The ssh config cannot be edited yet.")

    async def save(self, change: ConfigChange) -> None:
        """Ask OpenSSH about the change, then write it, all files or none; the old ones are kept.

        Raises:
            ChangedOnDisk: a file changed since the plan was made; plan again.
            Shadowed: an earlier line decides; `FILE line N` is named.
            OthersAffected: another host would resolve differently.
            Refused: no ssh to ask, ssh refuses the config, a circle of jump hosts, a folder that
                cannot be written, a full disk. Nothing was written.
            Timeout: ssh did not answer.
        """
        raise Refused("The ssh config cannot be edited yet.")

    async def undo(self) -> ConfigChange:
        """The plan that takes the last save back; it is saved with the same checks.

        Raises:
            NotFound: nothing was saved, or all was taken back.
            ChangedOnDisk: somebody changed the file since.
        """
        raise Refused("The ssh config cannot be edited yet.")
