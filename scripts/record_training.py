"""Records tests/recordings/training/*.log: `python scripts/record_training.py`.

Needs tqdm and transformers (`pip install tqdm transformers`), whose own code draws the bars and
writes the lines of the Trainer; Lightning's and Keras' lines are drawn as their sources do. Only
the clock is pretended: steps, evaluations and stalls take the times that are drawn here, so that a
run of hours is recorded in seconds, with its true end. Each line of a recording is the second and
what was written then, as JSON; of bars that are painted over at once, a few a second are left out.
"""

from __future__ import annotations

import json
import math
import random
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import tqdm as tqdm_package
import tqdm.std
from transformers import trainer_callback

FOLDER = Path(__file__).parent.parent / "tests/recordings/training"
RECORDINGS: dict[str, Callable[[Tape], None]] = {}


class Tape:
    """A terminal that keeps what is written with the pretended time; also that time."""

    encoding = "utf-8"

    def __init__(self, seed: str, gap: float) -> None:
        self.now = 1_760_000_000.0
        self.begun = self.now
        self.dice = random.Random(seed)
        self.gap = gap
        self.lines: list[list[object]] = []
        self._painted: dict[str, float] = {}
        self._left_out = False

    def time(self) -> float:
        return self.now

    def takes(self, seconds: float, noise: float = 0.1) -> None:
        """Let time go by, log-normal around `seconds`."""
        self.now += seconds * math.exp(self.dice.gauss(0, noise) - noise * noise / 2)

    def write(self, text: str) -> None:
        bar = text.strip("\r\n").partition("%|")[0][:-3] if "%|" in text else ""
        if bar or "%|" in text:
            last = self._painted.get(bar, 0.0)
            self._left_out = self.now - last < self.gap and " 100%" not in text
            if self._left_out:
                return
            self._painted[bar] = self.now
        if text.strip("\n\r\x1b[A "):
            self.lines.append([round(self.now - self.begun, 2), text])
            self._left_out = False
        elif text and self.lines and not self._left_out:
            self.lines[-1][1] = f"{self.lines[-1][1]}{text}"

    def print(self, text: str, end: str = "\n") -> None:
        self.write(text + end)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False

    def save(self, name: str) -> None:
        self.lines.append([round(self.now - self.begun, 2), ""])
        path = FOLDER / f"{name}.log"
        path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in self.lines))
        sys.stdout.write(
            f"{name}: {self.now - self.begun:.0f} s, {path.stat().st_size >> 10} KiB\n"
        )


def recording(gap: float = 3.0) -> Callable[[Callable[[Tape], None]], Callable[[Tape], None]]:
    def keep(made: Callable[[Tape], None]) -> Callable[[Tape], None]:
        name = made.__name__.replace("_", "-")

        def run() -> None:
            tape = Tape(name, gap)
            tqdm.std.time = tape.time
            tqdm_package.tqdm.monitor_interval = 0
            sys.stderr, before = tape, sys.stderr
            sys.stdout, out = tape, sys.stdout
            try:
                made(tape)
            finally:
                sys.stderr, sys.stdout = before, out
            tape.save(name)

        RECORDINGS[name] = run
        return made

    return keep


def bar(tape: Tape, total: int, **more: object) -> tqdm_package.tqdm:
    return tqdm_package.tqdm(total=total, file=tape, ncols=100, ascii=False, **more)


def falling(step: int, steps: int, tape: Tape) -> float:
    return (0.25 + 1.9 * math.exp(-6 * step / steps)) * math.exp(tape.dice.gauss(0, 0.05))


