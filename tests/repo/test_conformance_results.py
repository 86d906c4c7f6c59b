"""The pages of results: their tables are those of the stored reports."""

import re
from pathlib import Path

from fanwise_conformance import CHECKS, report

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/conformance-results.md"
TABLE = re.compile(r"<!-- table of (\S+) -->\n\n(.*?)\n\n<!-- end -->", re.DOTALL)


def stale(text):
    """The reports whose tables in a page are not what they say."""
    return [
        name
        for name, table in TABLE.findall(text)
        if table != report.support_table(report.read(ROOT / "conformance/results" / name))
    ]


def test_tables_are_those_of_the_reports():
    text = PAGE.read_text()
    assert {name for name, _ in TABLE.findall(text)} == {
        path.name for path in (ROOT / "conformance/results").iterdir()
    }
    assert not stale(text)


def test_the_check_of_tables_sees_another_number():
    text = PAGE.read_text()
    number = re.search(r"\| (\d+) \|", text)
    assert number is not None
    changed = text.replace(number[0], f"| {int(number[1]) + 1} |", 1)
    assert stale(changed)


def test_our_backends_pass():
    data = report.read(ROOT / "conformance/results/ours.json")
    assert {item["status"] for item in data["items"]} <= {"passed", "skipped"}
    assert {backend["name"] for backend in data["backends"]} == {
        "numpy",
        "torch",
        "jax",
        "tensorflow",
    }
    assert {check["id"] for check in data["checks"]} == set(CHECKS)
