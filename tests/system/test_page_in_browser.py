"""The page in Chromium, through what people press and read; $SCREENSHOTS names a directory for pictures of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from tests.cloudmonitor.recording import RecordingServer, refusing, reply
from tests.conftest import eventually
from tests.e2e.host import Host, no_leaked_agent
from tests.system.programs import program
from tests.web.conftest import free_port, visitor

__all__ = ["no_leaked_agent"]

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

SCREENSHOTS = os.environ.get("SCREENSHOTS")
VIEWS = ("overview", "files", "rules", "events", "letters", "workshop")
HOSTILE = (
    "<script>window.ran = 1</script>",
    "<img src=x onerror='window.ran = 2'>",
    '"><svg onload=window.ran=3>',
    "javascript:window.ran=4",
    "</pre></main><iframe srcdoc='<script>parent.ran = 5</script>'>",
    "{{constructor.constructor('window.ran=6')()}}",
    "\u202eright to left \x1b[31m \x00 end",
    "un\u00adseen\u2028 \u180e\u3164\U000e0041 ❤\ufe0f end",
)
RULES = r"""
[[rule]]
id = "__proto__"
match = 'ERROR <script>(?<__proto__>.)'
event = "proto"
content = "proto"
[[rule]]
id = "shop"
description = "<b>The</b> shop"
match = 'ERROR (?<what>.*)'
event = "{what}"
content = "{what}"
  [[rule.redact]]
  pattern = '(?<=password=)\S+'
  [[rule.test]]
  line = "ERROR full"
  expect = { event = "full" }
"""
# what WCAG calls contrast, of every text that is seen, with the nearest ground below it
CONTRAST = """
const number = (c) => { const m = c.match(/[\\d.]+/g).map(Number); return m; };
const f = (v) => v <= .03928 * 255 ? v / 255 / 12.92 : ((v / 255 + .055) / 1.055) ** 2.4;
const light = ([r, g, b]) => {
  return .2126 * f(r) + .7152 * f(g) + .0722 * f(b); };
const ground = (e) => { for (; e; e = e.parentElement) { const c = number(getComputedStyle(e).backgroundColor);
  if (c.length < 4 || c[3] > .5) return c; } return [255, 255, 255]; };
