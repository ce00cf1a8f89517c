"""Operations: what people do by pages and by commands alike, each kept in the audit log with who did it and why."""

from __future__ import annotations
