import pytest
from hypothesis import given
from hypothesis import strategies as st

from conference_orchestrator.kernel.text import nfc, one_line_problem, prose


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("a\nb", "line breaks"),
        ("a\rb", "line breaks"),
        ("a\u2028b", "line breaks"),
        ("a\u2029b", "line breaks"),
        ("a\x85b", "line breaks"),
        ("a\x00b", "control"),
        ("a\x7fb", "control"),
        ("a\tb", "control"),
        ("a\ud800b", "control"),
        ("a\u202eb", "direction"),
        ("a\u2066b", "direction"),
        ("a\u200fb", "direction"),
        ("=?utf-8?q?a=0AX-B:_1?=", "encoded words"),
        ("see =?utf-8?b?YQ==?= there", "encoded words"),
    ],
)
def test_a_one_line_text_refuses_what_breaks_headers_or_deceives(value, said):
    assert said in (one_line_problem(value) or "")


@pytest.mark.parametrize(
    "value", ["Brain Tumour", 'Ávila, Inês; "Zé" \\ O\'Neill', "你好", "1 =? 2", "a?=b", "=?=", "👩🏽‍⚕️", ""]
)
def test_a_one_line_text_takes_ordinary_writing(value):
    assert one_line_problem(value) is None


@given(st.text())
def test_a_text_without_a_problem_is_one_line_to_every_splitter(value):
    if one_line_problem(value) is None:
        assert len(nfc(value).splitlines()) <= 1


def test_a_letter_with_its_accent_apart_is_stored_as_one():
    assert nfc("Ine\u0302s") == "Inês"


def test_prose_keeps_its_lines_and_loses_its_control_characters():
    assert prose("a\r\nb\rc\u2028d\x07\te\ud800") == "a\nb\nc\nd\te"
