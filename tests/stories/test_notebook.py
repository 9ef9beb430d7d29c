"""From the demo's console to a cell run in a real browser."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from cloudtui.core.kept_tunnels import stop
from cloudtui.core.workbench import Workbench
from cloudtui.demo.launch import Demo
from cloudtui.files.settings import load
from cloudtui.ui.app import CloudtuiApp
from cloudtui.ui.screens.jupyter import JupyterScreen
from tests.jupyters import server
from tests.keeper.conftest import Front
from tests.lab import Lab
from tests.stories.test_bad_input import until

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> Iterator[Demo]:
    with Demo() as cloud:
        for name in cloud.unset:
            monkeypatch.delenv(name, raising=False)
        for name, value in cloud.environment.items():
            monkeypatch.setenv(name, value)
        cloud.wait_ready()
        yield cloud


@pytest.fixture
def chromium(short_tmp: Path) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "/usr/bin/chromium"
    for word in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-quic",
        "--no-first-run",
        "--window-size=1280,900",
        f"--user-data-dir={short_tmp / 'chromium'}",
    ):
        options.add_argument(word)
    service = webdriver.ChromeService(shutil.which("chromedriver") or "/usr/bin/chromedriver")
    browser = webdriver.Chrome(options=options, service=service)
    yield browser
    browser.quit()


EDITOR = ".jp-Notebook .jp-CodeCell .cm-content"
IDLE = ".jp-Notebook-ExecutionIndicator[data-status='idle']"
OUTPUT = ".jp-Notebook .jp-OutputArea-output"


def run_a_cell(browser: webdriver.Chrome, url: str, code: str, until: str) -> str:
    """Open JupyterLab, make a notebook from the launcher, run one cell; its output once that holds
    `until`."""
    # The page replaces elements while it is put together.
    patience = WebDriverWait(browser, 90, ignored_exceptions=[StaleElementReferenceException])
    browser.get(url)
    card = ".jp-LauncherCard[data-category='Notebook']"
    patience.until(lambda b: b.find_elements(By.CSS_SELECTOR, card))
    browser.find_element(By.CSS_SELECTOR, card).click()
    patience.until(lambda b: b.find_elements(By.CSS_SELECTOR, EDITOR))
    patience.until(lambda b: b.find_elements(By.CSS_SELECTOR, IDLE))
    cell = browser.find_element(By.CSS_SELECTOR, EDITOR)
    cell.click()
    patience.until(lambda b: b.find_elements(By.CSS_SELECTOR, ".jp-Notebook.jp-mod-editMode"))
    cell.send_keys(code)
    patience.until(lambda b: code[-10:] in texts(b, EDITOR))
    prompt = ".jp-Notebook .jp-CodeCell .jp-InputPrompt"

    def answered(b: webdriver.Chrome) -> str:
        if b.find_element(By.CSS_SELECTOR, prompt).text.strip() == "[ ]:":
            # A key pressed while the page is still being put together gets lost. A cell that was
            # run shows `[*]:` or a number: what the tunnel loses is not asked for again.
            b.find_element(By.CSS_SELECTOR, EDITOR).click()
            b.find_element(By.CSS_SELECTOR, EDITOR).send_keys(Keys.SHIFT, Keys.ENTER)
        found = texts(b, OUTPUT)
        return found if until in found else ""

    return patience.until(answered)


def texts(browser: webdriver.Chrome, selector: str) -> str:
    return "\n".join(e.text for e in browser.find_elements(By.CSS_SELECTOR, selector))


async def test_j_on_jupyter_lab_runs_a_cell_in_the_browser(
    demo: Demo, chromium: webdriver.Chrome
) -> None:
    settings = load()
    app = CloudtuiApp(lambda prompts: Workbench(settings, prompts), settings=settings)
    async with app.workbench, app.run_test(size=(120, 34)) as pilot:
        await until(lambda: len(app.workbench.inventory.state.instances) >= 5)
        await pilot.pause()
        await pilot.press("slash", *"jupyter-lab", "enter")
        await pilot.press("J")
        async with asyncio.timeout(60):
            while not app.workbench.tunnels.states:
                await asyncio.sleep(0.05)
        assert isinstance(app.screen, JupyterScreen)
        screen = app.screen
        await until(lambda: screen.address.endswith("?token=…"))
        screen.toggle_token()
        code = "import socket, os; print('answer', 6 * 7, os.environ['HOME'])"
        output = await asyncio.to_thread(run_a_cell, chromium, screen.address, code, "answer")
        (tunnel,) = app.workbench.tunnels.states
        assert tunnel.bytes_in > 100_000
    assert output.startswith("answer 42 ")
    assert str(demo.folder) in output


@pytest.fixture
async def front(lab: Lab) -> AsyncIterator[Front]:
    made = Front()
    yield made
    await made.tunnels.close()
    await stop(forget=True)


async def test_a_cell_goes_on_over_a_cut_and_the_page_connects_again_by_itself(
    lab: Lab, front: Front, chromium: webdriver.Chrome, tmp_path: Path
) -> None:
    # What a connection holds when it is cut is lost to every browser: nothing is under way then.
    go_on = tmp_path / "go"
    code = (
        "for n in range(40): print('line', n, flush=True); __import__('time').sleep(0.1); "
        "[__import__('time').sleep(0.02) for _ in "
        f"iter(lambda: n < 3 or __import__('os').path.exists({str(go_on)!r}), True)]"
    )
    wanted = [f"line {n}" for n in range(40)]
    with server(lab.sshd, tmp_path) as jupyter:
        await asyncio.to_thread(jupyter.ready)
        tunnel = await front.open(lab, jupyter.port)
        url = f"http://localhost:{tunnel.local_port}/lab?token={jupyter.token}"
        await asyncio.to_thread(run_a_cell, chromium, url, code, "line 3")
        lab.sshd.cut()
        await until(lambda: front.tunnels.states[0].cuts == 1)
        go_on.touch()

        def ended(browser: webdriver.Chrome) -> bool:
            idle = browser.find_elements(By.CSS_SELECTOR, IDLE)
            return bool(idle) and texts(browser, OUTPUT).split("\n") == wanted

        patience = WebDriverWait(chromium, 60, ignored_exceptions=[StaleElementReferenceException])
        await asyncio.to_thread(patience.until, ended)
    assert front.tunnels.states[0].cuts == 1
