"""The API under /api/v1: one module per resource, its routes and schemas side by side."""

from conference_orchestrator.web.api.absences import absences_api
from conference_orchestrator.web.api.addresses import addresses_api
from conference_orchestrator.web.api.attendance import attendance_api
from conference_orchestrator.web.api.audit import audit_api
from conference_orchestrator.web.api.clinicians import clinicians_api
from conference_orchestrator.web.api.conferences import conferences_api
from conference_orchestrator.web.api.contact import contact_api
from conference_orchestrator.web.api.deliveries import deliveries_api
from conference_orchestrator.web.api.feeds import feeds_api
from conference_orchestrator.web.api.findings import findings_api
from conference_orchestrator.web.api.groups import groups_api
from conference_orchestrator.web.api.hospitals import hospitals_api
from conference_orchestrator.web.api.hosts import hosts_api
from conference_orchestrator.web.api.inbound import inbound_api
from conference_orchestrator.web.api.networks import networks_api
from conference_orchestrator.web.api.notices import notices_api
from conference_orchestrator.web.api.offers import offers_api
from conference_orchestrator.web.api.registrations import registrations_api
from conference_orchestrator.web.api.replans import replans_api
from conference_orchestrator.web.api.requests import requests_api
from conference_orchestrator.web.api.rosters import rosters_api
from conference_orchestrator.web.api.series import series_api
from conference_orchestrator.web.api.series_exceptions import exceptions_api
from conference_orchestrator.web.api.sessions import sessions_api
from conference_orchestrator.web.api.suppressions import suppressions_api
from conference_orchestrator.web.api.tokens import tokens_api
from conference_orchestrator.web.api.webinars import webinars_api

RESOURCES = (
    networks_api,
    hospitals_api,
    registrations_api,
    clinicians_api,
    addresses_api,
    notices_api,
    groups_api,
    series_api,
    exceptions_api,
    sessions_api,
    rosters_api,
    absences_api,
    requests_api,
    offers_api,
    replans_api,
    webinars_api,
    conferences_api,
    findings_api,
    attendance_api,
    deliveries_api,
    inbound_api,
    contact_api,
    suppressions_api,
    feeds_api,
    hosts_api,
    tokens_api,
    audit_api,
)
