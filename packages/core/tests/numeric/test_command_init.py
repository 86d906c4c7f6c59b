"""The subcommand that draws, and files that it reads and writes."""

import json
import os
import signal
import struct
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from fanwise import Axes, Parameter, Recipe, Rule, he_normal, model_to_data, normal, zeros
from fanwise.cli import main as command_module
from fanwise.cli.main import main
from fanwise.numpy import init

pytestmark = pytest.mark.clause("recipes/9", "errors/3")

PACKAGE = init.__module__.partition(".numpy")[0]
RECIPE = Recipe(
    (
        Rule(zeros(), kind="bias"),
        Rule(he_normal().over_depth(2), match="*.weight", axes=Axes("out in")),
    )
)
# Of a file of arrays, nobody knows what they are for.
NAMED = Recipe(
    [Rule(zeros(), match="*.bias"), Rule(he_normal(), match="*.weight", axes=Axes("out in"))]
)
MODEL = (
    Parameter("fc.weight", (80, 20), Axes("out in")),
    Parameter("fc.bias", (80,), Axes("out"), kind="bias"),
    Parameter("head.weight", (80, 20), tied_to="fc.weight"),
)


@pytest.fixture
def files(tmp_path):
    (tmp_path / "model.json").write_text(json.dumps(model_to_data(MODEL)))
    write(tmp_path, RECIPE)
    return tmp_path


def write(files, recipe):
    (files / "recipe.json").write_text(json.dumps(recipe.to_data()))


def command(files, model="model.json", out="out.safetensors", *more):
    return [
        "init", str(files / model), "--recipe", str(files / "recipe.json"),
        "--seed", "7", "--out", str(files / out), *more,
    ]  # fmt: skip


def test_init_writes_what_the_library_draws(files, capsys):
    assert main(command(files)) == 0
    arrays = load_file(files / "out.safetensors")
    assert sorted(arrays) == ["fc.bias", "fc.weight"]
    expected = init(he_normal().scaled(0.5), (80, 20), Axes("out in"), seed=7, path="fc.weight")
    assert np.array_equal(arrays["fc.weight"], expected)
    table = capsys.readouterr().out
    assert "tied to fc.weight" in table
    assert "1,680 parameters written to" in table
    with safe_open(files / "out.safetensors", framework="numpy") as file:
        provenance = json.loads(file.metadata()["initialization"])
    assert provenance["seed"] == 7
    assert Recipe.from_data(provenance["recipe"]) == RECIPE


def test_two_runs_write_the_same_bytes(files):
    for name in ("one", "two"):
        assert main(command(files, "model.json", f"{name}.safetensors", "--quiet")) == 0
    one, two = ((files / f"{name}.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two


def test_the_file_has_the_permissions_of_any_other(files):
    assert main(command(files, "model.json", "out.safetensors", "--quiet")) == 0
    (files / "other").touch()
    assert (files / "out.safetensors").stat().st_mode == (files / "other").stat().st_mode


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float8_e4m3fn"])
def test_dtypes(files, dtype):
    assert main(command(files, "model.json", "out.safetensors", "--quiet", "--dtype", dtype)) == 0
    with safe_open(files / "out.safetensors", framework="numpy") as file:
        assert file.get_slice("fc.weight").get_dtype() == {
            "bfloat16": "BF16", "float16": "F16", "float8_e4m3fn": "F8_E4M3",
        }[dtype]  # fmt: skip


def test_shapes_may_come_from_a_safetensors_file(files):
    save_file(
        {"fc.weight": np.ones((80, 20), "float32"), "fc.bias": np.ones(80, "float32")},
        files / "model.safetensors",
    )
    write(files, NAMED)
    assert main(command(files, "model.safetensors", "out.safetensors", "--quiet")) == 0
    assert load_file(files / "out.safetensors")["fc.weight"].shape == (80, 20)


def test_integers_are_skipped(files, capsys):
    save_file(
        {"a.weight": np.ones((8, 2), "float32"), "steps": np.ones((), "int64")},
        files / "m.safetensors",
    )
    write(files, Recipe([Rule(normal(std=1.0), match="*.weight")]))
    assert main(command(files, "m.safetensors")) == 0
    assert capsys.readouterr().out.splitlines()[2].split() == ["steps", "()", "skipped"]
    assert list(load_file(files / "out.safetensors")) == ["a.weight"]


def test_only_the_header_of_a_safetensors_file_is_read(files):
    """The data of this file, 4 TiB of it, is a hole."""
    shape = [1 << 20, 1 << 20]
    header = json.dumps(
        {"fc.weight": {"dtype": "F32", "shape": shape, "data_offsets": [0, 4 << 40]},
         "fc.bias": {"dtype": "F32", "shape": [0], "data_offsets": [4 << 40, 4 << 40]}}
    ).encode()  # fmt: skip
    path = files / "huge.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + (4 << 40))
    write(files, NAMED)
    plan = ["plan", str(path), "--recipe", str(files / "recipe.json")]
    assert main(plan) == 0


def hostile_headers():
    good = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    size = struct.pack("<Q", len(good))
    return {
        "empty": b"",
        "truncated length": b"\x10\x00",
        "truncated header": size + good[:-4],
        "truncated data": size + good + b"\0" * 4,
        "length beyond memory": struct.pack("<Q", 1 << 60) + good,
        "no JSON": struct.pack("<Q", 4) + b"\xff\xfe{}",
        "offsets beyond the file": size + good.replace(b"8]", b"9]") + b"\0" * 8,
        "negative shape": struct.pack("<Q", len(good) + 1)
        + good.replace(b"[2]", b"[-2]")
        + b"\0" * 8,
        "overflowing shape": (lambda h: struct.pack("<Q", len(h)) + h + b"\0" * 8)(
            good.replace(b"[2]", b"[4294967296, 4294967296, 4294967296]")
        ),
        "unknown dtype": size + good.replace(b"F32", b"X32") + b"\0" * 8,
    }


@pytest.mark.parametrize("kind", hostile_headers())
def test_hostile_headers_are_refused_and_named(files, capsys, kind):
    path = files / "hostile.safetensors"
    path.write_bytes(hostile_headers()[kind])
    assert main(command(files, "hostile.safetensors")) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: `model` must be a valid .safetensors file, got ")
    assert str(path) in error
    assert not (files / "out.safetensors").exists()


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("missing/out.safetensors", "`--out` must be in a directory that exists"),
        ("", "`--out` must be a regular file"),
        ("pipe", "`--out` must be a regular file"),
    ],
)
def test_an_unwritable_output_is_refused_before_anything_is_drawn(
    files, capsys, monkeypatch, out, message
):
    os.mkfifo(files / "pipe")
    monkeypatch.setattr(
        command_module, "_draw_all", None
    )  # not callable: drawing would raise TypeError
    assert main(command(files, "model.json", out)) == 1
    assert message in capsys.readouterr().err


