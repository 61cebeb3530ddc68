"""A request that is corrected: what is entered whole at first is entered whole again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.conftest import Service, request_for


@pytest.mark.parametrize(
    ("image", "lacks"),
    [
        ({}, {"modality", "acquired_on", "image_count"}),
        ({"modality": "CT", "image_count": 3}, {"acquired_on"}),
        ({"acquired_on": "2026-11-01"}, {"modality", "image_count"}),
    ],
)
def test_an_image_is_complete_in_a_correction_too(service: Service, image: dict[str, Any], lacks: set[str]) -> None:
    path = f"/consultation-requests/{service.made('/consultation-requests', request_for(service))['id']}"
    before = service.get(path)
    answer = service.patch(path, {"imaging": [image]}, headers={"If-Match": before.headers["ETag"]})
    assert (answer.status_code, answer.json["errors"].keys()) == (422, {f"imaging.0.{name}" for name in lacks})
    assert service.get(path).json == before.json
    whole = {"modality": "CT", "acquired_on": "2026-11-02", "image_count": 3}
    answer = service.patch(path, {"imaging": [whole]}, headers={"If-Match": before.headers["ETag"]})
    assert (answer.status_code, answer.json["imaging"]) == (200, [whole])
