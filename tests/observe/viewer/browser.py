"""A headless Chromium, and the page of a trace in it as a reader meets it: keys, wheel, clicks."""

from __future__ import annotations

import shutil
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")

_PATIENCE = 120
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
    driver.set_script_timeout(_PATIENCE)
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


class Page:
    """The page of a trace."""

    def __init__(self, driver: webdriver.Chrome, url: str) -> None:
        self.driver = driver
        driver.get("about:blank")
        driver.get_log("browser")
        driver.get(url)
        WebDriverWait(driver, _PATIENCE, 0.05).until(
            lambda _: self.run("return Boolean(window.greenloop)")
        )

    def run(self, script: str, *arguments: Any) -> Any:
        """The result of a script. The page is `greenloop`, as `main.js` leaves it."""
        return self.driver.execute_script(script, *arguments)

    def get(self, expression: str) -> Any:
        """The value of an expression about the session `s`, its lanes `l` and the page `p`."""
        names = "const p = greenloop, s = p.session, l = s.lanes, r = s.recording;"
        return self.run(f"{names} return {expression};")

    def settle(self) -> None:
        """Wait until the page has drawn everything it was asked for."""
        self.driver.execute_async_script(
            "const done = arguments[0];"
            "requestAnimationFrame(() => requestAnimationFrame(() => done()));"
        )

    def press(self, *keys: str) -> None:
        """Press keys, one after the other, wherever the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()
        self.settle()

    def write(self, field: str, text: str) -> None:
        """Replace the text of a field and press Enter; a filter is applied a moment later."""
        element = self.driver.find_element(By.ID, field)
        element.clear()
        element.send_keys(text, Keys.ENTER)

    def until(self, expression: str) -> None:
        """Wait until an expression holds."""
        WebDriverWait(self.driver, _PATIENCE, 0.02).until(lambda _: self.get(expression))

    def canvas(self) -> Any:
        """The canvas of the view that is shown."""
        return self.driver.find_element(By.CSS_SELECTOR, ".view:not([hidden]) canvas")

    def point(self, x: float, y: float) -> ActionChains:
        """The pointer at a place of the canvas, counted from its upper left corner."""
        canvas = self.canvas()
        # The driver counts from the middle.
        box = canvas.rect
        offset = (round(x - box["width"] / 2), round(y - box["height"] / 2))
        return ActionChains(self.driver, duration=0).move_to_element_with_offset(canvas, *offset)

    def click(self, x: float, y: float) -> None:
        """Click at a place of the canvas."""
        self.point(x, y).click().perform()
        self.settle()

    def wheel(self, x: float, y: float, turns: int) -> None:
        """Turn the wheel at a place of the canvas, towards the reader if `turns` is positive."""
        canvas = self.canvas()
        box = canvas.rect
        origin = ScrollOrigin.from_element(
            canvas, round(x - box["width"] / 2), round(y - box["height"] / 2)
        )
        ActionChains(self.driver).scroll_from_origin(origin, 0, turns).perform()
        self.settle()

    def text(self, selector: str) -> str:
        """The text of an element."""
        return self.driver.find_element(By.CSS_SELECTOR, selector).text

    def texts(self, selector: str) -> list[str]:
        """The texts of all such elements."""
        return [each.text for each in self.driver.find_elements(By.CSS_SELECTOR, selector)]

    def complaints(self) -> list[str]:
        """The messages of the browser's console since the page was opened."""
        return [each["message"] for each in self.driver.get_log("browser")]
