"""What every screen with a list has: the field of its filter, and the keys that move in rows."""

from __future__ import annotations

from textual import on
from textual.binding import Binding
from textual.widgets import Input

from cloudtui.ui.screens.area import Area
from cloudtui.ui.widgets.frame import Header
from cloudtui.ui.widgets.keyed_table import KeyedTable


class FilterField(Input):
    """Enter ends the filter before the next key is looked at: that one is the list's."""

    BINDINGS = [Binding("enter", "end_filter", show=False, priority=True)]

    def action_end_filter(self) -> None:
        screen = self.screen
        if isinstance(screen, ListArea):
            screen.end_filter()


class Rows(Area):
    """One `KeyedTable`, and the keys that move in it."""

    @property
    def table(self) -> KeyedTable:
        return self.query_one(KeyedTable)

    def row_down(self) -> None:
        self.table.action_cursor_down()

    def row_up(self) -> None:
        self.table.action_cursor_up()

    def page_down(self) -> None:
        self.table.action_page_down()

    def page_up(self) -> None:
        self.table.action_page_up()

    def first_row(self) -> None:
        self.table.action_scroll_top()

    def last_row(self) -> None:
        self.table.action_scroll_bottom()


class ListArea(Rows):
    """Composes an `Input`, hidden until `/` is pressed, and one `KeyedTable`."""

    DEFAULT_CSS = """
    ListArea {
        & > Input {
            height: 1;
            border: none;
            padding: 0 1;
            background: $panel;
            &:focus { border: none; background-tint: transparent; }
        }
        & > #trouble, & > #told {
            height: auto;
            max-height: 3;
            padding: 0 1;
            color: $warning;
        }
    }
    """

    def on_mount(self) -> None:
        self.query_one(Input).display = False
        self.query_one(Header).state = self.workbench.inventory.state
        self.app.theme_changed_signal.subscribe(self, lambda _: self.recolour())

    def recolour(self) -> None:
        """The theme is another one."""
        self.paint()

    def paint(self) -> None:
        """Show what is known now, as far as it passes the filter."""
        raise NotImplementedError

    # The filter

    @property
    def query_text(self) -> str:
        """The filter's words."""
        return self.query_one(Input).value.strip()

    def start_filter(self) -> None:
        field = self.query_one(Input)
        field.display = True
        self.set_focus(field)

    @on(Input.Changed)
    def _filter_changed(self) -> None:
        self.paint()

    def end_filter(self) -> None:
        """Back to the rows; the words stay."""
        field = self.query_one(Input)
        field.display = bool(field.value.strip())
        self.set_focus(self.table)

    def clear_filter(self) -> bool:
        """Take the filter away; False when there is none."""
        field = self.query_one(Input)
        if not field.display:
            return False
        field.value = ""
        self.end_filter()
        return True

    def back(self) -> None:
        """Esc: clear the filter, or else go back."""
        if not self.clear_filter():
            super().back()

    # Rows

    def next_order(self) -> None:
        self.table.order_next()

    def reverse_order(self) -> None:
        self.table.order(self.table.order_by, descending=not self.table.descending)