class Trainer:
    """Calls the Trainer's own callback as its loop does; a bar of an evaluation is not left."""

    def __init__(self, tape: Tape, epochs: int, per_epoch: int, bars: bool = True) -> None:
        self.tape, self.epochs, self.per_epoch = tape, epochs, per_epoch
        self.steps = epochs * per_epoch
        self.state = SimpleNamespace(
            is_world_process_zero=True, max_steps=self.steps, global_step=0
        )
        self.shown = trainer_callback.ProgressCallback() if bars else None

    def run(
        self,
        seconds: float,
        *,
        noise: float = 0.15,
        first: float = 15.0,
        evaluation: tuple[int, float] = (0, 0.0),
        save: tuple[int, float] = (0, 0.0),
        log: int = 50,
        begun: int = 0,
    ) -> None:
        tape, state, args = self.tape, self.state, SimpleNamespace()
        tape.takes(8)
        tape.print(
            "***** Running training *****\n  Num examples = 40,000\n"
            f"  Num Epochs = {self.epochs:,}\n  Instantaneous batch size per device = 32\n"
            f"  Total optimization steps = {self.steps:,}"
        )
        state.global_step = begun
        if self.shown:
            trainer_callback.tqdm = lambda total, **_: bar(tape, total)
            self.shown.on_train_begin(args, state, None)
        for step in range(begun + 1, self.steps + 1):
            tape.takes(first if step == begun + 1 else seconds, noise)
            state.global_step = step
            if self.shown:
                self.shown.on_step_end(args, state, None)
            if step % log == 0:
                self._log(
                    {
                        "loss": round(falling(step, self.steps, tape), 4),
                        "grad_norm": round(1 + tape.dice.random(), 4),
                        "learning_rate": 2e-5 * (1 - step / self.steps),
                        "epoch": round(step / self.per_epoch, 2),
                    }
                )
            if evaluation[0] and step % evaluation[0] == 0:
                self._evaluate(evaluation[1], step)
            if save[0] and step % save[0] == 0:
                tape.takes(save[1])
        if self.shown:
            self._log({"train_runtime": round(tape.now - tape.begun, 1), "epoch": self.epochs})
            self.shown.on_train_end(args, state, None)
        tape.takes(2)

    def _log(self, values: dict[str, float]) -> None:
        if self.shown:
            self.shown.on_log(None, self.state, None, logs=values)
        else:
            self.tape.print(str(values))

    def _evaluate(self, seconds: float, step: int) -> None:
        batches = 66
        for _ in range(batches):
            self.tape.takes(seconds / batches)
            if self.shown:
                loader = range(batches)
                self.shown.on_prediction_step(None, self.state, None, eval_dataloader=loader)
        self._log(
            {
                "eval_loss": 0.4,
                "eval_f1": 0.9,
                "eval_runtime": seconds,
                "epoch": round(step / self.per_epoch, 2),
            }
        )
        if self.shown:
            self.shown.on_evaluate(None, self.state, None)


@recording(8)
def trainer_bert(tape: Tape) -> None:
    """Fine-tuning with an evaluation and a checkpoint after each of three epochs."""
    Trainer(tape, 3, 1250).run(0.55, evaluation=(1250, 26), save=(1250, 5))


@recording(8)
def trainer_often(tape: Tape) -> None:
    """An evaluation every 200 steps that takes long, heavy noise of the lengths of texts."""
    Trainer(tape, 4, 500).run(1.1, noise=0.45, evaluation=(200, 70), save=(500, 20), first=40)


@recording(8)
def trainer_resumed(tape: Tape) -> None:
    """Goes on from a checkpoint: the bar jumps to it at once."""
    Trainer(tape, 3, 1500).run(0.8, begun=1500, first=90, save=(500, 12))


@recording()
def trainer_without_bars(tape: Tape) -> None:
    Trainer(tape, 5, 400, bars=False).run(0.9, evaluation=(400, 30), log=25)


@recording(4)
def tqdm_plain(tape: Tape) -> None:
    tape.takes(4)
    with bar(tape, 1500, desc="training") as drawn:
        for step in range(1, 1501):
            tape.takes(25 if step == 1 else 0.7, 0.3)
            if tape.dice.random() < 0.01:
                tape.takes(6, 0.5)  # the loader is late
            drawn.update()
            drawn.set_postfix(loss=f"{falling(step, 1500, tape):.3f}", lr=1e-4, refresh=False)


