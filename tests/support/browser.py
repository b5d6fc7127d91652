"""A headless Chromium, driven by selenium over the Chrome DevTools protocol."""

import json
import os
import shutil
from contextlib import contextmanager

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LONGEST_WAIT = 20  # seconds
MISSING = "the page's tests need Chromium and its driver; on Debian: apt-get install chromium chromium-driver"
WIDTHS = {1280: 900, 390: 844}
"""Widths and heights of a desk's and of a pocket's screen, in pixels."""


@contextmanager
def chromium():
    """Start the browser, and stop it at the end. Without one, skip; in CI, fail."""
    binary = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    flags = [
        "--headless=new",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--disable-background-networking",
        "--force-device-scale-factor=1",
        "--lang=en-US",
    ]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")  # Chromium's sandbox refuses root
    for flag in flags:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield Page(started)
    finally:
        started.quit()


class Page:
    """The page in a browser."""

    def __init__(self, driver):
        self.driver = driver
        self.address = ""

    def command(self, name, **arguments):
        return self.driver.execute_cdp_cmd(name, arguments)

    def look(self, *, width=1280, theme="light", zone="UTC"):
        """Show what comes next on a screen of a width, to a reader who prefers a theme, in a time zone."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=WIDTHS[width],
            deviceScaleFactor=1,
            mobile=False,
        )
        self.command(
            "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}]
        )
        self.command("Emulation.setTimezoneOverride", timezoneId=zone)

    def open(self, query="", *, ready=True):
        """Ask for the page anew, and wait until it has drawn its view."""
        self.driver.get(f"{self.address}/{query}")
        if ready:
            self.settle()

    def settle(self):
        self.until("return document.querySelector('main').getAttribute('aria-busy') === 'false'")

    def until(self, script, *arguments):
        """Wait until a script gives something true, and return it."""
        wait = WebDriverWait(self.driver, LONGEST_WAIT, poll_frequency=0.05)
        return wait.until(lambda driver: driver.execute_script(script, *arguments), message=script)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def text(self, selector="main"):
        return self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector)

    def texts(self, selector):
        script = "return [...document.querySelectorAll(arguments[0])].map((each) => each.textContent)"
        return self.run(script, selector)

    def press(self, *keys):
        """Press keys wherever the focus is."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def attributes(self, selector, *names):
        """Return attributes of all elements that a selector selects, a list for each."""
        script = (
            "return [...document.querySelectorAll(arguments[0])]"
            ".map((each) => arguments[1].map((name) => each.getAttribute(name)))"
        )
        return self.run(script, selector, names)

    def has(self, selector, text=""):
        """Wait until a selector selects an element whose text holds this one."""
        script = "return document.querySelector(arguments[0])?.textContent.includes(arguments[1])"
        return self.until(script, selector, text)

    def click(self, selector, text):
        """Click the element of a selector whose text holds this one."""
        script = (
            "[...document.querySelectorAll(arguments[0])]"
            ".find((each) => each.textContent.includes(arguments[1])).click()"
        )
        self.run(script, selector, text)

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def complaints(self):
        """Return what the browser complained about since it was last asked: errors, breaches of the policy.

        That an answer had a status of an error is no complaint: the page says so itself.
        """
        entries = self.driver.get_log("browser")
        return [
            each["message"] for each in entries if each["level"] == "SEVERE" and each["source"] != "network"
        ]

    def requests(self):
        """Return the URLs that have been asked for since this was last asked."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [each["params"] for each in messages if each["method"] == "Network.requestWillBeSent"]
        urls = [each["request"]["url"] for each in sent]
        return [url for url in urls if not url.startswith("data:")]  # the browser's own icons


__all__ = ["WIDTHS", "Keys", "Page", "chromium"]
