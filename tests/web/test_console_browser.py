"""The console in a real Chromium: no errors, nothing from elsewhere, live, by keyboard, on a phone, on paper, without script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from sentinel.web.views import segment
from tests.web.memory_hospital import HOSTILE, HOSTILE_ALERT, SWEEP

PAGES = {
    "queue": "/",
    "filtered": "/queue/patients/p-9?severity=medium",
    "nothing found": "/?severity=low&period=24h",
    "alert": f"/alerts/{SWEEP}",
    "hostile alert": f"/alerts/{HOSTILE_ALERT}",
    "patient": "/patients/p-4",
    "hostile patient": f"/patients/{segment(HOSTILE)}",
    "report": "/patients/p-4/report",
    "actor": "/actors/inf-petit",
    "hostile actor": f"/actors/{segment(HOSTILE)}",
    "about": "/about",
}
PHONE = {"width": 390, "height": 844}
NARROWEST = {"width": 320, "height": 640}  # WCAG 1.4.10 reflow

CHECKS = """() => {
  const wrong = [];
  const say = (rule, element) => wrong.push(`${rule}: ${element.outerHTML.slice(0, 140)}`);
  const named = (e) => (e.getAttribute("aria-label") || e.getAttribute("title") || e.textContent || "").trim()
    || (e.getAttribute("aria-labelledby") || "").split(" ").map((id) => document.getElementById(id)?.textContent).join("").trim();
  const shown = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true });

  if (!document.documentElement.lang || !document.title) say("lang and title", document.head);
  if (document.querySelectorAll("h1").length !== 1) say("one h1", document.body);
  let level = 0;
  for (const h of document.querySelectorAll("h1, h2, h3, h4")) {
    if (!shown(h)) continue;
    if (Number(h.tagName[1]) > level + 1) say("heading skips a level", h);
    level = Number(h.tagName[1]);
  }
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push(`id twice: ${id}`);
  for (const e of document.querySelectorAll("a, button, summary")) if (!named(e)) say("no name", e);
  for (const e of document.querySelectorAll("input, select")) {
    if (!e.labels.length && !e.getAttribute("aria-label")) say("no label", e);
  }
  for (const e of document.querySelectorAll("svg")) {
    const hidden = e.closest("[aria-hidden=true]");
    if (!hidden && !(e.getAttribute("role") === "img" && named(e))) say("picture without name", e);
  }
  for (const e of document.querySelectorAll("table")) {
    if (!e.caption || !e.querySelector("th[scope]")) say("table without caption or headers", e);
  }
  for (const e of document.querySelectorAll("nav, section, aside")) if (!named(e)) say("region without name", e);
  for (const e of document.querySelectorAll("a, button, input, select, summary")) {
    const box = e.getBoundingClientRect();
    const inText = e.matches("p a, li a, dd a, td a, span a, footer *");
    if (shown(e) && !e.closest(".visually-hidden, .skip") && !inText && box.height < 24) say("target under 24 px", e);
  }
  return wrong.concat(contrasts(shown, say));

  function contrasts(shown) {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const rgba = (css) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = css; canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255]; };
    const over = (top, under) => under.map((v, i) => i < 3 ? top[i] * top[3] + v * (1 - top[3]) : 1);
    const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
      .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
    const ground = (e) => {
      const layers = [];
      for (let at = e; at && layers.at(-1)?.[3] !== 1; at = at.parentElement) {
        layers.push(rgba(getComputedStyle(at).backgroundColor));
      }
      return layers.reverse().reduce((under, top) => over(top, under), rgba("Canvas"));
    };
    const poor = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
      const e = node.parentElement;
      if (!node.data.trim() || !shown(e) || e.closest(".visually-hidden, script, option, title")) continue;
      const style = getComputedStyle(e);
      const under = ground(e);
      const text = over(rgba(e instanceof SVGElement ? style.fill : style.color), under);
      const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      const got = ratio(text, under);
      if (got < (large ? 3 : 4.5)) poor.push(`contrast ${got.toFixed(2)}: ${e.outerHTML.slice(0, 100)}`);
    }
    return poor;
  }
}"""


@contextmanager
def reader(browser: Browser, **wishes) -> Iterator[tuple[BrowserContext, list[str]]]:
    """Give a browser of one reader, and what went wrong in it: console messages, failed requests, requests elsewhere."""
    context = browser.new_context(**{"locale": "en-GB", "viewport": {"width": 1280, "height": 800}} | wishes)
    context.set_default_timeout(10_000)
    wrong: list[str] = []

    def watch(page: Page) -> None:
        page.on("console", lambda message: wrong.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: elsewhere(request.url))

    def elsewhere(url: str) -> None:
        if urlsplit(url).hostname != "127.0.0.1":
            wrong.append(f"elsewhere: {url}")

    context.on("page", watch)
    try:
        yield context, wrong
    finally:
        context.close()


@pytest.mark.parametrize(("locale", "scheme"), [("fr-FR", "light"), ("en-GB", "dark")])
def test_every_page_is_whole_and_accessible(hospital, browser, locale, scheme):
    """In each language, light or dark: no message in the console, nothing from elsewhere, names, labels, contrast."""
    with reader(browser, locale=locale, color_scheme=scheme) as (context, wrong):
        page = context.new_page()
        for name, path in PAGES.items():
            assert page.goto(hospital.url + path).status == 200
            page.locator("details").evaluate_all("all => all.slice(0, 3).forEach((one) => { one.open = true; })")
            assert page.evaluate(CHECKS) == [], name
            assert page.locator("html").get_attribute("lang") == locale[:2]
        assert wrong == []


@pytest.mark.parametrize("viewport", [PHONE, NARROWEST])
def test_no_page_is_wider_than_a_phone(hospital, browser, viewport):
    """What is wide scrolls in its own frame; the page does not. It stays readable and named there too."""
    with reader(browser, locale="fr-FR", viewport=viewport, has_touch=True) as (context, wrong):
        page = context.new_page()
        for name, path in PAGES.items():
            page.goto(hospital.url + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], name
            assert page.evaluate(CHECKS) == [], name
        assert wrong == []


def test_a_live_alert_is_offered_and_shown_without_reload(live_hospital, browser, an_alert_now):
    """New alerts are announced, the rows being read don't move until asked; then the new one is there and marked."""
    with reader(browser) as (context, wrong):
        page = context.new_page()
        page.goto(live_hospital.url + "/")
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        page.evaluate("window.same = true")
        live_hospital.put(an_alert_now("e" * 32, priority=99.0), an_alert_now("f" * 32, priority=0.1))
        expect(page.get_by_role("button", name="2 new alerts")).to_be_visible()
        assert page.locator("#queue .row").count() == 4
        expect(page.locator(".counter").last.locator(".figure")).to_have_text("6")
        page.get_by_role("button", name="2 new alerts").click()
        expect(page.locator("#queue .row").first).to_have_attribute("data-id", "e" * 32)
        expect(page.locator("#queue .row.new")).to_have_count(2)
        assert page.locator("#queue .row").count() == 6
        expect(page.locator(".fresh button")).to_be_hidden()
        assert page.evaluate("window.same"), "the page was loaded again"
        assert wrong == []


