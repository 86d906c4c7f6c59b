"""The specification and what cites it: no citation without a clause.

That no clause is without a test is counted from what ran: `conftest.py` of the repository.
"""

import re
from pathlib import Path

from fanwise_conformance import CHECKS, html

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/conformance.md"
CLAUSE = re.compile(r"^\*\*([a-z]+/\d+)\*\*", re.MULTILINE)
CITATION = re.compile(r"\b([a-z]+)/(\d+)(?: to \1/(\d+))?")
TOPICS = {path.stem for path in (ROOT / "spec").glob("*.md")} - {"README", "rationale"}


def clauses():
    found = [
        c
        for topic in sorted(TOPICS)
        for c in CLAUSE.findall((ROOT / f"spec/{topic}.md").read_text())
    ]
    assert len(found) == len(set(found))
    return set(found)


def citations(text):
    """The clauses that a text cites; ``fans/1 to fans/3`` cites three."""
    return {
        f"{topic}/{number}"
        for topic, first, last in CITATION.findall(text)
        if topic in TOPICS
        for number in range(int(first), int(last or first) + 1)
    }


def cited_by(pattern):
    return {
        clause: path
        for path in ROOT.glob(pattern)
        if "test_spec" not in path.name
        for clause in citations(path.read_text())
    }


def test_every_citation_is_of_a_clause():
    cited = cited_by("packages/**/*.py") | cited_by("spec/*.md") | cited_by("docs/*.md")
    unknown = {clause: path for clause, path in cited.items() if clause not in clauses()}
    assert not unknown


def test_every_clause_is_checked_or_said_not_to_be():
    """By the conformance suite, or in docs/conformance.md."""
    checked = {clause for check in CHECKS.values() for clause in check.clauses}
    table = re.findall(r"^\| ([a-z]+/\d+(?: to [a-z]+/\d+)?) \|", PAGE.read_text(), re.MULTILINE)
    unchecked = {clause for row in table for clause in citations(row)}
    assert checked | unchecked == clauses()
    assert not checked & unchecked


def test_the_suite_has_the_text_of_every_clause():
    text = re.compile(r"^\*\*([a-z]+/\d+)\*\*\s(.*?)(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)
    expected = {
        clause: " ".join(words.split())
        for topic in sorted(TOPICS)
        for clause, words in text.findall((ROOT / f"spec/{topic}.md").read_text())
    }
    assert html.clauses() == expected
    assert set(expected) == clauses()


def test_clauses_are_of_their_file_and_numbered_without_gaps():
    for topic in TOPICS:
        found = CLAUSE.findall((ROOT / f"spec/{topic}.md").read_text())
        assert found == [f"{topic}/{i + 1}" for i in range(len(found))]


def test_the_checks_above_see_what_they_are_for():
    assert citations("(spec: fans/1 to fans/3, axes/9) and src/2") == {
        "fans/1",
        "fans/2",
        "fans/3",
        "axes/9",
    }
    assert citations("fans/99") - clauses() == {"fans/99"}


def test_a_clause_without_a_test_that_passed_is_a_failure(pytester):
    """With every test deleted, failed or skipped, too."""
    (pytester.path / "spec").mkdir()
    (pytester.path / "spec/fans.md").write_text("**fans/1** One.\n\n**fans/2** Two.\n")
    pytester.makeconftest((ROOT / "conftest.py").read_text())
    pytester.makeini("[pytest]\nmarkers = clause(*names): clauses")
    one = "import pytest\n@pytest.mark.clause('fans/1')\ndef test_one(): pass\n"
    two = "@pytest.mark.clause('fans/2')\ndef test_two(): {}\n"
    for second, result in (("pass", 0), ("assert False", 1), ("pytest.skip()", 1)):
        pytester.makepyfile(one + two.format(second))
        run = pytester.runpytest_subprocess("--clauses", "-p", "no:cacheprovider")
        assert run.ret == result
    pytester.makepyfile(one)
    run = pytester.runpytest_subprocess("--clauses", "-p", "no:cacheprovider")
    assert run.ret == 1
    run.stdout.fnmatch_lines(["no test that passed is for fans/2"])
    pytester.makepyfile(one.replace("fans/1", "fans/9"))
    run = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    run.stderr.fnmatch_lines(["*is for no clause: [[]'fans/9'[]]*"])


pytest_plugins = ["pytester"]
