"""Every figure: `python -m benchmarks [--quick]`; the exit status says whether all hold."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path


def run(quick: bool) -> int:
    """Call `main(quick)` of every module here that has one."""
    good = True
    for found in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if found.name != "__main__":
            module = importlib.import_module(f"benchmarks.{found.name}")
            if hasattr(module, "main"):
                good = module.main(quick) is not False and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(run("--quick" in sys.argv))
