"""A plain HTTP client of the sandbox, and what it sends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import requests

AT = (datetime.now(UTC) + timedelta(days=2)).replace(second=0, microsecond=0)
HOST = "round@hosts.example"
ANN = {"email": "ann@clinic.example", "displayName": "Ann Bell"}
FORM = {"firstName": "Ann", "lastName": "Bell", "email": "ann@clinic.example", "sendEmail": False}


class Client:
    """A plain HTTP client with one token."""

    def __init__(self, sandbox, token="first-client"):
        self.url, self.headers = sandbox.url, {"Authorization": f"Bearer {token}"}

    def __call__(self, method, path="meetings", *, headers=None, **sent):
        return requests.request(method, self.url + path, headers=self.headers | (headers or {}), timeout=5, **sent)

    def create(self, **instead):
        return self("POST", json=body(**instead)).json()["id"]

    def ids(self, **query):
        return [item["id"] for item in self("GET", params=query).json()["items"]]

    def items(self, path, **query):
        return self("GET", path, params=query).json()["items"]

    def webinar(self, **instead):
        return self.create(**webinar(**instead))


def body(**instead):
    usual = {"title": "Round", "start": AT.isoformat(), "end": (AT + timedelta(hours=1)).isoformat()}
    return usual | {"hostEmail": HOST, "sendEmail": False} | instead


def webinar(**instead):
    return {"scheduledType": "webinar", "sessionTypeId": 169, "registration": {"autoAcceptRequest": True}} | instead
