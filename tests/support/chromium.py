"""A headless Chromium without a network, for tests that look at pages."""

from __future__ import annotations

import shutil

from selenium import webdriver

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")

PATIENCE = 120
"""Seconds that a page has to open, on a machine that does other things as well."""


def start(width: int = 1280, height: int = 800) -> webdriver.Chrome:
    """A browser without a window, without a network, and with Debian's own driver."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless=new",
        # Tests run as root in containers, where Chromium's sandbox and shared memory do not work.
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--hide-scrollbars",
        "--proxy-server=127.0.0.1:9",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_script_timeout(PATIENCE)
    resize(driver, width, height)
    return driver


def resize(driver: webdriver.Chrome, width: int, height: int, ratio: float = 1) -> None:
    """Give the page a size, and the screen a number of pixels for each of the page's."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": ratio, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def prefer(driver: webdriver.Chrome, theme: str) -> None:
    """Have the system prefer `light` or `dark`."""
    feature = {"name": "prefers-color-scheme", "value": theme}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
