"""The user's ssh config as a list of entries that can be added, edited, removed and undone.

OpenSSH itself is asked before anything is saved: every other host must resolve as before, and
what was wanted must be what ssh does.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cloudtui.files import ssh_edit, ssh_save
from cloudtui.files.ssh_document import decoded, encoded, words
from cloudtui.files.ssh_tree import (
    PROBE,
    Tree,
    active_for,
    affected,
    literal,
    original,
    read_tree,
    write_trial,
)
from cloudtui.model.errors import NotFound, Refused, UsageError
from cloudtui.model.host_entry import (
    ChangedOnDisk,
    ConfigChange,
    FileChange,
    HostEntry,
    OthersAffected,
    Shadowed,
    why_not_alias,
    why_not_value,
)
from cloudtui.model.remote import Route
from cloudtui.model.words import listed
from cloudtui.ssh.oracle import Answer, Oracle, effective, write_asked
from cloudtui.ssh.resolve import resolve

_TRIES = 50

_Wanted = tuple[tuple[str, str], ...]
"""Keywords and their values, as ConfigChange has them."""


class SshEntries:
    """One ssh config: the main file, what it includes, and config.d/cloudtui.conf beside it."""

    def __init__(self, config_file: Path) -> None:
        self.config_file = config_file.absolute()
        self.own_file = self.config_file.parent / "config.d" / "cloudtui.conf"

    async def entries(self) -> tuple[HostEntry, ...]:
        """Every literal alias in reading order, once.

        Never raises: what is missing or cannot be read has no entries.
        """
        return await asyncio.to_thread(self._entries)

    async def put(self, alias: str, values: Mapping[str, str | None]) -> ConfigChange:
        """The plan for a new entry or for new values of one; None takes a keyword away.

        An entry that is already there is changed where it stands; a new one goes to cloudtui's
        own file. `change.empty` when the config already says so.

        Raises:
            UsageError: the alias or a value cannot be written in an ssh config.
            Refused: a file cannot be read, or the config includes itself.
        """
        _writable(values)
        return await asyncio.to_thread(self._put, {alias: values})

    async def put_all(self, entries: Mapping[str, Mapping[str, str | None]]) -> ConfigChange:
        """The plan for new values of several entries, as one save; as `put` otherwise."""
        for values in entries.values():
            _writable(values)
        return await asyncio.to_thread(self._put, entries)

    async def remove(self, alias: str) -> ConfigChange:
        """The plan without the alias: its blocks go, and its name in lines that name others too.

        Raises:
            NotFound: no entry of that name.
            Refused: as for `put`.
        """
        return await asyncio.to_thread(self._remove, alias)

    async def save(self, change: ConfigChange) -> None:
        """Ask OpenSSH about the change, then write it, all files or none; the old ones are kept.

        `Match exec` commands that stand in the way are run, as by every ssh: once or twice for
        the alias, twice for one made-up name and for every host that the edit could reach.

        Raises:
            ChangedOnDisk: a file changed since the plan was made; plan again.
            Shadowed: an earlier line decides; `FILE line N` is named.
            OthersAffected: another host would resolve differently.
            Refused: no ssh to ask, ssh refuses the config, a circle of jump hosts, a folder that
                cannot be written, a full disk. Nothing was written.
            Timeout: ssh did not answer.
        """
        if change.empty:
            return
        await self.check(change)
        await asyncio.to_thread(ssh_save.save, self.config_file, change)

    async def settle(self, alias: str, values: Mapping[str, str | None]) -> ConfigChange:
        """`put` and `save`, again when another program saved in between; empty when all was so.

        Raises:
            CloudtuiError: as `put` and `save`; ChangedOnDisk only when it goes on and on.
        """
        for last in range(_TRIES - 1, -1, -1):
            change = await self.put(alias, values)
            try:
                await self.save(change)
                break
            except ChangedOnDisk:
                if not last:
                    raise
        return change

    async def check(self, change: ConfigChange) -> None:
        """Ask OpenSSH about the change without saving it; raises what `save` does before."""
        with tempfile.TemporaryDirectory(prefix="cloudtui-ssh-") as folder:
            trial = await asyncio.to_thread(_prepare, self.config_file, change, Path(folder))
            await trial.judge()

    async def undo(self) -> ConfigChange:
        """The plan that takes the last save back; it is saved with the same checks.

        Raises:
            NotFound: nothing was saved, or all was taken back.
            ChangedOnDisk: somebody changed the file since.
        """
        return await asyncio.to_thread(self._undo)

    def _entries(self) -> tuple[HostEntry, ...]:
        return ssh_edit.entries(read_tree(self.config_file), self.own_file)

    def _read(self) -> Tree:
        tree = read_tree(self.config_file)
        if tree.trouble:
            raise Refused(
                "The ssh config cannot be read as a whole.",
                tree.trouble,
                "Correct it first: cloudtui changes only what it has seen all of.",
            )
        return tree

    def _put(self, entries: Mapping[str, Mapping[str, str | None]]) -> ConfigChange:
        first = tree = self._read()
        plan: ssh_edit.Plan = {}
        titles, hosts = [], []
        for alias, values in entries.items():
            if plan:
                tree = read_tree(self.config_file, plan)
            more, title, wanted = self._put_one(tree, alias, values)
            plan |= more
            titles.append(title)
            hosts.append((alias, wanted))
        few = len(titles) < 4
        title = "; ".join(titles) if few else f"{len(titles)} hosts: {listed(list(entries))}"
        return self._change(title, first, plan, hosts)

    def _put_one(
        self, tree: Tree, alias: str, values: Mapping[str, str | None]
    ) -> tuple[ssh_edit.Plan, str, _Wanted]:
        known = any(place.block.keyword == b"host" and encoded(alias) in place.block.patterns
                    for place in tree.places)  # fmt: skip
        if (why := why_not_alias(alias)) and (not known or any(c in alias for c in " *?!\t\n")):
            raise UsageError(why)
        try:
            plan = ssh_edit.plan_put(tree, self.own_file, alias, values)
            wanted = ssh_edit.wanted_lines(values)
        except ValueError as error:
            raise UsageError(str(error)) from error
        changes = [
            f"{keyword} {value}" if value is not None else f"no {keyword}"
            for keyword, value in values.items()
        ]
        return plan, f"Host {alias}: {', '.join(changes)}", wanted

    def _remove(self, alias: str) -> ConfigChange:
        tree = self._read()
        if plan := ssh_edit.plan_remove(tree, alias):
            return self._change(f"Host {alias} is removed", tree, plan, [(alias, ())])
        raise NotFound(f"The ssh config has no entry {alias!r}.")

    def _change(
        self,
        title: str,
        tree: Tree,
        plan: ssh_edit.Plan,
        hosts: Sequence[tuple[str, _Wanted]],
    ) -> ConfigChange:
        # The main file comes last: until it is there, nothing reads what it includes.
        files = []
        for path in sorted(plan, key=lambda path: path == tree.main):
            document = tree.documents.get(path)
            try:
                before = document.data if document else ssh_save.content(path)
            except OSError as error:
                raise Refused(f"{path} cannot be read: {error.strerror}.") from error
            files.append(FileChange(path, before, plan[path]))
        (alias, wanted), *more = hosts
        return ConfigChange(
            title, _diff(files), alias, wanted, tuple(files), tree.read(), more=tuple(more)
        )

    def _undo(self) -> ConfigChange:
        backup = ssh_save.last_backup(self.config_file)
        files = ssh_save.plan_undo(backup)
        tree = self._read()
        return ConfigChange(
            f"Taken back: {backup.title}",
            _diff(list(files)),
            backup.aliases[0],
            (),
            files,
            tree.read(),
            backup.name,
            tuple((alias, ()) for alias in backup.aliases[1:]),
        )


def _writable(values: Mapping[str, str | None]) -> None:
    """Raises UsageError when a value cannot be written in an ssh config."""
    for keyword, value in values.items():
        if why := why_not_value(keyword, "none" if value is None else value):
            raise UsageError(why)


def _diff(files: list[FileChange]) -> str:
    return "".join(
        ssh_edit.unified_diff(str(file.path), file.before or b"", file.after or b"")
        for file in files
    )


@dataclass(slots=True)
class _Trial:
    """A change beside the config that it changes, both as files that ssh can be asked about."""

    change: ConfigChange
    before: Tree
    after: Tree
    folder: Path
    asked_before: Path
    asked_after: Path
    copy: Path
    """The main file as it would be, its Include lines leading to other such copies."""
    others: tuple[str, ...]
    """Names that the edit could reach."""

    async def judge(self) -> None:
        """Raises what `SshEntries.save` does before it writes."""
        oracle, probe = Oracle(), decoded(PROBE)
        hosts = self.change.hosts
        old, new, *rest = await oracle.ask_all(
            (self.asked_before, probe),
            (self.asked_after, probe),
            *(
                question
                for alias, wanted in hosts
                for question in ((self.asked_after, alias), (None, alias, _lines(wanted)))
            ),
            *(
                (asked, host)
                for host in self.others
                for asked in (self.asked_before, self.asked_after)
            ),
        )
        told = rest[: 2 * len(hosts)]
        for (alias, _), found, alone in zip(hosts, told[::2], told[1::2], strict=True):
            self._taken(alias, found, alone)
        if not new.good:
            raise self._refused_by_ssh(old, new)
        if not old.good:
            await self._repaired(oracle, old)
        elif old.text != new.text:
            raise _others_affected("hosts that the config does not name", old, new)
        rest = rest[2 * len(hosts) :]
        for host, was, becomes in zip(self.others, rest[::2], rest[1::2], strict=True):
            if old.good and (was.code, was.text) != (becomes.code, becomes.text):
                raise _others_affected(host, was, becomes)
        for (alias, wanted), found, alone in zip(hosts, told[::2], told[1::2], strict=True):
            if wanted:
                await self._effective(oracle, alias, wanted, (new, found, alone))

    def _taken(self, alias: str, found: Answer, alone: Answer) -> None:
        """Raises when ssh does not take the values of this host."""
        if "jumphost loop" in alone.words + found.words:
            raise Refused(
                f"The jump hosts of {alias} lead in a circle: {alias} → {alias}.",
                hint="Take another jump host, or ProxyJump none.",
            )
        if not alone.good:
            raise UsageError(
                "ssh does not take these values: nothing was saved.",
                re.sub(r"(?m)^command-line:? line 0: ", "", alone.words),
            )

    async def _effective(
        self, oracle: Oracle, alias: str, wanted: _Wanted, answers: tuple[Answer, Answer, Answer]
    ) -> None:
        """Raises when what is wanted of this host is not what ssh makes of the config then."""
        new, found, alone = answers
        if not found.good:
            raise self._refused_by_ssh(new, found)
        wrong = [keyword for keyword, _ in wanted if not effective(keyword, found, alone)]
        if wrong:
            # Said first of all, a value may look different too: CanonicalizeHostname, %h.
            first = await oracle.ask(self.asked_after, alias, _lines(wanted))
            wrong = [keyword for keyword in wrong if not effective(keyword, found, first)]
        if wrong:
            raise self._shadowed(alias, dict(wanted), wrong[0], found)
        if found.values("proxyjump"):
            # Never left to ssh: on a circle of jump hosts it starts itself over and over.
            await resolve(alias, Route(alias, alias), self.copy)

    async def _repaired(self, oracle: Oracle, old: Answer) -> None:
        """ssh refuses the config as it is: accept only what repairs the lines themselves."""
        folder = self.folder / "before"
        folder.mkdir()
        copy = await asyncio.to_thread(write_trial, self.before, folder)
        asked = write_asked(self.folder / "repaired", literal(copy))
        if (await oracle.ask(asked, decoded(PROBE))).good:
            raise self._refused_by_ssh(old, old)

    def _refused_by_ssh(self, old: Answer, new: Answer) -> Refused:
        if old.good:
            title = "ssh would refuse the config with this change: nothing was saved."
            return Refused(title, self._words(new))
        return Refused(
            "ssh refuses the config as it is: nothing was saved.",
            old.words,
            f"Correct that line, then see what ssh says with: ssh -G {self.change.alias}",
        )

    def _words(self, answer: Answer) -> str:
        return original(answer.words, self.after, self.folder)

    def _shadowed(
        self, alias: str, values: Mapping[str, str], keyword: str, found: Answer
    ) -> Shadowed:
        wanted = values[keyword]
        effect = ", ".join(found.values(keyword)) or "nothing"
        if where := _deciding(self.after, alias, keyword, wanted, found):
            return Shadowed(
                f"{keyword} {wanted} of {alias} is shadowed by {where}: nothing was saved.",
                f"ssh takes the first value that it reads: {effect}.",
                "Move or narrow that line, then do it again.",
            )
        return Shadowed(
            f"{keyword} {wanted} of {alias} would have no effect: nothing was saved.",
            f"ssh takes {effect}. The entry is included under a Match that does not hold now.",
        )


def _prepare(main: Path, change: ConfigChange, folder: Path) -> _Trial:
    before = read_tree(main)
    then = dict(change.read)
    now = dict(before.read())
    for path in dict.fromkeys([*then, *now]):
        if then.get(path) != now.get(path):
            raise ssh_save.changed_on_disk(path)
    after = read_tree(main, {file.path: file.after for file in change.files})
    if after.trouble:
        raise Refused("The ssh config could not be read after this change.", after.trouble)
    copy = write_trial(after, folder)
    return _Trial(
        change,
        before,
        after,
        folder,
        write_asked(folder / "before.conf", literal(main)),
        write_asked(folder / "after.conf", literal(copy)),
        copy,
        tuple(
            decoded(name)
            for name in affected(before, after, *(encoded(alias) for alias, _ in change.hosts))
            if name != PROBE and not why_not_alias(decoded(name))
        ),
    )


def _others_affected(host: str, old: Answer, new: Answer) -> OthersAffected:
    was, becomes = set(old.text.split("\n")), set(new.text.split("\n"))
    lost, won = sorted(was - becomes), sorted(becomes - was)
    said = f"{', '.join(lost[:2]) or 'nothing'} → {', '.join(won[:2]) or 'nothing'}"
    return OthersAffected(
        f"{host} would change too: nothing was saved.",
        said if old.good and new.good else new.words or old.words,
        "Change the config by hand if that is meant.",
    )


def _lines(wanted: _Wanted) -> list[str]:
    return [f"{keyword}={value}" for keyword, value in wanted]


def _deciding(tree: Tree, alias: str, keyword: str, wanted: str, found: Answer) -> str:
    """`line N of FILE` that says the keyword before the wanted line does, or empty."""
    name, asked = encoded(alias), {encoded(keyword).lower()}
    if asked & {b"proxyjump", b"proxycommand"}:
        asked = {b"proxyjump", b"proxycommand"}
    candidates = [
        d
        for d in tree.directives
        if d.keyword in asked and d.value != encoded(wanted) and active_for(d.guards, name)
    ]
    effect = {encoded(value) for value in found.values(keyword)}
    same = [d for d in candidates if d.value in effect or set(words(d.value) or ()) & effect]
    sure = [d for d in candidates if all(guard[0] == b"host" for guard in d.guards)]
    for line in [*same, *sure, *candidates]:
        return f"line {line.line} of {line.path}"
    return ""
