"""This computer's own addresses."""

from __future__ import annotations

from cloudtui.files.network import is_own


def test_an_address_is_this_computers_or_not() -> None:
    assert is_own("127.0.0.1")
    assert not is_own("203.0.113.5")
    assert is_own("no address at all")
