"""The command and the plugin: selection, exit codes, expected failures, reports, random seeds."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from fanwise_conformance import __version__, discovery, report
from fanwise_conformance.backend import BrokenBackend, Subject
from fanwise_conformance.expected import ExpectedError, read

HERE = Path(__file__).parent
EXAMPLE = "fanwise_example_backend:backend"
PATHS = [HERE.parent / "src", HERE.parent / "example_backend/src", HERE]


def command(*arguments, path=HERE):
    """Run the suite from a plain checkout, by PYTHONPATH alone."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, [*PATHS, path]))}
    return subprocess.run(
        [sys.executable, "-m", "fanwise_conformance", *arguments],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip


def run(*arguments, **options):
    return command("--level", "quick", "-q", *arguments, **options)


def test_a_backend_by_its_import_path():
    result = run("--backend", EXAMPLE, "-k", "moments or support")
    assert result.returncode == 0, result.stdout
    assert "passed" in result.stdout


def test_the_header_says_what_is_run_and_how_often_it_is_wrong():
    result = command("--level", "quick", "--backend", EXAMPLE, "-k", "law/tails")
    assert (
        f"fanwise-conformance {__version__}: example 1.0; device cpu; level quick" in result.stdout
    )
    assert "hypotheses, each at level 5e-11" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--backend", "nobody"], "must be one of"),
        (["--level", "full"], "`--backend` must be given"),
        (["--backend", EXAMPLE, "--backend", EXAMPLE], "must name each backend once"),
        (["--backend", "no_such_module:backend"], "must start, got ModuleNotFoundError"),
        (["--backend", "math:pi"], "is not one: a backend must have `name`"),
        (["--backend", EXAMPLE, "--device", "cuda"], "`device` must be one of ['cpu'], got 'cuda'"),
        (["--backend", EXAMPLE, "--seeds", "some"], "`--seeds` must be fixed, random or a number"),
        (["--backend", EXAMPLE, "--seeds", "0"], "a number from 1 on, got '0'"),
        (["--backend", EXAMPLE, "--dtype", "bf16"], "`--dtype` must be one of"),
        (["--backend", EXAMPLE, "--report", "no/such/folder.json"], "must be in a folder"),
        (["--backend", "native:nobody"], "must be one of"),
        (["--backend", "fanwise_example_backend:ExampleBackend"], "got the class"),
        (["diff", "nowhere.json", "nowhere.json"], "nowhere.json"),
        (["--backend", EXAMPLE, "--expected", "nowhere.toml"], "must be a file of TOML"),
    ],
)
def test_what_cannot_be_run_is_a_usage_error(arguments, message):
    result = command(*arguments)
    assert result.returncode == 4
    assert message in result.stderr + result.stdout


def test_a_broken_backend_fails_by_the_check_that_names_it(tmp_path):
    out = tmp_path / "report.json"
    result = run("--backend", "broken_backend:backend", "--report", str(out))
    assert result.returncode == 1
    assert "broken::moments/entries[normal]" in result.stdout
    failed = {item["check"] for item in report.read(out)["items"] if item["status"] == "failed"}
    assert "moments/entries" in failed


def test_expected_failures_are_strict(tmp_path):
    table = tmp_path / "conformance.toml"
    entry = (
        '[[broken]]\nchecks = ["{}"]\nreason = "r"\nlink = "https://example.org/1"\nversion = "1"\n'
    )
    table.write_text(entry.format("moments/entries[normal*"))
    selected = ("-k", "moments/entries", "--expected", str(table))
    result = run("--backend", "broken_backend:backend", *selected)
    assert result.returncode == 0, result.stdout
    assert "xfailed" in result.stdout
    table.write_text(entry.format("moments/entries") + entry.format("errors/raised"))
    result = run(
        "--backend", "broken_backend:backend", "-k", "errors/raised", "--expected", str(table)
    )
    assert result.returncode == 1
    assert "was expected to fail, and passed" in result.stdout
    table.write_text(entry.format("law/no-such-check"))
    result = run("--backend", "broken_backend:backend", *selected)
    assert result.returncode == 4
    assert "must be of a check, got 'law/no-such-check'" in result.stderr + result.stdout
    table.write_text('[[broken]]\nchecks = ["law/*"]\n')
    with pytest.raises(ExpectedError, match="must have checks, reason, link and version"):
        read(table)
    table.write_text(entry.format("moments/entries").replace("broken", "brocken"))
    result = run("--backend", "broken_backend:backend", *selected)
    assert result.returncode == 4
    assert "got ['brocken']" in result.stderr + result.stdout


@pytest.mark.parametrize(
    "text", ["x = 1", "[broken]\nchecks = 3", "[[broken]]\nchecks = ['law/*']\nreason = 1"]
)
def test_malformed_known_failures_are_told(text, tmp_path):
    table = tmp_path / "conformance.toml"
    table.write_text(text)
    with pytest.raises(ExpectedError, match="must have checks, reason, link and version"):
        read(table)
    table.write_bytes(b"\xff\xfe")
    with pytest.raises(ExpectedError, match="must be a file of TOML"):
        read(table)


def test_known_failures_are_read_from_beside_a_backend(tmp_path):
    (tmp_path / "mine.py").write_text((HERE / "broken_backend.py").read_text())
    (tmp_path / "conformance.toml").write_text(
        '[[broken]]\nchecks = ["moments/entries[normal*"]\nreason = "r"\nlink = "l"\nversion = "1"\n'
    )
    result = run("--backend", "mine:backend", "-k", "moments/entries and normal", path=tmp_path)
    assert result.returncode == 0, result.stdout
    assert "xfailed" in result.stdout


