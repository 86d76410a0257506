"""Settings, secrets, errors, clock and ids, logs, database: what every room stands on.

Importing it keeps the interpreter's recursion limit, see :mod:`core.recursion_limit`.
"""

from core.recursion_limit import keep_recursion_limit

keep_recursion_limit()
