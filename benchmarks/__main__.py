"""Every figure: `python -m benchmarks [NAME ...] [--quick]`; the exit status says whether all hold.

NAME is a module here, such as `inventory`; without one all are run.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from pathlib import Path
from types import ModuleType


def modules() -> dict[str, ModuleType]:
    """Every module here that measures something: it has `main(quick)`."""
    here = [found.name for found in pkgutil.iter_modules([str(Path(__file__).parent)])]
    found = {name: importlib.import_module(f"benchmarks.{name}") for name in here if name[0] != "_"}
    peers = {name for name in found if name.endswith("_peers")}
    return {n: m for n, m in found.items() if hasattr(m, "main") and n not in peers}


def run(names: list[str], quick: bool) -> int:
    """Call `main(quick)` of those named, or of all."""
    good = True
    for name, module in modules().items():
        if not names or name in names:
            good = module.main(quick) is not False and good
    return 0 if good else 1


def _main() -> int:
    known = modules()
    lines = (f"  {name:<20} {(m.__doc__ or '').splitlines()[0]}" for name, m in known.items())
    words = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Print figures; the exit status says whether all bars hold.",
        epilog="\n".join(["names:", *lines]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    words.add_argument("names", nargs="*", metavar="NAME")
    words.add_argument("--quick", action="store_true", help="fewer rounds")
    asked = words.parse_args()
    if wrong := set(asked.names) - known.keys():
        words.error(f"no such name: {', '.join(sorted(wrong))}")
    return run(asked.names, asked.quick)


if __name__ == "__main__":
    sys.exit(_main())
