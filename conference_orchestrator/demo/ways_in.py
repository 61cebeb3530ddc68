"""One way in for each role: bearer tokens, made anew at each start so that none needs to be kept."""

from __future__ import annotations

from conference_orchestrator.demo.client import Client, Json

# A role, and what it is limited to, if to anything.
HELPDESK = ("helpdesk",)
BRAIN_TUMOUR = ("coordinator", "group", "brain-tumour")
EWING = ("coordinator", "group", "ewing")
LISBON = ("reference-centre", "hospital", "lisbon-santa-luzia")
PORTO = ("reference-centre", "hospital", "porto-atlantico")
CLINICIAN = ("clinician", "clinician", "ruta.zukauskiene@azuolas.example")
AUDITOR = ("auditor",)

ALL = (HELPDESK, BRAIN_TUMOUR, EWING, LISBON, PORTO, CLINICIAN, AUDITOR)
FIRST = "demo-first"

WaysIn = dict[tuple[str, ...], Client]


def opened(first: Client) -> WaysIn:
    """A client for each way in, made by the helpdesk's first one; the tokens of earlier starts end with this."""
    old = [token["id"] for token in first.listed("/tokens") if not token["revoked_at"] and _is_ours(token)]
    ways: WaysIn = {way: Client(first.address, _token(first, *way)) for way in ALL}
    for token_id in old:  # the first one among them
        ways[HELPDESK].delete(f"/tokens/{token_id}")
    return ways


def _token(first: Client, role: str, *limit: str) -> str:
    scope = {limit[0]: limit[1]} if limit else {}
    made = first.post("/tokens", {"role": role, "name": f"demo-{'-'.join((role, *limit[1:]))}", **scope})
    return str(made["token"])


def _is_ours(token: Json) -> bool:
    return str(token["name"]).startswith("demo-")
