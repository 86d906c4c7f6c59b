"""The HTML report in a browser: Chromium, driven by Playwright, in two schemes and on a phone.

A session of its own (`nox -s browser`), as it needs Chromium: /usr/bin/chromium, or where CHROMIUM says.
"""

import os
from pathlib import Path

import pytest
from fanwise_conformance import EFFORTS, Subject, html, plan, report
from fanwise_conformance.run import examine
from fanwise_example_backend import ExampleBackend
from playwright.sync_api import expect, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


class BrokenBackend(ExampleBackend):
    """A normal law that is too wide."""

    name = "broken </script>"

    def draw(self, scheme, shape, axes, **options):
        drawn = super().draw(scheme, shape, axes, **options)
        return (drawn * 1.05).astype("float32") if scheme["name"] == "normal" else drawn


@pytest.fixture(scope="session")
def path(tmp_path_factory):
    run = plan([Subject(ExampleBackend()), Subject(BrokenBackend())], EFFORTS["quick"])
    kept = ("moments/entries", "law/entries", "support/bounds", "exact/fans", "errors/raised")
    outcomes = [(examine(i, run), None) for i in run.items if i.check.id in kept]
    file = tmp_path_factory.mktemp("page") / "page.html"
    file.write_text(html.page([report.of_run(run, outcomes, "cpu")]), encoding="utf-8")
    return Path(file)


@pytest.fixture(scope="module")  # a driver is alone in its thread
def browser():
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-sync",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture(params=["light", "dark"])
def page(browser, path, request):
    context = browser.new_context(color_scheme=request.param, offline=True)
    page = context.new_page()
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "request",
        lambda r: faults.append(r.url) if not r.url.startswith(("file:", "data:")) else None,
    )
    page.goto(path.as_uri())
    yield page
    assert not faults  # no script failed, and nothing was asked of a network
    context.close()


def cell(page, check, backend):
    return page.get_by_role("button", name=f"{check}, {backend} on cpu:")


def test_the_matrix_has_a_cell_for_each_check_and_backend(page):
    expect(cell(page, "moments/entries", "example")).to_have_text("✓ 5")
    expect(cell(page, "moments/entries", "broken </script>")).to_have_text("✗ 2 of 5")
    expect(cell(page, "exact/fans", "example")).to_have_text("skipped")


def test_a_cell_opens_what_was_found(page):
    cell(page, "law/entries", "broken </script>").click()
    drawer = page.get_by_role("dialog")
    expect(drawer).to_be_visible()
    drawer.get_by_text("law/entries: normal (float32)").click()
    expect(drawer.get_by_role("cell", name="Kolmogorov-Smirnov").first).to_be_visible()
    expect(drawer.get_by_role("img", name="Quantiles drawn").first).to_be_visible()
    expect(drawer.get_by_role("img", name="Histogram").first).to_be_visible()
    expect(drawer.get_by_text("must have the density of N(mean, std^2)").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(drawer).not_to_be_visible()


def test_filters_and_search(page):
    count = page.get_by_role("status")
    whole = count.inner_text()
    page.get_by_label("Status").select_option("failed")
    expect(count).not_to_have_text(whole)
    expect(cell(page, "support/bounds", "example")).to_have_count(0)
    page.get_by_label("Status").select_option("")
    page.get_by_label("Search").fill("laws/2 bounds")
    expect(cell(page, "support/bounds", "example")).to_be_visible()
    expect(cell(page, "errors/raised", "example")).to_have_count(0)


def test_rows_by_clause(page):
    page.get_by_label("Rows").select_option("clause")
    expect(cell(page, "laws/2", "example")).to_be_visible()
    expect(page.get_by_role("rowheader", name="laws/2", exact=True)).to_have_attribute(
        "title", html.clauses()["laws/2"]
    )


def test_the_keyboard_is_enough(page):
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    cell(page, "errors/raised", "example").focus()
    page.keyboard.press("ArrowRight")
    expect(cell(page, "errors/raised", "broken </script>")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()


def test_text_stands_out_from_its_background(page):
    """A contrast of 4.5, for all texts of the matrix (WCAG 2.2, 1.4.3)."""
    ratio = page.evaluate(
        """() => {
          const light = (color) => {
            const parts = color.match(/[\\d.]+/g).slice(0, 3).map((n) => n / 255)
              .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
            return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
          };
          const back = light(getComputedStyle(document.body).backgroundColor);
          const nodes = [...document.querySelectorAll("button, th, p, label")].filter((n) => n.textContent);
          return Math.min(...nodes.map((node) => {
            const pair = [light(getComputedStyle(node).color), back].sort((a, b) => b - a);
            return (pair[0] + 0.05) / (pair[1] + 0.05);
          }));
        }"""
    )
    assert ratio >= 4.5


def test_a_phone_shows_it_without_scrolling_the_page_sideways(browser, path):
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    cell(page, "moments/entries", "example").click()
    box = page.get_by_role("dialog").bounding_box()
    assert box["width"] == 360
    context.close()
