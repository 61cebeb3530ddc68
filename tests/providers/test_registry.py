from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from conference_orchestrator.providers import registry
from conference_orchestrator.providers.bigbluebutton import BigBlueButtonProvider
from conference_orchestrator.providers.jitsi import JitsiProvider
from conference_orchestrator.providers.mock import MockProvider
from conference_orchestrator.providers.tokens import TokensInMemory
from conference_orchestrator.providers.webex import WebexProvider
from conference_orchestrator.settings import Settings, SettingsError

OURS = {
    "bigbluebutton": BigBlueButtonProvider,
    "jitsi": JitsiProvider,
    "mock": MockProvider,
    "webex": WebexProvider,
}
SETTINGS = Settings(
    webex_token="token",
    jitsi_url="https://meet.hospital.example",
    jitsi_app_id="conferences",
    jitsi_secret="0123456789abcdef0123456789abcdef",
    bigbluebutton_url="https://bbb.hospital.example/bigbluebutton/api/",
    bigbluebutton_secret="secret",
)


def test_our_own_adapters_are_installed_by_entry_point():
    assert set(OURS) <= set(registry.names())


@pytest.mark.parametrize(("name", "kind"), OURS.items(), ids=OURS)
def test_a_provider_is_loaded_by_the_name_that_its_references_carry(name, kind):
    provider = registry.load(name, SETTINGS, TokensInMemory())
    assert isinstance(provider, kind)
    assert provider.name == name


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(SettingsError, match=r"no provider 'jitsy'. Known: bigbluebutton, jitsi, mock, webex"):
        registry.load("jitsy", Settings(), TokensInMemory())


@pytest.mark.parametrize("name", sorted(OURS.keys() - {"mock"}))
def test_a_missing_setting_is_named_at_the_start(name):
    with pytest.raises(SettingsError, match=f"CO_{name.upper()}_"):
        registry.load(name, Settings(), TokensInMemory())


def test_an_adapter_of_another_package_needs_nothing_but_its_entry_point(monkeypatch):
    theirs = EntryPoint("theirs", "conference_orchestrator.providers.mock:provider", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda *, group: {registry.GROUP: [theirs]}[group])
    assert registry.names() == ("theirs",)
    assert isinstance(registry.load("theirs", Settings(), TokensInMemory()), MockProvider)


def test_without_any_entry_point_the_text_says_what_may_be_wrong(monkeypatch):
    monkeypatch.setattr(registry, "entry_points", lambda **_group: [])
    with pytest.raises(SettingsError, match="is the package installed"):
        registry.load("mock", Settings(), TokensInMemory())
