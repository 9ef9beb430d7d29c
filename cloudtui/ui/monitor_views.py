"""The way from any list of machines to what one of them is doing."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from cloudtui.model.instance import Instance

if TYPE_CHECKING:
    from cloudtui.ui.app import CloudtuiApp


class MonitorViews:
    """Handlers of the app for the actions in `actions_monitor`."""

    def open_monitor(self) -> None:
        from cloudtui.ui.screens.monitor import MonitorScreen

        app = cast("CloudtuiApp", self)
        instance: Instance | None = getattr(app.screen, "instance", None)
        if instance:
            app.push_screen(MonitorScreen(instance))
