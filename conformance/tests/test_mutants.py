"""The catalogue of mutants; the kill table itself is a session: ``nox -s mutants``."""

import sys
from pathlib import Path

import pytest
from fanwise_conformance import CHECKS, EFFORTS, Subject, examine, plan

sys.path.insert(0, str(Path(__file__).parent))

from kill_table import caught_by, faults  # beside this file
from mutants import MUTANTS, Reference  # beside this file


def test_there_are_at_least_sixty_and_each_names_a_check():
    assert len(MUTANTS) >= 60
    assert {mutant.caught_by for mutant in MUTANTS.values()} <= set(CHECKS)
    assert all(mutant.origin for mutant in MUTANTS.values())


def test_the_reference_passes_every_check_of_its_schemes():
    subject = Subject(Reference())
    run = plan([subject], EFFORTS["quick"])
    cheap = [item for item in run.items if item.check.level in ("exact", "stream", "errors")]
    assert {examine(item, run).status for item in cheap} == {"passed"}


class WithoutStacks:
    """What a backend draws, matrix by matrix."""

    def __init__(self, backend):
        self.backend = backend
        self.features = backend.features | {"stacks": False}

    def __getattr__(self, name):
        return getattr(self.backend, name)


def haar(backend):
    subject = Subject(WithoutStacks(backend))
    run = plan([subject], EFFORTS["quick"])
    return {examine(item, run).status for item in run.items if item.check.id == "law/haar"}


def test_matrices_that_are_drawn_one_by_one_are_judged_alike():
    assert haar(Reference()) == {"passed"}
    assert "failed" in haar(MUTANTS["no signs after the decomposition"].make())


@pytest.mark.parametrize(
    "name", ["a constant seed", "errors that name nothing", "the identity has a bias"]
)
def test_a_mutant_is_caught(name):
    assert MUTANTS[name].caught_by in caught_by(MUTANTS[name])


def test_the_table_sees_survivors_and_checks_without_a_mutant():
    table = {name: {mutant.caught_by} for name, mutant in MUTANTS.items()}
    assert not any("must be caught" in fault for fault in faults(table))
    survived = table | {"a constant seed": set()}
    assert any("'a constant seed' must be caught by" in fault for fault in faults(survived))
    everywhere = {name: {"exact/fans", mutant.caught_by} for name, mutant in MUTANTS.items()}
    assert any("law/dirac must catch a mutant" in fault for fault in faults(everywhere))
