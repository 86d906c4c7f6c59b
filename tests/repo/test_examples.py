"""The examples in docstrings can be pasted into an empty interpreter: they import what they use."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import fanwise

PACKAGES = ("fanwise", "fanwise_jax", "fanwise_tf", "fanwise_torch")


def examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    for name in PACKAGES:
        package = importlib.import_module(name)
        infos = pkgutil.walk_packages(package.__path__, f"{name}.")
        for module_name in (name, *(info.name for info in infos)):
            if module_name.endswith(("__main__", "_compiled")):
                continue
            module = importlib.import_module(module_name)
            for test in finder.find(module, globs={"__name__": "__main__"}):
                if test.examples:
                    yield pytest.param(test, id=test.name)


@pytest.mark.parametrize("example", list(examples()))
@pytest.mark.global_generator  # those of `nn_init` draw from it
def test_an_example_stands_alone(example):
    found = doctest.DocTestRunner(verbose=False).run(example)
    assert found.failed == 0, example.name
    assert found.attempted


@pytest.mark.parametrize("package", [fanwise, importlib.import_module("fanwise.numpy")])
def test_public_functions_have_examples(package):
    for name in package.__all__:
        value = getattr(package, name)
        if inspect.isfunction(value):
            assert ">>>" in value.__doc__, name
