"""What a group may ask for: its rules and the items of its check list, and how wrong ones are refused."""

from __future__ import annotations

from typing import Any

import pytest

from conference_orchestrator.flows import directory
from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.network import expert_groups
from conference_orchestrator.network.expert_groups import ExpertGroup
from tests.house import HELPDESK
from tests.scheduling.stage import Stage

RULES = {
    "lead_hours": 48,
    "cut_off_hours": 72.5,
    "open_requests_per_requester": 3,
    "hospital_share": 0.5,
    "reserve_slots": 1,
    "offer_hours": 24,
}
WITHIN_A_YEAR = "Must be a number of hours from 0 to 8760."
PART = "Must be a part of a session's slots: above 0 and at most 1, such as 0.5."
HELD = "Must be a number of hours above 0 and at most 720."
CHOICE = {"code": "stage", "label": "Stage", "kind": "choice", "options": ["localised", "metastatic"]}


def change(stage: Stage, **changes: Any) -> ExpertGroup:
    return directory.change_group(stage.group.id, changes, by=HELPDESK)


def kept(stage: Stage) -> ExpertGroup:
    return expert_groups.get(stage.group.id, visible_to=HELPDESK)


class TestRules:
    def test_every_rule_is_kept_as_it_was_said(self, stage: Stage) -> None:
        assert change(stage, rules=RULES).rules == RULES
        assert kept(stage).rules == RULES

    def test_a_change_of_one_rule_leaves_the_others(self, stage: Stage) -> None:
        change(stage, rules=RULES)
        assert change(stage, rules={"lead_hours": 24}).rules == RULES | {"lead_hours": 24}

    def test_null_switches_a_rule_off_and_it_is_shown_no_more(self, stage: Stage) -> None:
        change(stage, rules=RULES)
        changed = change(stage, rules={"hospital_share": None, "offer_hours": None})
        assert changed.rules == {
            name: limit for name, limit in RULES.items() if name not in {"hospital_share", "offer_hours"}
        }

    def test_the_same_rules_again_are_no_new_version(self, stage: Stage) -> None:
        version = change(stage, rules=RULES).version
        assert change(stage, rules={"lead_hours": 48}).version == version

    @pytest.mark.parametrize(
        ("rule", "limit"),
        [
            ("lead_hours", 0),
            ("lead_hours", 8760),
            ("cut_off_hours", 0.25),
            ("open_requests_per_requester", 1),
            ("hospital_share", 1),
            ("hospital_share", 0.01),
            ("reserve_slots", 0),
            ("reserve_slots", 49),
            ("offer_hours", 0.5),
            ("offer_hours", 720),
        ],
    )
    def test_the_ends_of_each_range_are_taken(self, stage: Stage, rule: str, limit: float) -> None:
        assert change(stage, rules={rule: limit}).rules == {rule: limit}

    @pytest.mark.parametrize(
        ("rule", "limit", "said"),
        [
            ("lead_hours", -1, WITHIN_A_YEAR),
            ("lead_hours", 8761, WITHIN_A_YEAR),
            ("lead_hours", True, WITHIN_A_YEAR),
            ("lead_hours", "48", WITHIN_A_YEAR),
            ("lead_hours", float("nan"), WITHIN_A_YEAR),
            ("cut_off_hours", float("inf"), WITHIN_A_YEAR),
            ("open_requests_per_requester", 0, "Must be a whole number from 1 to 1000000."),
            ("open_requests_per_requester", 1.5, "Must be a whole number from 1 to 1000000."),
            ("hospital_share", 0, PART),
            ("hospital_share", 50, PART),
            ("reserve_slots", 50, "Must be a whole number from 0 to 49."),
            ("reserve_slots", 0.5, "Must be a whole number from 0 to 49."),
            ("offer_hours", 0, HELD),
            ("offer_hours", 721, HELD),
            ("be_kind", 1, "Unknown field."),
        ],
    )
    def test_what_no_rule_can_be_is_refused_by_name_and_changes_nothing(
        self, stage: Stage, rule: str, limit: Any, said: str
    ) -> None:
        with pytest.raises(Invalid) as refused:
            change(stage, rules={rule: limit})
        assert refused.value.errors == {f"rules.{rule}": [said]}
        assert kept(stage).rules == {}


class TestChecklist:
    def test_a_choice_is_kept_with_its_options_and_labels(self, stage: Stage) -> None:
        entered = CHOICE | {"labels": {"de": "Stadium", "pt": "Estádio"}}
        change(stage, checklist=[entered])
        (item,) = kept(stage).checklist
        assert (item.kind, item.options, item.labels) == ("choice", entered["options"], entered["labels"])

    def test_an_item_of_another_kind_has_neither(self, stage: Stage) -> None:
        change(stage, checklist=[{"code": "slides", "label": "Slides", "kind": "file-reference"}])
        (item,) = kept(stage).checklist
        assert (item.options, item.labels, item.required) == ([], {}, True)

    def test_what_was_answered_can_be_sent_back_unchanged(self, stage: Stage) -> None:
        plain = {"code": "report", "label": "Report", "kind": "flag", "required": True, "options": [], "labels": {}}
        version = change(stage, checklist=[plain, CHOICE]).version
        assert change(stage, checklist=[plain, CHOICE | {"required": True, "labels": {}}]).version == version

    def test_a_further_option_or_label_is_a_change(self, stage: Stage) -> None:
        version = change(stage, checklist=[CHOICE]).version
        more = CHOICE | {"options": [*CHOICE["options"], "not known"]}
        assert change(stage, checklist=[more]).version == version + 1
        assert change(stage, checklist=[more | {"labels": {"de": "Stadium"}}]).version == version + 2

    @pytest.mark.parametrize(
        ("wrong", "field", "said"),
        [
            ({"options": []}, "options", "A choice needs 1 to 50 options."),
            ({"options": None}, "options", "A choice needs 1 to 50 options."),
            ({"options": ["a"] * 2}, "options", "Each option stands once."),
            ({"options": [str(n) for n in range(51)]}, "options", "Must have at most 50 items."),
            ({"options": ["a", "two\nlines"]}, "options.1", "Must be one line, without line breaks."),
            ({"options": "a"}, "options", "Must be a list."),
            ({"kind": "text"}, "options", "Only an item of the kind choice has options; leave them out."),
            ({"labels": ["Stadium"]}, "labels", 'Must be labels by language, such as {"de": "Histologie"}.'),
            ({"labels": {"DE": "x"}}, "labels.DE", "Must be a language of two letters such as de (ISO 639-1)."),
            ({"labels": {"de": ""}}, "labels.de", "Must have 1 to 300 characters."),
            ({"labels": {"de": None}}, "labels.de", "Missing data for required field."),
        ],
    )
    def test_what_no_item_can_be_is_refused_by_name(
        self, stage: Stage, wrong: dict[str, Any], field: str, said: str
    ) -> None:
        with pytest.raises(Invalid) as refused:
            change(stage, checklist=[{"code": "report", "label": "Report", "kind": "flag"}, CHOICE | wrong])
        assert refused.value.errors == {f"checklist.1.{field}": [said]}
