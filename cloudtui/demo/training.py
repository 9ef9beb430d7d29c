"""Fine-tune a BERT classifier (a rehearsal: the numbers are made up, the lines are real)."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

STEPS_PER_EPOCH = 6_250
RATE = 1.9
"""Steps per second."""
GPU_MEMORY = 7_290
"""MiB that the pretend GPU of the machine is told to hold while this runs."""
LOG_EVERY = 2
"""Steps between two lines."""


def losses(steps: int, seed: int = 7) -> Iterator[dict[str, float]]:
    """What Hugging Face's Trainer logs, one dict every `LOG_EVERY` steps."""
    noise = random.Random(seed)
    for step in range(LOG_EVERY, steps + 1, LOG_EVERY):
        fallen = 0.24 + 0.46 * math.exp(-step / (0.4 * STEPS_PER_EPOCH))
        yield {
            "loss": round(fallen * math.exp(noise.gauss(0, 0.09)), 4),
            "grad_norm": round(2.1 + 5.0 * fallen * noise.random(), 4),
            "learning_rate": 2e-05 * (1 - step / steps),
            "epoch": round(step / STEPS_PER_EPOCH, 4),
        }


def bar(step: int, steps: int, begun: int, seconds: float) -> str:
    """A progress bar as tqdm draws it, for `step` of `steps`, `begun` being the first of all."""
    width = 24
    eighths = int(width * 8 * step / steps)
    full, part = divmod(eighths, 8)
    drawn = "█" * full + (" ▏▎▍▌▋▊▉"[part] if full < width else "")
    rate = (step - begun) / seconds if seconds > 1 and step > begun else RATE
    spent, left = clock(step / RATE), clock((steps - step) / rate)
    share = step * 100 // steps
    return f"{share:3d}%|{drawn:<{width}}| {step}/{steps} [{spent}<{left}, {rate:.2f}it/s]"


def clock(seconds: float) -> str:
    """`1:02:03`, or `02:03` within the first hour."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute:02d}:{second:02d}"


def train(model: str, epochs: int, begun: int) -> None:
    """One run, its lines at the pace of the steps."""
    steps = STEPS_PER_EPOCH * epochs
    out = sys.stdout
    out.write(
        f"Loading {model} and tokenized corpus from disk\n"
        f"***** Running training *****\n"
        f"  Num examples = 200,000\n"
        f"  Num Epochs = {epochs}\n"
        f"  Instantaneous batch size per device = 32\n"
        f"  Total optimization steps = {steps:,}\n"
        f"  Resuming from checkpoint-{begun}\n"
    )
    started = time.monotonic()
    pace = random.Random()
    for number, line in enumerate(losses(steps), 1):
        step = number * LOG_EVERY
        if step <= begun:
            continue
        progress = bar(step, steps, begun, time.monotonic() - started)
        out.write(f"\r\x1b[K{line}\n{progress}")
        out.flush()
        time.sleep(LOG_EVERY / RATE * pace.uniform(0.7, 1.1))
    out.write("\n")


@contextlib.contextmanager
def on_gpu() -> Iterator[None]:
    """Keep the machine's pretend GPU busy, that of CUDA_VISIBLE_DEVICES or the first."""
    folder = Path(tempfile.gettempdir()) / "gpu"
    gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "").partition(",")[0]
    note = folder / str(os.getpid())
    try:
        folder.mkdir(exist_ok=True)
        note.write_text(f"{gpu if gpu.isdigit() else 0} {GPU_MEMORY}\n")
    except OSError:
        pass
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def main() -> None:
    """Train, then begin again with the next run."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model", default="bert-base-uncased")
    options.add_argument("--epochs", type=int, default=3)
    options.add_argument("--from-step", type=int, default=4_000)
    chosen = options.parse_args()
    begun = chosen.from_step
    try:
        with on_gpu():
            while True:
                train(chosen.model, chosen.epochs, begun)
                begun = 0
    except KeyboardInterrupt:
        sys.stdout.write("\nInterrupted.\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