@recording(5)
def tqdm_nested(tape: Tape) -> None:
    """Epochs around batches, and a validation that has a bar of its own."""
    with bar(tape, 8, desc="Epochs") as outer:
        for epoch in range(8):
            inner = bar(tape, 240, desc=f"Epoch {epoch + 1}", leave=False, position=1)
            for step in range(240):
                tape.takes(9 if not epoch and not step else 0.8, 0.2)
                inner.update()
                inner.set_postfix(
                    loss=f"{falling(epoch * 240 + step, 1920, tape):.3f}", refresh=False
                )
            inner.close()
            check = bar(tape, 40, desc="Validation", leave=False, position=1)
            for _ in range(40):
                tape.takes(0.4)
                check.update()
            check.close()
            outer.update()


@recording(20)
def tqdm_slow(tape: Tape) -> None:
    """Seconds for each step."""
    with bar(tape, 220, desc="fine-tuning") as drawn:
        for step in range(220):
            tape.takes(160 if step == 0 else 14.5, 0.25)
            drawn.update()
            drawn.set_postfix_str(f"loss={falling(step, 220, tape):.4f}", refresh=False)


@recording(4)
def tqdm_scaled(tape: Tape) -> None:
    """Counts tokens, in thousands and millions."""
    with bar(tape, 12_000_000, unit="tok", unit_scale=True) as drawn:
        for step in range(1, 1465):
            tape.takes(0.6, 0.15)
            drawn.update(8192)
            drawn.set_postfix(loss=falling(step, 1465, tape), refresh=False)


@recording(5)
def tqdm_slower_later(tape: Tape) -> None:
    """A curriculum: from a third on, texts are twice as long."""
    with bar(tape, 1200) as drawn:
        for step in range(1200):
            tape.takes(0.6 if step < 330 else 1.2, 0.2)
            drawn.update()
            drawn.set_postfix(loss=falling(step, 1200, tape), refresh=False)


@recording(4)
def accelerate(tape: Tape) -> None:
    """One bar over all steps, evaluations without a bar after each epoch."""
    drawn = bar(tape, 1200)
    for epoch in range(4):
        for _ in range(300):
            tape.takes(0.75, 0.2)
            drawn.update()
        tape.takes(55)
        tape.print(f"\nepoch {epoch}: {{'accuracy': {0.8 + epoch / 40:.4f}, 'f1': 0.87}}")
    drawn.close()


_FORMAT = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_noinv_fmt}{postfix}]"


@recording(5)
def lightning_tqdm(tape: Tape) -> None:
    """A bar for each epoch; how many epochs there are is not said."""
    check = bar(tape, 2, desc="Sanity Checking DataLoader 0", leave=False, bar_format=_FORMAT)
    for _ in range(2):
        tape.takes(2)
        check.update()
    check.close()
    for epoch in range(4):
        drawn = bar(tape, 500, desc=f"Epoch {epoch}", bar_format=_FORMAT, leave=epoch == 3)
        for step in range(500):
            tape.takes(0.6, 0.2)
            drawn.update()
            loss = falling(epoch * 500 + step, 2000, tape)
            drawn.set_postfix(v_num=0, train_loss_step=f"{loss:.3f}", refresh=False)
        drawn.close()
        check = bar(tape, 60, desc="Validation DataLoader 0", leave=False, bar_format=_FORMAT)
        for _ in range(60):
            tape.takes(0.3)
            check.update()
        check.close()


def clock(seconds: float) -> str:
    return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02d}:{int(seconds) % 60:02d}"


@recording()
def lightning_rich(tape: Tape) -> None:
    """Rich's columns, painted anew every few seconds."""
    for epoch in range(6):
        begun = tape.now
        for step in range(1, 401):
            tape.takes(20 if step == 1 and not epoch else 0.7, 0.2)
            if step % 8 and step < 400:
                continue
            gone = tape.now - begun
            full = 40 * step // 400
            drawn = "━" * full + ("╸" if full < 40 else "") + "━" * max(0, 39 - full)
            loss = falling(epoch * 400 + step, 2400, tape)
            tape.print(
                f"\rEpoch {epoch}/5  \x1b[35m{drawn}\x1b[0m {step}/400 {clock(gone)} • "
                f"{clock(gone / step * (400 - step))} {step / gone:.2f}it/s v_num: 0.000 "
                f"train_loss: {loss:.3f}",
                "",
            )
        tape.takes(32)


