"""The published pictures show what the console looks like now."""

from __future__ import annotations

import pytest

from tests.scenes import SCENES, THEMES, drawing, scene, words
from tests.screenshots import FOLDER


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", SCENES)
async def test_the_screenshot_is_true(name: str, theme: str) -> None:
    async with scene(name, theme) as made:
        now = words(drawing(made, name))
    published = words((FOLDER / f"{name}-{theme}.svg").read_text())
    assert now == published, "draw them again: make screenshots"
    assert (FOLDER / f"{name}-{theme}.png").stat().st_size > 10_000
