"""The ways from any list of machines to the entries of the ssh config, and changing them."""

from __future__ import annotations

import shlex
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from cloudtui.core.events import Severity
from cloudtui.model.errors import CloudtuiError, Refused
from cloudtui.model.host_drift import HostRow
from cloudtui.model.instance import Instance, State, why_not_connect
from cloudtui.ui.work import start_work

if TYPE_CHECKING:
    from cloudtui.core.hosts import Planned
    from cloudtui.ui.app import CloudtuiApp


class HostViews:
    """Handlers of the app for the actions in `actions_hosts`."""

    @property
    def _front(self) -> CloudtuiApp:
        return cast("CloudtuiApp", self)

    def open_hosts(self) -> None:
        """The entries; back to them where they are open."""
        from cloudtui.ui.screens.hosts import HostsScreen

        app = self._front
        while len(app.screen_stack) > 1 and not isinstance(app.screen, HostsScreen):
            app.pop_screen()
        if not isinstance(app.screen, HostsScreen):
            app.push_screen(HostsScreen())

    def add_host(self) -> None:
        """For the machine in front."""
        instance: Instance | None = getattr(self._front.screen, "instance", None)
        if instance:
            self._work(self._add(instance))

    def choose_host(self) -> None:
        self._work(self._choose())

    def show_host(self, row: HostRow) -> None:
        self._work(self._show(row))

    def edit_host(self, row: HostRow) -> None:
        self._work(self._edit(row))

    def remove_host(self, row: HostRow) -> None:
        self._work(self._remove(row))

    def sync_hosts(self, aliases: Sequence[str]) -> None:
        self._work(self._sync(aliases))

    def undo_host(self) -> None:
        self._work(self._undo())

    def _work(self, work: Coroutine[Any, Any, None]) -> None:
        async def told() -> None:
            try:
                await work
            except CloudtuiError as error:
                self._front.fail(error)

        start_work(self._front, told, group="hosts")

    async def _choose(self) -> None:
        from cloudtui.ui.screens.choose import ChooseOne
        from cloudtui.ui.screens.places import Entry

        app = self._front
        ended = (State.TERMINATED, State.SHUTTING_DOWN)
        known = {row.instance.id for row in app.workbench.hosts.state.rows if row.instance}
        able = [i for i in app.workbench.inventory.state.instances if i.state not in ended]
        if not able:
            app.say("There is no machine to add.", Severity.WARNING)
            return
        able.sort(key=lambda i: (i.id in known, i.name.casefold(), i.id))
        entries = [
            Entry(
                i.id,
                i.spoken,
                f"{i.id}  {i.state.value}  {i.address or 'no address'}"
                f"{'  has an entry' if i.id in known else ''}",
            )
            for i in able
        ]
        title = "Which machine is added to the ssh config?"
        chosen = await app.push_screen_wait(ChooseOne(title, entries, []))
        for machine in able:
            if chosen and machine.id == chosen[0]:
                await self._add(machine)

    async def _add(self, instance: Instance) -> None:
        from cloudtui.ui.screens.host_dialogs import FIELDS, HostForm

        app, hosts = self._front, self._front.workbench.hosts
        note = ""
        try:
            draft = await hosts.draft(instance)
        except Refused as error:
            if not instance.private_ip or instance.state is not State.RUNNING:
                raise
            draft = await hosts.draft(instance, private=True)
            note = (
                f"{error.title} Its private address answers only inside its network: name a jump "
                "host that reaches it, or give it an Elastic IP (I) first."
            )
        has = draft.before
        before = {name: has.get(name) if has else "" for name in FIELDS}
        values = before | {n: v or "" for n, v in draft.values.items() if n in FIELDS}
        title = f"{instance.label} in the ssh config"
        form = HostForm(title, values, alias=draft.alias, note=note)
        answer = await app.push_screen_wait(form)
        if answer is None:
            return
        fresh = not has or answer["alias"] != draft.alias
        wanted = {n: answer[n] or None for n in FIELDS if fresh or answer[n] != before[n]}
        others = {name: v for name, v in draft.values.items() if name not in FIELDS}
        if not answer["IdentityFile"]:
            others.pop("IdentitiesOnly", None)
        planned = await hosts.plan(
            replace(draft, alias=answer["alias"], values={**wanted, **others})
        )
        if planned.change.empty:
            app.say(f"{planned.alias} is in the ssh config as it should be.")
        elif not await self._save(planned):
            return
        if not why_not_connect(instance):
            await hosts.meet(instance)
        app.say(f"ssh {shlex.quote(planned.alias)} works in any terminal now.")

    async def _show(self, row: HostRow) -> None:
        from cloudtui.ui.screens.dialogs import Ask
        from cloudtui.ui.screens.host_dialogs import described

        app = self._front
        possible = not app.workbench.read_only and row.curable
        agree, key = ("Bring in step", "y") if possible else ("Copy ssh command", "c")
        agreed = await app.push_screen_wait(Ask(row.entry.alias, described(row), agree, key))
        if agreed and possible:
            await self._sync([row.entry.alias])
        elif agreed:
            text = f"ssh {shlex.quote(row.entry.alias)}"
            app.copy_to_clipboard(text)
            app.say(f"Copied {text}")

    async def _edit(self, row: HostRow) -> None:
        from cloudtui.ui.screens.host_dialogs import FIELDS, HostForm

        app, entry = self._front, row.entry
        before = {name: entry.get(name) for name in FIELDS}
        title = f"Host {entry.alias}"
        if row.machine:
            title += f", {row.instance.label if row.instance else row.machine}"
        answer = await app.push_screen_wait(HostForm(title, before))
        if answer is None:
            return
        changed = {n: answer[n] or None for n in FIELDS if answer[n] != before[n]}
        if not changed:
            app.say("Nothing was changed.")
            return
        await self._save(await app.workbench.hosts.plan_edit(entry.alias, changed))

    async def _remove(self, row: HostRow) -> None:
        planned = await self._front.workbench.hosts.plan_remove(row.entry.alias)
        await self._save(planned, agree="Remove")

    async def _sync(self, aliases: Sequence[str]) -> None:
        hosts = self._front.workbench.hosts
        for alias in aliases:
            row = next((r for r in (await hosts.look()).rows if r.entry.alias == alias), None)
            planned = await hosts.plan_sync(row) if row else None
            if row and planned and not planned.change.empty:
                why = " ".join(drift.words for drift in row.drifts)
                if not await self._save(planned, why, agree="Save" if row.address else "Remove"):
                    return

    async def _undo(self) -> None:
        await self._save(await self._front.workbench.hosts.plan_undo())

    async def _save(self, planned: Planned, why: str = "", *, agree: str = "Save") -> bool:
        from cloudtui.ui.screens.host_dialogs import SaveChange

        app = self._front
        if not await app.push_screen_wait(SaveChange(planned, why, agree=agree)):
            return False
        await app.workbench.hosts.save(planned)
        app.say(f"Saved: {planned.change.title}", detail="5, then u takes it back.")
        return True
