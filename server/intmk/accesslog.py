"""One JSON line for each request: what was asked, what came of it, how long it took.

No address, no query and no token is written, so the log may be kept and shown.
"""

import json
import os
from datetime import UTC, datetime


class AccessLog:
    """Adds lines to a file that several processes may write to."""

    def __init__(self, where: str) -> None:
        """Take a file name, ``-`` for the error output, or ``none``. Raises OSError."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._descriptor = 2 if where == "-" else os.open(where, flags, 0o640)

    def write(self, **fields: object) -> None:
        """Add a line with the time and these fields; those that are empty are left out."""
        kept = {name: value for name, value in fields.items() if value not in (None, "")}
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": time} | kept, ensure_ascii=False) + "\n"
        os.write(self._descriptor, line.encode(errors="replace"))


def opened(where: str) -> AccessLog | None:
    """Return the log of the setting ``access_log``, or None where there is to be none."""
    return None if where == "none" else AccessLog(where)
