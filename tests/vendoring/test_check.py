"""The checks of a vendored copy see what they are for."""

import importlib
import importlib.util
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import fanwise
from fanwise import adapting
from fanwise.numpy import NumpySource, init_model

SPEC = importlib.util.spec_from_file_location("check", Path(__file__).with_name("check.py"))
check = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(check)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import fanwise", "line 1: absolute import of fanwise"),
        (
            "def f():\n    from fanwise._axes import Axes",
            "line 2: absolute import of fanwise._axes",
        ),
        ("import numpy as np", "line 1: absolute import of numpy"),
        (
            "from importlib.metadata import version",
            "line 1: looks up metadata or data files (importlib.metadata)",
        ),
        (
            "import importlib.resources",
            "line 1: looks up metadata or data files (importlib.resources)",
        ),
        ("NAME = 'the fanwise core'", "line 1: spells its own name"),
        ("DATA = open(__file__)", "line 1: depends on where it is or on its name (__file__)"),
        ("m = __import__('numpy')", "line 1: depends on where it is or on its name (__import__)"),
    ],
)
def test_what_keeps_a_module_from_being_copied_is_found(tmp_path, text, found):
    module = tmp_path / "_module.py"
    module.write_text(text)
    assert check.violations(module) == [found]


@pytest.mark.parametrize(
    "text", ["from ._axes import Axes", "import math", "S = 'fanwise-stream-1'", ""]
)
def test_what_may_be_copied_is_not_found(tmp_path, text):
    module = tmp_path / "_module.py"
    module.write_text(text)
    assert check.violations(module) == []


def test_late_imports_are_allowed_where_they_belong(tmp_path):
    for name, allowed in (("numpy", []), ("_draws", ["line 1: absolute import of numpy"])):
        (tmp_path / name).mkdir()
        module = tmp_path / name / "source.py"
        module.write_text("import numpy as np")
        assert check.violations(module) == allowed


def test_what_an_import_brings_is_found(tmp_path, monkeypatch):
    (tmp_path / "leaky").mkdir()
    (tmp_path / "leaky/__init__.py").write_text("import numpy")
    (tmp_path / "clean").mkdir()
    (tmp_path / "clean/__init__.py").write_text("from . import part")
    (tmp_path / "clean/part.py").write_text("import math")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert "numpy" in check.unwanted(check.new_modules("leaky"), "leaky")
    assert check.unwanted(check.new_modules("clean"), "clean") == set()


def test_the_core_itself_passes():
    folder = check.CORE / "src" / check.NAME
    assert [v for path in sorted(folder.rglob("*.py")) for v in check.violations(path)] == []


def test_a_copys_plans_are_drawn_by_an_installed_core(tmp_path, monkeypatch):
    """Their classes differ; boundaries are structural."""
    shutil.copytree(check.CORE / "src" / check.NAME, tmp_path / "othercore")
    monkeypatch.syspath_prepend(tmp_path)
    other = importlib.import_module("othercore")
    assert other.Normal is not fanwise.Normal
    axes = other.Axes("out in", blocks={"out": 2})
    for name in ("he_normal", "glorot_uniform", "orthogonal"):
        plan = other.resolve(other.Scheme.from_data(name), (6, 4), axes)
        ours = fanwise.resolve(
            fanwise.Scheme.from_data(name), (6, 4), fanwise.Axes("out in", blocks={"out": 2})
        )
        source = NumpySource(0, "w")
        assert np.array_equal(adapting.draw(plan, source), adapting.draw(ours, source))
    # And schemes, axes and fans of a copy resolve here.
    mixed = fanwise.resolve(other.he_normal(), (3,), other.Axes("out"), fans=other.Fans(8, 1))
    assert mixed.law.std == 0.5
    with pytest.raises(fanwise.DtypeError):
        adapting.draw(
            other.resolve(other.uniform(low=0.0, high=1e6), (3,)), source, dtype="float16"
        )


def test_a_copys_recipe_and_ledger_are_taken_here(tmp_path, monkeypatch):
    shutil.copytree(check.CORE / "src" / check.NAME, tmp_path / "thirdcore")
    monkeypatch.syspath_prepend(tmp_path)
    other = importlib.import_module("thirdcore")
    theirs = [other.Parameter("w", (6, 4), other.Axes("out in"))]
    ours = [fanwise.Parameter("w", (6, 4), fanwise.Axes("out in"))]
    recipe = other.Recipe([other.Rule(other.he_normal(fan="out"))])
    expected, ledger = init_model(ours, fanwise.he_normal(fan="out"), seed=0)
    for given in (recipe, other.plan_model(theirs, recipe), other.he_normal(fan="out")):
        arrays, found = init_model(ours, given, seed=0)
        assert found == ledger
        assert np.array_equal(arrays["w"], expected["w"])


def test_copied_tests_import_the_copy(tmp_path):
    check.copy_tests(tmp_path, "host._vendor.weights", ("pure",))
    text = (tmp_path / "pure/test_stream.py").read_text()
    assert "from host._vendor.weights import" in text
    assert '"fanwise-stream-1"' in text
    assert sys.modules.get("host") is None
