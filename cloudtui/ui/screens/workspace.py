"""Panes of any hosts, side by side, in tabs. They stay attached while the console runs."""

from __future__ import annotations

from datetime import datetime

from textual import events, on
from textual.app import ComposeResult

from cloudtui.core import layouts
from cloudtui.core.events import Severity
from cloudtui.core.pane_log import suggested
from cloudtui.model.errors import CloudtuiError
from cloudtui.model.instance import Instance
from cloudtui.model.layout import Axis, Node, panes, renamed
from cloudtui.model.session import Ending
from cloudtui.ui.actions import Action, Where, key_words
from cloudtui.ui.actions_leader import LEADER_ACTIONS, leader_keys
from cloudtui.ui.screens.area import bindings
from cloudtui.ui.screens.workspace_ask import AskText, openable
from cloudtui.ui.screens.workspace_hearing import Hearing
from cloudtui.ui.screens.workspace_tabs import TabBar
from cloudtui.ui.widgets import pane_messages as said
from cloudtui.ui.widgets.frame import Footer
from cloudtui.ui.widgets.pane_keys import key_name, normal_name
from cloudtui.ui.widgets.splits import Splits
from cloudtui.ui.widgets.splits_frame import PaneFrame
from cloudtui.ui.widgets.splits_target import Target
from cloudtui.ui.work import start_work
from cloudtui.vt import engine as vt


