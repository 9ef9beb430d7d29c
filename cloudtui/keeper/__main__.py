"""`python -m cloudtui.keeper`: begun by `core.keeper`, ends by itself when nothing is wanted."""

from __future__ import annotations

import asyncio
import sys

from cloudtui.core.keeper import ALREADY
from cloudtui.keeper.server import serve


def main() -> int:
    """0 when it had its time; `ALREADY` when another one listens."""
    try:
        return 0 if asyncio.run(serve()) else ALREADY
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
