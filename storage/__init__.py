"""What is kept, and where: tables, and synchronous functions that take a SQLAlchemy `Connection`.

Functions neither open nor commit transactions: whoever calls them decides what belongs together. All times are whole
milliseconds since the epoch (UTC), all durations whole centiseconds, unless a name says otherwise.
"""

from __future__ import annotations
