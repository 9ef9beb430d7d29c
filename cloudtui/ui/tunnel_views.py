"""The ways from any list of machines to their tunnels."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from cloudtui.core.events import Severity
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance
from cloudtui.model.words import plural
from cloudtui.ui.work import start_work

if TYPE_CHECKING:
    from cloudtui.ui.app import CloudtuiApp


class TunnelViews:
    """Handlers of the app for the actions in `actions_tunnels`."""

    def open_tunnels(self) -> None:
        """The list of tunnels; back to it where it is open."""
        from cloudtui.ui.screens.tunnels import TunnelsScreen

        app = cast("CloudtuiApp", self)
        while len(app.screen_stack) > 1 and not isinstance(app.screen, TunnelsScreen):
            app.pop_screen()
        if not isinstance(app.screen, TunnelsScreen):
            app.push_screen(TunnelsScreen())

    async def resume_tunnels(self) -> None:
        """Meet those that were left open, and open again those of a keeper that ended."""
        app = cast("CloudtuiApp", self)
        try:
            await app.workbench.resume_tunnels()
        except CloudtuiError as error:
            app.fail(error)

    async def leave_tunnels(self) -> None:
        """Leave the console, and the tunnels as the setting or the user says."""
        from cloudtui.ui.screens.dialogs import Choose

        app = cast("CloudtuiApp", self)
        wish: str | None = app.settings.on_quit
        if wish == "ask":
            open_now = app.workbench.own_tunnels
            names = "\n".join(f"  {t.where}" for t in open_now[:6])
            more = f"\n  and {len(open_now) - 6} more" if len(open_now) > 6 else ""
            verb = "is" if len(open_now) == 1 else "are"
            wish = await app.push_screen_wait(
                Choose(
                    f"{plural(len(open_now), 'tunnel')} {verb} open:\n{names}{more}",
                    {
                        "keep": "leave them open in the background",
                        "close": "close them",
                        "stay": "stay here",
                    },
                )
            )
        if wish == "close":
            try:
                await app.workbench.close_tunnels()
            except CloudtuiError as error:
                app.fail(error)
                return
        if wish in ("keep", "close"):
            app.exit(0)

    def open_tunnel(self) -> None:
        app = cast("CloudtuiApp", self)
        instance: Instance | None = getattr(app.screen, "instance", None)
        if instance:
            start_work(app, open_one, app, instance, group="tunnel")


async def open_one(app: CloudtuiApp, instance: Instance) -> None:
    """Ask which port, open the tunnel, say where it is."""
    from cloudtui.ui.screens.tunnel_form import TunnelForm

    wanted = await app.push_screen_wait(TunnelForm(instance))
    if wanted is None:
        return
    spec, search = wanted
    try:
        state = await app.workbench.tunnels.open(instance, spec, search=search)
    except CloudtuiError as error:
        app.fail(error)
        return
    if spec.exposed:
        app.say(f"{state.where} is open to other computers too.", Severity.WARNING)
    else:
        app.say(f"{state.where}: 3 shows all tunnels.")
