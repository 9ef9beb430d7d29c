"""What is installed is whole: the wheel holds every module, style, theme and table."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
BUILD = "from hatchling.build import build_wheel; import sys; print(build_wheel(sys.argv[1]))"


def test_the_wheel_holds_what_the_program_reads(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", BUILD, tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    with zipfile.ZipFile(tmp_path / told.stdout.split()[-1]) as wheel:
        inside = set(wheel.namelist())
        prices = wheel.read("cloudtui/files/data/prices-us-east-1.tsv")
    here = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "cloudtui").rglob("*")
        if file.suffix in (".py", ".sh", ".tcss", ".tsv", ".typed")
    }
    themes = {f"cloudtui/themes/{file.name}" for file in (ROOT / "themes").glob("*.yaml")}
    assert len(themes) >= 2
    assert "cloudtui/ui/app.tcss" in here
    assert not (here | themes) - inside
    assert prices.startswith(b"#")
    assert b"\ng5.xlarge\t" in prices
    # Nothing else came along: no tests, no caches, no scratch.
    strays = [name for name in inside - here - themes if ".dist-info/" not in name]
    assert strays == []
