"""Themes: YAML files whose keys are the fields of Textual's Theme."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from cloudtui.files import paths
from cloudtui.files.yaml_file import Value, read_yaml
from cloudtui.model.errors import CloudtuiError, UsageError
from cloudtui.model.theme import COLOURS, SHARES


def read_themes(
    folders: Sequence[Path] | None = None,
) -> tuple[list[dict[str, object]], list[CloudtuiError]]:
    """Every theme found, as arguments for `textual.theme.Theme`, and one error for each bad file.

    Looks at the shipped themes, then at `paths.config_dir()/themes`; of two themes of one name the
    later wins. Types are checked here, colours by whoever knows colours.
    """
    themes: dict[object, dict[str, object]] = {}
    errors: list[CloudtuiError] = []
    for folder in folders if folders is not None else (shipped(), paths.config_dir() / "themes"):
        for path in sorted((*folder.glob("*.yaml"), *folder.glob("*.yml"))):
            try:
                theme = _read(path)
            except CloudtuiError as error:
                errors.append(error)
            else:
                themes[theme["name"]] = theme
    return list(themes.values()), errors


def shipped() -> Path:
    """The folder of the themes that come with cloudtui: inside the package in a wheel, beside it
    in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "themes"
    return installed if installed.is_dir() else package.parent / "themes"


def _colour(value: Value) -> str:
    if not isinstance(value.content, str) or not value.content.strip():
        raise ValueError
    return value.content.strip()


def _yes_or_no(value: Value) -> bool:
    if value.content not in ("true", "false"):
        raise ValueError
    return value.content == "true"


def _share(value: Value) -> float:
    if not isinstance(value.content, str) or not 0 <= float(value.content) <= 1:
        raise ValueError
    return float(value.content)


def _colours(value: Value) -> dict[str, str]:
    if not isinstance(value.content, dict) or not all(value.content.values()):
        raise ValueError
    return value.content


_COLOUR = 'a colour in quotes, such as "#2dd4bf"'
_FIELDS: dict[str, tuple[Callable[[Value], object], str]] = {
    "name": (_colour, "a name"),
    **dict.fromkeys(COLOURS, (_colour, _COLOUR)),
    "dark": (_yes_or_no, "true or false"),
    **dict.fromkeys(SHARES, (_share, "a number from 0 to 1")),
    "variables": (_colours, 'a table of name: "value"'),
}


def _read(path: Path) -> dict[str, object]:
    theme: dict[str, object] = {}
    try:
        written = read_yaml(path)
    except FileNotFoundError as error:
        raise UsageError(f"Cannot read the theme {path}: it is gone.") from error
    for key, value in written.items():
        if key not in _FIELDS:
            raise UsageError(
                f"{path} line {value.line}: a theme has no {key!r}.",
                f"Known: {', '.join(_FIELDS)}.",
                "Correct the name, or take the line out.",
            )
        read, allowed = _FIELDS[key]
        try:
            theme[key] = read(value)
        except ValueError:
            raise UsageError(
                f"{path} line {value.line}: {key} is not what it should be.",
                f"Allowed: {allowed}.",
                "Correct the value, or take the line out.",
            ) from None
    for needed in ("name", "primary"):
        if needed not in theme:
            raise UsageError(
                f"The theme {path} has no {needed}.",
                "",
                f"Add a line that begins with {needed}:",
            )
    return theme
