from __future__ import annotations

import pytest

from conference_orchestrator.providers import errors

CLASSES = errors.ProviderError.__subclasses__()


def test_only_an_ambiguous_create_may_have_made_a_meeting():
    assert [kind for kind in CLASSES if kind.maybe_applied] == [errors.Ambiguous]


def test_these_calls_may_simply_be_repeated():
    assert {kind for kind in CLASSES if kind.repeatable} == {errors.RateLimited, errors.Unreachable, errors.Transient}


def test_the_text_tells_what_the_provider_s_support_asks_for():
    error = errors.Transient("bad gateway", provider="webex", operation="get", status=502, tracking_id="T-1")
    assert str(error) == "webex get: bad gateway (status 502, tracking id T-1)"


@pytest.mark.parametrize("field", ["code", "tracking_id"])
def test_what_the_provider_says_is_one_short_line(field):
    error = errors.Invalid("x\ny" * 9999, provider="webex", operation="get", **{field: "a\r\nb" * 9999})
    for text in (error.message, getattr(error, field)):
        assert text.isprintable()
        assert len(text) <= 300
