"""From the demo's console to a cell run in a real browser."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from cloudtui.core.workbench import Workbench
from cloudtui.demo.launch import Demo
from cloudtui.files.settings import load
from cloudtui.ui.app import CloudtuiApp
from cloudtui.ui.screens.jupyter import JupyterScreen
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


def run_a_cell(browser: webdriver.Chrome, url: str) -> str:
    """Open JupyterLab, make a notebook from the launcher, run one cell; its output."""
    # The page replaces elements while it is put together.
    patience = WebDriverWait(browser, 90, ignored_exceptions=[StaleElementReferenceException])
    browser.get(url)
    card = ".jp-LauncherCard[data-category='Notebook']"
    patience.until(lambda b: b.find_elements(By.CSS_SELECTOR, card))
    browser.find_element(By.CSS_SELECTOR, card).click()
    editor = ".jp-Notebook .jp-CodeCell .cm-content"
    patience.until(lambda b: b.find_elements(By.CSS_SELECTOR, editor))
    idle = ".jp-Notebook-ExecutionIndicator[data-status='idle']"
    patience.until(lambda b: b.find_elements(By.CSS_SELECTOR, idle))
    cell = browser.find_element(By.CSS_SELECTOR, editor)
    cell.click()
    patience.until(lambda b: b.find_elements(By.CSS_SELECTOR, ".jp-Notebook.jp-mod-editMode"))
    cell.send_keys("import socket, os; print('answer', 6 * 7, os.environ['HOME'])")
    patience.until(lambda b: "HOME" in texts(b, editor))
    output = ".jp-Notebook .jp-OutputArea-output"
    prompt = ".jp-Notebook .jp-CodeCell .jp-InputPrompt"

    def answered(b: webdriver.Chrome) -> str:
        if b.find_element(By.CSS_SELECTOR, prompt).text.strip() == "[ ]:":
            # A key pressed while the page is still being put together gets lost. A cell that was
            # run shows `[*]:` or a number: what the tunnel loses is not asked for again.
            b.find_element(By.CSS_SELECTOR, editor).click()
            b.find_element(By.CSS_SELECTOR, editor).send_keys(Keys.SHIFT, Keys.ENTER)
        found = texts(b, output)
        return found if "answer" in found else ""

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
        output = await asyncio.to_thread(run_a_cell, chromium, screen.address)
        (tunnel,) = app.workbench.tunnels.states
        assert tunnel.bytes_in > 100_000
    assert output.startswith("answer 42 ")
    assert str(demo.folder) in output
