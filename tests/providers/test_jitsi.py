from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import jwt
import pytest

from conference_orchestrator.providers.base import MeetingRef, Person
from conference_orchestrator.providers.contract import ProviderContract
from conference_orchestrator.providers.errors import Invalid, NotFound
from conference_orchestrator.providers.jitsi import JitsiProvider, provider
from conference_orchestrator.providers.tokens import TokensInMemory
from conference_orchestrator.settings import Settings, SettingsError

URL, APP, SECRET = "https://meet.hospital.example", "conferences", "0123456789abcdef0123456789abcdef"
ADA = Person("Ada Łoś", "ada@clinic.example")


class TestJitsi(ProviderContract):
    @pytest.fixture
    def provider(self):
        return JitsiProvider(URL, APP, SECRET)


@pytest.fixture
def jitsi():
    return JitsiProvider(URL, APP, SECRET)


@pytest.fixture
def soon(spec):
    """A meeting that begins now and lasts an hour."""
    now = datetime.now(UTC)
    return spec(starts_at=now, ends_at=now + timedelta(hours=1))


def token_of(link):
    [token] = parse_qs(urlsplit(link).query)["jwt"]
    return token


def read(token, *, secret=SECRET, room=None, domain="meet.hospital.example"):
    """As Jitsi does, by another library than the one that signed: the signature, the hours, then who and where."""
    claims = jwt.decode(
        token, secret, algorithms=["HS256"], audience="jitsi", issuer=APP, options={"require": ["exp", "nbf", "room"]}
    )
    if claims["sub"] != domain or (room is not None and claims["room"] != room):
        raise jwt.InvalidTokenError
    return claims


def test_the_address_of_a_meeting_is_its_key_and_opens_nothing(jitsi, soon):
    assert jitsi.create(soon).join_url == f"{URL}/{soon.key}"


def test_a_token_opens_the_room_of_the_meeting(jitsi, soon):
    link = jitsi.join_link(jitsi.create(soon).ref, ADA, "attendee")
    assert urlsplit(link)[:3] == ("https", "meet.hospital.example", f"/{soon.key}")
    assert read(token_of(link), room=soon.key)["room"] == soon.key


def test_a_token_tells_the_person_and_the_role_in_every_way_that_servers_read(jitsi, soon):
    ref = jitsi.create(soon).ref
    said = {role: read(token_of(jitsi.join_link(ref, ADA, role)))["context"] for role in ("moderator", "attendee")}
    who = {"name": "Ada Łoś", "email": "ada@clinic.example"}
    assert said == {
        "moderator": {"user": {**who, "affiliation": "owner", "moderator": True, "lobby_bypass": True}},
        "attendee": {"user": {**who, "affiliation": "member", "moderator": False, "lobby_bypass": False}},
    }


def test_a_speaker_waits_in_the_lobby_too(jitsi, soon):
    user = read(token_of(jitsi.join_link(jitsi.create(soon).ref, ADA, "panellist")))["context"]["user"]
    assert (user["affiliation"], user["lobby_bypass"]) == ("member", False)


def test_a_token_is_good_for_the_hours_of_the_meeting(jitsi, spec):
    starts_at = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    meeting = jitsi.create(spec(starts_at=starts_at, ends_at=starts_at + timedelta(minutes=40)))
    token = token_of(jitsi.join_link(meeting.ref, ADA, "attendee"))
    claims = jwt.decode(token, options={"verify_signature": False})
    assert datetime.fromtimestamp(claims["nbf"], UTC) == starts_at - timedelta(hours=1)
    assert datetime.fromtimestamp(claims["exp"], UTC) == starts_at + timedelta(minutes=100)


def test_the_title_shows_instead_of_the_key_and_never_reaches_a_server_log(jitsi, spec, soon):
    link = jitsi.join_link(jitsi.create(spec(title='The "Łódź" #1 & more')).ref, ADA, "attendee")
    subject = urlsplit(link).fragment
    assert unquote(subject) == 'config.subject="The \\"\\u0141\\u00f3d\\u017a\\" #1 & more"'
    assert "more" not in link.partition("#")[0].partition("jwt=")[0]


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_token_with_a_changed_byte_is_refused(jitsi, soon, part):
    parts = token_of(jitsi.join_link(jitsi.create(soon).ref, ADA, "attendee")).split(".")
    parts[part] = parts[part][:5] + ("A" if parts[part][5] != "A" else "B") + parts[part][6:]
    with pytest.raises(jwt.InvalidTokenError):
        read(".".join(parts))


