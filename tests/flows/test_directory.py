"""The directory: who may keep what in it, and what it refuses."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from conference_orchestrator.flows import directory, joining
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Conflict, Invalid, NotFound, NotPermitted, Stale
from conference_orchestrator.kernel.principal import Principal, Role
from conference_orchestrator.network import expert_groups
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import ExpertGroup, Membership
from conference_orchestrator.network.networks import Network
from tests.house import HELPDESK, House, applicant, notice

CHECKLIST = [
    {"code": "pathology", "label": "Pathology report", "kind": "flag", "required": True},
    {"code": "mri-images", "label": "Number of images", "kind": "count", "required": True},
]


@pytest.fixture(autouse=True)
def network(covid: Network) -> Network:
    return covid


def group_entry(**changes: Any) -> dict[str, Any]:
    return {
        "network": "covid",
        "code": "brain-tumour",
        "name": "Brain Tumour",
        "contact_email": "brain@network.example",
        "time_zone": "Europe/Berlin",
        "intake": "pre-selection",
        "quorum": {"minimum": 3, "disciplines": ["neurosurgery"]},
        "checklist": CHECKLIST,
        "rules": {"lead_hours": None},
    } | changes


@pytest.fixture
def group() -> ExpertGroup:
    return directory.add_group(group_entry(), by=HELPDESK)


def coordinator(group: ExpertGroup) -> Principal:
    return Principal(role=Role.COORDINATOR, group_id=group.id)


class TestNetworksAndHospitals:
    def test_a_code_is_given_once(self) -> None:
        with pytest.raises(Conflict, match="covid"):
            directory.add_network({"code": "covid", "name": "Another"}, by=HELPDESK)
        with pytest.raises(Conflict, match="warsaw"):
            directory.add_hospital(
                {"code": "warsaw", "name": "B", "city": "B", "country": "PL", "time_zone": "Europe/Warsaw"},
                by=HELPDESK,
            )

    def test_a_helpdesk_of_one_network_makes_no_other(self, network: Network) -> None:
        with pytest.raises(NotPermitted):
            directory.add_network({"code": "x", "name": "X"}, by=Principal(role=Role.HELPDESK, network_id=network.id))

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"time_zone": "Mars/Olympus"}, "time_zone"),
            ({"networks": ["unknown"]}, "networks"),
            ({"country": "Portugal"}, "country"),
            ({"name": "St.\u2028Mary"}, "name"),
            ({"is_reference_centre": "yes"}, "is_reference_centre"),
            ({"owner": "me"}, "owner"),
            ({"code": "a b"}, "code"),
        ],
    )
    def test_wrong_input_names_its_field(self, wrong: dict[str, Any], field: str) -> None:
        entered = {"code": "lisbon", "name": "L", "city": "L", "country": "PT", "time_zone": "Europe/Lisbon"}
        with pytest.raises(Invalid) as refused:
            directory.add_hospital(entered | wrong, by=HELPDESK)
        assert field in refused.value.errors

    def test_an_answer_shows_the_networks_of_a_new_and_of_a_changed_hospital(self) -> None:
        entered = {"code": "lisbon", "name": "L", "city": "L", "country": "PT", "time_zone": "Europe/Lisbon"}
        made = directory.add_hospital(entered, by=HELPDESK)
        assert (made.networks, made.is_reference_centre, made.version) == ([], False, 1)
        changed = directory.change_hospital(made.id, {"networks": ["covid"]}, by=HELPDESK, expected=1)
        assert ([n.code for n in changed.networks], changed.version) == (["covid"], 2)

    def test_a_hospital_changed_meanwhile_is_stale(self) -> None:
        entered = {"code": "lisbon", "name": "L", "city": "L", "country": "PT", "time_zone": "Europe/Lisbon"}
        made = directory.add_hospital(entered, by=HELPDESK)
        directory.change_hospital(made.id, {"name": "M"}, by=HELPDESK, expected=1)
        with pytest.raises(Stale):
            directory.change_hospital(made.id, {"name": "N"}, by=HELPDESK, expected=1)

    def test_a_hospitals_new_name_stands_with_those_who_work_there(self) -> None:
        person = joining.enter(applicant(), by=HELPDESK)
        assert person.hospital_id is not None
        directory.change_hospital(person.hospital_id, {"name": "Nowy Szpital"}, by=HELPDESK)
        kept = db.session.execute(select(Clinician.hospital_name, Clinician.version)).one()
        assert tuple(kept) == ("Nowy Szpital", 2)

    def test_a_helpdesk_of_one_network_neither_sees_nor_drops_the_others(self, network: Network) -> None:
        other = directory.add_network({"code": "paedcan", "name": "ERN PaedCan"}, by=HELPDESK)
        entered = {"code": "lisbon", "name": "L", "city": "L", "country": "PT", "time_zone": "Europe/Lisbon"}
        made = directory.add_hospital(entered | {"networks": ["covid", "paedcan"]}, by=HELPDESK)
        own_desk = Principal(role=Role.HELPDESK, network_id=network.id)
        changed = directory.change_hospital(made.id, {"networks": []}, by=own_desk)
        assert [place.id for place in changed.networks] == [other.id]
        with pytest.raises(Invalid):
            directory.add_hospital(entered | {"code": "porto", "networks": ["paedcan"]}, by=own_desk)


class TestGroups:
    def test_a_group_is_kept_with_quorum_check_list_and_rules(self, group: ExpertGroup) -> None:
        assert (group.quorum_minimum, group.quorum_disciplines) == (3, ["neurosurgery"])
        assert [(item.code, item.kind) for item in group.checklist] == [("pathology", "flag"), ("mri-images", "count")]
        assert group.rules == {}

    def test_without_rules_all_are_off(self) -> None:
        made = directory.add_group(group_entry(rules=None, quorum=None, checklist=None), by=HELPDESK)
        assert (made.rules, made.quorum_minimum, made.checklist) == ({}, 0, [])

    def test_codes_of_groups_are_unique_in_the_installation(self, group: ExpertGroup) -> None:
        directory.add_network({"code": "paedcan", "name": "ERN PaedCan"}, by=HELPDESK)
        with pytest.raises(Conflict, match=group.code):
            directory.add_group(group_entry(network="paedcan"), by=HELPDESK)

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"network": "unknown"}, "network"),
            ({"intake": "whatever"}, "intake"),
            ({"quorum": {"minimum": -1}}, "quorum.minimum"),
            ({"quorum": {"maximum": 1}}, "quorum.maximum"),
            ({"rules": {"lead_hours": -1}}, "rules.lead_hours"),
            ({"rules": {"lead_hours": True}}, "rules.lead_hours"),
            ({"rules": {"lead_hours": float("nan")}}, "rules.lead_hours"),
            ({"rules": {"be_kind": 1}}, "rules.be_kind"),
            ({"rules": {"lead_hours": 8761}}, "rules.lead_hours"),
            ({"checklist": [CHECKLIST[0], CHECKLIST[0]]}, "checklist.1.code"),
            ({"checklist": [{"code": "x", "label": "X", "kind": "picture"}]}, "checklist.0.kind"),
            ({"checklist": "pathology"}, "checklist"),
            ({"checklist": [{"code": "consent", "label": "Consent", "kind": "flag"}]}, "checklist.0.code"),
            ({"contact_email": "nobody"}, "contact_email"),
        ],
    )
    def test_wrong_input_names_its_field_and_stores_nothing(
        self, house: House, wrong: dict[str, Any], field: str
    ) -> None:
        with pytest.raises(Invalid) as refused:
            directory.add_group(group_entry(**wrong), by=HELPDESK)
        assert field in refused.value.errors
        assert house.count(ExpertGroup) == 0

    def test_a_changed_check_list_is_a_new_version_and_keeps_the_items_that_stay(self, group: ExpertGroup) -> None:
        old = {item.code: item.id for item in group.checklist}
        wanted = [
            CHECKLIST[1] | {"label": "How many images"},
            {"code": "biopsied-on", "label": "Date of biopsy", "kind": "date"},
        ]
        changed = directory.change_group(group.id, {"checklist": wanted}, by=coordinator(group), expected=1)

        assert changed.version == 2
        assert [item.code for item in changed.checklist] == ["mri-images", "biopsied-on"]
        again = expert_groups.get(group.id, visible_to=HELPDESK)
        assert [(i.label, i.id == old.get(i.code)) for i in again.checklist] == [
            ("How many images", True),
            ("Date of biopsy", False),
        ]

    def test_a_change_that_changes_nothing_is_no_new_version(self, group: ExpertGroup) -> None:
        assert directory.change_group(group.id, {"checklist": CHECKLIST, "name": group.name}, by=HELPDESK).version == 1

    def test_a_part_of_quorum_or_rules_changes_alone(self, group: ExpertGroup) -> None:
        changed = directory.change_group(
            group.id, {"quorum": {"minimum": 5}, "rules": {"offer_hours": None}}, by=HELPDESK
        )
        assert (changed.quorum_minimum, changed.quorum_disciplines) == (5, ["neurosurgery"])

    def test_a_coordinator_changes_the_own_groups_check_list_and_nothing_else(self, group: ExpertGroup) -> None:
        with pytest.raises(NotPermitted):
            directory.change_group(group.id, {"name": "Mine"}, by=coordinator(group))
        other = directory.add_group(group_entry(code="ewing"), by=HELPDESK)
        with pytest.raises(NotFound):
            directory.change_group(other.id, {"checklist": []}, by=coordinator(group))

    def test_a_group_stays_in_its_network(self, group: ExpertGroup) -> None:
        directory.add_network({"code": "paedcan", "name": "ERN PaedCan"}, by=HELPDESK)
        with pytest.raises(Invalid, match="network"):
            directory.change_group(group.id, {"network": "paedcan"}, by=HELPDESK)


class TestMembers:
    def test_a_new_member_is_shown_and_the_invitations_are_looked_at(self, house: House, group: ExpertGroup) -> None:
        person = joining.enter(applicant(), by=HELPDESK)
        member = directory.add_member(
            group.id, person.email, role="expert", discipline="neurosurgery", by=coordinator(group)
        )
        assert (member.clinician.name, member.role, member.discipline) == (person.name, "expert", "neurosurgery")
        (task,) = [task for task in house.queue.tasks if task.kind == "refresh-group"]
        assert (task.payload, task.lock) == ({"group": str(group.id)}, f"group:{group.id}")

    def test_the_day_counts_on_the_wall_of_the_group(self, house: House, group: ExpertGroup) -> None:
        house.clock.at = house.clock.at.replace(hour=23, minute=30)
        person = joining.enter(applicant(), by=HELPDESK)
        member = directory.add_member(group.id, person.id, role="lead", by=HELPDESK)
        assert member.from_on.isoformat() == "2026-11-24"

    def test_a_member_is_taken_in_once_and_again_after_leaving(self, house: House, group: ExpertGroup) -> None:
        person = joining.enter(applicant(), by=HELPDESK)
        directory.add_member(group.id, person.id, role="expert", by=HELPDESK)
        with pytest.raises(Conflict):
            directory.add_member(group.id, person.id, role="lead", by=HELPDESK)
        directory.remove_member(group.id, person.id, by=HELPDESK)
        assert expert_groups.members(group.id) == []
        directory.add_member(group.id, person.id, role="lead", by=HELPDESK)
        assert house.count(Membership) == 2
        assert len(house.queue.of_kind("refresh-group")) == 3

    def test_who_is_no_member_cannot_leave(self, house: House, group: ExpertGroup) -> None:
        with pytest.raises(NotFound):
            directory.remove_member(group.id, uuid4(), by=HELPDESK)
        assert house.queue.of_kind("refresh-group") == []

    def test_somebody_of_another_network_is_as_unknown_as_nobody(self, group: ExpertGroup) -> None:
        directory.add_network({"code": "paedcan", "name": "ERN PaedCan"}, by=HELPDESK)
        stranger = joining.enter(applicant(network="paedcan", privacy_version=None), by=HELPDESK)
        said = []
        for reference in (stranger.email, "nobody@szpital.example"):
            with pytest.raises(Invalid) as refused:
                directory.add_member(group.id, reference, role="expert", by=coordinator(group))
            said.append(refused.value.detail.replace(reference, "..."))
        assert said[0] == said[1]

    def test_a_role_that_does_not_exist_names_its_field(self, group: ExpertGroup) -> None:
        with pytest.raises(Invalid, match="role"):
            directory.add_member(group.id, uuid4(), role="chief", by=HELPDESK)


class TestNotices:
    def test_a_changed_text_under_an_old_version_is_refused(self) -> None:
        with pytest.raises(Conflict, match="2026-01"):
            directory.publish_notice(notice("privacy", body="Another text."), by=HELPDESK)

    def test_the_same_text_again_is_the_same_notice(self) -> None:
        first = directory.publish_notice(notice("guide"), by=HELPDESK)
        assert directory.publish_notice(notice("guide", title="Better title"), by=HELPDESK).id == first.id

    def test_a_notice_of_a_group_belongs_to_its_network(self, group: ExpertGroup, network: Network) -> None:
        made = directory.publish_notice(notice("case-sheet", network=None, group="brain-tumour"), by=HELPDESK)
        assert (made.group_id, made.network_id) == (group.id, network.id)

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"body": None}, "body"),
            ({"link": "https://network.example/privacy"}, "body"),
            ({"body": None, "link": "javascript:alert(1)"}, "link"),
            ({"valid_from": "2026-01-01T00:00:00"}, "valid_from"),
            ({"kind": "advert"}, "kind"),
            ({"network": "unknown"}, "network"),
            ({"title": "a\rb"}, "title"),
        ],
    )
    def test_wrong_input_names_its_field(self, wrong: dict[str, Any], field: str) -> None:
        with pytest.raises(Invalid) as refused:
            directory.publish_notice(notice("guide") | wrong, by=HELPDESK)
        assert field in refused.value.errors

    def test_a_helpdesk_of_one_network_publishes_there_only(self, network: Network) -> None:
        own_desk = Principal(role=Role.HELPDESK, network_id=network.id)
        assert directory.publish_notice(notice("guide"), by=own_desk)
        with pytest.raises(Invalid, match="network"):
            directory.publish_notice(notice("guide", network=None), by=own_desk)
