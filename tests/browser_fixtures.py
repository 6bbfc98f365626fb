"""A real browser and a real server for it, for the tests that look at the site as people do."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from selenium import webdriver
from selenium.webdriver import ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.wait import WebDriverWait

from intmk.settings import Settings
from server_fixtures import make_settings

QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--hide-scrollbars",
]
SERVE = "from intmk import serving, settings; serving.serve(settings.read())"
_WAIT_S = 120


def program(*names: str) -> str:
    """Return the path of a program under one of its names.

    Without it the test is skipped, except where CI installs it.
    """
    for name in names:
        if path := shutil.which(name):
            return path
    assert not os.environ.get("CI"), f"CI has to install {names[0]}"
    pytest.skip(f"there is no {names[0]} on this machine")


@contextlib.contextmanager
def site(store: Path, **explicit: object) -> Iterator[Settings]:
    """Run a server on a free port until it answers; its settings know its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    settings = make_settings(store, port=port, **explicit)
    environment = os.environ | settings.environment()
    with subprocess.Popen([sys.executable, "-c", SERVE], env=environment) as process:
        try:
            _await(settings.public_url, process)
            yield settings
        finally:
            process.terminate()


def _await(address: str, process: "subprocess.Popen[bytes]") -> None:
    while process.poll() is None:
        with contextlib.suppress(requests.ConnectionError):
            requests.get(f"{address}/health", timeout=5)
            return
    raise AssertionError(f"the server ended with {process.returncode}")


class Window:
    """A window of Chromium in which a test reads, types and presses as a person does."""

    def __init__(self, address: str, profile: Path) -> None:
        """Open one on the server at ``address``, with a profile of its own."""
        options = ChromeOptions()
        options.binary_location = program("chromium", "chromium-browser")
        for one in (*QUIET, f"--user-data-dir={profile}", "--lang=en"):
            options.add_argument(one)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = ChromeService(program("chromedriver"))
        self.driver = webdriver.Chrome(options, service)
        self.driver.set_page_load_timeout(_WAIT_S)
        self._address = address

    def open(self, path: str) -> None:
        """Go to a path of the server."""
        self.driver.get(self._address + path)

    def named(self, name: str) -> WebElement:
        """Return the field of the form with this name."""
        return self.driver.find_element(By.NAME, name)

    def write(self, **fields: str) -> None:
        """Put texts into fields, in place of what they hold."""
        for name, text in fields.items():
            self.named(name).clear()
            self.named(name).send_keys(text)

    def reveal(self, name: str) -> None:
        """Open the part of the form that holds a field."""
        self.driver.find_element(By.XPATH, f"//details[.//*[@name={name!r}]]/summary").click()

    def press(self, words: str) -> None:
        """Press the button with these words; returns when the page it leads to is there."""
        self._leave(f"//button[normalize-space()={words!r}]")

    def follow(self, words: str) -> None:
        """Follow the first link in the text with these words, in the same way."""
        self._leave(f"//main//a[normalize-space()={words!r}]")

    def _leave(self, path: str) -> None:
        old = self.driver.find_element(By.TAG_NAME, "html")
        self.driver.find_element(By.XPATH, path).click()
        waiting = WebDriverWait(self.driver, _WAIT_S, poll_frequency=0.05)
        waiting.until(staleness_of(old))
        waiting.until(lambda one: one.execute_script("return document.readyState") == "complete")

    @property
    def text(self) -> str:
        """What the page shows."""
        return self.driver.find_element(By.TAG_NAME, "body").text

    @property
    def path(self) -> str:
        """Where the window is, without the server."""
        return self.driver.current_url.removeprefix(self._address)

    @property
    def complaints(self) -> list[str]:
        """What the browser itself found wrong since this was asked last."""
        found = self.driver.get_log("browser")
        return [one["message"] for one in found if one["level"] in ("SEVERE", "WARNING")]

    def fits(self, width: int) -> bool:
        """Whether the page is no wider than a window of so many pixels."""
        command = "Emulation.setDeviceMetricsOverride"
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd(command, size)
        wide = self.driver.execute_script("return document.documentElement.scrollWidth")
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        return bool(wide <= width)
