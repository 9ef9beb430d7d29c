"""The ways from any list of machines to the key pairs, and in without one."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from cloudtui.model.instance import Instance

if TYPE_CHECKING:
    from cloudtui.ui.app import CloudtuiApp


class KeyViews:
    """Handlers of the app for the actions in `actions_keys`."""

    def open_keys(self) -> None:
        from cloudtui.ui.screens.keys import KeysScreen

        app = cast("CloudtuiApp", self)
        if not isinstance(app.screen, KeysScreen):
            app.push_screen(KeysScreen())

    def open_shell_without_key(self) -> None:
        app = cast("CloudtuiApp", self)
        instance: Instance | None = getattr(app.screen, "instance", None)
        if instance:
            app.workbench.connections.use_instance_connect(instance)
            app.say(f"Logging in to {instance.label} with a one-time key")
            app.open_shell(instance)
