"""The world in which the walks are, made once, and put back to its beginning for each of them."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.walks import beginning
from tests.walks.world import Beginning, World, build, close


@pytest.fixture(scope="session")
def begun(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Beginning:
    folder = tmp_path_factory.mktemp("walks")
    made = build(Path(shutil.copy(migrated_file, folder / "filling.db")))
    return beginning.begin(made, folder / "beginning.db")


@pytest.fixture
def world(begun: Beginning, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The world at its beginning. Its ids are drawn anew from one seed, so that a walk can be repeated."""
    made = build(tmp_path / "walk.db")

    def drawn(size: int) -> bytes:
        return made.ids.randbytes(size)

    monkeypatch.setattr(uuid, "os", SimpleNamespace(urandom=drawn))
    begun.restore(made)
    yield made
    close(made)
