"""The monitor's lines: panels with plots in columns, runs, the busiest processes.

Text and the names of inks only; `MonitorBoard` paints them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from rich.cells import cell_len, set_cell_size

from cloudtui.model.training import Training, parts
from cloudtui.model.vitals import DISK_FULL, Disk, Gpu, Level, Process, Sample, warnings
from cloudtui.model.words import data_size
from cloudtui.ui.widgets.plot import Points, bars, binned, ceiling, spread

SPANS = (120, 300, 900)
"""Seconds that the plots may show."""
GUTTER = 3
"""Cells between two columns of panels."""
LEAST, MOST = 2, 7
"""Lines of a plot."""
PANEL = 34
"""Cells that a panel needs."""
GPUS_IN_FULL = 2
"""More of them get a line each."""
PROCESSES = 5
"""Lines that processes get before plots grow."""
MARKS = {Level.ERROR: "×", Level.WARNING: "▲", Level.HINT: "·"}

Line = list[tuple[str, str]]
"""Pieces of text, each with its ink."""


class Order(StrEnum):
    """What processes are ordered by."""

    GPU = "GPU memory"
    CPU = "CPU"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Run:
    """A run on the machine, and what is read from its log."""

    name: str
    training: Training


@dataclass(frozen=True, slots=True)
class View:
    """What the board shows, and how."""

    samples: Sequence[Sample] = ()
    runs: Sequence[Run] = ()
    span: int = SPANS[-1]
    order: Order = Order.GPU
    trouble: str = ""
    """Why nothing new comes in."""


@dataclass(frozen=True, slots=True)
class _Panel:
    title: str
    words: str
    values: Points
    top: float | None = 1.0
    """The value at the top; None for a round number above all."""
    least: float = 1.0
    ink: str = "plot"
    full: float = 2.0
    """From this value on it is painted as a warning."""
    gauges: Sequence[Disk] = ()
    """Instead of a plot: how full each of these is."""


def lay_out(view: View, width: int, height: int) -> list[Line]:
    """The lines for a place of so many cells; there may be more of them than fit."""
    if not view.samples:
        return []
    now = view.samples[-1]
    columns = max(1, min(4, (width + GUTTER) // (PANEL + GUTTER)))
    panels = _panels(view)
    head = [_status(view, width), *(_warning(*each) for each in warnings(view.samples))]
    table = _gpu_lines(view, width) if len(now.gpus) > GPUS_IN_FULL else []
    rows = -(-len(panels) // columns)
    runs = len(view.runs)
    wanted = min(len(now.processes), PROCESSES) + 1
    room = height - len(head) - len(table) - rows - 2 * runs - wanted
    tall = max(LEAST, min(MOST, room // max(1, rows + (runs > 0))))
    lines = [*head, *table]
    for row in range(0, len(panels), columns):
        lines += _beside(view, panels[row : row + columns], columns, width, tall)
    for run in view.runs:
        lines += _run(run, width, max(1, tall - 1) if runs > 1 else tall)
    left = height - len(lines) - 1
    lines += _processes(view, width, max(left, PROCESSES))
    return [_within(line, width) for line in lines]


def _within(line: Line, width: int) -> Line:
    if sum(cell_len(text) for text, _ in line) <= width:
        return line
    found: Line = []
    for text, ink in line:
        room = width - sum(cell_len(part) for part, _ in found)
        found.append((text if cell_len(text) <= room else set_cell_size(text, max(0, room)), ink))
    return found


def _status(view: View, width: int) -> Line:
    now = view.samples[-1]
    if view.trouble:
        return [(set_cell_size(f"× {view.trouble}", width), "error")]
    span = f"last {view.span // 60} min"
    words = [f"{now.cores} cores", f"load {now.load:.2f}"]
    if now.iowait is not None and now.iowait >= 0.01:
        words.append(f"waits for disks {_percent(now.iowait)}")
    if now.swap_total:
        words.append(f"swap {sizes(now.swap_used, now.swap_total)}")
    if now.gpu_note:
        words.append(now.gpu_note)
    left = set_cell_size("   ".join(words), max(0, width - len(span) - 2))
    return [(left, "muted"), (f"  {span}", "muted")]


def _warning(level: Level, words: str) -> Line:
    return [(f"{MARKS[level]} {words}", level.value)]


def _panels(view: View) -> list[_Panel]:
    now, samples = view.samples[-1], view.samples
    found: list[_Panel] = []
    if len(now.gpus) <= GPUS_IN_FULL:
        for place, gpu in enumerate(now.gpus):
            found += _gpu_panels(view, place, gpu)
    memory = "" if now.memory is None else _percent(now.memory)
    if now.memory_used is not None and now.memory_total:
        memory = f"{sizes(now.memory_used, now.memory_total)}  {memory}"
    found += [
        _Panel("CPU", _percent(now.cpu), _points(samples, lambda s: s.cpu)),
        _Panel("Memory", memory, _points(samples, lambda s: s.memory), full=0.9),
        _rates("Network", "in", "out", samples, lambda s: (s.net_in, s.net_out)),
        _rates("Disks", "read", "write", samples, lambda s: (s.disk_read, s.disk_write)),
    ]
    if now.disks:
        fullest = tuple(sorted(now.disks, key=lambda d: -d.share))
        found.append(_Panel("Space", f"{data_size(fullest[0].free)} free", (), gauges=fullest))
    return found


def sizes(used: int, total: int) -> str:
    """`13.9 of 22.5 GiB`: the unit once where it is the same."""
    number, _, unit = data_size(used).partition(" ")
    whole = data_size(total)
    return f"{number} of {whole}" if whole.endswith(f" {unit}") else f"{number} {unit} of {whole}"


def _gpu_panels(view: View, place: int, gpu: Gpu) -> list[_Panel]:
    def of(value: Callable[[Gpu], float | None]) -> Points:
        return _points(
            view.samples, lambda s: value(s.gpus[place]) if place < len(s.gpus) else None
        )

    name = f"GPU {gpu.index}" if len(view.samples[-1].gpus) > 1 else "GPU"
    told = _percent(gpu.utilisation)
    if gpu.utilisation is None and gpu.slices:
        told = "MIG: " + " ".join(gpu.slices)
    share = gpu_share(gpu)
    memory = _percent(share)
    if gpu.memory_used is not None and gpu.memory_total:
        memory = f"{sizes(gpu.memory_used, gpu.memory_total)}  {memory}"
    heat = "" if gpu.temperature is None else f"{gpu.temperature:.0f} °C"
    watts = _watts(gpu)
    return [
        _Panel(f"{name}  {gpu.name}", told, of(lambda g: g.utilisation)),
        _Panel(f"{name} memory", memory, of(gpu_share), full=0.97),
        _Panel(
            f"{name} power",
            "   ".join(filter(None, (heat, watts))),
            of(lambda g: g.power),
            top=gpu.power_limit,
            least=50.0,
            ink="quiet",
        ),
    ]


def gpu_share(gpu: Gpu) -> float | None:
    """The part of its memory that is used, 0 to 1."""
    if gpu.memory_used is None or not gpu.memory_total:
        return None
    return gpu.memory_used / gpu.memory_total


def _watts(gpu: Gpu) -> str:
    if gpu.power is None:
        return ""
    return f"{gpu.power:.0f}" + (f" of {gpu.power_limit:.0f} W" if gpu.power_limit else " W")


def _rates(
    title: str,
    one: str,
    other: str,
    samples: Sequence[Sample],
    pair: Callable[[Sample], tuple[float | None, float | None]],
) -> _Panel:
    first, second = pair(samples[-1])
    words = ""
    if first is not None and second is not None:
        words = f"{one} {_rate(first)}  {other} {_rate(second)}"

    def together(sample: Sample) -> float | None:
        a, b = pair(sample)
        return None if a is None or b is None else a + b

    values = _points(samples, together)
    return _Panel(title, words, values, top=None, least=1e5, ink="quiet")


def _rate(value: float) -> str:
    """`812/s`, `1.54M/s`: bytes, in few cells."""
    number, _, unit = data_size(int(value)).partition(" ")
    return f"{number}{unit[0] if unit != 'B' else ''}/s"


def _points(samples: Sequence[Sample], value: Callable[[Sample], float | None]) -> Points:
    return [(s.when, value(s)) for s in samples]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share * 100:.0f} %"


def _title(title: str, words: str, width: int) -> Line:
    room = width - cell_len(title) - 2
    if cell_len(words) > room:
        words = set_cell_size(words, max(0, room)).rstrip()
    gap = " " * max(0, width - cell_len(title) - cell_len(words))
    return [(set_cell_size(title, width) if not words else title, "title"), (gap + words, "muted")]


def _drawn(view: View, panel: _Panel, width: int, tall: int) -> list[Line]:
    if panel.gauges:
        return [_title(panel.title, panel.words, width), *_gauges(panel.gauges, width, tall)]
    values = binned(panel.values, width, view.span, view.samples[-1].when)
    top = panel.top or ceiling(values, panel.least)
    last = next((v for v in reversed(values) if v is not None), 0.0)
    ink = "warning" if last >= panel.full * top and panel.full <= 1 else panel.ink
    lines = bars(values, tall, 0.0, top)
    return [
        _title(panel.title, panel.words, width),
        *([(line, ink)] for line in lines[:-1]),
        [
            ("·" * len(piece) if blank else piece, "track" if blank else ink)
            for blank, piece in ((piece.isspace(), piece) for piece in _RUNS.findall(lines[-1]))
        ],
    ]


_RUNS = re.compile(r" +|[^ ]+")


def _gauges(disks: Sequence[Disk], width: int, tall: int) -> list[Line]:
    name = min(max(len(disk.mount) for disk in disks[:tall]), width // 3)
    room = max(0, width - name - 8)
    lines: list[Line] = []
    for disk in disks[:tall]:
        filled = round(disk.share * room)
        ink = "plot" if disk.share < DISK_FULL else "warning"
        lines.append(
            [
                (f"{set_cell_size(disk.mount, name)} ", "muted"),
                ("█" * filled, ink),
                ("·" * (room - filled), "track"),
                (f" {_percent(disk.share):>5} ", "text"),
            ]
        )
    return [*lines, *([[(" " * width, "text")]] * (tall - len(lines)))]


def _beside(
    view: View, panels: Sequence[_Panel], columns: int, width: int, tall: int
) -> list[Line]:
    each = (width - GUTTER * (columns - 1)) // columns
    drawn = [_drawn(view, panel, each, tall) for panel in panels]
    gap = (" " * GUTTER, "muted")
    lines = []
    for number in range(tall + 1):
        line: Line = []
        for panel in drawn:
            line += [gap, *panel[number]] if line else panel[number]
        lines.append(line)
    return lines


def _gpu_lines(view: View, width: int) -> list[Line]:
    """Many GPUs: a line each, the utilisation of the last time as a small plot."""
    now = view.samples[-1]
    name = max(len(g.name) for g in now.gpus)
    title = f"{'GPU':<4}{'':<{name}}  {'used':>5}  {'memory':>22}  {'temp':>5}  {'power':>12}"
    plot = max(0, width - len(title) - 2)
    lines: list[Line] = [[(set_cell_size(title, width), "muted")]]
    for place, gpu in enumerate(now.gpus):
        held = ""
        if gpu.memory_used is not None and gpu.memory_total:
            held = sizes(gpu.memory_used, gpu.memory_total)
        heat = "-" if gpu.temperature is None else f"{gpu.temperature:.0f} °C"
        used = "MIG" if gpu.utilisation is None and gpu.slices else _percent(gpu.utilisation)
        share = gpu_share(gpu) or 0.0
        values = _points(
            view.samples,
            lambda s, place=place: (  # type: ignore[misc]
                s.gpus[place].utilisation if place < len(s.gpus) else None
            ),
        )
        drawn = bars(binned(values, plot, view.span, now.when), 1, 0.0, 1.0)[0] if plot else ""
        lines.append(
            [
                (f"{gpu.index:<4}", "title"),
                (f"{gpu.name:<{name}}  ", "muted"),
                (f"{used:>5}  ", "text"),
                (f"{held:>22}  ", "warning" if share >= 0.97 else "text"),
                (f"{heat:>5}  {_watts(gpu):>12}  ", "muted"),
                (drawn, "plot"),
            ]
        )
    return lines


def _run(run: Run, width: int, tall: int) -> list[Line]:
    told = "   ".join(parts(run.training))
    lines = [_title(f"Run {run.name}", told, width)]
    losses = run.training.losses
    if len(losses) < 2:
        return lines
    low, high = min(losses), max(losses)
    scale = max(len(f"{low:.4g}"), len(f"{high:.4g}"))
    drawn = bars(spread(losses, width - scale - 1), tall, low, high)
    for number, line in enumerate(drawn):
        mark = f"{high:.4g}" if number == 0 else f"{low:.4g}" if number == tall - 1 else ""
        lines.append([(f"{mark:>{scale}} ", "muted"), (line, "plot")])
    return lines


def ordered(processes: Sequence[Process], order: Order) -> list[Process]:
    """The processes, the greatest first."""
    keys: dict[Order, Callable[[Process], tuple[float, float]]] = {
        Order.CPU: lambda p: (-p.cpu, -p.memory),
        Order.MEMORY: lambda p: (-p.memory, -p.cpu),
        Order.GPU: lambda p: (-(p.gpu_memory if p.gpu_memory is not None else -1), -p.cpu),
    }
    return sorted(processes, key=keys[order])


def _processes(view: View, width: int, count: int) -> list[Line]:
    now = view.samples[-1]
    if not now.processes:
        return []
    gpus = bool(now.gpus) or any(p.gpu_memory is not None for p in now.processes)
    titles = f"{'pid':>8}  {'user':<10}  {'CPU':>6}  {'memory':>8}"
    titles += f"  {'GPU mem':>8}" if gpus else ""
    order = Order.CPU if view.order is Order.GPU and not gpus else view.order
    head = f"{titles}  command, by {order.value}"
    lines: list[Line] = [[(set_cell_size(head, width), "muted")]]
    for process in ordered(now.processes, order)[:count]:
        held = "" if process.gpu_memory is None else data_size(process.gpu_memory)
        cells = (
            f"{process.pid:>8}  {set_cell_size(process.user, 10)}  {process.cpu * 100:>4.0f} %  "
            f"{data_size(process.memory):>8}"
        )
        cells += f"  {held:>8}" if gpus else ""
        room = max(0, width - cell_len(cells) - 2)
        lines.append([(cells, "text"), ("  " + _cut(process.command, room), "text")])
    return lines


def _cut(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, max(0, width - 1)) + "…"