def test_the_first_alert_shows_by_itself(empty_hospital, browser, an_alert_now):
    """An empty queue has no row to move: the alert is shown as it comes."""
    with reader(browser) as (context, wrong):
        page = context.new_page()
        page.goto(empty_hospital.url + "/")
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        empty_hospital.put(an_alert_now("e" * 32))
        expect(page.locator("#queue .row")).to_have_count(1)
        assert wrong == []


def test_an_alert_that_grows_changes_in_its_place(live_hospital, browser, an_alert_now):
    """A new version of a story updates its row; the row stays where it is, even when it is now the most urgent."""
    with reader(browser) as (context, wrong):
        page = context.new_page()
        page.goto(live_hospital.url + "/")
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        live_hospital.put(an_alert_now("c" * 32, version=2, priority=50.0, severity="critical"))
        row = page.locator("#alert-" + "c" * 32)
        expect(row).to_contain_text("Priority 50")
        assert page.locator("#queue .row").nth(2).get_attribute("data-id") == "c" * 32
        assert wrong == []


def test_filters_hold_for_live_alerts(live_hospital, browser, an_alert_now):
    """An alert that does not answer the filter is not announced."""
    with reader(browser) as (context, wrong):
        page = context.new_page()
        page.goto(live_hospital.url + "/?severity=low")
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        live_hospital.put(an_alert_now("e" * 32, severity="critical"))
        expect(page.locator(".counter").last.locator(".figure")).to_have_text("5")
        expect(page.locator(".fresh button")).to_be_hidden()
        live_hospital.put(an_alert_now("f" * 32, severity="low"))
        expect(page.get_by_role("button", name="1 new alert")).to_be_visible()
        assert wrong == []


def test_the_queue_goes_by_keyboard(hospital, browser):
    """Keys j and k move, Enter opens, u goes back, / searches, ? helps; focus is seen; typing is not taken for keys."""
    with reader(browser) as (context, wrong):
        page = context.new_page()
        page.goto(hospital.url + "/")
        focused = "document.activeElement.closest('.row')?.dataset.id[0]"
        page.keyboard.press("j")
        assert page.evaluate(focused) == "a"
        page.keyboard.press("j")
        assert page.evaluate(focused) == "b"
        assert page.locator("#alert-" + "b" * 32).evaluate("row => getComputedStyle(row).outlineStyle") == "solid"
        page.keyboard.press("k")
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{hospital.url}/alerts/{SWEEP}")
        page.keyboard.press("u")
        expect(page).to_have_url(f"{hospital.url}/")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
        page.keyboard.press("/")
        expect(page.locator("#search")).to_be_focused()
        page.keyboard.type("p-4jk")
        expect(page.locator("#search")).to_have_value("p-4jk")
        page.fill("#search", "p-4")
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{hospital.url}/patients/p-4")
        assert wrong == []


