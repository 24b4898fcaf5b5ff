#!/usr/bin/env python3
"""The report in a real browser: its parts are rendered, no script fails, nothing is asked of any network, a hostile name stays text, and the page is whole
without scripts. Skips, loudly, where Chromium, its driver or Selenium is not installed."""

import json
import os
import shutil
import sys

import craft

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    webdriver = None

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
HOSTILE = "</script><img src=x onerror=owned()>"  # short enough for a window to keep whole


def incident():
    """The standard incident, and an upload to a host whose TLS name attacks whoever reads about it."""
    capture = craft.incident()
    for number in range(6):
        capture.tls(craft.START + 200 + number, "10.20.9.11", "198.51.100.77", HOSTILE, 900, 900)
    capture.conversation(craft.START + 210, "10.20.9.11", "198.51.100.77", 443, [craft.client_hello(HOSTILE)] + [b"\x17\x03\x03\x3e\x80" + bytes(16000)] * 700,
                         [b"\x16\x03\x03\x00\x04\x0e\x00\x00\x00"], gap=0.002)
    return capture


class Report(craft.Case):
    def setUp(self):
        super().setUp()
        self.run_program("replay", "--quiet", "--report", self.path("report.html"), incident().write(self.path("a.pcap")))

    def browser(self, width=1280, scripts=True):
        options = Options()
        options.binary_location = CHROMIUM
        for word in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-component-update",
                     "--disable-sync", f"--window-size={width},1400", f"--user-data-dir={self.path('profile%d%d' % (width, scripts))}"):
            options.add_argument(word)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        if not scripts:
            options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
        browser = webdriver.Chrome(service=Service(DRIVER), options=options)
        self.addCleanup(browser.quit)
        browser.get("file://" + self.path("report.html"))
        return browser

    def requests(self, browser):
        for entry in browser.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            # The browser's own start page asks for its parts too; only this page's requests count.
            if message["method"] == "Network.requestWillBeSent" and message["params"]["documentURL"].startswith("file:"):
                yield message["params"]["request"]["url"]

    def test_everything_is_there_and_nothing_is_fetched(self):
        browser = self.browser()
        cards = browser.find_elements(By.CSS_SELECTOR, "article.alert")
        self.assertGreaterEqual(len(cards), 2)
        self.assertIn("10.20.1.5", browser.find_element(By.TAG_NAME, "main").text)
        timeline = browser.find_element(By.ID, "p0")
        self.assertGreater(timeline.size["width"], 800)
        self.assertGreaterEqual(len(timeline.find_elements(By.CSS_SELECTOR, "a.bar")), len(cards))
        for plot in browser.find_elements(By.CSS_SELECTOR, "svg.plot"):
            self.assertGreater(plot.size["height"], 60)
            self.assertGreater(browser.execute_script("return arguments[0].querySelector('.area').getBBox().width", plot), 0)
        self.assertGreater(len(browser.find_elements(By.CSS_SELECTOR, "svg.course")), 0)
        scan = next(card for card in cards if "10.20.1.5" in card.text)
        scan.find_element(By.TAG_NAME, "summary").click()
        self.assertRegex(scan.find_element(By.TAG_NAME, "details").text, r"10\.20\.1\.5:\d+/tcp 10\.20\.\d+\.\d+:445/tcp .*(refused|unanswered)")
        self.assertGreater(len(browser.find_elements(By.CSS_SELECTOR, "svg.bullet circle.here")), 2)
        complaints = [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
        self.assertEqual(complaints, [])
        outside = [url for url in self.requests(browser) if not url.startswith(("file:///", "data:"))]
        self.assertEqual(outside, [])

    def test_a_hostile_name_stays_text(self):
        browser = self.browser()
        self.assertEqual(browser.find_elements(By.TAG_NAME, "img"), [])
        self.assertEqual(len(browser.find_elements(By.TAG_NAME, "script")), 2)
        self.assertIn("onerror", browser.find_element(By.TAG_NAME, "main").get_attribute("textContent"))
        # Even a script that got in would not run: the page's own policy refuses it.
        browser.execute_script("var s = document.createElement('img'); s.setAttribute('onerror', \"document.title='owned'\"); s.src = 'x'; document.body.appendChild(s);")
        self.assertNotIn("owned", browser.title)

    def test_comforts_work(self):
        browser = self.browser()
        cards = browser.find_elements(By.CSS_SELECTOR, "article.alert")
        search = browser.find_element(By.CSS_SELECTOR, ".filters input[type=search]")
        search.send_keys("10.20.1.5")
        shown = [card for card in cards if card.is_displayed()]
        self.assertTrue(0 < len(shown) < len(cards))
        search.send_keys(Keys.CONTROL + "a", Keys.DELETE)
        before = browser.find_element(By.TAG_NAME, "body").value_of_css_property("background-color")
        browser.find_element(By.ID, "theme").click()
        self.assertNotEqual(browser.find_element(By.TAG_NAME, "body").value_of_css_property("background-color"), before)
        browser.find_element(By.ID, "p0").send_keys(Keys.ARROW_RIGHT)
        self.assertIn("UTC", browser.find_element(By.CSS_SELECTOR, '.readout[data-for="0"]').text)
        browser.find_element(By.TAG_NAME, "body").send_keys("j")
        self.assertEqual(browser.switch_to.active_element.get_attribute("id"), "a1")

    def test_narrow_screens_do_not_scroll_sideways(self):
        browser = self.browser(width=500)
        self.assertLessEqual(browser.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth"), 0)
        self.assertGreater(browser.find_element(By.ID, "p0").size["width"], 300)

    def test_whole_without_scripts(self):
        browser = self.browser(scripts=False)
        self.assertTrue(browser.find_element(By.CSS_SELECTOR, "article.alert").is_displayed())
        self.assertGreater(browser.find_element(By.CSS_SELECTOR, "#p0 .area").rect["width"], 0)
        self.assertFalse(browser.find_element(By.ID, "theme").is_displayed())


if __name__ == "__main__":
    if webdriver is None or CHROMIUM is None or DRIVER is None:
        missing = [name for name, found in (("python3-selenium", webdriver), ("chromium", CHROMIUM), ("chromium-driver", DRIVER)) if found is None]
        print(f"SKIPPED: {', '.join(missing)} not installed: the report was NOT looked at in a browser", file=sys.stderr)
        sys.exit(77)
    craft.main()
