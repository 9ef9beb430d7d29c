"""A config and what it includes, with OpenSSH as the judge of order, names and reach."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudtui.files.ssh_tree import (
    DEPTH,
    PROBE,
    affected,
    literal,
    original,
    read_tree,
    reads,
    write_trial,
)
from tests.ssh_configs import (
    SAMPLES,
    Files,
    mutated,
    option,
    random_files,
    resolved,
    write,
)

JUDGED = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def _names(main: Path) -> list[str]:
    return [name.decode() for name in read_tree(main).names()]


def test_files_are_read_in_the_order_of_openssh(cut_off: Path) -> None:
    main = write(cut_off, SAMPLES["nested include"])
    tree = read_tree(main)
    read = [str(path.relative_to(main.parent)) for path in tree.documents]
    assert read == ["config", "parts/a.conf", "parts/b.conf", "deep/1", "deep/2", "parts/c"]
    where = [(d.path.name, d.line) for d in tree.directives]
    assert where == [
        *(("config", 1), ("a.conf", 2), ("b.conf", 2), ("1", 2), ("2", 2), ("c", 2)),
        *(("1", 2), ("2", 2)),
    ]
    guards = {d.path.name: [patterns for _, patterns in d.guards] for d in tree.directives}
    assert guards["1"] == [(b"*",), (b"web",), (b"other",)]
    assert not tree.trouble


def test_what_is_planned_is_read_in_the_place_of_what_is_there(cut_off: Path) -> None:
    main = write(cut_off, {"config": b"Include more/*\n", "more/a": b"User a\n"})
    (main.parent / "link").symlink_to("more/a")
    planned = {
        main.parent / "more/b": b"User b\n",
        main.parent / "link": None,
        main.parent / "more/.c": b"User hidden\n",
        main.parent / "else": b"User e\n",
    }
    assert [d.value for d in read_tree(main, planned).directives] == [b"b"]
    assert [d.value for d in read_tree(main).directives] == [b"a"]


def test_whether_an_include_reads_a_file(cut_off: Path) -> None:
    own = cut_off / ".ssh" / "config.d" / "cloudtui.conf"
    for include in (b"config.d/*", b'x "config.d/cloudtui.conf"', b"~/.ssh/config.d/[a-d]*.conf"):
        assert reads(include, own), include
    for include in (b"config.d/a*", b"*", b"config.d", b"cloudtui.conf", b"# config.d/*"):
        assert not reads(include, own), include


@pytest.mark.parametrize(
    "loop",
    [
        {"config": b"Host x\nInclude config\n"},
        {"config": b"Include a\n", "a": b"Include b\n", "b": b"Include [a]\n"},
    ],
)
def test_includes_in_a_circle_are_told_with_their_way(cut_off: Path, loop: Files) -> None:
    tree = read_tree(write(cut_off, loop))
    assert tree.trouble.startswith("Include leads in a circle: ")
    assert tree.trouble.count(str(cut_off / ".ssh" / list(loop)[-1])) >= 1


def test_the_depth_is_that_of_openssh(cut_off: Path) -> None:
    files = {"config": b"Include f1\n"} | {
        f"f{i}": f"Include f{i + 1}\n".encode() for i in range(1, DEPTH)
    }
    main = write(cut_off, {**files, f"f{DEPTH}": b"User deep\n"})
    assert not read_tree(main).trouble
    assert option(resolved(main, ["x"])["x"], "user") == ["deep"]
    main = write(cut_off, {**files, f"f{DEPTH}": b"Include last\n", "last": b"User deep\n"})
    assert "more than 16 files deep" in read_tree(main).trouble
    assert "Too many recursive" in resolved(main, ["x"])["x"]


def test_what_cannot_be_read_is_told_and_what_is_no_file_is_passed_over(cut_off: Path) -> None:
    main = write(cut_off, {"config": b"Include more/*\nUser u\n", "more/b": b"Port 1\n"})
    (main.parent / "more" / "a").mkdir()
    os.mkfifo(main.parent / "more" / "c")
    (main.parent / "more" / "gone").symlink_to("nowhere")
    tree = read_tree(main)
    assert [d.value for d in tree.directives] == [b"1", b"u"]
    assert not tree.trouble
    (main.parent / "more" / "loop").symlink_to("loop")
    assert str(main.parent / "more" / "loop") in read_tree(main).trouble
    assert read_tree(main.parent / "missing").directives == []


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_trial_copy_resolves_as_the_config_does(cut_off: Path, sample: str) -> None:
    main = write(cut_off, SAMPLES[sample])
    tree = read_tree(main)
    folder = cut_off / "trial [*?] x"
    folder.mkdir()
    copy = write_trial(tree, folder)
    names = _names(main)
    assert resolved(copy, names) == resolved(main, names)
    asked = cut_off / "asked"
    asked.write_bytes(b"Include " + literal(copy) + b"\n")
    assert resolved(asked, names) == resolved(main, names)


def test_a_trial_copy_leaves_to_ssh_what_only_newer_versions_expand(cut_off: Path) -> None:
    main = write(cut_off, {"config": b"Include ${HOSTS}/x one %h/y\n", "one": b"User u\n"})
    folder = cut_off / "trial"
    folder.mkdir()
    copy = write_trial(read_tree(main), folder)
    assert copy.read_bytes() == b"Include %s/1.conf ${HOSTS}/x %%h/y\n" % bytes(folder)
    assert option(resolved(copy, ["x"])["x"], "user") == ["u"]


def test_a_trial_copy_keeps_modes_and_line_numbers(cut_off: Path) -> None:
    main = write(cut_off, {"config": b"Include one\nBad line\n", "one": b"User u\n"})
    (main.parent / "one").chmod(0o666)
    folder = cut_off / "trial"
    folder.mkdir()
    tree = read_tree(main)
    told = resolved(write_trial(tree, folder), ["x"])["x"]
    assert original(told, tree, folder) == resolved(main, ["x"])["x"]
    assert "Bad owner or permissions" in told
    (main.parent / "one").chmod(0o600)
    told = resolved(write_trial(read_tree(main), folder), ["x"])["x"]
    assert original(told, tree, folder) == resolved(main, ["x"])["x"]
    assert f"{main}: line 2: Bad configuration option" in original(told, tree, folder)


@JUDGED
@given(st.randoms(use_true_random=False))
def test_a_host_that_is_not_affected_resolves_as_before(cut_off: Path, random: Random) -> None:
    """The rule that saves asking about every host, against asking about every host; the change
    is anybody's, not only what cloudtui writes."""
    first = random_files(random)
    then = mutated(random, first)
    old, new = read_tree(write(cut_off, first)), read_tree(write(cut_off, then))
    names = [name.decode() for name in old.names() | new.names()]
    after = resolved(new.main, names)
    before = resolved(write(cut_off, first), names)
    probe = PROBE.decode()
    if before[probe].startswith("refused") or after[probe].startswith("refused"):
        return
    changed = {name for name in names if before[name] != after[name]}
    assert changed <= {name.decode() for name in affected(old, new, b"")}