const bad = [];
for (const e of document.querySelectorAll("body *")) {
  const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  if (!own || !e.checkVisibility() || e.closest("svg") || e.disabled) continue;
  const [a, b] = [light(number(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
  const ratio = (a + .05) / (b + .05);
  if (ratio < 4.5) bad.push([e.tagName, e.className, e.textContent.slice(0, 40), ratio]);
}
return bad;
"""
# every address that was asked for since the document was
ASKED = "return performance.getEntries().map((entry) => entry.name).join(' ')"
LOADED = """
const [box, toml] = ["box", "ws-toml"].map((name) => document.getElementById(name));
return box ? box.childElementCount > 0 : toml.textContent !== "";
"""
UNNAMED = """
return [...document.querySelectorAll("input, select, textarea, button, a, svg")].filter((e) => e.checkVisibility()
  && !(e.getAttribute("aria-label") || (e.labels && e.labels.length) || e.textContent.trim())).map((e) => e.outerHTML);
"""


class Browser:
    """Chromium with the page of one agent."""

    def __init__(self, driver: webdriver.Chrome, port: int, token: str) -> None:
        self.driver = driver
        self.port = port
        self.token = token

    def open(self, view: str = "") -> None:
        self.driver.get(f"http://127.0.0.1:{self.port}/?token={self.token}#{view}")
        self.see(lambda: self.find("health").text in {"healthy", "健康"})

    def go(self, view: str) -> None:
        self.driver.find_element(By.CSS_SELECTOR, f"nav a[href='#{view}']").click()
        self.see(lambda: self.driver.find_elements(By.CSS_SELECTOR, f"nav a[href='#{view}'][aria-current='page']"))

    def find(self, identifier: str) -> Any:
        return self.driver.find_element(By.ID, identifier)

    def run(self, script: str) -> Any:
        return self.driver.execute_script(script)

    def text(self) -> str:
        return str(self.run("return document.body.innerText"))

    def see(self, condition: Callable[[], object]) -> None:
        eventually(condition, what=f"not seen in: {self.text()[:3000]}")

    def shoot(self, name: str) -> None:
        if SCREENSHOTS:
            self.driver.save_screenshot(str(Path(SCREENSHOTS) / f"{name}.png"))

    def emulate(self, command: str, **settings: object) -> None:
        self.driver.execute_cdp_cmd(f"Emulation.{command}", settings)


@pytest.fixture
def service() -> Iterator[RecordingServer]:
    with refusing(b"poison", b'{"code":"400","msg":"<i>name</i> is wrong","requestId":"r-1"}') as server:
        yield server


@pytest.fixture
def host(tmp_path: Path, service: RecordingServer) -> Iterator[tuple[Host, int]]:
    port = free_port()
    host = Host(tmp_path, service, rules=RULES, extra=f'[http]\nlisten = "127.0.0.1:{port}"')
    host.start()
    yield host, port
    assert host.stop() == 0


@pytest.fixture
def browser(host: tuple[Host, int]) -> Iterator[Browser]:
    options = webdriver.ChromeOptions()
    options.binary_location = program("chromium")
    arguments = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,1000"]
    for argument in [*arguments, *(["--no-sandbox"] if os.geteuid() == 0 else []), "--lang=en"]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(program("chromedriver")))
    running, port = host
    yield Browser(driver, port, visitor(running, port).token)
    said = [entry for entry in driver.get_log("browser") if "401 (Unauthorized)" not in entry["message"]]  # type: ignore[no-untyped-call]
    driver.quit()
    assert not said


def test_what_logs_hold_is_text_everywhere(host: tuple[Host, int], browser: Browser) -> None:
    """In no view does it become markup, run, or turn the line around; nor do the service's words or a rule's."""
    running, _ = host
    running.write("app.log", *(f"ERROR {each} password=hunter2" for each in HOSTILE), "ERROR poison <b>x</b>")
    browser.open("letters")
    browser.see(lambda: "<i>name</i> is wrong" in browser.text())
    for view in VIEWS:
        browser.go(view)
        browser.see(lambda: len(browser.text()) > 100)
        browser.shoot(view)
        assert browser.run("return window.ran === undefined && !document.querySelector('iframe, img, main b, main i')")
    browser.go("events")
    browser.see(lambda: HOSTILE[0] in browser.text())
    assert "\\u202eright to left \\u001b[31m \\u0000 end" in browser.text()
    assert "un\\u00adseen\\u2028 \\u180e\\u3164\\U000e0041 ❤\ufe0f end" in browser.text()
    assert "password=***" in browser.text()
    assert "hunter2" not in browser.text()
    browser.go("overview")
    browser.see(lambda: "__proto__" in browser.run("return document.querySelector('.legend')?.textContent ?? ''"))
    browser.go("events")
    browser.see(lambda: HOSTILE[0] in browser.text())
    # the workshop, too, with the lines of the file and with one of the events
    # in one step, for the list is made anew every two seconds
    browser.run("[...document.querySelectorAll('button')].find((each) => each.textContent === 'Try this line').click()")
    browser.see(lambda: browser.find("ws-toml").text.startswith("[[rule]]"))
    Select(browser.find("mode")).select_by_value("file")
    browser.see(lambda: HOSTILE[1] in browser.find("ws-lines").text)
    assert "hunter2" not in browser.text()
    assert browser.run("return window.ran === undefined")


def test_a_rule_is_made_in_the_workshop(host: tuple[Host, int], browser: Browser) -> None:
    """It shows at once what matches; what is copied from it comes into force."""
    running, port = host
    browser.open("workshop")
    browser.see(lambda: "2 lines, 1 matched" in browser.text())
    lines = browser.find("paste")
    lines.clear()
    lines.send_keys("disk /dev/sda1 is 97 % full\ndisk /dev/sdb1 is 12 % full")
    pattern = browser.find("f-match")
    pattern.clear()
    pattern.send_keys(r"disk (?<disk>\S+) is (?<share>9\d) %")
    browser.see(lambda: "{what}" in browser.find("ws-problems").text)
    content = browser.find("f-content")
    content.clear()
    content.send_keys("{disk} {share}")
    name = browser.find("f-event")
    name.clear()
    name.send_keys("DiskFull")
    browser.see(lambda: "2 lines, 1 matched" in browser.text() and "/dev/sda1 97" in browser.find("ws-lines").text)
    marks = browser.driver.find_elements(By.CSS_SELECTOR, "#ws-lines mark.capture")
    assert [(mark.text, mark.get_attribute("title")) for mark in marks] == [("/dev/sda1", "disk"), ("97", "share")]
    for place in (0, 1):
        browser.driver.find_elements(By.XPATH, "//ol[@id='ws-lines']//button")[place].click()
        browser.see(lambda wanted=place + 1: browser.find("ws-tests").text.count("passed") == wanted)  # type: ignore[misc]
    browser.shoot("workshop-made")
    toml = browser.find("ws-toml").text
    (running.root / "rules.d" / "made.toml").write_text(toml)
    page = visitor(running, port)
    eventually(lambda: "my-rule" in {rule["id"] for rule in page.get("/api/rules")})
    running.write("app.log", "disk /dev/sdc is 99 % full")
    browser.go("events")
    browser.see(lambda: "/dev/sdc 99" in browser.text())
    # back to it from the list of rules, with its tests
    browser.go("rules")
    browser.see(lambda: "made.toml:1" in browser.text())
    browser.driver.find_element(By.XPATH, "//tr[contains(., 'my-rule')]//button").click()
    browser.see(lambda: browser.find("f-id").get_attribute("value") == "my-rule")
    browser.see(lambda: browser.find("ws-tests").text.count("passed") == 2)


def test_dead_letters_are_sent_again_by_a_press(
    host: tuple[Host, int], service: RecordingServer, browser: Browser
) -> None:
    """To drop some for good takes a second one."""
    running, port = host
    page = visitor(running, port)
    running.write("app.log", "ERROR poison one", "ERROR poison two")
    browser.open("letters")
    browser.see(lambda: "poison one" in browser.text() and "poison two" in browser.text())
    boxes = browser.driver.find_elements(By.CSS_SELECTOR, "#box input[type=checkbox]")
    boxes[0].click()
    drop = browser.driver.find_element(By.XPATH, "//button[text()='Drop: chosen']")
    drop.click()
    assert drop.text == "Drop for good?"
    assert len(page.get("/api/dead-letters")["letters"]) == 2
    drop.click()
    browser.see(lambda: "poison one" not in browser.text())
    service.answer = reply()
    browser.driver.find_element(By.XPATH, "//button[text()='Send again: all']").click()
    browser.see(lambda: "The service has refused nothing." in browser.text())
    eventually(lambda: page.get("/status")["delivery"]["delivered"] == 1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(host: tuple[Host, int], browser: Browser, scheme: str) -> None:
    """In both languages, by day and night, on a phone: contrast, a name for every control, no sideways scrolling."""
    running, _ = host
    running.write("app.log", *(f"ERROR {n} {'long ' * 40}" for n in range(30)), "ERROR poison")
    browser.emulate("setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.open()
    for language in ("en", "zh-CN"):
        if browser.run("return document.documentElement.lang") != language:
            browser.find("language").click()
        assert browser.run("return document.documentElement.lang") == language
        for width in (1280, 360):
            browser.emulate(
                "setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 500
            )
            for view in VIEWS:
                browser.go(view)
                browser.see(lambda: browser.run(LOADED))
                browser.shoot(f"{view}-{language}-{scheme}-{width}")
                assert browser.run(CONTRAST) == [], (view, language)
                assert browser.run(UNNAMED) == [], (view, language)
                assert browser.run("return document.documentElement.scrollWidth") <= width, (view, language)
        words = set(browser.run("return Object.keys(WORDS.en).concat(Object.keys(WORDS.zh))"))
        assert [word for word in words if not browser.run(f"return WORDS.en['{word}'] && WORDS.zh['{word}']")] == []


def test_the_token_stays_in_its_tab(host: tuple[Host, int], browser: Browser) -> None:
    """It goes out of the address, survives a reload, and a wrong one is said; the keyboard reaches everything."""
    browser.open("files")
    assert browser.driver.current_url == f"http://127.0.0.1:{browser.port}/#files"
    for _ in range(2):
        browser.driver.refresh()
        browser.see(lambda: browser.find("health").text == "healthy")
        assert browser.driver.current_url.endswith("/#files")
        assert browser.token not in browser.run(ASKED)
    first = browser.driver.find_element(By.TAG_NAME, "body")
    first.send_keys(Keys.TAB)
    assert browser.driver.switch_to.active_element.text == "To the content"
    browser.run("sessionStorage.clear()")
    browser.driver.get(f"http://127.0.0.1:{browser.port}/?token=wrong")
    browser.see(lambda: "This is not the token." in browser.text())
    browser.find("token").send_keys(browser.token)
    # pressed twice, as people do
    browser.run("const form = document.getElementById('door'); form.requestSubmit(); form.requestSubmit();")
    browser.see(lambda: browser.driver.find_elements(By.ID, "health") and browser.find("health").text == "healthy")
    assert browser.token not in browser.run(ASKED)
    browser.driver.refresh()
    browser.see(lambda: browser.driver.find_elements(By.ID, "health") and browser.find("health").text == "healthy")
