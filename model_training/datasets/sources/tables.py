"""Tables of labels as they come: comma-separated, with a header line."""

import csv
from collections.abc import Collection, Iterator
from pathlib import Path

from headct.errors import UnusableInputError


def rows_of(path: Path, columns: Collection[str] = ()) -> Iterator[dict[str, str]]:
    """Rows of a table, one at a time, values without surrounding blanks.

    Args:
        path: the table, UTF-8, with or without a byte order mark.
        columns: those that have to be there.

    Raises:
        UnusableInputError: no such file, or a column is missing.
    """
    try:
        file = path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise UnusableInputError(f"there is no {path}") from error
    with file:
        reader = csv.DictReader(file)
        try:
            if missing := sorted(set(columns) - set(reader.fieldnames or ())):
                raise UnusableInputError(f"{path} has no column {missing[0]}")
            for row in reader:
                yield {name: (value or "").strip() for name, value in row.items() if name is not None}
        except (UnicodeDecodeError, csv.Error) as error:
            raise UnusableInputError(f"{path} cannot be read as a table: {error}") from error
