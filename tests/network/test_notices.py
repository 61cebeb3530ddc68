"""Which notice is in force for whom."""

from __future__ import annotations

from datetime import timedelta

import pytest

from conference_orchestrator.flows import directory
from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.network import notices
from conference_orchestrator.network.networks import Network
from conference_orchestrator.network.notices import Kind
from tests.house import HELPDESK, House, notice


def test_a_notice_is_in_force_from_its_instant_on_and_replaces_the_older(house: House, covid: Network) -> None:
    later = house.clock.at + timedelta(days=30)
    directory.publish_notice(notice("guide"), by=HELPDESK)
    directory.publish_notice(notice("guide", version="2026-12", body="New.", valid_from=later), by=HELPDESK)

    def versions(at: object) -> list[str]:
        return [n.notice_version for n in notices.valid(at=at, network_id=covid.id, kind="guide")]  # type: ignore[arg-type]

    assert versions(later - timedelta(seconds=1)) == ["2026-01"]
    assert versions(later) == ["2026-12"]


def test_a_reader_gets_the_own_language_before_english_before_any(house: House, covid: Network) -> None:
    directory.publish_notice(notice("guide", language="pl", title="pl"), by=HELPDESK)

    def title(language: str) -> str | None:
        found = notices.for_reader(Kind.GUIDE, network_id=covid.id, language=language, at=house.clock.at)
        return found.title if found else None

    assert title("de") == "pl", "the only one there is"
    directory.publish_notice(notice("guide", title="en"), by=HELPDESK)
    assert (title("pl"), title("de")) == ("pl", "en")


def test_the_networks_own_notice_comes_before_that_of_the_installation(house: House, covid: Network) -> None:
    directory.publish_notice(notice("guide", network=None, title="for all"), by=HELPDESK)
    directory.publish_notice(notice("guide", title="own"), by=HELPDESK)
    found = notices.for_reader(Kind.GUIDE, network_id=covid.id, language="en", at=house.clock.at)
    assert found is not None
    assert found.title == "own"


def test_a_groups_notice_is_not_the_networks(house: House, covid: Network) -> None:
    group = {"network": "covid", "code": "brain", "name": "B", "time_zone": "Europe/Berlin", "intake": "direct"}
    directory.add_group(group, by=HELPDESK)
    directory.publish_notice(notice("instructions", group="brain", version="1", valid_from=house.clock.at), by=HELPDESK)
    found = notices.for_reader(Kind.INSTRUCTIONS, network_id=covid.id, language="en", at=house.clock.at)
    assert found is not None
    assert found.group_id is None


def test_a_network_without_a_statement_takes_no_registration(house: House) -> None:
    bare = directory.add_network({"code": "bare", "name": "Bare"}, by=HELPDESK)
    with pytest.raises(Invalid, match="privacy_version"):
        notices.privacy_statement("1", network_id=bare.id, language="en", at=house.clock.at)