def test_a_selection_of_nothing_is_no_success():
    assert run("--backend", EXAMPLE, "-k", "nothing").returncode == 5


def test_help_needs_no_backend():
    result = command("--help")
    assert result.returncode == 0
    assert "--backend" in result.stdout


def test_values_that_are_no_numbers_make_a_report(tmp_path):
    out = tmp_path / "report.json"
    result = run("--backend", "nan_backend:backend", "-k", "law", "--report", str(out))
    assert result.returncode == 1
    assert "NaN" not in out.read_text()


def test_random_seeds_print_what_makes_them_again():
    first = command(
        "--level", "quick", "--backend", EXAMPLE, "-k", "law/tails", "--seeds", "random"
    )
    number = first.stdout.partition("--seeds ")[2].partition(")")[0]
    assert int(number) > 0
    again = command("--level", "quick", "--backend", EXAMPLE, "-k", "law/tails", "--seeds", number)
    assert f"(again: --seeds {number})" in again.stdout


def test_explain_prints_sample_sizes_and_claims():
    result = command("--explain")
    assert result.returncode == 0
    text = result.stdout
    assert "23,334,543" in text
    assert "moments/entries: Mean, variance" in text


def test_reports_differ_by_lines(tmp_path):
    paths = []
    for name, backend in (("old", EXAMPLE), ("new", "broken_backend:backend")):
        paths.append(tmp_path / f"{name}.json")
        run("--backend", backend, "-k", "moments/entries", "--report", str(paths[-1]))
    data = json.loads(paths[1].read_text())
    for item in data["items"]:
        item["backend"] = "example"
    paths[1].write_text(json.dumps(data))
    result = command("diff", *map(str, paths))
    assert result.returncode == 1
    assert "example::moments/entries[normal]: passed -> failed" in result.stdout
    data["level"] = "full"
    paths[1].write_text(json.dumps(data))
    assert "level: quick -> full" in command("diff", *map(str, paths)).stdout
    assert command("diff", str(paths[0]), str(paths[0])).stdout == "no difference\n"
    table = command("table", str(paths[0])).stdout
    assert "| `moments/entries` |" in table


def test_a_report_is_of_its_schema_and_makes_a_page(tmp_path):
    out, page = tmp_path / "report.json", tmp_path / "page.html"
    run("--backend", "broken_backend:backend", "-k", "law or support", "--report", str(out))
    schema = json.loads((Path(report.__file__).parent / "report.schema.json").read_text())
    data = json.loads(out.read_text())
    jsonschema.validate(data, schema)
    jsonschema.validate(report.compact(data), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data | {"level": "some"}, schema)
    assert command("html", str(out), str(page)).returncode == 0
    text = page.read_text()
    assert "__DATA__" not in text
    assert not re.search(r"(src|href)=\"", text)  # nothing from elsewhere


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals on Windows")
def test_a_terminal_sees_progress():
    import pty

    ours, theirs = pty.openpty()
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, PATHS)),
        "TERM": "xterm",
        "COLUMNS": "150",
    }
    arguments = ["--backend", EXAMPLE, "--level", "quick", "-k", "moments or tails"]
    with subprocess.Popen(
        [sys.executable, "-m", "fanwise_conformance", *arguments],
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment,
    ) as process:  # fmt: skip
        os.close(theirs)
        seen = b""
        while True:
            try:
                seen += os.read(ours, 4096)
            except OSError:  # how Linux says that the other side is closed
                break
    os.close(ours)
    text = seen.decode()
    assert process.returncode == 0
    assert re.search(r"0/\d+", text)
    assert "0 failed" in text
    assert "example::law/tails[normal]" in text
    assert " passed" in text.splitlines()[-1]


def test_the_usage_is_an_error_without_arguments():
    result = command()
    assert result.returncode == 4
    assert "usage: python -m fanwise_conformance" in result.stderr


def test_entry_points_of_one_name_are_an_error(monkeypatch):
    class Point:
        name = "twice"

    monkeypatch.setattr(discovery.metadata, "entry_points", lambda group: [Point(), Point()])
    with pytest.raises(discovery.SelectionError, match=r"each name once, got \['twice'\]"):
        discovery.select(["twice"])


class Minimal:
    name, version, features = "minimal", "0", {"schemes": ("normal",), "dtypes": ("float32",)}

    def draw(self, scheme, shape, axes, **options):
        return [0.0]


def test_a_backend_that_does_not_keep_to_the_protocol_is_told_so():
    with pytest.raises(
        BrokenBackend, match=r"must return float32 or wider of shape \(2,\), got float64"
    ):
        Subject(Minimal()).draw({"name": "normal", "std": 1.0}, (2,), seed=0)
    with pytest.raises(BrokenBackend, match="`features` must have 'schemes'"):
        Subject(type("Empty", (Minimal,), {"features": {}})())
    for features, message in (
        ({"schemes": "normal"}, "names of 'schemes' in a sequence"),
        ({"dtypes": ("float32", "fp8")}, r"got \['fp8'\]"),
        ({"kernels": {"liner": "in out"}}, r"got \['liner'\]"),
    ):
        with pytest.raises(BrokenBackend, match=message):
            Subject(type("Odd", (Minimal,), {"features": Minimal.features | features})())
