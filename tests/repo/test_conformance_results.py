"""The page of results: its tables are those of the stored reports."""

import re
from pathlib import Path

from fanwise_conformance import CHECKS, report

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "docs/conformance-results.md",)
TABLE = re.compile(r"<!-- (\w+) of (\S+) -->\n\n(.*?)\n\n<!-- end -->", re.DOTALL)
TABLES = {"results": report.results_table, "support": report.support_table}


def stale(text):
    """The reports whose tables in a page are not what they say."""
    return [
        name
        for kind, name, table in TABLE.findall(text)
        if table != TABLES[kind](report.read(ROOT / "conformance/results" / name))
    ]


def test_tables_are_those_of_the_reports():
    assert not any(stale(page.read_text()) for page in PAGES)


def test_every_report_has_its_tables():
    stored = {path.name for path in (ROOT / "conformance/results").iterdir()}
    shown = {(of, name) for page in PAGES for of, name, _ in TABLE.findall(page.read_text())}
    assert shown == {(of, name) for of in TABLES for name in stored}


def test_the_check_of_tables_sees_another_number():
    for page in PAGES:
        text = page.read_text()
        table = TABLE.search(text)
        assert table is not None
        number = re.search(r"\| (\d+)", table[3])
        assert number is not None
        changed = table[3].replace(number[0], f"| {int(number[1]) + 1}", 1)
        assert stale(text.replace(table[3], changed))


def test_what_natives_fail_is_known():
    data = report.read(ROOT / "conformance/results/natives.json")
    alone = [item for item in data["items"] if not item["check"].startswith("across/")]
    assert {item["status"] for item in alone} == {"passed", "skipped", "expected"}


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
