from __future__ import annotations

import asyncio
import os
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from cloudtui.core.browser import Doorway, browse, why_no_browser

SECRET = "http://localhost:8888/lab?token=s3cret"


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: object, **kwargs: object) -> None:
        return None


def _get(address: str) -> tuple[int, str]:
    opener = urllib.request.build_opener(_Stay)
    try:
        with opener.open(address, timeout=5) as answer:
            return answer.status, ""
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.headers.get("Location", "")


async def test_the_doorway_leads_there_once() -> None:
    door = Doorway(SECRET)
    address = await door.open()
    assert "s3cret" not in address
    wrong = address[:-3] + "xyz"
    assert await asyncio.to_thread(_get, wrong) == (404, "")
    assert await asyncio.to_thread(_get, address) == (302, SECRET)
    assert await asyncio.to_thread(_get, address) == (404, "")
    await door.close()


async def test_the_browser_is_given_no_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = tmp_path / "browser"
    browser.write_text(
        f"#!{sys.executable}\nimport sys, urllib.request\n"
        f"open({str(tmp_path / 'argv')!r}, 'w').write(' '.join(sys.argv))\n"
        "class Stay(urllib.request.HTTPRedirectHandler):\n"
        "    def redirect_request(self, *a): return None\n"
        "try: urllib.request.build_opener(Stay).open(sys.argv[1])\n"
        "except urllib.error.HTTPError as e: "
        f"open({str(tmp_path / 'went')!r}, 'w').write(e.headers['Location'])\n"
    )
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(browser))
    waiting = await browse(SECRET)
    assert waiting is not None
    await waiting
    while not (tmp_path / "went").exists() or not (tmp_path / "went").read_text():
        await asyncio.sleep(0.01)
    assert (tmp_path / "went").read_text() == SECRET
    assert "s3cret" not in (tmp_path / "argv").read_text()


async def test_a_browser_that_stays_holds_nothing_up_and_prints_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    browser = tmp_path / "browser"
    browser.write_text(
        f"#!{sys.executable}\nimport os, sys, time, urllib.request\n"
        "print('Gtk-WARNING'); print('dbus', file=sys.stderr)\n"
        "class Stay(urllib.request.HTTPRedirectHandler):\n"
        "    def redirect_request(self, *a): return None\n"
        "try: urllib.request.build_opener(Stay).open(sys.argv[1])\n"
        "except urllib.error.HTTPError: pass\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        "time.sleep(600)\n"
    )
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(browser))
    async with asyncio.timeout(30):
        waiting = await browse(SECRET)
        assert waiting is not None
        await waiting
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            await asyncio.sleep(0.01)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert capfd.readouterr() == ("", "")


async def test_a_browser_that_fails_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER", "false")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.delenv("DISPLAY", raising=False)
    assert await browse(SECRET) is None


async def test_no_display_means_no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert "DISPLAY" in why_no_browser()
    assert await browse(SECRET) is None
    monkeypatch.setenv("DISPLAY", ":0")
    assert why_no_browser() == ""
