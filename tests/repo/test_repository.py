"""The repository: what is where, and what must agree."""

import ast
import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import fanwise
from fanwise import Recipe, model_from_data, plan_model

ROOT = Path(__file__).parents[2]
MODELS = {"gpt2": 124_439_808, "resnet50": 25_557_032}


def tracked():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.splitlines()]


def test_modules_are_short_or_say_why():
    long = {
        str(path.relative_to(ROOT))
        for path in tracked()
        if path.suffix == ".py"
        and "src" in path.parts
        and len((text := path.read_text()).splitlines()) > 400
        and "Longer than most modules" not in (ast.get_docstring(ast.parse(text)) or "")
    }
    assert long == set()


def test_the_license_is_the_same_everywhere():
    texts = {path.read_text() for path in tracked() if path.name == "LICENSE"}
    assert len(texts) == 1


def test_the_changelog_the_citation_and_the_packages_have_one_version():
    assert f"## {fanwise.__version__}" in (ROOT / "CHANGELOG.md").read_text()
    assert f"\nversion: {fanwise.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    for path in ROOT.glob("packages/*/src/*/__init__.py"):
        assert f'__version__ = "{fanwise.__version__}"' in path.read_text(), path


def test_the_workflow_runs_every_session_that_must_pass():
    workflow = (ROOT / ".github/workflows/sessions.yml").read_text()
    ran = {name for line in re.findall(r"nox -s ([\w ]+)", workflow) for name in line.split()}
    default = re.findall(
        r"^@nox\.session\n(?:@.*\n)*def (\w+)", (ROOT / "noxfile.py").read_text(), re.M
    )
    assert set(default) <= ran


def test_ci_calls_the_commands_of_the_readme():
    commands = re.findall(
        r"^python -m pip install nox && python -m nox.*$", (ROOT / "README.md").read_text(), re.M
    )
    assert commands[0].endswith("nox -s demo")
    assert commands[1] in (ROOT / ".ci/run").read_text()


def test_the_core_has_no_dependency():
    project = tomllib.loads((ROOT / "packages/core/pyproject.toml").read_text())["project"]
    assert project["dependencies"] == []
    assert project["name"] == "fanwise"


@pytest.mark.parametrize("name", MODELS)
def test_models_have_the_published_number_of_parameters(name):
    parameters = model_from_data(json.loads((ROOT / f"examples/models/{name}.json").read_text()))
    count = 0
    for parameter in parameters:
        if parameter.kind != "buffer" and parameter.tied_to is None:
            size = 1
            for n in parameter.shape:
                size *= n
            count += size
    assert count == MODELS[name]


def test_models_are_what_their_script_writes(tmp_path):
    script = (ROOT / "examples/models/generate.py").read_text()
    (tmp_path / "generate.py").write_text(script)
    namespace = {"__file__": str(tmp_path / "generate.py"), "__name__": "__main__"}
    exec(compile(script, "generate.py", "exec"), namespace)
    for name in MODELS:
        written = (tmp_path / f"{name}.json").read_text()
        assert written == (ROOT / f"examples/models/{name}.json").read_text()


@pytest.mark.parametrize("name", MODELS)
def test_recipes_fit_their_models(name):
    recipe = Recipe.from_data(json.loads((ROOT / f"examples/recipes/{name}.json").read_text()))
    parameters = model_from_data(json.loads((ROOT / f"examples/models/{name}.json").read_text()))
    ledger = plan_model(parameters, recipe)
    assert {entry.status for entry in ledger.entries} <= {"initialized", "tied", "skipped"}


def test_the_resnet_is_torchvisions_law():
    """He normal, fan_out without the stride; the classifier is PyTorch's Linear."""
    recipe = Recipe.from_data(json.loads((ROOT / "examples/recipes/resnet50.json").read_text()))
    parameters = model_from_data(json.loads((ROOT / "examples/models/resnet50.json").read_text()))
    laws = {e.path: e.plan.law for e in plan_model(parameters, recipe).entries if e.plan}
    assert laws["conv1.weight"].variance == pytest.approx(2 / (64 * 49))
    assert laws["layer2.0.downsample.0.weight"].variance == pytest.approx(2 / 512)
    assert laws["fc.bias"].high == pytest.approx(2048**-0.5)
