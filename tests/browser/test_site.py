"""The site, which `nox -s docs` has built: its links, and how it looks on a phone and a desk."""

import os
import threading
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright

SITE = Path(__file__).parents[2] / "build/site"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PAGES = (
    "README",
    "docs/guide",
    "docs/differences",
    "docs/conformance-results",
    "docs/gallery/index",
    "docs/gallery/same_name",
    "docs/reference/fanwise",
    "docs/reference/generated/fanwise.he_normal",
    "spec/fans",
)
SIZES = {"phone": (390, 844), "desk": (1400, 900)}


class Links(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, page):
        super().__init__()
        self.links, self.anchors = set(), set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.add(value)
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value)


@pytest.fixture(scope="session", autouse=True)
def built():
    assert (SITE / "README.html").exists(), "build the site first: python -m nox -s docs"


def test_every_internal_link_has_a_target():
    pages = {page: Links(page) for page in SITE.rglob("*.html") if "_static" not in page.parts}
    dead = []
    for page, found in pages.items():
        for link in found.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            known = target.exists() and (
                not parts.fragment
                or target not in pages
                or unquote(parts.fragment) in pages[target].anchors
            )
            if not known:
                dead.append((str(page.relative_to(SITE)), link))
    assert len(pages) > 150
    assert dead == []


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a line for each."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def address():
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=SITE)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")  # a driver is alone in its thread
def browser():
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture(params=[(size, scheme) for size in SIZES for scheme in ("light", "dark")])
def page(browser, address, request):
    size, scheme = request.param
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, base_url=address
    )
    page = context.new_page()
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("response", lambda r: faults.append(r.url) if r.status >= 400 else None)
    page.on(
        "request", lambda r: None if r.url.startswith((address, "data:")) else faults.append(r.url)
    )
    yield page
    assert faults == []  # no script failed, all files are there, and nothing else was asked for
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_its_window_and_shows_its_pictures(page, name):
    page.goto(f"/{name}.html")
    expect(page.locator("h1").first).to_be_visible()
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")
    broken = "[...document.images].filter((i) => i.complete && !i.naturalWidth).map((i) => i.src)"
    assert page.evaluate(broken) == []


def test_the_colors_are_those_that_the_reader_prefers(page):
    page.goto("/README.html")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    levels = [int(level) for level in background.removeprefix("rgb(").rstrip(")").split(",")]
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert (sum(levels) / 3 < 128) == dark


def test_the_first_page_is_the_readme(page):
    page.goto("/index.html")
    page.wait_for_url("**/README.html")


def test_the_search_finds_a_scheme(page):
    page.goto("/search.html?q=he_normal")
    expect(page.get_by_role("link", name="he_normal").first).to_be_visible()