def keras_bar(step: int, steps: int, style: int) -> str:
    width = 20 if style == 3 else 30
    full = width * step // steps
    if style == 3:
        return (
            f"\x1b[1m{step:>{len(str(steps))}d}/{steps}\x1b[0m \x1b[32m{'━' * full}\x1b[0m"
            f"\x1b[37m{'━' * (width - full)}\x1b[0m"
        )
    drawn = "=" * (full - 1) + (">" if step < steps else "=") if full else ""
    return f"{step:>{len(str(steps))}d}/{steps} [{drawn}{'.' * (width - full)}]"


def keras(tape: Tape, style: int, epochs: int, steps: int, seconds: float, check: float) -> None:
    for epoch in range(epochs):
        tape.print(f"Epoch {epoch + 1}/{epochs}")
        begun = tape.now
        for step in range(1, steps + 1):
            tape.takes(14 if step == 1 and not epoch else seconds, 0.2)
            if step % 10 and step < steps:
                continue
            each = (tape.now - begun) / step
            left = each * (steps - step)
            loss = falling(epoch * steps + step, epochs * steps, tape)
            numbers = (
                f"accuracy: {0.95 - loss / 4:.4f} - loss: {loss:.4f}"
                if style == 3
                else f"loss: {loss:.4f} - accuracy: {0.95 - loss / 4:.4f}"
            )
            pace = f"{each * 1000:.0f}ms/step"
            drawn = keras_bar(step, steps, style)
            if step < steps:
                eta = f"{int(left) // 60}:{int(left) % 60:02d}" if left >= 60 else f"{left:.0f}s"
                rest = f"\x1b[1m{eta}\x1b[0m {pace}" if style == 3 else f"- ETA: {eta}"
                tape.print(f"\r{drawn} {rest} - {numbers}", "")
            else:
                tape.takes(check)
                gone = tape.now - begun
                tape.print(
                    f"\r{drawn} {'' if style == 3 else '- '}{gone:.0f}s {pace} - "
                    f"{numbers} - val_loss: {loss * 1.1:.4f}"
                )


@recording()
def keras_3(tape: Tape) -> None:
    keras(tape, 3, 10, 300, 0.4, 18)


@recording()
def keras_2(tape: Tape) -> None:
    keras(tape, 2, 6, 400, 0.35, 25)


@recording()
def keras_a_line_an_epoch(tape: Tape) -> None:
    """verbose=2."""
    for epoch in range(1, 41):
        tape.print(f"Epoch {epoch}/40")
        begun = tape.now
        tape.takes(60 if epoch == 1 else 31, 0.05)
        loss = falling(epoch, 40, tape)
        gone = tape.now - begun
        tape.print(
            f"938/938 - {gone:.0f}s - {gone / 0.938:.0f}ms/step - accuracy: 0.91 - "
            f"loss: {loss:.4f} - val_loss: {loss * 1.1:.4f}"
        )


@recording()
def plain_steps(tape: Tape) -> None:
    """What tutorials of PyTorch print."""
    for epoch in range(1, 7):
        for step in range(1, 601):
            tape.takes(0.25, 0.3)
            if step % 50 == 0:
                loss = falling((epoch - 1) * 600 + step, 3600, tape)
                tape.print(f"Epoch [{epoch}/6], Step [{step}/600], Loss: {loss:.4f}")
        tape.takes(21)
        tape.print(f"Accuracy of the model on the 10000 test images: {90 + epoch} %")


@recording()
def mmengine(tape: Tape) -> None:
    """Says its own eta."""
    begun, total = tape.now, 4 * 700
    for done in range(1, total + 1):
        tape.takes(0.5, 0.2)
        if done % 50 == 0:
            left = (tape.now - begun) / done * (total - done)
            loss = falling(done, total, tape)
            tape.print(
                f"11/21 09:30:00 - mmengine - INFO - Epoch(train)  [{(done - 1) // 700 + 1}]"
                f"[{(done - 1) % 700 + 1:>4}/700]  lr: 2.0000e-02  eta: {clock(left)}  "
                f"time: 0.5012  data_time: 0.0102  memory: 3400  loss: {loss:.4f}"
            )


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for record in RECORDINGS.values():
        record()


if __name__ == "__main__":
    main()
