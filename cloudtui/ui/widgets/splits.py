"""Frames laid out by a tree of splits; moving one, to another tab too, keeps it on the screen."""

from __future__ import annotations

from textual.containers import Container
from textual.geometry import Offset, Region, Size, Spacing
from textual.layout import Layout, WidgetPlacement
from textual.widget import Widget

from cloudtui.model import layout as tree
from cloudtui.model.layout import Axis, Box, Node, Way
from cloudtui.ui.widgets.splits_frame import PaneFrame


class _Tree(Layout):
    """Places the children of `Board` where the tree of the tab in front says."""

    name = "splits"

    def arrange(
        self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True
    ) -> list[WidgetPlacement]:
        assert isinstance(parent, Board)
        places = parent.front.boxes(size) if parent.front else {}
        return [
            WidgetPlacement(Region(*places[child.id]), Offset(), Spacing(), child)
            for child in children
            if child.id in places
        ]


class Board(Container):
    """Holds the frames of all tabs, and shows those of the one in front."""

    DEFAULT_CSS = """
    Board { width: 1fr; height: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._layout = _Tree()
        self.front: Splits | None = None
        self._room = Size(0, 0)

    @property
    def layout(self) -> Layout:
        return self._layout

    def show(self, tab: Splits | None) -> None:
        """Bring a tab to the front; the frames of the others are hidden and go on."""
        self.front = tab
        for frame in self.children:
            if tab is None or frame.id not in tab.frames:
                frame.display = False
        if tab is not None:
            tab.lay_out()

    def on_resize(self) -> None:
        self._take_room()

    def watch_virtual_size(self) -> None:
        # Textual sends no Resize when something asked for a region between mount and layout.
        self._take_room()

    def _take_room(self) -> None:
        if self.front is not None and self.content_size != self._room:
            self._room = self.content_size
            self.front.lay_out()


class Splits:
    """One tab: its frames, which of them is active, who shares what is typed."""

    def __init__(self, board: Board, first: PaneFrame) -> None:
        self._board = board
        self.frames: dict[str, PaneFrame] = {first.name_: first}
        self.plan: Node = first.name_
        self.active = first
        self.zoomed = False
        self.sharing: set[PaneFrame] = set()
        """The panes that get what is typed into any of them."""
        self._mount(first)

    @property
    def home(self) -> str:
        """The host that the layout is remembered for; empty for this computer."""
        first = self.frames[tree.panes(self.plan)[0]].target.instance
        return first.id if first else ""

    @property
    def words(self) -> str:
        """`train bert-gpu +1`: the active pane, and how many more there are."""
        frame = self.active
        more = f" +{len(self.frames) - 1}" if len(self.frames) > 1 else ""
        return f"{frame.pane.title or frame.target.name} {frame.target.host}{more}"

    def boxes(self, size: Size) -> dict[str, Box]:
        whole = Box(0, 0, size.width, size.height)
        return {self.active.name_: whole} if self.zoomed else tree.boxes(self.plan, whole)

    @property
    def _box(self) -> Box:
        return Box(0, 0, *self._board.content_size)

    def activate(self, frame: PaneFrame) -> None:
        self.active = frame
        self.lay_out()

    def fits(self, axis: Axis) -> bool:
        """Whether there is room for two panes where the active one is."""
        here = tree.boxes(self.plan, self._box)[self.active.name_]
        columns, rows = tree.SMALLEST
        return here.width >= 2 * columns if axis is Axis.ROW else here.height >= 2 * rows

    def add(self, frame: PaneFrame, axis: Axis) -> None:
        """Beside the active one, or under it; it becomes the active one."""
        self.plan = tree.split(self.plan, self.active.name_, frame.name_, axis)
        self.put(frame)

    def put(self, frame: PaneFrame) -> None:
        """Show a frame that the tree has a place for already."""
        self.frames[frame.name_] = frame
        self.zoomed = False
        self.active = frame
        self._mount(frame)
        self.lay_out()

    def _mount(self, frame: PaneFrame) -> None:
        if frame.parent is None:
            self._board.mount(frame)

    def take(self, frame: PaneFrame) -> bool:
        """Let a frame go, which stays on the board; False when it was the last."""
        rest = tree.without(self.plan, frame.name_)
        self.share(frame, False)
        if rest is None:
            return False
        if frame is self.active:
            order = tree.panes(self.plan)
            place = order.index(frame.name_)
            self.active = self.frames[order[place - 1 if place else 1]]
            self.zoomed = False
        self.plan = rest
        del self.frames[frame.name_]
        self.lay_out()
        return True

    def share(self, frame: PaneFrame, wanted: bool) -> None:
        """Let a frame share what is typed, or take it out; one that is left shares nothing."""
        if wanted:
            self.sharing.add(frame)
        else:
            self.sharing.discard(frame)
            if len(self.sharing) == 1:
                self.sharing.clear()

    def step(self, way: Way) -> PaneFrame:
        """The frame that way from the active one, or the active one."""
        return self.frames[tree.neighbour(self.plan, self.active.name_, way, self._box)]

    def grow(self, way: Way, cells: int) -> None:
        self.plan = tree.resized(self.plan, self.active.name_, way, cells, self._box)
        self.lay_out()

    def swap(self, forward: bool) -> None:
        """Change places with the next or the previous frame."""
        order = tree.panes(self.plan)
        other = order[(order.index(self.active.name_) + (1 if forward else -1)) % len(order)]
        self.plan = tree.swapped(self.plan, self.active.name_, other)
        self.lay_out()

    def lay_out(self) -> None:
        """Place all frames as tree, zoom and marks are now; nothing for a tab not in front."""
        if self._board.front is not self:
            return
        places = tree.boxes(self.plan, self._box)
        alone = len(self.frames) == 1
        for name, frame in self.frames.items():
            frame.display = not self.zoomed or frame is self.active
            frame.set_class(not self.zoomed and places[name].x > 0, "-inner")
            frame.set_class(frame is self.active, "-active")
            frame.set_class(frame in self.sharing, "-sharing")
            frame.alone, frame.zoomed, frame.shared = alone, self.zoomed, len(self.sharing)
            frame.refresh_title()
            frame.refresh(layout=True)
