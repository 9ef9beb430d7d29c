"""Whose machines are shown, and where: the pickers, and the way back in when AWS wants a login."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, cast

from cloudtui.core.events import InventoryState, Severity
from cloudtui.core.watched import ALL
from cloudtui.files import aws_config, last_places
from cloudtui.model.errors import CloudtuiError, CredentialsProblem
from cloudtui.model.words import plural
from cloudtui.ui.work import start_work

if TYPE_CHECKING:
    from cloudtui.ui.app import CloudtuiApp
    from cloudtui.ui.screens.places import Entry

NO_PROFILES = "There is no profile in ~/.aws. Make one with: aws configure --profile NAME"
KINDS = {
    "keys": "access key",
    "sso": "IAM Identity Center",
    "role": "role",
    "process": "program",
    "login": "aws login",
}


def wants_login(state: InventoryState) -> CredentialsProblem | None:
    """The first failure that a log in from the console can mend."""
    problems = (error for _, error in state.errors)
    return next((e for e in problems if isinstance(e, CredentialsProblem) and e.login), None)


class PlaceViews:
    """Handlers of the app for the actions in `actions_places`."""

    @property
    def _the_app(self) -> CloudtuiApp:
        return cast("CloudtuiApp", self)

    def log_in(self) -> None:
        """Begin the log in that the list asks for."""
        from cloudtui.ui.screens.login import log_in

        app = self._the_app
        error = wants_login(app.workbench.inventory.state)
        if error is None:
            app.say("No profile in view needs a log in that can be done here.", Severity.WARNING)
            return
        log_in(app, error)

    def choose_regions(self) -> None:
        start_work(self._the_app, self._choose_regions, group="places", exclusive=True)

    def choose_profiles(self) -> None:
        start_work(self._the_app, self._choose_profiles, group="places", exclusive=True)

    async def _choose_regions(self) -> None:
        from cloudtui.ui.screens.places import ChoosePlaces

        app = self._the_app
        inventory = app.workbench.inventory
        everywhere = ALL in inventory.wanted_regions
        marked = (ALL,) if everywhere else inventory.state.regions
        dialog = ChoosePlaces(
            "Regions", _regions(inventory.state, inventory.known_regions()), marked
        )

        async def look() -> None:
            try:
                found = await inventory.enabled_regions()
            except CloudtuiError as error:
                app.fail(error)
                return
            dialog.fill(_regions(inventory.state, (*inventory.known_regions(), *found)))

        looking = asyncio.create_task(look())
        try:
            chosen = await app.push_screen_wait(dialog)
        finally:
            looking.cancel()
        if chosen is not None:
            inventory.show_regions(chosen)
            last_places.remember_regions(inventory.state.profiles, chosen)
            words = "every enabled region" if ALL in chosen else ", ".join(chosen[:4])
            more = f" and {len(chosen) - 4} more" if len(chosen) > 4 else ""
            app.say(f"Showing {words}{more}")

    async def _choose_profiles(self) -> None:
        from cloudtui.ui.screens.places import ChoosePlaces, Entry

        app = self._the_app
        inventory = app.workbench.inventory
        found = await asyncio.to_thread(aws_config.profiles)
        keys = aws_config.environment_keys()
        if not found and not keys:
            app.say(NO_PROFILES, Severity.WARNING)
            return
        entries = [
            Entry(p.name, p.name, f"{KINDS.get(p.kind, p.kind):<20}{p.region}".rstrip())
            for p in found
        ]
        if keys:
            entries.insert(0, Entry("", keys, "the keys of the environment"))
        default = "" if keys else "default"
        marked = [profile or default for profile in inventory.state.profiles]
        chosen = await app.push_screen_wait(ChoosePlaces("AWS profiles", entries, marked))
        if chosen is None:
            return
        last_places.remember_profiles(chosen)
        inventory.show_profiles(chosen)
        if regions := last_places.regions(chosen):
            inventory.show_regions(regions)
        app.say(
            f"Showing {plural(len(chosen), 'profile')}: "
            f"{', '.join(name or keys for name in chosen)}"
        )


def _regions(state: InventoryState, known: tuple[str, ...]) -> list[Entry]:
    from cloudtui.ui.screens.places import Entry

    machines = Counter(instance.region for instance in state.instances)
    failed = {place.region for place, _ in state.errors}
    entries = [Entry(ALL, ALL, "every enabled region", alone=True)]
    for region in sorted({*known, *state.regions}):
        note = plural(machines[region], "machine") if machines[region] else ""
        if region in state.regions and ({region, ""} & failed or state.updated is None):
            note = f"{note}  not listed".strip()
        elif region in state.regions and not note:
            note = "no machine"
        entries.append(Entry(region, region, note))
    return entries
