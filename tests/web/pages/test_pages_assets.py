"""The files of others are those that the list beside them says, and the wheel takes them along."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import conference_orchestrator

STATIC = Path(conference_orchestrator.__file__).parent / "web" / "static"
LISTED = re.compile(r"^\| `([^`]+)` \|.*`([0-9a-f]{64})` \|$", re.MULTILINE)


def test_every_vendored_file_has_the_sum_that_is_written_down():
    vendor = STATIC / "vendor"
    listed = dict(LISTED.findall((vendor / "README.md").read_text()))
    present = {
        str(path.relative_to(vendor)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in vendor.rglob("*")
        if path.is_file() and path.name != "README.md"
    }
    assert present == listed


def test_no_style_sheet_loads_anything_from_elsewhere():
    sheets = list(STATIC.rglob("*.css"))
    assert len(sheets) == 3
    for sheet in sheets:
        text = sheet.read_text()
        assert "@import" not in text
        assert [url for url in re.findall(r"url\(\s*[\"']?([^\"')]*)", text) if not url.startswith("data:")] == []


def test_our_own_scripts_name_no_other_host():
    scripts = list(STATIC.glob("*.js"))
    assert len(scripts) == 2
    assert [script.name for script in scripts if "://" in script.read_text()] == []
