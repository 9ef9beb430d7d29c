"""The ways to the panel of notebooks, and from it to a server in the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from cloudtui.core.jupyter import ANY, Wish
from cloudtui.model.instance import Instance
from cloudtui.model.notebook import JupyterServer

if TYPE_CHECKING:
    from cloudtui.ui.app import CloudtuiApp


class NotebookViews:
    """Handlers of the app for the actions about Jupyter."""

    def open_notebooks(self) -> None:
        """The panel of notebooks; back to it where it is open."""
        from cloudtui.ui.screens.notebooks import NotebooksScreen

        app = cast("CloudtuiApp", self)
        while len(app.screen_stack) > 1 and not isinstance(app.screen, NotebooksScreen):
            app.pop_screen()
        if not isinstance(app.screen, NotebooksScreen):
            app.push_screen(NotebooksScreen())

    def open_jupyter(
        self,
        instance: Instance,
        wish: Wish = ANY,
        *,
        server: JupyterServer | None = None,
        notebook: str = "",
    ) -> None:
        """Open the machine's Jupyter in the browser: a known server, or the one that is meant."""
        from cloudtui.ui.screens.jupyter import JupyterScreen

        app = cast("CloudtuiApp", self)
        app.push_screen(JupyterScreen(instance, wish, server=server, notebook=notebook))