class WorkspaceScreen(Hearing):
    """All keys go to the program but the leader. Left, it keeps its panes for the next time."""

    WHERE = Where.PANE
    BINDINGS = bindings(Where.PANE)
    AUTO_FOCUS = ""
    CSS = """
    WorkspaceScreen Footer { display: none; }
    WorkspaceScreen.-ended Footer { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._made = 0
        self._waiting: list[Target] = []
        self._leading = False
        self._ready = False

    def compose(self) -> ComposeResult:
        yield TabBar(self)
        yield self.board
        yield Footer(self.footer_keys)

    def on_mount(self) -> None:
        settings = self.workbench.settings
        self._keys = leader_keys(settings.keys, settings.leader)
        self._ready = True
        waiting, self._waiting = self._waiting, []
        for target in waiting:
            self.open(target)

    @property
    def instance(self) -> Instance | None:
        return self.frame.target.instance if self.frame else None

    def why_not(self, action: Action) -> str:
        frame = self.frame
        if action.id == "pane.again" and frame:
            session = frame.target.session
            if frame.ending is None:
                return "It is still open."
            if frame.ending is Ending.ENDED and session:
                return f"The session {session.name} has ended. Enter goes back."
        return super().why_not(action)

    # Tabs and panes

    def open(self, target: Target) -> None:
        """In a new tab, or the pane that has that session already."""
        if not self._ready:
            self._waiting.append(target)
            return
        for tab in self.tabs:
            for frame in tab.frames.values():
                if frame.target.same(target):
                    tab.activate(frame)
                    self.show_tab(tab)
                    if frame.ending is not None:
                        self.again()
                    return
        self._add_tab(Splits(self.board, self._frame(target)))

    def _frame(self, target: Target) -> PaneFrame:
        self._made += 1
        return PaneFrame(f"p{self._made}", target, self.workbench.settings.leader)

    def _add_tab(self, tab: Splits) -> None:
        self.tabs.append(tab)
        self.show_tab(tab)

    def show_tab(self, tab: Splits) -> None:
        """Bring it to the front; typing to several panes ends with the tab that is left."""
        for each in self.tabs:
            if each is not tab:
                self._stop_sharing(each)
        self.tab = tab
        self.board.show(tab)
        tab.active.remove_class("-rang")
        self.query_one(TabBar).forget(tab)
        self._settle()

    def _settle(self) -> None:
        """Marks, tab bar, footer and focus as things are now."""
        if self.tab is None:
            return
        self.tab.lay_out()
        bar = self.query_one(TabBar)
        bar.display = len(self.tabs) > 1
        bar.refresh()
        pane = self.tab.active.pane
        self.set_class(self.tab.active.ending is not None, "-ended")
        if pane.can_focus:
            pane.focus()
        else:
            self.set_focus(None)
        self.refresh_footer()

    def _close(self, frame: PaneFrame) -> bool:
        """Take a pane away; False when its tab went with it."""
        tab = next(tab for tab in self.tabs if frame in tab.frames.values())
        stays = tab.take(frame)
        frame.remove()
        if not stays:
            self._drop_tab(tab)
        self._settle()
        return stays

    def _drop_tab(self, tab: Splits) -> None:
        """A tab whose last pane went away."""
        place = self.tabs.index(tab)
        self.tabs.remove(tab)
        if tab is self.tab:
            self.tab = None
            self.board.show(None)
            if self.tabs:
                self.show_tab(self.tabs[max(0, place - 1)])

    def back(self) -> None:
        """Stop what is being opened, and go back to where you came from."""
        frame = self.frame
        over = frame and (frame.ending is not None or frame.pane.state == "opening")
        if not (frame and over and self._close(frame)):
            self._leave()

    def _leave(self) -> None:
        if self.app.screen is self and len(self.app.screen_stack) > 1:
            self.app.pop_screen()

    @on(events.ScreenSuspend)
    def _suspended(self) -> None:
        if self not in self.app.screen_stack:
            for tab in self.tabs:
                self._stop_sharing(tab)

    @on(events.ScreenResume)
    def _resumed(self) -> None:
        if self._ready:
            self._settle()

    # Focus and the leader

    @on(events.DescendantFocus)
    def _focused(self, event: events.DescendantFocus) -> None:
        """A click on another pane makes it the active one."""
        frame = event.widget.parent
        if event.widget is not self.focused or not isinstance(frame, PaneFrame):
            return
        if self.tab is None or frame is self.tab.active:
            return
        if frame in self.tab.frames.values():
            self.tab.activate(frame)
            self.set_class(frame.ending is not None, "-ended")

    def action_tab(self, number: int) -> None:
        if number < len(self.tabs):
            self.show_tab(self.tabs[number])

    @on(said.LeaderKey)
    def _leader_key(self, event: said.LeaderKey) -> None:
        self._do_leader(event.key)

    def on_key(self, event: events.Key) -> None:
        """The leader where no open pane takes it: one has ended, or is being opened."""
        if self._leading:
            self._leading = False
            event.stop()
            event.prevent_default()
            self._do_leader(event.key)
        elif key_name(event) == normal_name(self.workbench.settings.leader):
            self._leading = True
            event.stop()
        elif self.frame and (
            self.frame.pane.state == "open"
            or (self.frame.pane.state == "opening" and event.key != "escape")
        ):
            # What is typed before the pane has the focus is for its program, Enter too.
            event.stop()
            event.prevent_default()
            self.frame.pane.type_ahead(event)

    def _do_leader(self, key: str) -> None:
        if key.isdigit() and key != "0":
            if int(key) <= len(self.tabs):
                self.show_tab(self.tabs[int(key) - 1])
            return
        names = {key, normal_name(key)}
        for action in LEADER_ACTIONS:
            if action.handler and names & set(self._keys[action.id]):
                getattr(self, action.handler)()
                return
        keys = f"{key_words(self.workbench.settings.leader)} {key_words(key)}"
        self.cloudtui.say(f"{keys} does nothing. With ? all keys are shown.", Severity.WARNING)

    def open_help(self) -> None:
        self.cloudtui.open_help()

    def show_console(self) -> None:
        """Everything stays attached."""
        self._leave()

    def again(self) -> None:
        """Open it once more in a fresh pane."""
        if self.frame:
            start_work(self, self._again, self.frame)

    async def _again(self, frame: PaneFrame) -> None:
        await frame.again()
        self._settle()

    def close_pane(self) -> None:
        if self.frame and not self._close(self.frame) and not self.tabs:
            self._leave()

    def split_right(self) -> None:
        self._ask_split(Axis.ROW)

    def split_below(self) -> None:
        self._ask_split(Axis.COLUMN)

    def open_local(self) -> None:
        if self._room(Axis.ROW):
            self._split(Target(), Axis.ROW)

    def _room(self, axis: Axis) -> bool:
        """Whether the active pane can be halved; says it when it cannot."""
        fits = self.tab is None or self.tab.fits(axis)
        if not fits:
            self.cloudtui.say("This pane is too small for another one beside it.", Severity.WARNING)
        return fits

    def _ask_split(self, axis: Axis) -> None:
        from cloudtui.ui.screens.dialogs import Choose

        if self.frame is None or not self._room(axis):
            return
        targets = openable(self.workbench, self.frame.target)
        options = {str(n): f"{t.words.plain}" for n, t in enumerate(targets)}

        def chosen(answer: str | None) -> None:
            if answer is not None:
                self._split(targets[int(answer)], axis)

        self.ask(Choose("Open beside it" if axis is Axis.ROW else "Open below it", options), chosen)

    def _split(self, target: Target, axis: Axis) -> None:
        if self.tab is None:
            self.open(target)
            return
        self.tab.add(self._frame(target), axis)
        self._settle()
        self._remember()

    # Typing to several panes

    def toggle_sharing(self) -> None:
        tab = self.tab
        if tab is None:
            return
        if len(tab.frames) < 2:
            self.cloudtui.say("Typing to several panes needs a second pane here.", Severity.WARNING)
            return
        tab.share(tab.active, tab.active not in tab.sharing)
        self._settle()

    def _stop_sharing(self, tab: Splits) -> None:
        if tab.sharing:
            tab.sharing.clear()
            tab.lay_out()
            self.cloudtui.say("Typing goes to one pane again.")

    def _typed(self, frame: PaneFrame, what: vt.Key | str) -> None:
        if self.tab and frame in self.tab.sharing:
            for other in self.tab.sharing - {frame}:
                other.pane.type(what)

    # Log, full screen, layouts

    def toggle_log(self) -> None:
        frame = self.frame
        if frame is None:
            return
        if frame.log_ is not None:
            path = frame.log_.path
            frame.end_log()
            self.cloudtui.say(f"The log of {frame.target.name} is in {path}")
            self._settle()
            return

        def answered(name: str | None) -> None:
            if name:
                try:
                    frame.start_log(name)
                except CloudtuiError as error:
                    self.cloudtui.fail(error)
                else:
                    self.cloudtui.say(f"Logging {frame.target.name} to {name}")

        name = f"{frame.target.host}-{frame.target.name}"
        self.ask(AskText("Log this pane to a file", str(suggested(name, datetime.now()))), answered)

    def full_screen(self) -> None:
        frame = self.frame
        if frame is None or frame.pane.state != "open":
            return
        if frame.loss is not None:
            self.cloudtui.say("Its connection is lost.", Severity.WARNING)
            return
        self.cloudtui.hand_over(frame.hand)

    def _remember(self) -> None:
        tab = self.tab
        if tab and tab.home and len(tab.frames) > 1:
            held = {name: frame.target.held for name, frame in tab.frames.items()}
            layouts.keep(tab.home, tab.plan, held)

    def restore_layout(self) -> None:
        """The last layout of the active pane's host, in a tab of its own."""
        host = self.instance
        found = layouts.kept(host.id) if host else None
        if host is None or found is None:
            self.cloudtui.say("No layout of this host is remembered.", Severity.WARNING)
            return
        self.restore(*found)

    def restore(self, tree: Node, held: dict[str, layouts.Held]) -> None:
        """Panes of machines that are gone are left out."""
        from cloudtui.model.layout import without

        wanted: dict[str, PaneFrame] = {}
        known = {i.id: i for i in self.workbench.inventory.state.instances}
        left: Node | None = tree
        for name in panes(tree):
            one = held[name]
            if one.instance_id and one.instance_id not in known:
                left = without(left, name) if left is not None else None
                continue
            wanted[name] = self._frame(_target(one, known.get(one.instance_id)))
        if left is None:
            return
        first, *others = panes(left)
        tab = Splits(self.board, wanted[first])
        self._add_tab(tab)
        tab.plan = renamed(left, {name: frame.name_ for name, frame in wanted.items()})
        for name in others:
            tab.put(wanted[name])
        tab.activate(wanted[first])
        self._settle()


def _target(held: layouts.Held, instance: Instance | None) -> Target:
    from cloudtui.model.session import Program, Session

    if not held.program:
        return Target(instance)
    return Target(instance, Session(Program(held.program), held.session_id, held.session_name))
