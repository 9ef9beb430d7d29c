"""What a machine is doing, as it is drawn."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from cloudtui.core.events import VitalsState
from cloudtui.model.errors import Unreachable
from cloudtui.model.training import Training
from cloudtui.model.vitals import Sample
from cloudtui.ui.screens.monitor import MonitorScreen
from cloudtui.ui.widgets.board import Order, Run, View, lay_out
from cloudtui.ui.widgets.plot import bars, binned, ceiling, spread
from tests.ui.fake_jobs import run
from tests.ui.fake_vitals import PROCESSES, doing, gpu
from tests.ui.fakes import FLEET, Console, console, listed

GPU = FLEET[0]


def test_bars_stand_on_the_ground_and_reach_the_ceiling() -> None:
    assert bars([0, 0.5, 1, None], 2, 0, 1) == ["  █ ", "▁██ "]
    assert bars([0.25, 0.75], 1, 0, 1) == ["▂▆"]
    assert bars([3.0, 3.0], 1, 3.0, 3.0) == ["▄▄"]


@given(st.lists(st.none() | st.floats(), max_size=40), st.integers(1, 6))
def test_a_plot_has_a_column_for_each_value(values: list[float | None], height: int) -> None:
    drawn = bars(values, height, 0.0, 1.0)
    assert len(drawn) == height
    assert {len(line) for line in drawn} == {len(values)}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200), st.integers(1, 90))
def test_a_part_of_the_time_has_its_greatest_value(values: list[float], width: int) -> None:
    now = 10_000.0
    points = [(now - 2 * (len(values) - 1 - n), value) for n, value in enumerate(values)]
    found = binned(points, width, 900, now)
    assert len(found) == width
    assert found[-1] is not None
    known = [v for v in found if v is not None]
    assert set(known) <= set(values)
    recent = [value for when, value in points if when > now - 890]
    assert max(known) >= max(recent)


def test_bars_move_and_do_not_change() -> None:
    points = [(1000.0 + 2 * n, (n * 7 % 11) / 11) for n in range(300)]
    before = binned(points[:250], 60, 300, points[249][0])
    after = binned(points[:255], 60, 300, points[254][0])
    assert before[10:-1] == after[8:-3] or before[10:-1] == after[7:-4]


def test_a_time_without_samples_is_left_empty_and_a_short_one_is_not() -> None:
    points = [(n * 2.0, 0.5) for n in range(100) if not 40 <= n < 60]
    found = binned(points, 100, 200, 198.0)
    assert None not in found[:40]
    assert found[50] is None
    assert None not in binned(points[:30], 60, 60, 58.0)[3:]


def test_ceilings_are_round_and_long_rows_are_averaged() -> None:
    assert [ceiling([v], 10) for v in (3, 11, 34, 99, 120)] == [10, 20, 50, 100, 200]
    assert spread([1, 3, 5, 7], 2) == [2, 6]
    assert spread([1, 3], 9) == [1, 3]


@pytest.mark.parametrize("width", [40, 78, 118, 158, 240])
@pytest.mark.parametrize("gpus", [0, 1, 2, 8])
def test_every_line_fits_whatever_the_machine(width: int, gpus: int) -> None:
    state = doing(GPU.id, 1_000_000.0, count=90, gpus=gpus)
    losses = tuple(1 / (n + 1) for n in range(200))
    runs = [Run("bert", Training(step=4, steps=9, loss=0.3, losses=losses))]
    lines = lay_out(View(state.samples, runs), width, 40)
    texts = ["".join(text for text, _ in line) for line in lines]
    assert max(cell_len(text) for text in texts) <= width
    assert any("bert" in text and "loss 0.3" in text for text in texts)
    assert any(text.startswith(f"{gpus - 1}  ") for text in texts) == (gpus == 8)


def test_what_is_not_known_is_not_made_up() -> None:
    bare = Sample(5.0, cores=4, gpu_note="no nvidia-smi")
    text = "\n".join("".join(t for t, _ in line) for line in lay_out(View([bare]), 118, 30))
    assert "no nvidia-smi" in text
    assert "CPU" in text
    assert "Space" not in text
    mig = replace(gpu(), utilisation=None, power=None, power_limit=None, slices=("3g.20gb",))
    sample = replace(bare, gpus=(mig,), gpu_note="")
    text = "\n".join("".join(t for t, _ in line) for line in lay_out(View([sample]), 118, 30))
    assert "MIG: 3g.20gb" in text


async def opened(made: Console) -> MonitorScreen:
    await made.do("machine.monitor")
    assert isinstance(made.app.screen, MonitorScreen)
    return made.app.screen


async def test_the_panel_asks_shows_and_lets_go() -> None:
    async with console(listed(), size=(120, 34)) as made:
        screen = await opened(made)
        assert "Asking bert-gpu" in made.text
        assert made.bench.vitals.watched["bert-gpu"] == 1
        lost = Unreachable("bert-gpu does not answer.", "", "Look at its state in EC2.")
        made.bench.vitals.show(VitalsState(GPU.id, error=lost))
        await made.settle()
        assert "bert-gpu does not answer." in made.text
        state = doing(GPU.id, 1_000_000.0)
        made.bench.vitals.show(state)
        await made.settle()
        for words in ("GPU  A10G", "13.9 of 22.5 GiB", "/data", "▲ Disk /data is 93 % full"):
            assert words in made.text
        pids = [f"{p.pid}" for p in PROCESSES]
        assert [line.split()[0] for line in screen.board.lines[-4:]] == pids
        await made.do("monitor.order")
        assert screen.board.lines[-4].split()[0] == "4802"
        assert f"by {Order.CPU.value}" in made.text
        assert "last 15 min" in made.text
        await made.do("monitor.zoom")
        assert "last 2 min" in made.text
        made.bench.vitals.show(replace(state, live=False, error=lost))
        await made.settle()
        assert "× bert-gpu does not answer. It is tried again." in made.text
        assert "GPU  A10G" in made.text
        made.bench.jobs.answers["bert-gpu"] = (run(GPU, "bert-large"),)
        await made.bench.jobs.list(GPU)
        await made.settle()
        assert "Run bert-large" in made.text
        await made.press("escape")
        assert made.bench.vitals.watched["bert-gpu"] == 0


async def test_the_details_tell_it_on_one_line_over_a_connection_that_is_open() -> None:
    async with console(listed(), size=(120, 34)) as made:
        await made.do("machine.everything")
        assert "bert-gpu" not in made.bench.vitals.watched
        await made.press("escape")
        made.bench.connections.open.add("bert-gpu")
        await made.do("machine.everything")
        made.bench.vitals.show(doing(GPU.id, 1_000_000.0, count=30))
        await made.settle()
        assert "GPU 92 %  CPU 61 %  memory 34 %  disk 93 %" in made.text
        await made.press("escape")
        assert made.bench.vitals.watched["bert-gpu"] == 0


async def test_of_a_new_sample_only_lines_that_changed_are_painted() -> None:
    async with console(listed(), size=(120, 34)) as made:
        screen = await opened(made)
        state = doing(GPU.id, 1_000_000.0, count=300)
        made.bench.vitals.show(state)
        await made.settle()
        painted: list[int] = []
        draw = screen.board.render_line

        def counted(y: int) -> object:
            painted.append(y)
            return draw(y)

        screen.board.render_line = counted  # type: ignore[assignment,method-assign]
        # So soon after the last one that no bar is new.
        more = replace(state.samples[-1], when=state.samples[-1].when + 0.5, load=9.0)
        made.bench.vitals.show(VitalsState(GPU.id, (*state.samples, more), live=True))
        await made.settle()
        assert set(painted) == {0}
        assert "load 9.00" in made.text


async def test_small_terminals_scroll_and_light_themes_paint() -> None:
    async with console(listed(), size=(80, 24)) as made:
        screen = await opened(made)
        made.bench.vitals.show(doing(GPU.id, 1_000_000.0, gpus=2))
        await made.settle()
        assert screen.board.virtual_size.height > screen.board.size.height
        await made.press("G")
        assert screen.board.lines[-1].strip() in made.text
        made.app.theme = "cloudtui-light"
        await made.settle()
        assert "python3 -m jup" in made.text
