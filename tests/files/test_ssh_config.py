"""The ssh config: which alias names an instance, checked against OpenSSH itself."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudtui.files.ssh_config import HostEntry, find_alias, hostname_of, read_entries, shadows


def _config(home: Path, text: str | bytes, name: str = "config") -> Path:
    path = home / ".ssh" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def _find(path: Path, *names: str, address: str = "203.0.113.9") -> tuple[str, str] | None:
    return find_alias(names, (address,), read_entries(path))


def test_an_alias_is_the_name_or_the_id(cut_off: Path) -> None:
    path = _config(
        cut_off,
        "Host gpu other\n  HostName 10.0.0.1\n\nHost i-0abc\n  User ubuntu\n",
    )
    assert _find(path, "gpu", "i-0abc") == ("gpu", f"{path} line 1")
    assert _find(path, "", "i-0abc") == ("i-0abc", f"{path} line 4")
    assert _find(path, "nobody", "i-0def") is None


def test_the_letter_goes_before_the_pattern_and_the_pattern_before_the_address(
    cut_off: Path,
) -> None:
    path = _config(
        cut_off,
        "Host *\n  User me\nHost bert-*\n  User ubuntu\nHost box\n  HostName 203.0.113.9\n"
        "Host bert-gpu\n  User admin\nHost 203.0.113.*\n  User ec2-user\n",
    )
    assert _find(path, "bert-gpu") == ("bert-gpu", f"{path} line 7")
    assert _find(path, "bert-two") == ("bert-two", f"{path} line 3")
    assert _find(path, "jupyter") == ("box", f"{path} line 5")
    assert _find(path, "jupyter", address="203.0.113.10") == ("203.0.113.10", f"{path} line 9")
    assert _find(path, "jupyter", address="198.51.100.1") is None


def test_the_id_as_key_alias_goes_before_all_and_of_another_it_shuts_out(cut_off: Path) -> None:
    path = _config(
        cut_off,
        "Host worker\n  HostName 203.0.113.9\n  HostKeyAlias i-0abc\n"
        "Host mine\n  HostKeyAlias i-0def\n  HostName 203.0.113.8\n"
        "Host alike\n  HostKeyAlias worker\n",
    )
    assert _find(path, "worker", "i-0def") == ("mine", f"{path} line 4")
    assert _find(path, "worker", "i-0abc", address="") == ("worker", f"{path} line 1")
    assert _find(path, "worker", "i-0123") is None
    assert _find(path, "alike", "i-0123", address="") == ("alike", f"{path} line 7")


def test_a_pattern_that_comes_first_shadows(cut_off: Path) -> None:
    path = _config(
        cut_off,
        "Host gpu-* box\n  HostName 10.0.0.1\nHost *\n  User me\n"
        "Host gpu-1\n  HostName 10.0.0.2\nHost box\n  HostName 10.0.0.3\nHost web\n"
        "  HostName 10.0.0.4\nHost gpu-2\n  User u\n",
    )
    assert shadows(read_entries(path)) == {"gpu-1": f"{path} line 1"}


@pytest.mark.parametrize("everything", ["*", "**", "*?", "?*"])
def test_a_pattern_that_matches_everything_names_nothing(cut_off: Path, everything: str) -> None:
    path = _config(cut_off, f"Host {everything}\n  User me\n")
    assert _find(path, "gpu") is None


def test_negated_patterns(cut_off: Path) -> None:
    path = _config(cut_off, "Host gpu* !gpu-old\n  User u\nHost web !web\n  User u\n")
    assert _find(path, "gpu-new") == ("gpu-new", f"{path} line 1")
    assert _find(path, "gpu-old") is None
    assert _find(path, "web") is None


@pytest.mark.parametrize(
    "line",
    [
        "Host gpu",
        "\tHOST\tgpu  ",
        "Host=gpu",
        "host = gpu",
        'Host "gpu"',
        "Host gpu # the big one",
        "Host other gpu\r",
        "Host 'gpu'",
        '"Host" gpu',
    ],
)
def test_ways_to_write_a_host(cut_off: Path, line: str) -> None:
    path = _config(cut_off, f"# first\n{line}\n  HostName=10.0.0.1 # there\n")
    assert _find(path, "gpu") == ("gpu", f"{path} line 2")
    assert hostname_of("gpu", read_entries(path)) == "10.0.0.1"


def test_a_comment_and_a_comma_name_nothing(cut_off: Path) -> None:
    path = _config(
        cut_off, "# Host gpu\nHost gpu,web\n  User u\nHost #gpu\nHost x # gpu\nHost 'gpu\n"
    )
    assert _find(path, "gpu") is None


def test_includes(cut_off: Path) -> None:
    path = _config(cut_off, 'Include conf.d/*.conf ~/.ssh/more "missing"\nHost last\n User u\n')
    (cut_off / ".ssh/conf.d").mkdir()
    two = _config(cut_off, "Host two\n HostName 10.0.0.2\n", "conf.d/20.conf")
    one = _config(cut_off, "Host one\n HostName 10.0.0.1\nHost two\n User x\n", "conf.d/10.conf")
    more = _config(cut_off, "Host more\n", "more")
    _config(cut_off, "Host hidden\n", "conf.d/.hidden.conf")
    assert _find(path, "one") == ("one", f"{one} line 1")
    assert _find(path, "two") == ("two", f"{one} line 3")
    assert _find(path, "more") == ("more", f"{more} line 1")
    assert _find(path, "last") == ("last", f"{path} line 2")
    assert _find(path, "hidden") is None
    assert hostname_of("two", read_entries(path)) == "10.0.0.2"
    assert two.exists()


def test_an_include_inside_a_host_counts_for_that_host_only(cut_off: Path) -> None:
    path = _config(cut_off, "Host gpu-*\n  Include inner\nHost web\n  Include inner\n")
    inner = _config(cut_off, "HostName 10.0.0.1\nHost gpu-1 web\n  User u\n", "inner")
    entries = read_entries(path)
    assert find_alias(["gpu-1"], [], entries) == ("gpu-1", f"{inner} line 2")
    assert hostname_of("gpu-1", entries) == "10.0.0.1"
    assert hostname_of("web", entries) == "10.0.0.1"
    assert hostname_of("other", entries) == ""


def test_an_include_inside_a_match_is_left_to_openssh(cut_off: Path) -> None:
    path = _config(
        cut_off,
        "Match exec false\n  Include inner\n  HostName 10.9.9.9\nMatch all\n  Include inner2\n",
    )
    _config(cut_off, "Host gpu\n", "inner")
    _config(cut_off, "Host web\n", "inner2")
    assert _find(path, "gpu") is None
    assert _find(path, "web") is not None
    assert hostname_of("gpu", read_entries(path)) == ""


def test_loops_end(cut_off: Path) -> None:
    path = _config(cut_off, "Include config\nInclude other\nHost gpu\n")
    _config(cut_off, "Include config\nInclude other\nHost web\n", "other")
    assert _find(path, "gpu") is not None
    assert _find(path, "web") is not None


def test_a_missing_file_a_folder_and_a_pipe_have_no_entries(cut_off: Path) -> None:
    import os

    assert read_entries(cut_off / "missing") == ()
    assert read_entries(cut_off) == ()
    os.mkfifo(cut_off / "pipe")
    assert read_entries(cut_off / "pipe") == ()


def test_the_first_hostname_wins_over_blocks(cut_off: Path) -> None:
    path = _config(
        cut_off,
        "HostName=10.0.0.1\nHost gpu\n HostName 10.0.0.2\n",
    )
    assert hostname_of("gpu", read_entries(path)) == "10.0.0.1"
    path = _config(cut_off, "Host gpu\n HostName %h.lab.example%%\n HostName other\n")
    assert hostname_of("gpu", read_entries(path)) == "gpu.lab.example%"


@pytest.mark.parametrize(
    "name",
    ["-oProxyCommand=touch-x-gpu", "a b-gpu", "$(reboot)-gpu", "x;y-gpu", "a'b-gpu", "\n-gpu"],
)
def test_a_name_tag_that_ssh_could_mistake_is_no_alias(cut_off: Path, name: str) -> None:
    path = _config(cut_off, "Host *-gpu\n  User u\n")
    assert _find(path, "good-gpu") is not None
    assert _find(path, name) is None


def test_a_long_pattern_takes_no_time() -> None:
    entry = HostEntry(("a*" * 12 + "b",), "", Path("x"), 1)
    assert not entry.matches("a" * 60)


def test_a_long_line_takes_no_time(cut_off: Path) -> None:
    path = _config(cut_off, "Host " + "a" * 1_000_000 + "\nHost gpu\n")
    assert _find(path, "gpu") is not None


@given(st.binary(max_size=300))
def test_any_bytes_are_entries(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config"
        path.write_bytes(data + b"\nHost gpu\nHostName 10.0.0.1\n")
        entries = read_entries(path)
        find_alias(["gpu", "i-1"], ["10.0.0.1"], entries)
        assert any("gpu" in entry.aliases for entry in entries)


_patterns = st.lists(
    st.one_of(
        st.sampled_from(["gpu", "web", "GPU", "gpu-1", "*", "g*", "?pu", "!gpu", "!g*", "gpu web"]),
        st.text("gpuweb-1*?", min_size=1, max_size=6),
    ),
    min_size=1,
    max_size=3,
)
_hostnames = st.sampled_from(["10.0.0.1", "10.0.0.2", "%h.example", "host.example"])
_blank = st.sampled_from([" ", "\t", " = ", "="])
_ends = st.sampled_from(["", " # note", "  ", "\r"])


@st.composite
def _blocks(draw: st.DrawFn) -> str:
    host = draw(st.sampled_from(["Host", "host", "  HOST"]))
    words = " ".join(f'"{p}"' if " " in p or draw(st.booleans()) else p for p in draw(_patterns))
    text = f"{host}{draw(_blank)}{words}{draw(_ends)}\n"
    for _ in range(draw(st.integers(0, 2))):
        text += f"  HostName{draw(_blank)}{draw(_hostnames)}{draw(_ends)}\n"
    return text + draw(st.sampled_from(["", "  User me\n", "# rest\n\n"]))


@settings(max_examples=120, deadline=None)
@given(st.lists(_blocks(), min_size=1, max_size=4), st.sampled_from(["gpu", "web", "gpu-1"]))
def test_hostnames_are_what_openssh_says(blocks: list[str], alias: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config"
        path.write_text("".join(blocks), newline="")
        said = subprocess.run(
            ["ssh", "-G", "-F", str(path), alias],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout
        (hostname,) = [
            line.removeprefix("hostname ")
            for line in said.splitlines()
            if line.startswith("hostname ")
        ]
        entries = read_entries(path)
        assert (hostname_of(alias, entries) or alias) == hostname
        literal = any(alias in entry.aliases and entry.matches(alias) for entry in entries)
        found = find_alias(["nobody"], [hostname], entries)
        if literal and hostname != alias:
            assert found is not None
            assert hostname_of(found[0], entries) == hostname


@pytest.mark.parametrize("inside", ["", "Host gpu*\n", "Host web\n", "Match all\n"])
def test_includes_are_what_openssh_says(tmp_path: Path, inside: str) -> None:
    inner = tmp_path / "inner"
    inner.write_text(
        "HostName 10.0.0.1\nHost gpu\n  HostName 10.0.0.2\nHost *\n  HostName 10.0.0.3\n"
    )
    path = tmp_path / "config"
    path.write_text(f"{inside}Include {inner}\nHost gpu web\n  HostName 10.0.0.4\n")
    for alias in ("gpu", "gpu-1", "web", "other"):
        said = subprocess.run(
            ["ssh", "-G", "-F", str(path), alias], capture_output=True, text=True, check=True
        ).stdout
        expected = said.partition("hostname ")[2].partition("\n")[0]
        assert (hostname_of(alias, read_entries(path)) or alias) == expected
