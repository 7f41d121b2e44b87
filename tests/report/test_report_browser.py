"""The report page in a real browser: light and dark, on a desk and on a phone."""

import shutil
from itertools import product

import pytest
from tests.finished_runs import write_people, write_run

from facedistill.pipelines.finished_run import report_runs
from facedistill.report import write_report

pytestmark = pytest.mark.real

CHROMIUM = shutil.which("chromium")
ALONE = [  # the browser is to fetch nothing of its own
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

# Each text's colour against the first opaque background behind it (WCAG 2.2, contrast ratio); SVG text is filled.
CONTRASTS = """() => {
  const number = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const linear = value => value <= .04045 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * linear(r / 255) + .7152 * linear(g / 255) + .0722 * linear(b / 255);
  const behind = node => {
    for (let at = node; at; at = at.parentElement) {
      const colour = number(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const node of document.querySelectorAll('body *')) {
    const hasText = [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim());
    const style = getComputedStyle(node);
    if (!hasText || !node.getBoundingClientRect().width || style.visibility === 'hidden') continue;
    const ink = number(node instanceof SVGElement ? style.fill : style.color).slice(0, 3);
    const [brighter, darker] = [light(ink), light(behind(node))].sort((a, b) => b - a);
    found.push([(brighter + .05) / (darker + .05), node.tagName + ': ' + node.textContent.trim().slice(0, 40)]);
  }
  return found;
}"""

PRESS = "place => document.querySelectorAll('.choice').forEach(one => one.querySelectorAll('input')[place]?.click())"
SHOWN = """place => [...document.querySelectorAll('.tabs')]
  .filter(tabs => tabs.querySelectorAll('input').length > place)
  .map(tabs => [...tabs.children].filter(child => child.matches('.panel'))
    .map(panel => getComputedStyle(panel).display !== 'none'))"""


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    faces = write_people(folder / "faces")
    runs = [write_run(folder / f"seed{seed}", faces, seed=seed) for seed in (0, 1)]
    runs.append(write_run(folder / "longer", faces, name="a-recipe-with-a-rather-long-name", steps=40))
    write_report(folder / "report.html", report_runs(runs))
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with pytest.importorskip("playwright.sync_api").sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=ALONE)
        yield opened
        opened.close()


@pytest.fixture(params=product(("light", "dark"), (1200, 390)), ids=lambda at: f"{at[0]}-{at[1]}", scope="module")
def page(request, browser, page_file):
    scheme, width = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    opened = context.new_page()
    opened.messages, opened.requests = [], []
    opened.on("console", lambda message: opened.messages.append(message.text))
    opened.on("pageerror", lambda error: opened.messages.append(str(error)))
    opened.on("request", lambda request: opened.requests.append(request.url))
    opened.goto(page_file.as_uri())
    opened.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    yield opened
    context.close()


def test_nothing_goes_wrong_and_nothing_is_fetched(page, page_file):
    assert page.messages == []
    assert {url for url in page.requests if not url.startswith("data:")} == {page_file.as_uri()}


def test_the_page_never_scrolls_sideways(page):
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def test_every_panel_can_be_chosen_and_is_readable(page):
    """The n-th button of each choice shows the n-th panel and no other; all its text has a contrast of 4.5."""
    most = page.evaluate("Math.max(...[...document.querySelectorAll('.choice')].map(one => one.children.length - 1))")
    assert most >= 2
    for place in range(most):
        page.evaluate(PRESS, place)
        shown = page.evaluate(SHOWN, place)
        assert shown
        assert all(panels == [at == place for at in range(len(panels))] for panels in shown)
        contrasts = page.evaluate(CONTRASTS)
        assert len(contrasts) > 200
        assert [text for ratio, text in contrasts if ratio < 4.5] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def test_all_pictures_are_loaded_and_described(page):
    assert page.evaluate("document.images.length") > 20
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0 && image.alt)")
    assert page.evaluate("[...document.querySelectorAll('svg')].every(svg => svg.getAttribute('aria-label'))")


def test_the_keyboard_reaches_choices_and_wide_tables(page):
    page.focus(".choice input")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.parentElement.textContent") == "error rate"
    assert page.evaluate("[...document.querySelectorAll('.scroll')].every(table => table.tabIndex === 0)")


def test_tables_have_headers(page):
    assert page.evaluate("[...document.querySelectorAll('th')].every(cell => cell.scope)")
    assert page.evaluate("[...document.querySelectorAll('table')].every(table => table.querySelector('thead th'))")
