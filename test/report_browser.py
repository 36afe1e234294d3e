# SPDX-License-Identifier: GPL-2.0-only
"""A report in headless Chromium, and what a user does with it there."""

import json
import subprocess
import sys

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
from selenium.webdriver.common.by import By

GUTTER_PX = 130  # lanes.js: names of the lanes, left of them


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Without a network."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    profile = tmp_path_factory.mktemp("profile")
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                 "--window-size=1300,1400",
                 f"--user-data-dir={profile}"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.chrome.service.Service("/usr/bin/chromedriver")
    driver = webdriver.Chrome(service=service, options=options)
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", {
        "offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0})
    yield driver
    driver.quit()


def requests_of(browser):
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [message["params"]["request"]["url"] for message in messages
            if message["method"] == "Network.requestWillBeSent"]
    return [url for url in urls if not url.startswith("data:")]


def colo_report(*words):
    return subprocess.run([sys.executable, "-m", "colo", "report", *map(str, words)],
                          capture_output=True, text=True)


def written(folder, path):
    done = colo_report(folder, "-o", path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{path}\n", "")
    return path


class Page:
    """A report in the browser."""

    def __init__(self, browser, path):
        self.browser = browser
        self.path = path
        browser.get_log("browser")
        browser.get_log("performance")
        browser.get(self.path.as_uri())

    def script(self, text, *arguments):
        return self.browser.execute_script(text, *arguments)

    def find(self, selector):
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def settle(self):
        """Until what was asked for is drawn."""
        self.browser.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done))")

    def column(self, name):
        return self.script(
            "const heads = [...document.querySelectorAll('th')].map((th) => th.dataset.name);"
            "const at = heads.indexOf(arguments[0]);"
            "return [...document.querySelectorAll('tbody tr')].map((tr) => tr.cells[at].innerText)",
            name)

    def sort(self, name):
        [head] = self.find(f"th[data-name='{name}']")
        head.find_element(By.TAG_NAME, "button").click()
        return head.get_attribute("aria-sort")

    def timeline(self, name):
        heading = f"//h2[text()='Run {name}']/following-sibling::div[@data-run]"
        return TimelineOnPage(self, self.browser.find_element(By.XPATH, heading))


class TimelineOnPage:
    def __init__(self, page, root):
        self.page = page
        self.root = root
        self.canvas = root.find_element(By.TAG_NAME, "canvas")
        page.script("arguments[0].scrollIntoView()", root)
        page.settle()

    @property
    def range(self):
        self.page.settle()
        return tuple(float(self.root.get_attribute(f"data-{end}")) for end in ("from", "till"))

    @property
    def span(self):
        start, end = self.range
        return end - start

    @property
    def shown(self):
        self.page.settle()
        return int(self.root.get_attribute("data-shown"))

    def press(self, *keys):
        self.page.script("arguments[0].focus({preventScroll: true})", self.canvas)
        ActionChains(self.page.browser).send_keys(*keys).perform()

    def button(self, label):
        self.root.find_element(By.CSS_SELECTOR, f"button[aria-label='{label}']").click()

    def wheel(self, x, by):
        offset = x - self.canvas.size["width"] / 2
        origin = ScrollOrigin.from_element(self.canvas, round(offset), 0)
        ActionChains(self.page.browser).scroll_from_origin(origin, 0, by).perform()

    def x_of(self, ns):
        start, end = self.range
        width = self.canvas.size["width"] - GUTTER_PX - 10
        return GUTTER_PX + (ns - start) / (end - start) * width

    def move_to(self, x, y):
        size = self.canvas.size
        return ActionChains(self.page.browser).move_to_element_with_offset(
            self.canvas, round(x - size["width"] / 2), round(y - size["height"] / 2))

    def marked(self, role):
        """The frame on show, and the offsets in it of each kind of mark."""
        [dump] = self.root.find_elements(By.CSS_SELECTOR, f"section.{role} pre")
        text = self.page.script(
            "return [...arguments[0].querySelectorAll('.hex')].map((e) => e.innerText).join(' ')",
            dump)
        offsets = {"differs": set(), "header": set(), "alone": set()}
        for kind, offset, run in self.page.script(
            "return [...arguments[0].querySelectorAll('.hex [data-offset]')].map((e) =>"
            " [e.className, Number(e.dataset.offset), e.innerText])", dump):
            offsets[kind] |= set(range(offset, offset + len(run.split())))
        return bytes.fromhex(text), offsets


def is_drawn_on(timeline, top, bottom):
    """Is there anything but the lane's ground? Seen from the pixels."""
    return timeline.page.script(
        "const pen = arguments[0].getContext('2d');"
        "const width = arguments[0].width - arguments[1] - 12;"
        "const data = new Uint32Array(pen.getImageData(arguments[1], arguments[2], width,"
        " arguments[3] - arguments[2]).data.buffer);"
        "const counts = new Map();"
        "data.forEach((colour) => counts.set(colour, (counts.get(colour) || 0) + 1));"
        "return counts.size > 1", timeline.canvas, GUTTER_PX + 1, top, bottom)
