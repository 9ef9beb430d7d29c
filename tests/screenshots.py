"""Draws screenshots/: `python -m tests.screenshots`."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

import cairosvg

FOLDER = Path(__file__).parent.parent / "screenshots"


async def draw() -> None:
    """Every scene in both themes, as SVG and PNG."""
    from tests.scenes import SCENES, THEMES, drawing, scene

    FOLDER.mkdir(exist_ok=True)
    for name in SCENES:
        for theme in THEMES:
            async with scene(name, theme) as made:
                svg = drawing(made, name)
            path = FOLDER / f"{name}-{theme}.svg"
            path.write_text(svg)
            cairosvg.svg2png(bytestring=svg.encode(), write_to=str(path.with_suffix(".png")))
            sys.stderr.write(f"{path.name}\n")


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        for kind in ("CONFIG", "STATE", "CACHE", "DATA"):
            os.environ[f"XDG_{kind}_HOME"] = f"{home}/{kind.lower()}"
        os.environ["HOME"] = home
        os.environ.pop("NO_COLOR", None)
        asyncio.run(draw())


if __name__ == "__main__":
    main()
