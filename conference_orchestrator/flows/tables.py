"""Rows in CSV and XLSX files: read within bounds, their cells written so that none is taken for a formula."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

from conference_orchestrator.kernel.errors import Invalid

MOST_BYTES = 256 * 1024
# A small archive may unpack to gigabytes.
MOST_UNPACKED = 32 * 1024 * 1024
MOST_ROWS, MOST_COLUMNS = 10_000, 100

# The line on which a row begins, and its cells as they were written.
Row = tuple[int, list[str]]


def read(path: Path) -> tuple[list[str], Iterator[Row]]:
    """The header and the rows that are not empty. Invalid, naming the file, when it cannot be read as a table."""
    try:
        data = path.read_bytes() if path.stat().st_size <= MOST_BYTES else None
    except OSError as error:
        raise Invalid({path.name: f"The file cannot be read ({error.strerror})."}) from error
    if data is None:
        raise Invalid({path.name: f"The file is larger than {MOST_BYTES // 1024} KB; split it."})
    try:
        rows = list(_xlsx_rows(data) if path.suffix.lower() == ".xlsx" else _csv_rows(data))
    except Unreadable as error:
        raise Invalid({path.name: str(error)}) from error
    if not rows:
        raise Invalid({path.name: "The file is empty; its first line names the columns."})
    header = [name.strip() for name in rows[0][1]]
    while not header[-1]:
        # A spreadsheet writes columns that were in use once.
        header.pop()
    return header, iter(rows[1:])


class Unreadable(Exception):
    """Why the file is no table."""


def _csv_rows(data: bytes) -> Iterator[Row]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"Line {line} is not UTF-8; save the file as CSV UTF-8.") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    begins_at = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield begins_at, [undefused(cell) for cell in cells]
            begins_at = reader.line_num + 1
    except csv.Error as error:
        raise Unreadable(f"Line {begins_at} is not CSV: {error}.") from error


def _xlsx_rows(data: bytes) -> Iterator[Row]:
    # Slow to load, and the service itself reads no workbook.
    import openpyxl  # noqa: PLC0415
    from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
        if unpacked > MOST_UNPACKED:
            raise Unreadable("The workbook unpacks to more than a table of people can hold.")
        sheet = openpyxl.load_workbook(io.BytesIO(data), read_only=True).worksheets[0]
        # The size that the file claims to have may be wrong, and decides how much is read.
        sheet.reset_dimensions()
        listed = list(sheet.iter_rows(max_row=MOST_ROWS + 1, max_col=MOST_COLUMNS))
    except (zipfile.BadZipFile, InvalidFileException, KeyError, IndexError, ValueError, SyntaxError) as error:
        raise Unreadable("This is not an XLSX workbook.") from error
    if len(listed) > MOST_ROWS:
        raise Unreadable(f"The first sheet has more than {MOST_ROWS} rows.")
    for line, cells in enumerate(listed, start=1):
        if formula := next((cell for cell in cells if cell.data_type == "f"), None):
            raise Unreadable(f"Cell {formula.coordinate} holds a formula; enter its value.")
        written = [_as_written(cell.value) for cell in cells]
        if any(written):
            yield line, [undefused(text) for text in written]


def _as_written(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def defused(cell: str) -> str:
    """The cell with an apostrophe before what a spreadsheet would run as a formula."""
    return f"'{cell}" if re.match("'*[=+\\-@\t\r]", cell) else cell


def undefused(cell: str) -> str:
    """The cell without the apostrophe that `defused` put before it."""
    return cell[1:] if re.match("'+[=+\\-@\t\r]", cell) else cell