def test_a_failing_write_leaves_the_old_file_and_no_other(files, capsys, monkeypatch):
    (files / "out.safetensors").write_text("old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    before = sorted(os.listdir(files))
    assert main(command(files)) == 1
    assert "disk full" in capsys.readouterr().err
    assert (files / "out.safetensors").read_text() == "old"
    assert sorted(os.listdir(files)) == before


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_init_leaves_nothing(files, by):
    big = [Parameter(f"w{i}", (4000, 4000)) for i in range(200)]
    (files / "model.json").write_text(json.dumps(model_to_data(big)))
    (files / "recipe.json").write_text(json.dumps(Recipe((Rule(normal(std=1.0)),)).to_data()))
    before = sorted(os.listdir(files))
    arguments = ["-m", PACKAGE, *command(files, "model.json", "out.safetensors")]
    # A job in the background ignores SIGINT, and what it starts inherits that.
    program = f"""
import os, signal, sys
signal.signal({int(by)}, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
    run = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stderr=subprocess.PIPE, text=True
    )
    time.sleep(3)  # long enough to be drawing, and far from done
    assert run.poll() is None
    run.send_signal(by)
    _, error = run.communicate(timeout=30)
    assert run.returncode == 130
    assert "interrupted: nothing was written" in error
    assert sorted(os.listdir(files)) == before


def test_a_link_is_followed(files):
    (files / "link.safetensors").symlink_to(files / "target.safetensors")
    assert main(command(files, "model.json", "link.safetensors", "--quiet")) == 0
    assert (files / "link.safetensors").is_symlink()
    assert (files / "target.safetensors").exists()


@pytest.mark.parametrize(
    ("model", "recipe", "message"),
    [
        (None, "[" * 100_000, "recipe.json` must be JSON, got "),
        (None, '{"format": "recipe", "format": "recipe"}', "every key of an object must occur once"),
        (None, '{"format": "recipe", "version": 1, "rules": [{"scheme": {"name": "he_normal", "gain": 1%s}}]}' % ("0" * 400), "`gain` must be finite"),
        ([Parameter("__metadata__", (3,))], None, "`path` must not be '__metadata__'"),
        ([Parameter("w", (10**9, 10**9))], None, "error: "),
        ([Parameter("w", (4 * 10**21, 4))], None, "error: "),
    ],
)  # fmt: skip
def test_files_that_ask_for_trouble_are_errors_and_write_nothing(
    files, capsys, model, recipe, message
):
    if model is not None:
        (files / "model.json").write_text(json.dumps(model_to_data(model)))
    text = recipe or json.dumps(Recipe((Rule(normal(std=1.0)),)).to_data())
    (files / "recipe.json").write_text(text)
    assert main(command(files)) == 1
    assert message in capsys.readouterr().err
    assert not (files / "out.safetensors").exists()


def test_an_interrupt_after_writing_does_not_say_that_nothing_was(files, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("fanwise.Ledger.table", interrupt)
    assert main(command(files)) == 130
    assert capsys.readouterr().err.endswith("interrupted\n")
    assert (files / "out.safetensors").exists()


def test_a_dtype_that_cannot_hold_the_law_is_refused_with_the_path(files, capsys):
    (files / "recipe.json").write_text(json.dumps(Recipe((Rule(normal(std=1e5)),)).to_data()))
    assert main(command(files, "model.json", "out.safetensors", "--dtype", "float16")) == 1
    error = capsys.readouterr().err
    assert "`dtype` must hold values of 800000.0" in error
    assert "parameter: fc.weight" in error
