"""The ways from any list of machines to one machine's details, texts, tags and web page."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast

from cloudtui.core.events import Severity
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance
from cloudtui.model.price import pays
from cloudtui.model.words import plural
from cloudtui.ui.work import start_work

if TYPE_CHECKING:
    from cloudtui.ui.app import CloudtuiApp

REASONS_SHOWN = 5


class MachineViews:
    """Handlers of the app for the actions in `actions_details`."""

    def copy_to_clipboard(self, text: str) -> None:
        """Put `text` on the clipboard, also from inside an outer tmux or screen."""
        from cloudtui.ui.widgets.pane_clipboard import pass_on

        super().copy_to_clipboard(text)  # type: ignore[misc]
        pass_on(self._app, text)

    @property
    def _app(self) -> CloudtuiApp:
        return cast("CloudtuiApp", self)

    @property
    def _here(self) -> Instance | None:
        """The machine that the screen in front is about."""
        return getattr(self._app.screen, "instance", None)

    def open_machine(self) -> None:
        from cloudtui.ui.screens.machine import MachineScreen

        if self._here:
            self._app.push_screen(MachineScreen(self._here))

    def open_console_output(self) -> None:
        from cloudtui.ui.screens.viewer import ConsoleOutputScreen

        if self._here:
            self._app.push_screen(ConsoleOutputScreen(self._here))

    def open_user_data(self) -> None:
        from cloudtui.ui.screens.viewer import UserDataScreen

        if self._here:
            self._app.push_screen(UserDataScreen(self._here))

    def edit_tags(self) -> None:
        """Of the marked machines, else of the one under the cursor."""
        screen = self._app.screen
        chosen: tuple[Instance, ...] = getattr(screen, "chosen", ())
        if chosen:
            start_work(self._app, self._edit_tags, chosen, group="tags")

    async def _edit_tags(self, machines: tuple[Instance, ...]) -> None:
        from cloudtui.ui.screens.tags import TagsDialog

        app = self._app
        try:
            machines = await app.workbench.tags.confirmed(machines)
        except CloudtuiError as error:
            app.fail(error)
            return
        change = await app.push_screen_wait(TagsDialog(machines))
        if not change:
            return
        try:
            failures = await app.workbench.tags.change(machines, change)
        except CloudtuiError as error:
            app.fail(error)
            return
        for failure in failures:
            count = len(failure.instances)
            whose = failure.instances[0].label if count == 1 else plural(count, "machine")
            why = failure.error
            detail = "\n".join(part for part in (why.title, why.detail, why.hint) if part)
            app.say(f"The tag {failure.key} of {whose} was not changed.", Severity.ERROR, detail)
        done = len({*change.put, *change.removed} - {failure.key for failure in failures})
        if done:
            whose = machines[0].label if len(machines) == 1 else plural(len(machines), "machine")
            app.say(f"Changed {plural(done, 'tag')} of {whose}")

    def open_web_console(self) -> None:
        if self._here:
            start_work(self._app, self._open_web_console, self._here, group="web console")

    async def _open_web_console(self, instance: Instance) -> None:
        app = self._app
        try:
            page = await app.workbench.web_console(instance)
        except CloudtuiError as error:
            app.fail(error)
            return
        if await app.workbench.browse(page):
            app.say(f"The browser was asked to show {instance.label}")
        else:
            app.copy_to_clipboard(page)
            app.say(f"No browser could be started here. Copied {page}")

    def open_bill(self) -> None:
        start_work(self._app, self._open_bill, group="bill", exclusive=True)

    async def _open_bill(self) -> None:
        from cloudtui.ui.screens.bill import BillDialog

        app = self._app
        prices, machines = app.workbench.prices, app.workbench.inventory.state.instances

        def reasons() -> list[str]:
            found = Counter(
                prices.why_unknown(i) for i in machines if pays(i) and prices.price(i) is None
            )
            return [f"{count} × {words}" for words, count in found.most_common(REASONS_SHOWN)]

        dialog = BillDialog(prices.bill(machines), reasons(), prices.problems)
        await app.push_screen(dialog)
        await prices.survey()
        if dialog in app.screen_stack:  # it was not closed meanwhile
            dialog.update(prices.bill(machines), reasons(), prices.problems)
