"""Every benchmark in turn, as `make bench` runs them."""

from __future__ import annotations

from benchmarks import p1_mailing, p2_last_slot, p3_year_of_rounds, p5_feed, p8_webinar
from benchmarks.report import end_in_order, table, write
from tests import postgres

end_in_order()
with postgres.server() as address:
    measured = [
        *p1_mailing.measure(address),
        *p2_last_slot.measure(address),
        *p3_year_of_rounds.measure(address),
        *p5_feed.measure(address),
        *p8_webinar.measure(),
    ]
print(table(measured))  # noqa: T201  - it is what the program is for
write(measured)
