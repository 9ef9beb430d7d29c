"""Themes are data: readable contrast in the shipped ones, one error for each bad file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from textual.color import Color
from textual.theme import Theme

from cloudtui.files import paths, themes
from cloudtui.files.themes import read_themes

SHIPPED, _NONE = read_themes()
STATES = ("state-running", "state-changing", "state-stopped", "state-terminated", "spot")
COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
PANE = tuple(f"ansi-{bright}{c}" for bright in ("", "bright-") for c in COLOURS)


def _luminance(colour: str) -> float:
    """WCAG 2.1's relative luminance."""
    parts = [part / 255 for part in Color.parse(colour).rgb]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, two: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _variables(theme: dict[str, object]) -> dict[str, str]:
    variables = theme["variables"]
    assert isinstance(variables, dict)
    return variables


def test_a_dark_and_a_light_theme_are_shipped() -> None:
    assert _NONE == []
    assert [(t["name"], t["dark"]) for t in SHIPPED] == [
        ("cloudtui-dark", True),
        ("cloudtui-light", False),
    ]


@pytest.mark.parametrize("theme", SHIPPED, ids=lambda t: str(t["name"]))
def test_textual_takes_the_theme_and_every_colour(theme: dict[str, object]) -> None:
    made = Theme(**theme)  # type: ignore[arg-type]
    generated = made.to_color_system().generate()
    for name, value in generated.items():
        if "style" not in name and value != "initial" and not value.startswith("auto"):
            Color.parse(value)
    assert {*STATES, *PANE} <= set(_variables(theme))


@pytest.mark.parametrize("theme", SHIPPED, ids=lambda t: str(t["name"]))
def test_text_is_readable_on_every_surface(theme: dict[str, object]) -> None:
    variables = _variables(theme)
    texts = {n: str(theme[n]) for n in ("foreground", "primary", "accent", "secondary")}
    texts |= {n: str(theme[n]) for n in ("success", "warning", "error")}
    texts |= {n: variables[n] for n in (*STATES, "foreground-muted", "footer-key-foreground")}
    surfaces = {n: str(theme[n]) for n in ("background", "surface", "panel")}
    cursors = ("block-cursor-background", "block-cursor-blurred-background")
    surfaces |= {n: variables[n] for n in (*cursors, "block-hover-background")}
    poor = {
        (text, surface): round(_contrast(texts[text], surfaces[surface]), 2)
        for text in texts
        for surface in surfaces
        if _contrast(texts[text], surfaces[surface]) < 4.5
    }
    assert poor == {}


@pytest.mark.parametrize("theme", SHIPPED, ids=lambda t: str(t["name"]))
def test_terminal_colours_are_readable_on_the_pane(theme: dict[str, object]) -> None:
    background, variables = str(theme["background"]), _variables(theme)
    poor = [n for n in PANE[1:] if _contrast(variables[n], background) < 4.5]
    assert poor == []


def test_dark_and_light_have_the_same_parts() -> None:
    dark, light = SHIPPED
    assert set(dark) == set(light)
    assert set(_variables(dark)) == set(_variables(light))


def test_the_known_keys_are_textuals() -> None:
    assert set(themes._FIELDS) | {"ansi"} == {f.name for f in dataclasses.fields(Theme)}


def test_a_theme_of_ones_own_and_of_a_shipped_name(cut_off: Path) -> None:
    folder = paths.config_dir() / "themes"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("name: mine\nprimary: '#ff8800'\nvariables:\n  spot: red\n")
    (folder / "dark.yml").write_text("name: cloudtui-dark\nprimary: teal\ntext_alpha: 0.9\n")
    found, errors = read_themes()
    assert errors == []
    by_name = {t["name"]: t for t in found}
    assert len(found) == len(by_name)
    assert set(by_name) == {"cloudtui-dark", "cloudtui-light", "mine"}
    assert by_name["mine"]["variables"] == {"spot": "red"}
    assert by_name["cloudtui-dark"] == {
        "name": "cloudtui-dark",
        "primary": "teal",
        "text_alpha": 0.9,
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("primary: '#fff'\n", "has no name"),
        ("name: x\n", "has no primary"),
        ("name: x\nprimary: #fff\n", "primary"),
        ("name: x\nprimary: [a]\n", "primary"),
        ("name: x\nprimary: red\ncolour: blue\n", "'colour'"),
        ("name: x\nprimary: red\ndark: perhaps\n", "dark"),
        ("name: x\nprimary: red\ntext_alpha: much\n", "text_alpha"),
        ("name: x\nprimary: red\nluminosity_spread: nan\n", "luminosity_spread"),
        ("name: x\nprimary: red\nvariables: [a]\n", "variables"),
        ("name: x\nprimary: red\nvariables: {spot: }\n", "variables"),
        ("name: [\n", "not YAML"),
    ],
)
def test_a_bad_file_is_one_error(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    (tmp_path / "good.yaml").write_text("name: good\nprimary: red\n")
    found, errors = read_themes([tmp_path])
    assert [t["name"] for t in found] == ["good"]
    (error,) = errors
    assert str(tmp_path / "bad.yaml") in error.title
    assert words in error.title
