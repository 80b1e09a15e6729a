"""The page: escaped, offline, complete, and drawn by a real browser."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from takens.report.drawing import plotly_text

ALLOWED = {"takens", "html"}


class Page(HTMLParser):
    """Elements, the values of numbers, and text outside scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.text: list[str] = []
        self.inside: list[str] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, name, attributes) -> None:
        self.elements.append((name, dict(attributes)))
        if name in {"script", "style"}:
            self.inside.append(name)

    def handle_endtag(self, name) -> None:
        if self.inside and self.inside[-1] == name:
            self.inside.pop()

    def handle_data(self, text) -> None:
        if self.inside and self.inside[-1] == "script":
            self.scripts.append(text)
        elif not self.inside:
            self.text.append(text)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def leaves(content):
    if isinstance(content, dict):
        for value in content.values():
            yield from leaves(value)
    elif isinstance(content, list):
        for value in content:
            yield from leaves(value)
    else:
        yield content


def test_every_number_shown_is_in_the_results(page: Page, results: dict) -> None:
    known = {float(v) for v in leaves(results) if isinstance(v, (int, float))}
    shown = [float(a["value"]) for name, a in page.elements if name == "data"
             if a["value"] not in {"True", "False"}]  # fmt: skip
    derived = {r["dt"] * d for r in [results["analyses"]["embedding"]] for _, d in r["settings"]}
    missing = [value for value in shown if value not in known | derived]
    assert len(shown) > 50
    assert missing == []


def test_names_from_the_file_never_become_elements(page: Page, html: str) -> None:
    names = {name for name, _ in page.elements}
    assert "img" not in names
    assert "b" not in names
    scripts = [attributes for name, attributes in page.elements if name == "script"]
    assert len(scripts) == 3  # figures, plotly, ours
    assert "<script>alert" not in html
    assert "alert(1)" in "".join(page.text)  # shown, as text


def test_figures_are_json_and_escape_plotly_markup(page: Page) -> None:
    figures = json.loads(page.scripts[0])
    assert len(figures) >= 8
    text = json.dumps(figures)
    assert "<script" not in text
    assert "&lt;script" in text
    for figure in figures:
        assert figure["data"], f"{figure['id']} draws nothing"
        assert any(name == "div" and a.get("id") == figure["id"] for name, a in page.elements)


def test_plotly_text_is_literal() -> None:
    assert plotly_text("<b>a</b>&\x1b[2J\u202e") == "&lt;b&gt;a&lt;/b&gt;&amp;\ufffd[2J\ufffd"


def test_nothing_is_loaded_from_elsewhere(page: Page) -> None:
    for name, attributes in page.elements:
        assert "src" not in attributes, name
        assert name not in {"link", "iframe", "object", "embed"}
        assert (attributes.get("href") or "#").startswith("#")
    policy = [a["content"] for n, a in page.elements if a.get("http-equiv")]
    assert policy
    assert policy[0].startswith("default-src 'none'")


def test_the_page_without_plotly_is_light(html: str) -> None:
    from plotly.offline import get_plotlyjs

    assert len(html) - len(get_plotlyjs()) < 1_000_000


def test_figures_and_tables_are_described(page: Page) -> None:
    plots = [a for n, a in page.elements if n == "div" and a.get("role") == "img"]
    assert plots
    assert all(a["aria-label"] for a in plots)
    count = [n for n, _ in page.elements]
    assert count.count("caption") == count.count("table") > 4
    identifiers = [a["id"] for _, a in page.elements if "id" in a]
    assert len(identifiers) == len(set(identifiers))


def test_a_verdict_comes_first_and_the_command_is_there(page: Page, results: dict) -> None:
    text = "".join(page.text)
    assert text.index("Chaotic") < text.index("Evidence and null hypotheses")
    assert results["command"] in text
    assert results["command"] == "takens.analyse(data, seed=0, quick=True)"


def test_a_browser_draws_every_figure(saved, tmp_path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium is installed, so the page cannot be rendered")
    done = subprocess.run(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         "--disable-background-networking", f"--user-data-dir={tmp_path / 'profile'}",
         "--virtual-time-budget=10000", "--dump-dom", (saved / "report.html").as_uri()],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    drawn = re.search(r'<html[^>]*data-figures="(\d+)"', done.stdout)
    assert drawn, "the script did not finish"
    figures = json.loads(Page((saved / "report.html").read_text(encoding="utf-8")).scripts[0])
    assert int(drawn[1]) == len(figures)
    assert done.stdout.count("main-svg") >= len(figures)
