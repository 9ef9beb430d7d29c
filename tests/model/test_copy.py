"""The plan of a copy, and how far it is: rules that hold for whatever there is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtui.model.copy import (
    BLOCK,
    Act,
    CopyPlan,
    Entry,
    Facts,
    Meter,
    Place,
    There,
    braces,
    gone_on,
    joined,
    legible,
    named,
    places,
    plan,
    safe,
    target_of,
    unchanged,
)
from cloudtui.model.errors import NotFound, UsageError
from cloudtui.model.frames import HEAD, LARGEST, FrameReader, frame

SECOND = 1_000_000_000
FOLDER = Facts("d", 4096, 0o755, SECOND)
names = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=6)
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
facts = st.builds(
    Facts,
    st.sampled_from("fdlo"),
    st.integers(0, 9),
    st.sampled_from((0o644, 0o600)),
    st.integers(0, 3).map(lambda n: n * SECOND // 2),
    st.sampled_from(("", "a", "b")),
    st.sampled_from(("", "f", "d")),
).map(lambda f: f if f.kind == "l" else replace(f, through=""))
there = st.builds(There, st.none() | facts, st.integers(0, 12), st.just("t"))


@given(st.dictionaries(paths, facts, max_size=8), st.data())
def test_every_entry_has_one_fate_and_nothing_leaves_its_folder(
    tree: dict[str, Facts], data: st.DataObject
) -> None:
    for rel in list(tree):
        for parent in (rel[:n] for n, letter in enumerate(rel) if letter == "/"):
            tree.setdefault(parent, FOLDER)
    entries = [Entry("", FOLDER), *(Entry(rel, f) for rel, f in sorted(tree.items()))]
    known = {joined("to", e.rel): data.draw(there) for e in entries if data.draw(st.booleans())}
    every = data.draw(st.booleans())
    found = plan([("from", "to", entries)], known, every=every)
    told = [s.source for s in found.steps] + [p.path for p in (*found.problems, *found.skipped)]
    assert len(told) == len(set(told))
    blocked = {p.path for p in found.problems}
    for entry in entries:
        path = joined("from", entry.rel)
        above = [path[:n] for n, letter in enumerate(path) if letter == "/"]
        assert path in told or any(each in blocked for each in above)
    seen = set()
    for step in found.steps:
        assert step.target == "to" or step.target.startswith("to/")
        assert ".." not in step.target.split("/")
        now = known.get(step.target, There()).facts
        if step.act is Act.COPY:
            assert step.facts.kind == "f"
            assert not (now and now.folder)
            assert every or now is None or not now.file or not unchanged(step.facts, now)
            assert step.part <= step.facts.size
        if step.act in (Act.SAME, Act.MODE) and step.facts.kind == "f":
            assert now
            assert not every
            assert (now.mode == step.facts.mode) == (step.act is Act.SAME)
        assert step.target not in seen
        seen.add(step.target)
    done = frozenset(step.target for step in found.steps)
    again = plan([("from", "to", entries)], {t: There(known_facts(found, t)) for t in done},
                 every=every, done=done)  # fmt: skip
    over = [s for s in again.steps if s.act is Act.COPY and s.target in done]
    assert not over, "what is done is not done again"


def known_facts(found: CopyPlan, target: str) -> Facts:
    return next(step.facts for step in found.steps if step.target == target)


@pytest.mark.parametrize("rel", ["..", "../x", "a/../b", "/etc", "a//b", ".", "a\0b"])
def test_names_that_lead_elsewhere_are_refused(rel: str) -> None:
    assert not safe(rel)
    found = plan([("from", "to", [Entry(rel, Facts("f"))])], {})
    assert found.steps == ()
    assert found.problems[0].why == "its name cannot be a file's"


def test_no_link_that_is_there_leads_out_of_what_a_machine_told() -> None:
    link, file = There(Facts("l", target="/etc", through="d")), Facts("f")
    tree = [Entry("", FOLDER), Entry("x", FOLDER), Entry("x/y", file), Entry("z", file)]
    there = {"to/x": link, "to/z": There(Facts("l", target="/etc/passwd", through="f"))}
    found = plan([("from", "to", tree)], there, foreign=True)
    assert [step.target for step in found.steps] == ["to"]
    assert {p.path for p in found.problems} == {"from/x", "from/z"}
    assert len(plan([("from", "to", tree)], there).steps) == 4
    hidden = plan([("from", "to", [Entry("", FOLDER), Entry("x/y", file)])], there)
    assert [step.target for step in hidden.steps] == ["to"]


@pytest.mark.parametrize(
    ("typed", "path", "may"),
    [
        ("out", "out", True),
        ("out/", "/home/me/out", True),
        ("~/out", "/home/me/out", True),
        ("~", "/home/me", True),
        ("out/.", "out/.", True),
        ("*.log", "a.log", True),
        ("**", "a/b/c", True),
        ("a[1]", "a[1]", True),
        ("out", "/etc/.bashrc", False),
        ("out/", "..", False),
        ("*", ".bashrc", False),
        ("*", "x/..", False),
        ("*.log", "a.sh", False),
    ],
)
def test_a_machine_does_not_choose_other_names(typed: str, path: str, may: bool) -> None:
    assert named(typed, path) is may


def test_two_sources_for_one_target() -> None:
    file = [Entry("", Facts("f"))]
    found = plan([("a/x", "to/x", file), ("b/x", "to/x", file)], {})
    assert [s.source for s in found.steps] == ["a/x"]
    assert [str(p) for p in found.problems] == ["b/x: a/x goes to to/x too"]


@pytest.mark.parametrize(
    ("source", "target", "there", "many", "folder", "goal"),
    [
        ("a/x", "to", FOLDER, False, False, "to/x"),
        ("a/x/", "to/", FOLDER, True, True, "to/x"),
        ("x", ".", FOLDER, False, False, "x"),
        ("x/.", "to", FOLDER, False, True, "to"),
        ("x/.", "to", None, False, True, "to"),
        ("x", "new", None, False, False, "new"),
        ("x", "new/", None, False, True, "new"),
        ("x", "old", Facts("f"), False, False, "old"),
        ("x", "link", Facts("l", through="d"), False, False, "link/x"),
        ("/", "to", FOLDER, False, True, "to"),
    ],
)
def test_where_a_source_goes(
    source: str, target: str, there: Facts | None, many: bool, folder: bool, goal: str
) -> None:
    assert target_of(source, target, there, many=many, folder=folder) == goal


def test_where_a_source_cannot_go() -> None:
    with pytest.raises(NotFound, match="is not there"):
        target_of("x", "new", None, many=True, folder=False)
    with pytest.raises(NotFound, match="is no folder"):
        target_of("x", "old", Facts("f"), many=True, folder=False)
    with pytest.raises(UsageError, match="is a file"):
        target_of("x", "old", Facts("f"), many=False, folder=True)


@pytest.mark.parametrize(
    ("text", "here", "found"),
    [
        ("bert:data", False, [Place("bert", "data")]),
        ("bert:", False, [Place("bert", "")]),
        ("bert:data", True, [Place("", "bert:data")]),
        ("./bert:data", False, [Place("", "./bert:data")]),
        ("/a:b", False, [Place("", "/a:b")]),
        (":b", False, [Place("", ":b")]),
        ("plain", False, [Place("", "plain")]),
        ("team:bert:data", False, [Place("team", "bert:data"), Place("team:bert", "data")]),
    ],
)
def test_what_an_argument_means(text: str, here: bool, found: list[Place]) -> None:
    assert places(text, lambda _: here) == found


@given(st.integers(0, 5 * BLOCK), st.integers(0, 5))
def test_a_part_file_is_gone_on_with_as_far_as_it_is_right(part: int, right: int) -> None:
    blocks = -(-part // BLOCK)
    own = [str(n) for n in range(blocks)]
    theirs = [str(n) if n < right else "other" for n in range(blocks)]
    at = gone_on(own, theirs, part)
    assert at <= part
    assert at == part if right >= blocks else at == right * BLOCK


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("runs/{7,8}/{a,}b", ["runs/7/ab", "runs/7/b", "runs/8/ab", "runs/8/b"]),
        ("{a,{b,c}}", ["a", "b", "c"]),
        ("{a{b,c}", ["{ab", "{ac"]),
        ("{a}{}{", ["{a}{}{"]),
        ("{a,b}" * 20, ["{a,b}" * 20]),
    ],
)
def test_braces_are_those_of_a_shell(text: str, found: list[str]) -> None:
    assert braces(text) == found


def test_a_file_stands_beside_the_one_it_replaces() -> None:
    entries = [Entry("", FOLDER), *(Entry(name, Facts("f", 10, 0o644, SECOND)) for name in "abc")]
    there = {f"to/{name}": There(Facts("f", 8, 0o644, 0)) for name in "ab"}
    assert plan([("from", "to", entries)], there).needs == 14
    assert plan([("from", "to", entries[:3])], there).needs == 12
    assert plan([("from", "to", entries[:2])], there | {"to/a": There(None, 4)}).needs == 6


def test_clocks_of_whole_seconds() -> None:
    one = Facts("f", 1, mtime=5 * SECOND + 7)
    assert unchanged(one, replace(one, mtime=5 * SECOND))
    assert not unchanged(one, replace(one, mtime=5 * SECOND + 8))
    assert not unchanged(one, replace(one, size=2))


@given(st.binary().map(lambda b: b.decode("utf-8", "surrogateescape")))
def test_what_is_shown_is_one_line_and_can_be_written(name: str) -> None:
    shown = legible(name)
    assert shown.isprintable()
    shown.encode()


def test_rate_and_time_left() -> None:
    meter = Meter()
    assert meter.left(100, 0) is None
    for second in range(20):
        meter.note(second, second * 1000, 0)
    assert meter.rate == 1000
    assert meter.left(5000, 0) == 5
    meter.note(60, 19_000, 0)
    meter.note(70, 19_000, 0)
    assert meter.left(1, 0) is None
    meter.note(71, 16_000, 0)
    assert meter.rate == 0, "a cut took some back"
    meter.note(72, 18_000, 0)
    assert meter.rate == 2000


messages = st.lists(
    st.tuples(st.sampled_from([b"Q", b"R", b"B"]), st.integers(0, 2**31), st.text(max_size=9))
    | st.tuples(st.just(b"D"), st.integers(0, 2**31), st.binary(max_size=300))
)


@given(messages, st.integers(1, 50))
def test_frames_come_out_as_they_went_in(said: list[tuple[bytes, int, object]], cut: int) -> None:
    stream = b""
    for kind, number, value in said:
        if isinstance(value, bytes):
            stream += HEAD.pack(kind, number, len(value)) + value
        else:
            stream += frame(kind, number, value)
    heard: list[tuple[bytes, int, object]] = []
    data: dict[int, bytes] = {}

    def more(number: int, piece: memoryview) -> None:
        data[number] = data.get(number, b"") + bytes(piece)

    reader = FrameReader(lambda *told: heard.append(told), more)
    for start in range(0, len(stream), cut):
        reader.feed(stream[start : start + cut])
    assert heard == [each for each in said if each[0] != b"D"]
    wanted: dict[int, bytes] = {}
    for kind, number, value in said:
        if kind == b"D" and isinstance(value, bytes) and value:
            wanted[number] = wanted.get(number, b"") + value
    assert data == wanted


@pytest.mark.parametrize("said", [HEAD.pack(b"N", 1, LARGEST + 1), HEAD.pack(b"R", 1, 1) + b"{"])
def test_what_is_no_frame(said: bytes) -> None:
    reader = FrameReader(lambda *_: None, lambda *_: None)
    with pytest.raises(ValueError, match=r"frame of|Expecting"):
        reader.feed(said)