def test_a_token_of_another_secret_is_refused(soon):
    other = JitsiProvider(URL, APP, SECRET[::-1])
    with pytest.raises(jwt.InvalidSignatureError):
        read(token_of(other.join_link(other.create(soon).ref, ADA, "attendee")))


def test_a_token_opens_no_other_room_and_none_elsewhere(jitsi, soon):
    token = token_of(jitsi.join_link(jitsi.create(soon).ref, ADA, "attendee"))
    with pytest.raises(jwt.InvalidTokenError):
        read(token, room=f"{soon.key}0")
    with pytest.raises(jwt.InvalidTokenError):
        read(token, domain="meet.elsewhere.example")


@pytest.mark.parametrize(
    ("off", "error"), [(timedelta(days=-1), jwt.ExpiredSignatureError), (timedelta(days=1), jwt.ImmatureSignatureError)]
)
def test_a_token_is_refused_before_and_after_its_hours(jitsi, spec, off, error):
    starts_at = datetime.now(UTC) + off
    meeting = jitsi.create(spec(starts_at=starts_at, ends_at=starts_at + timedelta(hours=1)))
    with pytest.raises(error):
        read(token_of(jitsi.join_link(meeting.ref, ADA, "attendee")))


@pytest.mark.parametrize("wrong", [{"key": "co-1/../2"}, {"key": "CO-1"}, {"key": ""}, {"title": "two\nlines"}])
def test_a_key_that_would_be_another_address_is_refused(jitsi, spec, wrong):
    with pytest.raises(Invalid):
        jitsi.create(spec(**wrong))


@pytest.mark.parametrize("tampered", ["{id}x", "{id}.", "..%2f{id}", "{id}\n", "{id}#"])
def test_an_id_that_we_did_not_make_gets_no_token(jitsi, soon, tampered):
    ref = jitsi.create(soon).ref
    with pytest.raises(NotFound):
        jitsi.join_link(MeetingRef("jitsi", tampered.format(id=ref.id), None), ADA, "moderator")


def test_the_secret_is_in_no_text_of_the_adapter(jitsi):
    assert SECRET not in f"{jitsi!r} {jitsi}"


@pytest.mark.parametrize("setting", ["CO_JITSI_URL", "CO_JITSI_APP_ID", "CO_JITSI_SECRET"])
def test_each_setting_is_required_by_name(setting):
    given = {"jitsi_url": URL, "jitsi_app_id": APP, "jitsi_secret": SECRET}
    del given[setting.removeprefix("CO_").lower()]
    with pytest.raises(SettingsError, match=setting):
        provider(Settings(**given), TokensInMemory())


@pytest.mark.parametrize(
    ("wrong", "setting"),
    [
        ({"jitsi_url": "http://meet.hospital.example"}, "CO_JITSI_URL must begin with https"),
        ({"jitsi_secret": "x" * 31}, "CO_JITSI_SECRET must have at least 32 bytes"),
    ],
)
def test_settings_that_are_not_safe_are_refused_without_being_shown(wrong, setting):
    with pytest.raises(SettingsError, match=setting) as told:
        provider(
            Settings(**({"jitsi_url": URL, "jitsi_app_id": APP, "jitsi_secret": SECRET} | wrong)), TokensInMemory()
        )
    assert "xxx" not in str(told.value)


def test_a_jitsi_on_this_machine_may_be_tried_without_tls(soon):
    given = Settings(jitsi_url="http://127.0.0.1:8443", jitsi_app_id=APP, jitsi_secret=SECRET)
    jitsi = provider(given, TokensInMemory())
    assert jitsi.create(soon).join_url == f"http://127.0.0.1:8443/{soon.key}"