@pytest.mark.parametrize(
    ("config", "edit", "reached"),
    [
        (b"Host web\n  User a\nHost db\n", (b"User a", b"User b"), {"web"}),
        (b"Host web db\n  User a\nHost x\n", (b"User a", b"User b"), {"web", "db"}),
        (b"Host db\n  User a\nHost web\n  User b\n", (b"Host db", b"Host web db"), {"web", "db"}),
        (b"Match user u\n  Port 1\nHost web\n  User a\n", (b"User a", b"User u"), {"web"}),
        (b"Match exec true\n  Port 1\nHost web\n", (b"Port 1", b"Port 2"), {"*"}),
        (b"Host a\n  HostName web\nHost web\n  Port 1\nMatch final all\n",
         (b"Port 1", b"Port 2"), {"a", "web"}),
        (b"Host a\n  HostName %h.ex\nHost a.ex\n  Port 1\nMatch final all\n",
         (b"Port 1", b"Port 2"), {"a", "a.ex"}),
        (b"CanonicalizeHostname no\nCanonicalDomains ex\nHost a b\n  User u\nHost a.ex\n  Port 1\n",
         (b"Port 1", b"Port 2"), {"a", "a.ex"}),
        (b"Host a\n  User u\nMatch all\n", (b"Match all", b"Match final all"), {"*"}),
    ],
)  # fmt: skip
def test_how_far_an_edit_reaches(
    cut_off: Path, config: bytes, edit: tuple[bytes, bytes], reached: set[str]
) -> None:
    main = write(cut_off, {"config": config})
    before = read_tree(main)
    after = read_tree(main, {main: config.replace(*edit)})
    assert config.replace(*edit) != config
    found = {name.decode() for name in affected(before, after, b"")}
    assert found == (set(_names(main)) if reached == {"*"} else reached)
    assert affected(before, before, b"") == ()
