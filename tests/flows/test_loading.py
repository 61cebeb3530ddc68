"""Loading an installation from TOML: whole or not at all, as often as wanted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import func, select

from conference_orchestrator.flows import directory, joining, loading
from conference_orchestrator.flows.importing import Report
from conference_orchestrator.kernel.database import Model, db
from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.kernel.times import wall
from conference_orchestrator.network import expert_groups, networks
from conference_orchestrator.network.clinicians import Clinician
from conference_orchestrator.network.expert_groups import ExpertGroup, Membership
from conference_orchestrator.network.hospitals import Hospital
from conference_orchestrator.network.networks import Network
from conference_orchestrator.scheduling.series import Series
from conference_orchestrator.scheduling.sessions import Session
from tests.house import HELPDESK, House

pytestmark = pytest.mark.usefixtures("house")

CONFIG = Path(__file__).parents[2] / "config"
Write = Callable[..., Path]

SMALL = """
[[networks]]
code = "paedcan"
name = "ERN PaedCan"
[[hospitals]]
code = "lisbon"
name = "Hospital"
city = "Lisboa"
country = "PT"
time_zone = "Europe/Lisbon"
networks = ["paedcan"]
[[clinicians]]
network = "paedcan"
given_name = "Inês"
family_name = "Gonçalves"
email = "ines@hospital.example"
hospital = "lisbon"
profession = "physician"
language = "pt"
share = ["email"]
[[groups]]
network = "paedcan"
code = "brain-tumour"
name = "Brain Tumour"
time_zone = "Europe/Berlin"
intake = "pre-selection"
[[groups.members]]
clinician = "ines@hospital.example"
role = "lead"
[[groups.series]]
rule = "FREQ=WEEKLY;BYDAY=TU"
starts_on = 2026-09-01
start_time = "11:00"
time_zone = "Europe/Berlin"
slots = 2
slot_minutes = 20
[[host_accounts]]
provider = "webex"
email = "host@paedcan.example"
"""


@pytest.fixture
def file(tmp_path: Path) -> Write:
    """Writes a file of that content and gives its path."""

    def write(content: str, *, without: str = "\0", instead: str = "") -> Path:
        path = tmp_path / "small.toml"
        path.write_text(content.replace(without, instead), encoding="utf-8")
        return path

    return write


def rows() -> dict[str, int]:
    """How many rows each table holds."""
    return {
        table.name: db.session.scalar(select(func.count()).select_from(table)) or 0
        for table in Model.metadata.sorted_tables
    }


class TestTheExamples:
    @pytest.mark.parametrize("name", ["paedcan.toml", "covid19-cmss.toml"])
    def test_a_second_load_changes_nothing(self, house: House, name: str) -> None:
        first = loading.load(CONFIG / name)
        before = rows()
        second = loading.load(CONFIG / name)
        assert (second.added, second.changed) == (0, 0)
        assert second.unchanged == first.added
        assert rows() == before
        assert house.messages() == []

    def test_both_fit_into_one_installation(self, house: House) -> None:
        loading.load(CONFIG / "paedcan.toml")
        loading.load(CONFIG / "covid19-cmss.toml")
        assert house.count(Network) == 2

    def test_brain_tumour_meets_every_tuesday_at_11_and_ewing_every_friday_at_1230(self) -> None:
        loading.load(CONFIG / "paedcan.toml")
        rounds = {}
        for group in db.session.scalars(select(ExpertGroup)):
            starts = db.session.scalars(
                select(Session.starts_at).where(Session.group_id == group.id).order_by(Session.starts_at)
            )
            rounds[group.code] = [wall(at, "Europe/Berlin") for at in starts]
        assert {(at.weekday(), f"{at:%H:%M}") for at in rounds["brain-tumour"]} == {(1, "11:00")}
        assert {(at.weekday(), f"{at:%H:%M}") for at in rounds["ewing"]} == {(4, "12:30")}
        assert rounds["rare-liver-tumours"] == []
        assert all((b - a).days == 7 for a, b in pairwise(rounds["brain-tumour"]))
        assert datetime(2027, 3, 30, 9, 0, tzinfo=UTC) in db.session.scalars(select(Session.starts_at)).all()

    def test_each_group_has_seven_members_in_several_countries_and_disciplines(self) -> None:
        loading.load(CONFIG / "paedcan.toml")
        for group in db.session.scalars(select(ExpertGroup)).all():
            members = expert_groups.members(group.id)
            assert len(members) == 7
            assert {"lead", "coordinator", "expert"} == {member.role for member in members}
            assert len({member.clinician.country for member in members}) >= 5
            assert set(group.quorum_disciplines) <= {member.discipline for member in members}

    def test_everybody_is_invented_and_names_have_their_letters(self) -> None:
        for name in ("paedcan.toml", "covid19-cmss.toml"):
            loading.load(CONFIG / name)
        people = db.session.scalars(select(Clinician)).all()
        assert all(person.email.endswith(".example") for person in people)
        assert set("äöüßéł") <= set("".join(person.name for person in people))

    def test_the_covid_network_brings_its_notices_and_defaults(self) -> None:
        loading.load(CONFIG / "covid19-cmss.toml")
        network = networks.find("covid19")
        assert network.web_conference == {"duration_minutes": 60, "language": "en", "expected_audience": 100}
        centres = select(func.count()).select_from(Hospital).where(Hospital.is_reference_centre)
        assert db.session.scalar(centres) == 4


class TestRepeating:
    def test_a_changed_value_is_changed_there(self, house: House, file: Write) -> None:
        loading.load(file(SMALL))
        changed = SMALL.replace('name = "Brain Tumour"', 'name = "Brain and Spine"').replace(
            'role = "lead"', 'role = "expert"'
        )
        assert loading.load(file(changed)) == Report(changed=2, unchanged=5)
        assert db.session.scalars(select(ExpertGroup.name)).one() == "Brain and Spine"
        assert db.session.scalars(select(Membership.role)).one() == "expert"
        assert len(house.queue.of_kind("refresh-group")) == 2

    def test_what_a_clinician_chose_to_share_is_not_overwritten(self, file: Write) -> None:
        loading.load(file(SMALL))
        person = db.session.scalars(select(Clinician)).one()
        joining.change(person.id, {"share": []}, by=HELPDESK)
        loading.load(file(SMALL))
        assert db.session.scalars(select(Clinician.share)).one() == []

    def test_a_round_is_told_by_its_group_its_rule_and_its_time(self, house: House, file: Write) -> None:
        loading.load(file(SMALL))
        assert loading.load(file(SMALL, without="starts_on = 2026-09-01", instead="starts_on = 2026-10-06")).added == 0
        assert loading.load(file(SMALL, without='"11:00"', instead='"14:00"')).added == 1
        assert house.count(Series) == 2

    def test_what_the_file_does_not_name_stays(self, house: House, file: Write) -> None:
        directory.add_network({"code": "other", "name": "Other"}, by=HELPDESK)
        loading.load(file(SMALL))
        assert house.count(Network) == 2


class TestBadInput:
    @pytest.mark.parametrize(
        ("good", "bad", "said"),
        [
            (
                'time_zone = "Europe/Lisbon"',
                'time_zone = "Europe/Atlantis"',
                "small.toml: hospitals[1] 'lisbon': time_zone",
            ),
            ('networks = ["paedcan"]', 'networks = ["x"]', "small.toml: hospitals[1] 'lisbon': networks"),
            (
                'hospital = "lisbon"',
                'hospital = "porto"',
                "small.toml: clinicians[1] 'ines@hospital.example': hospital",
            ),
            ('family_name = "Gonçalves"', 'family_name = "a\\nb"', ": family_name: Must be one line"),
            ('role = "lead"', 'role = "chief"', "groups[1] 'brain-tumour': members[1] 'ines@hospital.example': role"),
            (
                'clinician = "ines@hospital.example"',
                'clinician = "nobody@hospital.example"',
                "members[1] 'nobody@hospital.example': clinician: There is no clinician",
            ),
            ("slots = 2\n", "slots = 0\n", "series[1] 'FREQ=WEEKLY;BYDAY=TU': slots"),
            ("FREQ=WEEKLY;BYDAY=TU", "FREQ=SECONDLY", "series[1] 'FREQ=SECONDLY': rule"),
            ('start_time = "11:00"', 'start_time = "25:00"', ": start_time: Must be a time of day"),
            ('email = "host@paedcan.example"', 'email = "host"', "host_accounts[1] 'host': email"),
            ("[[host_accounts]]", "[[hosts]]", "Unknown table hosts"),
            ("[[networks]]", "[[networks]", "not TOML"),
        ],
    )
    def test_one_clear_line_names_file_table_and_field_and_nothing_is_stored(
        self, file: Write, good: str, bad: str, said: str
    ) -> None:
        with pytest.raises(Invalid) as refused:
            loading.load(file(SMALL, without=good, instead=bad))
        assert said in refused.value.detail
        assert "\n" not in refused.value.detail
        assert sum(rows().values()) == 0

    def test_a_table_that_is_no_list_is_one_clear_line(self, file: Write) -> None:
        with pytest.raises(Invalid, match=r"small\.toml: hospitals: Each entry stands under a heading of its own"):
            loading.load(file("[hospitals]\ncode = 'lisbon'"))

    def test_a_file_that_is_not_there_is_one_clear_line(self, tmp_path: Path) -> None:
        with pytest.raises(Invalid, match=r"none\.toml"):
            loading.load(tmp_path / "none.toml")

    def test_latin_1_is_one_clear_line(self, tmp_path: Path) -> None:
        path = tmp_path / "old.toml"
        path.write_bytes(SMALL.encode("latin-1"))
        with pytest.raises(Invalid, match=r"old\.toml.*UTF-8"):
            loading.load(path)
