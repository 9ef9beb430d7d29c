"""The engine under arbitrary text, garbage, splits and sizes."""

from __future__ import annotations

import random
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from cloudtui.vt.engine import Engine, EngineFactory, Run, load
from cloudtui.vt.widths import fit

COLUMNS, ROWS = 24, 6

SEQUENCES = [
    b"\x1b[H",
    b"\x1b[2J",
    b"\x1b[K",
    b"\x1b[3;5H",
    b"\x1b[L",
    b"\x1b[M",
    b"\x1b[2P",
    b"\x1b[3@",
    b"\x1b[2;4r",
    b"\x1b[r",
    b"\x1b[S",
    b"\x1b[T",
    b"\x1bM",
    b"\x1bD",
    b"\x1b[?1049h",
    b"\x1b[?1049l",
    b"\x1b[31;44m",
    b"\x1b[m",
    b"\x1b[38;2;1;200;3m",
    b"\x1b[?2027h",
    b"\x1b[?7l",
    b"\x1b[?7h",
    b"\x1b[?5h",
    b"\x1b7",
    b"\x1b8",
    b"\x1b]4;1;#ff0000\x07",
    b"\x1bc",
    b"\r\n",
    b"\t",
    b"\x08",
    "中文".encode(),
    "e\u0301".encode(),
    "👨\u200d👩\u200d👧".encode(),
    "🇩🇪❤\ufe0f".encode(),
    "👍🏽".encode(),
]

widths = st.sampled_from([1, 2])
words = st.text(max_size=12).map(lambda text: text.encode("utf-8", "replace"))
streams = st.lists(
    st.one_of(st.sampled_from(SEQUENCES), words),
    max_size=40,
)


@pytest.fixture(scope="module")
def factory() -> EngineFactory:
    return load()


def make(factory: EngineFactory) -> Engine:
    return factory(COLUMNS, ROWS, cell_len=cell_len)


def drawn(engine: Engine, kept: dict[int, list[Run]]) -> dict[int, list[Run]]:
    """Rows after an incremental repaint."""
    kept.update(engine.dirty_rows())
    return {y: runs for y, runs in kept.items() if y < engine.rows}


def whole(engine: Engine) -> dict[int, list[Run]]:
    """Every row read anew."""
    engine.resize(engine.columns, engine.rows)
    return engine.dirty_rows()


@settings(max_examples=300, deadline=None, database=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8), widths)
def test_fitted_text_is_as_wide_as_its_cell(text: str, width: int) -> None:
    found = fit(text, width, cell_len)
    assert cell_len(found) == width
    assert cell_len("ab" + found + "cd") == width + 4
    assert "Cc" not in map(unicodedata.category, found)


@settings(max_examples=300, deadline=None, database=None)
@given(streams)
def test_no_row_is_ever_sheared(factory: EngineFactory, stream: list[bytes]) -> None:
    engine = make(factory)
    for part in stream:
        engine.feed(part)
    for runs in engine.dirty_rows().values():
        assert cell_len("".join(text for text, _ in runs)) == COLUMNS
    engine.close()


@settings(max_examples=200, deadline=None, database=None)
@given(streams, st.randoms(use_true_random=False))
def test_any_split_of_the_bytes_is_the_same(
    factory: EngineFactory, stream: list[bytes], dice: random.Random
) -> None:
    data = b"".join(stream)
    at_once, in_bits = make(factory), make(factory)
    at_once.feed(data)
    start = 0
    while start < len(data):
        end = start + dice.randint(1, 5)
        in_bits.feed(data[start:end])
        start = end
    assert at_once.dirty_rows() == in_bits.dirty_rows()
    assert at_once.cursor == in_bits.cursor
    at_once.close()
    in_bits.close()


@settings(max_examples=200, deadline=None, database=None)
@given(streams)
def test_dirty_rows_add_up_to_the_whole_screen(factory: EngineFactory, stream: list[bytes]) -> None:
    engine = make(factory)
    kept: dict[int, list[Run]] = {}
    for part in stream:
        engine.feed(part)
        kept = drawn(engine, kept)
    assert kept == whole(engine) or not stream
    engine.close()


@pytest.mark.parametrize("seed", range(8))
def test_garbage_and_resizes_do_no_harm(factory: EngineFactory, seed: int) -> None:
    dice = random.Random(seed)
    engine = make(factory)
    for _ in range(400):
        junk = bytearray(dice.randbytes(dice.randint(1, 200)))
        if dice.random() < 0.7:
            for at in range(0, len(junk), 7):
                junk[at : at + 2] = b"\x1b["
        engine.feed(bytes(junk))
        if dice.random() < 0.3:
            engine.resize(dice.randint(1, 250), dice.randint(1, 90))
        if dice.random() < 0.3:
            engine.scroll(dice.randint(-20, 20))
        width = engine.columns
        for runs in engine.dirty_rows().values():
            assert cell_len("".join(text for text, _ in runs)) == width
        engine.replies()
        engine.events()
        assert 0 <= engine.cursor.x < width
    engine.close()


def test_a_skin_tone_leaves_its_cell_blank() -> None:
    assert fit("🏽", 2, cell_len) == "  "
