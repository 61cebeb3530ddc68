"""Import and export: whole files or nothing, one line for each row that was refused."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from conference_orchestrator.flows import directory, importing, joining, tables
from conference_orchestrator.flows.importing import Report
from conference_orchestrator.kernel.database import db
from conference_orchestrator.kernel.errors import Invalid
from conference_orchestrator.network.clinicians import Clinician, ClinicianNetwork
from conference_orchestrator.network.expert_groups import ExpertGroup
from conference_orchestrator.network.hospitals import Hospital
from conference_orchestrator.network.networks import Network
from tests.house import HELPDESK, House, applicant

HOSPITALS = "code,name,city,country,time_zone,is_reference_centre,networks\n"
LISBON = "lisbon,Hospital São José,Lisboa,PT,Europe/Lisbon,yes,covid\n"
CLINICIANS = "network,given_name,family_name,email,phone,hospital,profession,specialties,language,time_zone,share\n"


@pytest.fixture(autouse=True)
def network(covid: Network) -> Network:
    return covid


@pytest.fixture
def file(tmp_path: Path) -> Any:
    """Writes a file of that content and gives its path."""

    def write(content: str | bytes, *, name: str = "people.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def clinician(**changes: str) -> str:
    cells = {
        "network": "covid",
        "given_name": "Zoë",
        "family_name": "Żółć",
        "email": "zoe@szpital.example",
        "phone": "+48 22 1",
        "hospital": "warsaw",
        "profession": "nurse",
        "specialties": "intensive care; dialysis",
        "language": "pl",
        "time_zone": "",
        "share": "email;phone",
    } | changes
    written = io.StringIO()
    csv.writer(written).writerow(cells.values())
    return written.getvalue()


class TestRows:
    def test_hospitals_are_added_then_left_alone_then_changed(self, file: Any) -> None:
        assert importing.import_file("hospitals", file(HOSPITALS + LISBON)) == Report(added=1)
        assert importing.import_file("hospitals", file(HOSPITALS + LISBON)) == Report(unchanged=1)
        renamed = LISBON.replace("São José", "São João")
        assert importing.import_file("hospitals", file(HOSPITALS + renamed)) == Report(changed=1)
        kept = db.session.scalars(select(Hospital).where(Hospital.code == "lisbon")).one()
        assert (kept.name, kept.is_reference_centre) == ("Hospital São João", True)

    def test_a_clinician_is_active_at_once_and_gets_no_mail(self, house: House, file: Any) -> None:
        assert importing.import_file("clinicians", file(CLINICIANS + clinician())) == Report(added=1)
        person = db.session.scalars(select(Clinician)).one()
        assert (person.specialties, person.share) == (["intensive care", "dialysis"], ["email", "phone"])
        assert (person.time_zone, person.hospital_name) == ("Europe/Warsaw", "Szpital Świętej Łucji")
        assert house.count(ClinicianNetwork) == 1
        assert house.messages() == []

    def test_a_known_clinician_is_never_overwritten(self, file: Any) -> None:
        importing.import_file("clinicians", file(CLINICIANS + clinician()))
        other = clinician(phone="+1 555") + clinician(email="new@szpital.example")
        report = importing.import_file("clinicians", file(CLINICIANS + other))
        assert [line.partition(":")[0] for line in report.refused] == ["line 2"]
        assert "email" in report.refused[0]
        assert db.session.scalars(select(Clinician.phone)).all() == ["+48 22 1"], "all or nothing"

    def test_the_same_clinician_in_a_second_network_joins_it(self, house: House, file: Any) -> None:
        directory.add_network({"code": "paedcan", "name": "ERN PaedCan"}, by=HELPDESK)
        both = CLINICIANS + clinician() + clinician(network="paedcan")
        assert importing.import_file("clinicians", file(both)) == Report(added=1, changed=1)
        assert importing.import_file("clinicians", file(both)) == Report(unchanged=2)
        assert (house.count(Clinician), house.count(ClinicianNetwork)) == (1, 2)

    def test_a_choice_to_share_less_survives_another_import(self, file: Any) -> None:
        importing.import_file("clinicians", file(CLINICIANS + clinician()))
        person = db.session.scalars(select(Clinician)).one()
        joining.change(person.id, {"share": []}, by=HELPDESK)
        assert importing.import_file("clinicians", file(CLINICIANS + clinician())) == Report(unchanged=1)
        assert db.session.scalars(select(Clinician.share)).all() == [[]]

    def test_groups_come_with_their_check_list(self, file: Any) -> None:
        quorum, checklist = '{"minimum": 2}', '[{"code": "mri", "label": "MRI", "kind": "date"}]'
        written = io.StringIO()
        columns = ["network", "code", "name", "time_zone", "intake", "quorum", "checklist"]
        csv.writer(written).writerows(
            [columns, ["covid", "brain", "Brain", "Europe/Berlin", "direct", quorum, checklist]]
        )
        path = file(written.getvalue())
        assert importing.import_file("groups", path) == Report(added=1)
        assert importing.import_file("groups", path) == Report(unchanged=1)
        group = db.session.scalars(select(ExpertGroup)).one()
        assert group.quorum_minimum == 2

    def test_one_wrong_row_keeps_the_others_out_and_each_is_told(self, house: House, file: Any) -> None:
        rows = (
            clinician()
            + clinician(email="no address")
            + clinician(email="b@szpital.example", time_zone="Europe/Atlantis", language="polish")
            + clinician(email="c@szpital.example", hospital="nowhere")
            + clinician(email="ZOE@szpital.example")
            + clinician(email="d@szpital.example", share="everything")
        )
        report = importing.import_file("clinicians", file(CLINICIANS + rows))
        assert [line.partition(":")[0] for line in report.refused] == [f"line {n}" for n in (3, 4, 5, 6, 7)]
        told = dict(line.split(": ", 1) for line in report.refused)
        assert told["line 3"].startswith("email: ")
        assert "time_zone: " in told["line 4"]
        assert "language: " in told["line 4"]
        assert told["line 5"] == "hospital: There is no hospital 'nowhere'."
        assert told["line 6"] == "zoe@szpital.example stands on line 2 already."
        assert "share" in told["line 7"]
        assert house.count(Clinician) == 0

    def test_a_line_break_in_a_cell_is_refused_and_the_lines_are_still_counted_right(self, file: Any) -> None:
        rows = clinician(family_name="two\nlines") + clinician(email="x")
        report = importing.import_file("clinicians", file(CLINICIANS + rows))
        assert report.refused[0] == "line 2: family_name: Must be one line, without line breaks."
        assert report.refused[1].startswith("line 4: email: ")

    def test_a_dry_run_tells_the_same_and_stores_nothing(self, house: House, file: Any) -> None:
        assert importing.import_file("clinicians", file(CLINICIANS + clinician()), dry_run=True) == Report(added=1)
        assert house.count(Clinician) == 0

    def test_a_row_with_too_many_cells_is_refused(self, file: Any) -> None:
        report = importing.import_file("hospitals", file(HOSPITALS + LISBON.strip() + ",more\n"))
        assert report.refused == ("line 2: row: Has 8 cells, the header has 7.",)


class TestFiles:
    def test_a_byte_order_mark_and_windows_line_ends_are_fine(self, file: Any) -> None:
        content = b"\xef\xbb\xbf" + (HOSPITALS + LISBON).replace("\n", "\r\n").encode()
        assert importing.import_file("hospitals", file(content)).added == 1

    def test_latin_1_is_told_with_its_line(self, house: House, file: Any) -> None:
        with pytest.raises(Invalid) as refused:
            importing.import_file("hospitals", file((HOSPITALS + LISBON).encode("latin-1"), name="old.csv"))
        assert refused.value.detail == "old.csv: Line 2 is not UTF-8; save the file as CSV UTF-8."
        assert house.count(Hospital) == 1

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("", "empty"),
            ("\n\n", "empty"),
            (HOSPITALS.replace("city", "town"), "Unknown column 'town'"),
            (HOSPITALS.replace(",time_zone", ""), "time_zone is missing"),
            (HOSPITALS.replace("networks", "code"), "twice"),
            (HOSPITALS + 'lisbon,"open quote', "not CSV"),
            (HOSPITALS + LISBON * 5000, "larger than 256 KB"),
        ],
    )
    def test_a_file_that_is_no_such_table_is_one_clear_line(self, file: Any, content: str, said: str) -> None:
        with pytest.raises(Invalid) as refused:
            importing.import_file("hospitals", file(content))
        assert said in refused.value.detail
        assert "\n" not in refused.value.detail

    def test_a_file_that_is_not_there_is_one_clear_line(self, tmp_path: Path) -> None:
        with pytest.raises(Invalid, match=r"none\.csv"):
            importing.import_file("hospitals", tmp_path / "none.csv")

    def test_an_unknown_kind_is_refused(self, file: Any) -> None:
        with pytest.raises(Invalid, match="hospitals, clinicians, groups"):
            importing.import_file("sessions", file(""))

    def test_a_workbook_is_read_like_a_csv_file(self, tmp_path: Path) -> None:
        book = openpyxl.Workbook()
        assert book.active is not None
        book.active.append([*HOSPITALS.strip().split(","), None])
        book.active.append(["lisbon", "Hospital São José", "Lisboa", "PT", "Europe/Lisbon", True, "covid"])
        book.active.append([None] * 7)
        book.active.append([77, "Hospital 77", "Évora", "PT", "Europe/Lisbon", None, None])
        path = tmp_path / "hospitals.xlsx"
        book.save(path)
        assert importing.import_file("hospitals", path) == Report(added=2)
        assert "77" in db.session.scalars(select(Hospital.code)).all()

    def test_a_formula_in_a_workbook_is_refused_by_its_cell(self, tmp_path: Path) -> None:
        book = openpyxl.Workbook()
        assert book.active is not None
        book.active.append(HOSPITALS.strip().split(","))
        book.active.append(["lisbon", '=HYPERLINK("https://x.example")', "Lisboa", "PT", "Europe/Lisbon"])
        path = tmp_path / "hospitals.xlsx"
        book.save(path)
        with pytest.raises(Invalid, match="Cell B2"):
            importing.import_file("hospitals", path)

    def test_something_else_called_xlsx_is_refused(self, file: Any) -> None:
        with pytest.raises(Invalid, match="not an XLSX workbook"):
            importing.import_file("hospitals", file(HOSPITALS, name="hospitals.xlsx"))

    @settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(content=st.binary(max_size=400))
    def test_any_bytes_are_either_a_report_or_one_clear_line(self, file: Any, content: bytes) -> None:
        said = []
        try:
            said += importing.import_file("hospitals", file(HOSPITALS.encode() + content), dry_run=True).refused
        except Invalid as refused:
            said.append(refused.detail)
        assert all(line.startswith(("line ", "people.csv: ")) and "\n" not in line for line in said)


class TestExport:
    def test_what_is_exported_is_imported_without_a_change(self, file: Any) -> None:
        importing.import_file("hospitals", file(HOSPITALS + LISBON))
        importing.import_file("clinicians", file(CLINICIANS + clinician() + clinician(email="a@b.example", phone="")))
        directory.add_group(
            {
                "network": "covid",
                "code": "brain",
                "name": "Brain",
                "time_zone": "Europe/Berlin",
                "intake": "direct",
                "quorum": {"minimum": 1, "disciplines": ["neurosurgery"]},
                "checklist": [{"code": "mri", "label": 'MRI; "axial", cut', "kind": "count", "required": False}],
                "rules": {},
            },
            by=HELPDESK,
        )
        for kind, rows in (("hospitals", 2), ("clinicians", 2), ("groups", 1)):
            path = file(importing.export_csv(kind))
            assert importing.import_file(kind, path) == Report(unchanged=rows), path.read_text()

    def test_no_cell_of_an_export_begins_like_a_formula(self) -> None:
        joining.enter(applicant(family_name="=cmd|' /C calc'!A0", profession="@SUM(1)", phone="+48 1"), by=HELPDESK)
        cells = [cell for row in importing.export_rows("clinicians") for cell in row]
        assert "'=cmd|' /C calc'!A0" in cells
        assert "'+48 1" in cells
        assert not [cell for cell in cells if cell[:1] in set("=+-@\t\r")]

    @given(cell=st.text(alphabet="'=+-@\t\rab", max_size=6))
    def test_a_defused_cell_is_harmless_and_comes_back_as_it_was(self, cell: str) -> None:
        assert tables.defused(cell)[:1] not in set("=+-@\t\r")
        assert tables.undefused(tables.defused(cell)) == cell
