"""What the readers are installed from is fixed: exact versions, each with its checksum, and no place to fetch from."""

from __future__ import annotations

import json
import re

from tests.readers.reading import HERE

LOCK = json.loads((HERE / "package-lock.json").read_text())


def test_every_package_is_named_by_version_and_checksum_alone() -> None:
    packages = {name: package for name, package in LOCK["packages"].items() if name}
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert [name for name, package in packages.items() if "resolved" in package] == []


def test_what_we_ask_for_is_asked_for_exactly_and_locked_so() -> None:
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    assert {name: LOCK["packages"][f"node_modules/{name}"]["version"] for name in wanted} == wanted
