# /// script
# dependencies = ["nox>=2025.2.9"]
# ///
"""Sessions: what runs by default is what must pass; `nox -l` lists the rest."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.error_on_missing_interpreters = True

PYPROJECT = nox.project.load_toml("pyproject.toml")
CORE = "packages/core"
CONFORMANCE = "./conformance"  # a bare name is a distribution to pip
ADAPTERS = ("packages/torch_adapter", "packages/jax_adapter", "packages/tf_adapter")
BACKENDS = ("numpy", "torch", "jax", "tensorflow")
# Most modules of the frameworks are never imported: to compile them all takes a minute.
INSTALL = ("--no-compile", "--constraint", "constraints.txt")
PARALLEL = ("-n", "auto", "--maxprocesses=4")
BY_FILE = (*PARALLEL, "--dist=loadfile")  # what a file sets up is set up once


def provide(session: nox.Session, *packages: str, group: str | None = None) -> None:
    """Install packages and a dependency group, under the repository's constraints."""
    groups = nox.project.dependency_groups(PYPROJECT, group) if group else ()
    session.install(*INSTALL, *groups, *packages)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    provide(session, group="lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def typing(session: nox.Session) -> None:
    """Check types, strictly."""
    provide(session, CORE, *ADAPTERS, CONFORMANCE, group="typing")
    session.run(
        "mypy",
        *(f"{package}/src" for package in (CORE, *ADAPTERS, CONFORMANCE)),
        "noxfile.py",
        "examples",
        "docs/conf.py",
        "benchmarks",
        "tests/vendoring/run.py",
        "tests/vendoring/check.py",
        "tests/install/check_install.py",
    )


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests and doctests of the core, on four array libraries, and of the adapters."""
    _test(session)


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """Run the tests and doctests, and fail if they leave too much of the source unseen."""
    seen = Path(session.create_tmp()) / "coverage"
    seen.unlink(missing_ok=True)  # of an earlier run, to which this one would add
    session.env["COVERAGE_FILE"] = str(seen)
    _test(session, "--cov", "--cov-config=pyproject.toml", "--cov-report=", "--cov-append")
    session.run("coverage", "report")


def _test(session: nox.Session, *measured: str) -> None:
    packages = (CORE, *ADAPTERS, CONFORMANCE)
    editable = [word for package in packages for word in ("--editable", package)]
    provide(session, *editable, group="tests")
    whole = ("tests/repo", "tests/vendoring", "tests/install")
    paths = (f"{CORE}/tests/pure", f"{CORE}/tests/numeric", *whole)
    adapters = [f"{package}/tests" for package in ADAPTERS]
    every = () if session.posargs else ("--clauses",)
    session.run("pytest", *BY_FILE, *measured, *every, *paths, *adapters, *session.posargs)
    if not session.posargs:
        sources = [f"{package}/src" for package in (CORE, *ADAPTERS)]
        session.run("pytest", *BY_FILE, *measured, "--doctest-modules", *sources)


@nox.session
def vendoring(session: nox.Session) -> None:
    """Vendor the core into a pretend host, by the walk-through, without NumPy; test it there."""
    provide(session, group="bare")
    session.run("python", "tests/vendoring/run.py")
    # And, in the same place but with array libraries installed, the tests that draw.
    provide(session, group="vendored")
    host = Path(session.create_tmp()) / "host"
    shutil.rmtree(host, ignore_errors=True)
    shutil.copytree(f"{CORE}/src/fanwise", host / "hostlib/_vendor/initializers")
    check = Path(__file__).parent / "tests/vendoring/check.py"
    with session.chdir(host):
        arrays = "--arrays=numpy,array_api_strict"
        options = (*BY_FILE, arrays, *session.posargs)
        session.run("python", str(check), "hostlib._vendor.initializers", *options)


@nox.session
def suite(session: nox.Session) -> None:
    """Run the conformance suite's own tests, and a third party's backend by its entry point."""
    provide(session, CONFORMANCE, f"{CONFORMANCE}/example_backend", group="suite")
    ignored = f"--ignore={CONFORMANCE}/tests/browser"  # a session of its own
    session.run("pytest", *PARALLEL, f"{CONFORMANCE}/tests", ignored, *session.posargs)
    session.run(
        "python", "-m", "fanwise_conformance", "--backend", "example", "--level", "quick", "-q"
    )


@nox.session
def conformance(session: nox.Session) -> None:
    """Judge the backends: numpy, torch, jax and tensorflow, and each against the others.

    Arguments are the suite's: ``nox -s conformance -- --backend torch --level full -k law``.
    """
    provide(session, CORE, *ADAPTERS, CONFORMANCE, group="conformance")
    backends = [word for name in BACKENDS for word in ("--backend", name)]
    chosen = session.posargs or (*backends, "--level", "quick", "-q")
    session.run("python", "-m", "fanwise_conformance", *chosen)


@nox.session(default=False)
def natives(session: nox.Session) -> None:
    """Judge the frameworks' own initializers, whose failures are known, and show their defects.

    Arguments pick some, as ``nox -s natives -- torch mlx``. tinygrad needs clang, and timm the
    torchvision of its PyTorch.
    """
    provide(session, CONFORMANCE, group="natives")
    session.env["DEV"] = "CPU"  # tinygrad's
    of = {"torch": "torch.nn.init", "jax": "jax.nn.initializers"}
    names = session.posargs or ("torch", "jax", "keras", "flax", "mlx", "tinygrad")
    for name in names:
        backend = f"native:{of.get(name, name)}"
        session.run(
            "python", "-m", "fanwise_conformance", "--backend", backend, "--level", "quick", "-q"
        )
    session.run("python", f"{CONFORMANCE}/reproductions", *names)


@nox.session(default=False)
def browser(session: nox.Session) -> None:
    """Look at the HTML report and, once `docs` has built it, the site, in Chromium."""
    provide(session, CONFORMANCE, f"{CONFORMANCE}/example_backend", group="browser")
    session.run("pytest", f"{CONFORMANCE}/tests/browser", "tests/browser", *session.posargs)


@nox.session(default=False)
def mutants(session: nox.Session) -> None:
    """Print which check catches which broken backend; a survivor is a failure."""
    provide(session, CONFORMANCE, group="suite")
    session.env.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # a process for each core
    session.run("python", f"{CONFORMANCE}/tests/kill_table.py")


@nox.session(default=False)
def calibration(session: nox.Session) -> None:
    """Check over 2,000 seeds that p-values are uniform and effects found; draw the plot."""
    provide(session, CONFORMANCE, group="calibration")
    session.env.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # a process for each core
    arguments = session.posargs or ("2000", "docs/calibration.svg")
    session.run("python", f"{CONFORMANCE}/tests/calibration.py", *arguments)


@nox.session
def zoo(session: nox.Session) -> None:
    """Plan a sample of other people's models, as ``docs/zoo.md`` has them.

    ``nox -s zoo -- all`` plans all and writes the page; ``-- timm`` plans one library's models,
    ``-- timm resnet50`` a model.
    """
    chosen = [word for word in session.posargs if word != "all"]
    group = "zoo" if session.posargs else "zoo-sample"
    provide(session, CORE, *ADAPTERS, group=group)
    if session.posargs:
        session.run("python", "-m", "zoo", *chosen)
    else:
        session.run("pytest", *BY_FILE, "tests/zoo")


@nox.session
def docs(session: nox.Session) -> None:
    """Run the code of every README, page and example, and build the site into build/site."""
    provide(session, CORE, *ADAPTERS, CONFORMANCE, group="docs")
    session.run("pytest", *PARALLEL, "tests/docs", *session.posargs)
    strict = ("-W", "--keep-going", "--quiet")
    session.run("sphinx-build", *strict, "-c", "docs", "-d", "build/doctrees", ".", "build/site")


@nox.session
@nox.parametrize("package", (CORE, *ADAPTERS, CONFORMANCE))
def build(session: nox.Session, package: str) -> None:
    """Build what a README's command installs, install those wheels alone, and run the README."""
    readme = Path(package, "README.md")
    command = re.search(r"^python -m pip install (.+)$", readme.read_text(), re.M)
    assert command is not None
    requirements = shlex.split(command[1])
    tools = Path(session.create_tmp(), "tools")
    out = Path(session.create_tmp(), "dist")
    shutil.rmtree(out, ignore_errors=True)
    session.run("python", "-m", "venv", str(tools), silent=True)
    python = str(tools / ("Scripts" if os.name == "nt" else "bin") / "python")
    groups = nox.project.dependency_groups(PYPROJECT, "build")
    session.run(python, "-m", "pip", "install", "--quiet", *groups, external=True)
    for position, requirement in enumerate(requirements):
        folder, bracket, extras = requirement.partition("[")
        if not Path(folder).is_dir():
            continue
        own = out / str(position)
        session.run(
            *(python, "-m", "build", "--outdir", str(own), folder), silent=True, external=True
        )
        built = [str(path) for path in own.iterdir()]
        session.run(python, "-m", "twine", "check", "--strict", *built, external=True)
        (wheel,) = own.glob("*.whl")
        requirements[position] = f"{wheel}{bracket}{extras}"
    session.install(*INSTALL, *requirements)
    session.run("python", "tests/install/check_install.py", Path(package).name)
    session.install(*INSTALL, *nox.project.dependency_groups(PYPROJECT, "readme"))
    if package == "packages/jax_adapter":  # its README says which code needs Flax
        session.install(*INSTALL, "flax")
    session.run("pytest", "tests/docs", "-k", f"{readme}", "--verbose")


@nox.session(default=False)
def minimums(session: nox.Session) -> None:
    """Run the adapters' tests with the oldest releases that they are known to work with.

    An argument picks one: torch, jax or tf. Old releases of PyTorch come with CUDA: gigabytes.
    """
    for name in session.posargs or ("torch", "jax", "tf"):
        package = f"packages/{name}_adapter"
        oldest = nox.project.dependency_groups(PYPROJECT, f"minimum-{name}")
        session.install(*oldest, "--editable", CORE, "--editable", package)
        # Defects of the newest releases are not those of the oldest, which also warn of more; and
        # `torch.compile` of old ones cannot take a scheme for a constant.
        options = ("-m", "not newest", "-W", "ignore::DeprecationWarning")
        chosen = ("-k", "not compiled") if name == "torch" else ()
        session.run("pytest", f"{package}/tests", *options, *chosen)


@nox.session
def demo(session: nox.Session) -> None:
    """Initialize GPT-2 small and ResNet-50, print their ledgers, and read the files back."""
    provide(session, f"{CORE}[cli]")
    session.run("python", "examples/demo.py", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure draws, models, imports and calls against NumPy's and each framework's own."""
    provide(session, CORE, *ADAPTERS, group="bench")
    session.run("python", "benchmarks/draws.py")
    session.run("python", "benchmarks/adapters.py", *session.posargs)
