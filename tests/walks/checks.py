"""What must hold after every step, asked of the file in plain SQL, without our models and our indexes."""

from __future__ import annotations

from tests.walks.world import World

HELD = "a.released_at IS NULL"
FIRM = f"{HELD} AND (a.offer IS NULL OR a.offer = 'accepted')"

ALWAYS = {
    "a slot is held by two": f"SELECT a.slot_id FROM allocation a WHERE {HELD} GROUP BY a.slot_id HAVING count(*) > 1",
    "a request holds two slots": (
        f"SELECT a.request_id FROM allocation a WHERE {HELD} GROUP BY a.request_id HAVING count(*) > 1"
    ),
    "a request is allocated without a slot": (
        "SELECT r.id FROM consultation_request r WHERE r.state = 'allocated'"
        f" AND NOT EXISTS (SELECT 1 FROM allocation a WHERE a.request_id = r.id AND {FIRM})"
    ),
    "a request is offered nothing": (
        "SELECT r.id FROM consultation_request r WHERE r.state = 'offered'"
        f" AND NOT EXISTS (SELECT 1 FROM allocation a WHERE a.request_id = r.id AND {HELD} AND a.offer = 'open')"
    ),
    "an offer is open to who is not offered a slot": (
        "SELECT r.id FROM allocation a JOIN consultation_request r ON r.id = a.request_id"
        f" WHERE {HELD} AND a.offer = 'open' AND r.state != 'offered'"
    ),
    "a slot is held by who has no right to it": (
        "SELECT r.id, r.state FROM allocation a JOIN consultation_request r ON r.id = a.request_id"
        f" WHERE {HELD} AND r.state NOT IN ('allocated', 'offered', 'discussed', 'closed')"
    ),
    "a slot that will not be is held": (
        "SELECT a.id FROM allocation a JOIN slot s ON s.id = a.slot_id JOIN session m ON m.id = s.session_id"
        f" WHERE {HELD} AND (s.withdrawn OR m.state = 'cancelled')"
    ),
    "who waits has no place": (
        "SELECT id FROM consultation_request WHERE state IN ('waiting', 'offered') AND waiting_since IS NULL"
    ),
    "two have one place": (
        "SELECT group_id, waiting_since FROM consultation_request WHERE state IN ('waiting', 'offered')"
        " GROUP BY group_id, waiting_since HAVING count(*) > 1"
    ),
    "a slot lies outside its session": (
        "SELECT s.id FROM slot s JOIN session m ON m.id = s.session_id WHERE NOT s.withdrawn"
        " AND m.state != 'cancelled' AND (s.starts_at < m.starts_at OR s.ends_at > m.ends_at)"
    ),
    "a session has two conferences": (
        "SELECT session_id FROM conference WHERE session_id IS NOT NULL GROUP BY session_id HAVING count(*) > 1"
    ),
    "a case has a session without a conference": (
        "SELECT m.id FROM allocation a JOIN slot s ON s.id = a.slot_id JOIN session m ON m.id = s.session_id"
        f" WHERE {FIRM} AND m.state = 'planned'"
        " AND NOT EXISTS (SELECT 1 FROM conference c WHERE c.session_id = m.id AND c.is_wanted)"
    ),
    "a host account holds two meetings": (
        "SELECT one.id FROM host_booking one JOIN host_booking other ON other.account_id = one.account_id"
        " AND other.seat = one.seat AND other.id > one.id"
        " AND other.starts_at < one.ends_at AND other.ends_at > one.starts_at"
    ),
}
ONE_QUESTION = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS ({statement})" for name, statement in ALWAYS.items())


def broken(world: World) -> list[str]:
    """What does not hold now."""
    return [name for (name,) in world.rows(ONE_QUESTION)]
