"""The page of a trace in a headless Chromium, as a reader meets it: keys, wheel, clicks."""

from __future__ import annotations

from typing import Any

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from chromium import PATIENCE


class Page:
    """The page of a trace."""

    def __init__(self, driver: webdriver.Chrome, url: str) -> None:
        self.driver = driver
        driver.get("about:blank")
        driver.get_log("browser")
        driver.get(url)
        WebDriverWait(driver, PATIENCE, 0.05).until(
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
        WebDriverWait(self.driver, PATIENCE, 0.02).until(lambda _: self.get(expression))

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
