"""Lists as CSV and XLSX. A cell that a spreadsheet would take for a formula is written as text."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from conference_orchestrator.flows.tables import defused

CSV = "text/csv"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ENDINGS = {CSV: "csv", XLSX: "xlsx"}
Rows = Sequence[Mapping[str, Any]]


def as_csv(columns: Sequence[str], rows: Rows) -> bytes:
    """UTF-8 with a byte-order mark, without which spreadsheets guess an encoding; lines end in CR LF (RFC 4180)."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows(_cells(columns, row) for row in rows)
    return out.getvalue().encode("utf-8-sig")


def as_xlsx(columns: Sequence[str], rows: Rows) -> bytes:
    """A workbook with one sheet."""
    from openpyxl import Workbook  # noqa: PLC0415  - slow to load, and a workbook is seldom asked for

    book = Workbook(write_only=True)
    sheet = book.create_sheet("list")
    sheet.append(list(columns))
    for row in rows:
        sheet.append(_cells(columns, row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _cells(columns: Sequence[str], row: Mapping[str, Any]) -> list[str]:
    return [defused(str(row[column] or "")) for column in columns]


WRITERS: dict[str, Callable[[Sequence[str], Rows], bytes]] = {CSV: as_csv, XLSX: as_xlsx}
