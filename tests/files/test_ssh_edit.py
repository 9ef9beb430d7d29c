"""Edits of one alias: what changes, and that nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudtui.files.ssh_edit import entries, plan_put, plan_remove, unified_diff
from cloudtui.files.ssh_tree import read_tree
from tests.ssh_configs import Files, write


def _own(home: Path) -> Path:
    return home / ".ssh" / "config.d" / "cloudtui.conf"


def _put(home: Path, config: bytes, alias: str, **values: str | None) -> dict[str, bytes]:
    return _put_in(home, {"config": config}, alias, **values)


def _put_in(home: Path, files: Files, alias: str, **values: str | None) -> dict[str, bytes]:
    plan = plan_put(read_tree(write(home, files)), _own(home), alias, values)
    return {str(path.relative_to(home / ".ssh")): data for path, data in plan.items()}


def _remove(home: Path, data: bytes, alias: str) -> bytes:
    main = write(home, {"config": data})
    return plan_remove(read_tree(main), alias).get(main, data)


def test_a_new_entry_goes_to_a_file_of_its_own_and_an_include_to_the_top(cut_off: Path) -> None:
    before = b"# mine\r\nUser me\r\n"
    planned = _put(cut_off, before, "web", HostName="10.0.0.1", IdentityFile="~/my key")
    assert planned == {
        "config": b"Include config.d/cloudtui.conf\r\n" + before,
        "config.d/cloudtui.conf": b"# Entries written by cloudtui; `cloudtui hosts` lists and "
        b'changes them.\n\nHost web\n    HostName 10.0.0.1\n    IdentityFile "~/my key"\n',
    }
    assert list(planned)[-1] == "config", "what includes is written after what it includes"


@pytest.mark.parametrize(
    ("config", "added"),
    [
        (b"Include config.d/*\nUser me\n", False),
        (b"# one\n\nInclude one ~/.ssh/config.d/*.conf\n", False),
        (b"IgnoreUnknown X\nInclude config.d/cloudtui.conf\n", False),
        (b"User me\nInclude config.d/*\n", True),
        (b"Host *\nInclude config.d/*\n", True),
        (b"Include config.d/work\n", True),
        (b"#Include config.d/*\n", True),
        (b"", True),
    ],
)
def test_the_include_is_added_only_where_nothing_reads_the_file_first(
    cut_off: Path, config: bytes, added: bool
) -> None:
    planned = _put(cut_off, config, "web", HostName="10.0.0.1")
    assert planned.get("config", b"").startswith(b"Include config.d/cloudtui.conf\n") == added
    assert b"Host web\n" in planned["config.d/cloudtui.conf"]


def test_entries_of_an_own_file_that_nothing_includes_any_more_are_found(cut_off: Path) -> None:
    files = {"config": b"", "config.d/cloudtui.conf": b"Host web\n  HostName 10.0.0.1"}
    planned = _put_in(cut_off, files, "web", HostName="10.0.0.2")
    assert planned["config.d/cloudtui.conf"] == b"Host web\n  HostName 10.0.0.2"
    assert planned["config"] == b"Include config.d/cloudtui.conf\n"


def test_only_the_value_changes(cut_off: Path) -> None:
    before = b'Host web # it\n\thostname = "10.0.0.1"\t# moved\r\n  # note\n  Port=23\nHost b\n'
    planned = _put(cut_off, before, "web", HostName="10.0.0.2", Port="24")
    assert planned["config"] == before.replace(b'"10.0.0.1"', b"10.0.0.2").replace(b"23", b"24")


def test_what_is_said_already_is_not_written_again(cut_off: Path) -> None:
    before = b'Host web\n  HostName "10.0.0.1"\n  IdentityFile "~/a b"\n'
    assert _put(cut_off, before, "web", hostname="10.0.0.1", IdentityFile="~/a b", Port=None) == {}


def test_a_new_line_looks_like_the_others(cut_off: Path) -> None:
    before = b"Host web\r\n\t\tUser u\r\n\r\n# next\r\nHost b\r\n"
    assert _put(cut_off, before, "web", Port="24")["config"] == before.replace(
        b"User u\r\n", b"User u\r\n\t\tPort 24\r\n"
    )
    assert _put(cut_off, b"Host web", "web", Port="24")["config"] == b"Host web\n    Port 24\n"


def test_a_new_line_goes_before_what_the_block_includes(cut_off: Path) -> None:
    before = b"Host web\n  User u\n  Include more\n  Port 1\n"
    assert _put(cut_off, before, "web", HostName="a")["config"] == before.replace(
        b"  Include", b"  HostName a\n  Include"
    )


def test_a_line_for_several_hosts_is_left_to_the_others(cut_off: Path) -> None:
    before = b"Host x\n\n# both\nHost db web\n  User u\n  Port 23\n"
    planned = _put(cut_off, before, "web", User="w", HostName="10.0.0.1")["config"]
    assert planned == before.replace(
        b"# both", b"Host web\n  User w\n  HostName 10.0.0.1\n\n# both"
    )
    again = _put(cut_off, planned, "web", User="w2", HostKeyAlias="i-0a")["config"]
    assert again == planned.replace(b"User w\n", b"User w2\n").replace(
        b"10.0.0.1\n", b"10.0.0.1\n  HostKeyAlias i-0a\n"
    )


def test_a_keyword_is_taken_from_one_of_several_hosts(cut_off: Path) -> None:
    before = b"Host db web # both\n  User u\n  Port 23 # p\n  IdentityFile a\n"
    assert _put(cut_off, before, "web", User=None, Port="24")["config"] == (
        b"Host web\n  Port 24\n  IdentityFile a\n\n" + before.replace(b"db web", b"db")
    )


def test_a_keyword_goes_from_every_block_of_the_alias(cut_off: Path) -> None:
    before = b"Host web\n  User a\n  User b\n  Port 2\nHost x\n  User x\nHost web\n  user=c\n"
    assert _put(cut_off, before, "web", User=None)["config"] == (
        b"Host web\n  Port 2\nHost x\n  User x\nHost web\n"
    )


def test_the_first_of_two_entries_counts(cut_off: Path) -> None:
    before = b"Host web\n  User a\nHost web\n  User b\n  Port 2\n"
    assert _put(cut_off, before, "web", User="c", Port="3", HostName="h")["config"] == (
        b"Host web\n  User c\n  HostName h\nHost web\n  User b\n  Port 3\n"
    )


def test_removing(cut_off: Path) -> None:
    before = (
        b"# top\n\nHost a\n  User a\n\nHost web\n  User w\n  # inside\n  Port 2\n\n# of b\nHost b\n"
    )
    assert _remove(cut_off, before, "web") == b"# top\n\nHost a\n  User a\n\n# of b\nHost b\n"
    assert _remove(cut_off, b"Host a\n\nHost web\n  User w\n", "web") == b"Host a\n"
    assert _remove(cut_off, b"Host web\n", "web") == b""
    assert _remove(cut_off, b"Host a web  b # x\n  User u\n", "web") == b"Host a  b # x\n  User u\n"
    assert _remove(cut_off, b"Host = web\tb\n", "web") == b"Host = b\n"
    assert _remove(cut_off, b"Host web !b\n  User u\n", "web") == b""
    assert _remove(cut_off, b"Host web* !x\n  User u\n", "web") == b"Host web* !x\n  User u\n"


def test_what_was_put_and_removed_leaves_the_file_as_it_was(cut_off: Path) -> None:
    main = write(cut_off, {"config": b"Include config.d/*\n", "config.d/cloudtui.conf": b""})
    states = []
    for alias in ("one", "two"):
        plan = plan_put(read_tree(main), _own(cut_off), alias, {"HostName": "10.0.0.1"})
        states.append(plan[_own(cut_off)])
        _own(cut_off).write_bytes(states[-1])
    assert plan_remove(read_tree(main), "two") == {_own(cut_off): states[0]}


def test_entries(cut_off: Path) -> None:
    main = write(
        cut_off,
        {
            "config": b"Include config.d/cloudtui.conf\nHost web db # two\n  User 'a b'\n"
            b"Host x* !xy\n  User x\nHost db\n  hostname=10.0.0.2 # db\n"
            b"Host none\n  Include inner\nMatch all\n  User m\n",
            "config.d/cloudtui.conf": b"Host web\n  HostKeyAlias i-0abc\n",
            "inner": b"Host deep\n  User never\nHost none\n  User d\n",
        },
    )
    own = _own(cut_off)
    found = {entry.alias: entry for entry in entries(read_tree(main), own)}
    assert list(found) == ["web", "db", "none"]
    web = found["web"]
    assert (web.file, web.line, web.ours, web.shared) == (own, 1, True, False)
    assert web.values == (("HostKeyAlias", "i-0abc"), ("User", "a b"))
    assert web.also == (f"{main} line 2",)
    assert web.instance_id == "i-0abc"
    db = found["db"]
    assert (db.line, db.ours, db.shared, db.get("HOSTNAME")) == (2, False, True, "10.0.0.2")
    assert found["none"].get("User") == "d"


def test_the_diff_names_lines_as_patch_does() -> None:
    before = b"".join(b"line %d\n" % i for i in range(1, 100))
    after = before.replace(b"line 50\n", b"line fifty\n").replace(b"line 53\n", b"")
    told = unified_diff("f", before, after[:-1])
    assert told.startswith(
        "--- f\n+++ f\n@@ -47,10 +47,9 @@\n line 47\n line 48\n line 49\n-line 50\n"
    )
    assert told.endswith("-line 99\n+line 99\n\\ No newline at end of file\n")
    assert unified_diff("f", before, before) == ""
    assert "\ufffd" in unified_diff("f", b"", b"\xff\n")
