"""The rules of a machine's security groups, one row each."""

from __future__ import annotations

from collections.abc import Mapping

from rich.style import Style
from rich.text import Text

from cloudtui.model.access import Access
from cloudtui.model.security_group import Group, Rule, Viewer
from cloudtui.ui.themes import cell_style
from cloudtui.ui.widgets.keyed_table import Heading, KeyedTable, Row

HEADINGS = (
    Heading("way", "Way"),
    Heading("what", "What"),
    Heading("source", "From or to"),
    Heading("whose", "Whose", spare=1),
    Heading("group", "Group", spare=2),
)


class RulesTable(KeyedTable):
    """Inbound rules first; those that open SSH to the world stand out."""

    def __init__(self) -> None:
        super().__init__(HEADINGS, "way", id="rules")
        self._pairs: dict[str, tuple[Group, Rule]] = {}

    @property
    def rule(self) -> tuple[Group, Rule] | None:
        """The rule under the cursor, with its group."""
        return self._pairs.get(self.key or "")

    def show_rules(self, access: Access, viewer: Viewer, query: str) -> None:
        """Show exactly the rules that hold every word of the query."""
        words = query.casefold().split()
        colours = self.app.theme_variables
        self._pairs = {}
        rows = []
        for place, (group, rule) in enumerate(access.rules()):
            row = _row(place, group, rule, access, viewer, colours)
            text = " ".join(cell.plain for cell in row.cells.values()).casefold()
            if all(word in text for word in words):
                self._pairs[row.key] = (group, rule)
                rows.append(row)
        self.show(rows)


def _row(
    place: int,
    group: Group,
    rule: Rule,
    access: Access,
    viewer: Viewer,
    colours: Mapping[str, str],
) -> Row:
    quiet = cell_style(colours, "foreground-muted")
    plain = quiet if rule.outbound else Style.null()
    style = plain
    if rule.exposed:
        style = cell_style(colours, "error")
    elif rule.world and not rule.outbound:
        style = cell_style(colours, "warning")
    elif not rule.outbound and any(rule.allows(address) for address in viewer.addresses):
        style = cell_style(colours, "state-running")
    elif viewer.outdated(rule):
        style = cell_style(colours, "warning")
    way = "out" if rule.outbound else "in"
    shown = {
        "way": (way, quiet),
        "what": (rule.what, style),
        "source": (rule.origin(access.names, short=True), style),
        "whose": (viewer.whose(rule) or "-", plain),
        "group": (group.name or group.id, quiet),
    }
    cells = {key: Text(text, look, no_wrap=True) for key, (text, look) in shown.items()}
    order = {key: (text.casefold(), place) for key, (text, _) in shown.items()}
    order["way"] = ("", place)
    key = "/".join(map(str, (group.id, *rule.key)))
    return Row(key, cells, order)
