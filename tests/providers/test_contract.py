"""What of the shipped contract does not apply to our adapters, so that nothing is left out by mistake; Webex apart."""

from __future__ import annotations

from conference_orchestrator.providers import bigbluebutton, jitsi, mock
from conference_orchestrator.providers.contract import left_out
from tests.providers import test_bigbluebutton, test_jitsi, test_mock

KEEPS, KEEPS_NOT = "the provider keeps its meetings", "the provider keeps no meetings"
FINDS_NOT, ONE = "meetings cannot be found by their key", "creating twice makes one meeting"
EVENTS_NOT, INVITEES_NOT = "the provider sends no events", "the provider is not told who comes"
ATTENDANCE_NOT, FOR_ALL = "the provider does not tell who was there", "the meeting's own link is for everybody"
WITHOUT = "the test has no fixture `{}`"

NO_EVENTS = {
    "test_an_event_is_the_same_when_it_is_sent_again": f"{EVENTS_NOT}; {WITHOUT.format('signed_event')}",
    "test_an_event_with_a_changed_byte_is_refused": f"{EVENTS_NOT}; {WITHOUT.format('signed_event')}",
    "test_an_event_without_a_signature_is_refused": EVENTS_NOT,
}
NOT_KEPT = {
    "test_before_people_come_there_is_nothing": KEEPS,
    "test_created_again_at_another_time_it_keeps_its_address": KEEPS,
}
ROOMS = NO_EVENTS | {
    "test_a_change_beyond_a_limit_changes_nothing": KEEPS_NOT,
    "test_a_change_of_nothing_changes_nothing": KEEPS_NOT,
    "test_a_meeting_is_cancelled_once": KEEPS_NOT,
    "test_a_meeting_is_read_by_its_reference": KEEPS_NOT,
    "test_a_meeting_moves_and_the_rest_stays": KEEPS_NOT,
    "test_a_title_changes_and_the_rest_stays": KEEPS_NOT,
    "test_a_webinar_is_made": "the provider makes no webinars",
    "test_all_meetings_of_a_key_are_found_two_months_ahead": FINDS_NOT,
    "test_all_meetings_with_a_key_of_ours_are_listed_and_no_others": FINDS_NOT,
    "test_creating_twice_with_one_key_makes_two_meetings": ONE,
    "test_meetings_on_the_third_page_are_found": f"{FINDS_NOT}; {ONE}; {WITHOUT.format('small_pages')}",
    "test_only_meetings_of_the_right_host_are_found": FINDS_NOT,
    "test_only_the_exact_key_is_found": FINDS_NOT,
    "test_people_are_made_known_and_twice_is_no_error": INVITEES_NOT,
    "test_the_provider_mails_nobody": f"{KEEPS_NOT}; {WITHOUT.format('mails')}",
    "test_who_was_at_a_coming_meeting_is_not_known_yet": ATTENDANCE_NOT,
}


def test_the_mock_passes_all_but_what_a_memory_cannot_do():
    assert left_out(test_mock.TestMock, mock.CAPABILITIES) == NO_EVENTS | NOT_KEPT | {
        "test_creating_twice_with_one_key_makes_two_meetings": ONE,
        "test_each_person_and_role_has_a_link_of_its_own": FOR_ALL,
        "test_meetings_on_the_third_page_are_found": f"{ONE}; {WITHOUT.format('small_pages')}",
        "test_people_are_made_known_and_twice_is_no_error": INVITEES_NOT,
        "test_the_provider_mails_nobody": WITHOUT.format("mails"),
        "test_who_was_at_a_coming_meeting_is_not_known_yet": ATTENDANCE_NOT,
    }


def test_jitsi_passes_all_that_a_provider_of_rooms_can():
    assert left_out(test_jitsi.TestJitsi, jitsi.CAPABILITIES) == ROOMS


def test_bigbluebutton_passes_all_that_a_provider_of_rooms_can():
    assert left_out(test_bigbluebutton.TestBigBlueButton, bigbluebutton.CAPABILITIES) == ROOMS
