"""Columns of a recorded Parquet file as arrays; a file that is not what it should be is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from core.errors import InputError

Columns = dict[str, NDArray[Any]]


def read_columns(file: Path, names: tuple[str, ...], *, may_be_empty: tuple[str, ...] = ()) -> Columns:
    """Read columns of a file.

    Parameters
    ----------
    file
        A Parquet file.
    names
        Columns that are wanted.
    may_be_empty
        Those of them that may hold empty cells. They come as they are stored: NaN, or None.

    Raises
    ------
    InputError
        If the file or a column is not there, a cell is empty that may not be, or there is no row.
    """
    try:
        with pq.ParquetFile(file) as parquet:
            missing = sorted(set(names) - set(parquet.schema_arrow.names))
            table = None if missing else parquet.read(columns=list(names))
    except FileNotFoundError:
        raise InputError(f"{file.name} is missing from {file.parent}; fetch it", path=str(file)) from None
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{file.name} cannot be read as Parquet ({error}); fetch it again", path=str(file)
        ) from None
    if table is None:
        raise InputError(
            f"{file.name} lacks the column(s) {', '.join(missing)}; fetch the file again", path=str(file)
        )
    holed = [name for name in names if name not in may_be_empty and table.column(name).null_count]
    if holed or not table.num_rows:
        raise InputError(
            f"{file.name} has no rows, or empty cells in {', '.join(holed)}; fetch the file again",
            path=str(file),
        )
    return {name: table.column(name).to_numpy() for name in names}


def one_file(root: Path, pattern: str) -> Path:
    """Return the first file of a folder, by name, that fits a pattern.

    Raises
    ------
    InputError
        If there is none.
    """
    found = sorted(root.glob(pattern))
    if not found:
        raise InputError(f"no {pattern} in {root}; fetch it", path=str(root))
    return found[0]


def float_units(strings: NDArray[Any], unit: float) -> NDArray[np.float64]:
    """Return decimal strings of raw integers as floats in a unit; NaN where a string is None.

    Examples
    --------
    >>> float_units(np.array(["2500000000", None], dtype=object), 1e9).tolist()
    [2.5, nan]
    """
    return np.array([np.nan if text is None else float(text) / unit for text in strings], dtype=np.float64)
