"""The subcommands that draw nothing, and need nothing installed."""

import json
import subprocess
import sys

import pytest

import fanwise as package
from fanwise import Axes, Ledger, Parameter, Recipe, Rule, he_normal, model_to_data, zeros
from fanwise.cli.main import main

RECIPE = Recipe((Rule(zeros(), kind="bias"), Rule(he_normal())))
MODEL = (
    Parameter("fc.weight", (8, 2), Axes("out in")),
    Parameter("fc.bias", (8,), Axes("out"), kind="bias"),
)


@pytest.fixture
def files(tmp_path):
    model, recipe = tmp_path / "model.json", tmp_path / "recipe.json"
    model.write_text(json.dumps(model_to_data(MODEL)))
    recipe.write_text(json.dumps(RECIPE.to_data()))
    return str(model), str(recipe)


def test_plan_prints_the_ledger(files, capsys):
    assert main(["plan", files[0], "--recipe", files[1]]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == (
        ["fc.weight", "(8,", "2)", "out", "in", "declared", "(2,", "8)", "normal", "1"]
    )


def test_plan_prints_the_ledger_as_json(files, capsys):
    assert main(["plan", files[0], "--recipe", files[1], "--json"]) == 0
    ledger = Ledger.from_data(json.loads(capsys.readouterr().out))
    assert [entry.parameter for entry in ledger.entries] == list(MODEL)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["he_normal", "--shape", "128,16,3,3", "--axes",
             '{"roles": "out in kernel kernel", "groups": 4}'],
            ["fans     in 144, out 288", "std      0.11785113019775793", "arXiv:1502.01852"],
        ),
        (
            ['{"name": "he_normal", "fan": "out"}', "--shape", "6x12", "--axes",
             '{"roles": "in out", "blocks": {"out": [8, 4]}}'],
            ["block    start (0, 8), shape (6, 4)", "fans     in 6, out 4", "variance 0.5"],
        ),
        (
            ["truncated_normal", "--shape", "3"],
            ["error: `truncated_normal`"],
        ),
        (
            ['{"name": "truncated_normal", "std": 1}', "--shape", "3", "--complex"],
            ["bounds   0 to 2.07908457"],
        ),
    ],
)  # fmt: skip
def test_explain_prints_numbers_formula_and_reference(arguments, expected, capsys):
    status = main(["explain", *arguments])
    printed = capsys.readouterr()
    if expected[0].startswith("error"):
        assert status == 1
        assert "must be given" in printed.err
        return
    assert status == 0
    for line in expected:
        assert line in printed.out


def test_errors_are_one_line_with_notes(files, tmp_path, capsys):
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps(Recipe((Rule(he_normal(), kind="*"),)).to_data()))
    assert main(["plan", files[0], "--recipe", str(bad)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: `axes` must have an 'in' or a 'kernel' axis")
    assert "\n  parameter: fc.bias; rule 0" in error


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "must be JSON, got "), ("[]", "`format` must be 'model', got 'list'")],
)
def test_a_bad_file_is_named(files, tmp_path, capsys, text, message):
    bad = tmp_path / "bad.json"
    bad.write_text(text)
    assert main(["plan", str(bad), "--recipe", files[1]]) == 1
    assert message in capsys.readouterr().err
    assert main(["plan", str(tmp_path / "none.json"), "--recipe", files[1]]) == 1
    assert "No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["ones", "--shape", "3,a"],
            "`--shape` must be whole numbers and commas, such as 128,64,3,3, got '3,a'",
        ),
        (["ones", "--shape", "3,,4"], "`--shape` must be whole numbers and commas"),
        (
            ["ones", "--shape", "3", "--axes", '{"roles": "out", "roles": "in"}'],
            "every key of an object must occur once",
        ),
        (
            ["ones", "--shape", "3", "--axes", "{out"],
            "an argument must be a name or JSON, got '{out'",
        ),
        (["ones", "--shape", "3", "--axes", "width"], "`roles` must be among"),
    ],
)
def test_bad_arguments_are_named(arguments, message, capsys):
    assert main(["explain", *arguments]) == 1
    assert message in capsys.readouterr().err


def test_what_is_not_installed_is_named(files, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    assert main(["plan", "model.safetensors", "--recipe", files[1]]) == 1
    assert "pip install numpy safetensors rich" in capsys.readouterr().err


def test_init_needs_a_seed(files, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["init", files[0], "--recipe", files[1], "--out", "x.safetensors"])
    assert caught.value.code == 2
    assert "--seed" in capsys.readouterr().err


def test_the_package_is_a_command(files):
    top = package.__name__
    run = subprocess.run(
        [sys.executable, "-m", top, "--version"], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == package.__version__
