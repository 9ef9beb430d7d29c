"""Tokenize a text corpus shard by shard (a rehearsal: the numbers are made up)."""

from __future__ import annotations

import random
import sys
import time


def main() -> None:
    """Print one line a shard, for as long as the terminal is there."""
    shard = 0
    tokens = 0
    while True:
        shard += 1
        fresh = random.randint(1_100_000, 1_400_000)
        tokens += fresh
        sys.stdout.write(
            f"shard {shard:05d}  {fresh / 1e6:.2f} M tokens  total {tokens / 1e9:.3f} B  "
            f"written to shards/{shard:05d}.bin\n"
        )
        sys.stdout.flush()
        time.sleep(random.uniform(1.5, 2.5))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
