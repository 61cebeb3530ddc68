"""Every benchmark in turn, as `make bench` runs them."""

from __future__ import annotations

from benchmarks import p2_last_slot, p3_year_of_rounds
from benchmarks.report import end_in_order, table, write
from tests import postgres

end_in_order()
with postgres.server() as address:
    measured = [*p2_last_slot.measure(address), *p3_year_of_rounds.measure(address)]
print(table(measured))  # noqa: T201  - it is what the program is for
write(measured)
