"""Writes the tables of the README that come from the code: `python -m tests.documents`."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def settings_table() -> str:
    """Every setting with its values, default and meaning, in Markdown."""
    from cloudtui.files.settings import describe

    lines = ["| setting | values | default | meaning |", "|---|---|---|---|"]
    lines += [
        f"| `{name}` | {kind} | `{given}` | {help} |" for name, kind, given, help in describe()
    ]
    return "\n".join(lines) + "\n"


def filled(text: str) -> str:
    """The README with its tables as the code has them now."""
    from cloudtui.ui.actions import key_table
    from cloudtui.ui.actions_leader import leader_table

    keys = key_table() + leader_table()
    for name, table in (("keys", keys), ("settings", settings_table())):
        part = re.compile(rf"(<!-- {name}:[^\n]*-->\n).*?(<!-- /{name} -->)", re.DOTALL)
        found = part.search(text)
        assert found, f"README.md has no place for its {name}"
        text = f"{text[: found.start()]}{found[1]}\n{table}\n{found[2]}{text[found.end() :]}"
    return text


if __name__ == "__main__":
    README.write_text(filled(README.read_text()))