def test_the_first_stop_of_the_keyboard_skips_to_the_content(hospital, browser):
    """And every stop after it shows where it is."""
    with reader(browser) as (context, _):
        page = context.new_page()
        page.goto(hospital.url + "/")
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_in_viewport()
        for _ in range(12):
            page.keyboard.press("Tab")
            assert page.evaluate("""() => {
                const at = document.activeElement, box = at.closest(".row") ?? at;
                return getComputedStyle(box).outlineStyle !== "none" || getComputedStyle(at).outlineStyle !== "none"; }""")


def test_a_click_anywhere_on_a_row_opens_it_and_its_links_lead_elsewhere(hospital, browser):
    """The row is the alert; the ids in it are the person and the patient."""
    with reader(browser) as (context, wrong):
        page = context.new_page()
        page.goto(hospital.url + "/")
        page.locator("#queue .row").first.click(position={"x": 30, "y": 60})
        expect(page).to_have_url(f"{hospital.url}/alerts/{SWEEP}")
        page.go_back()
        page.locator("#queue").get_by_role("link", name=HOSTILE).first.click()
        expect(page.locator("h1")).to_have_text(HOSTILE)
        assert wrong == []


def test_a_filter_applies_as_it_is_chosen(hospital, browser):
    """Choosing is enough; the chip takes it away again."""
    with reader(browser) as (context, wrong):
        page = context.new_page()
        page.goto(hospital.url + "/")
        page.get_by_label("Severity").select_option("medium")
        expect(page).to_have_url(f"{hospital.url}/?severity=medium")
        expect(page.locator("#queue .row")).to_have_count(1)
        page.get_by_role("link", name="Remove the filter Severity").click()
        expect(page).to_have_url(f"{hospital.url}/")
        assert wrong == []


def test_without_script_the_console_works(hospital, browser):
    """The queue, its filters, the search, the alert and its records are all there; what needs script is not shown."""
    with reader(browser, java_script_enabled=False) as (context, wrong):
        page = context.new_page()
        page.goto(hospital.url + "/")
        expect(page.locator("#queue .row")).to_have_count(4)
        page.get_by_label("Severity").select_option("high")
        page.get_by_role("button", name="Filter", exact=True).click()
        expect(page.locator("#queue .row")).to_have_count(1)
        page.get_by_role("searchbox").fill(SWEEP)
        page.get_by_role("button", name="Search").click()
        expect(page).to_have_url(f"{hospital.url}/alerts/{SWEEP}")
        page.locator("details.raw summary").first.click()
        expect(page.locator("details.raw pre").first).to_contain_text('"resourceType": "AuditEvent"')
        expect(page.locator(".copy").first).to_be_hidden()
        assert wrong == []


def test_a_record_is_copied_as_it_is_shown(hospital, browser):
    """The button puts the whole record on the clipboard, and says so."""
    with reader(browser, permissions=["clipboard-read", "clipboard-write"]) as (context, wrong):
        page = context.new_page()
        page.goto(f"{hospital.url}/alerts/{SWEEP}")
        page.locator("details.raw summary").first.click()
        page.get_by_role("button", name="Copy").first.click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == page.locator("details.raw pre").first.text_content()
        assert wrong == []


def test_the_report_on_paper_has_no_controls(hospital, browser):
    """Printed, a statement is black on white: no navigation, no buttons, also from a dark screen."""
    with reader(browser, color_scheme="dark") as (context, wrong):
        page = context.new_page()
        page.goto(f"{hospital.url}/patients/p-4/report")
        expect(page.get_by_role("button", name="Print")).to_be_visible()
        page.emulate_media(media="print")
        for part in (".top", ".foot", ".period", "[data-print]", ".back"):
            expect(page.locator(part).first).to_be_hidden()
        assert page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(255, 255, 255)"
        assert page.locator("h1").evaluate("e => getComputedStyle(e).color") == "rgb(0, 0, 0)"
        assert page.pdf().startswith(b"%PDF")
        assert wrong == []


def test_a_stream_that_breaks_is_said_and_found_again(live_hospital, browser, an_alert_now):
    """While the worker is lost the page stays as it is; what came meanwhile is offered once it is back."""
    with reader(browser) as (context, _):
        page = context.new_page()
        page.goto(live_hospital.url + "/")
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        context.set_offline(True)
        live_hospital.changes.stop()
        expect(page.get_by_text("Reconnecting…")).to_be_visible()
        assert page.locator("#queue .row").count() == 4
        live_hospital.put(an_alert_now("e" * 32))
        context.set_offline(False)
        expect(page.get_by_role("button", name=re.compile("1 new alert"))).to_be_visible(timeout=15_000)
