"""What a machine says is shown, and never obeyed by the terminal."""

from __future__ import annotations

from textual.content import Content

from tests.ui.fakes import console

SAID = "a\x1b]0;title\x07\x1b[2Jb\x9b31m\r\tc\nd\u202e\u2066\ud83d"


async def test_nothing_that_is_shown_moves_the_cursor_or_sets_a_title() -> None:
    async with console() as con:
        con.app.say(SAID)
        await con.settle()
        assert "a]0;title[2Jb31m" in con.text
        assert not {"\x1b", "\x07", "\r", "\x9b"} & set(con.text)
    assert Content(SAID).plain == "a]0;title[2Jb31m\tc\nd"
