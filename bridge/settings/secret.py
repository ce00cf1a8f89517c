"""Secrets among the settings: in the settings, an environment variable (`…_env`) or a file (`…_file`)."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, model_validator

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")


class SecretSettings(BaseModel):
    """Settings some of which are secrets; for each name in `SECRETS` one of three settings is given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    SECRETS: ClassVar[tuple[str, ...]]

    @model_validator(mode="after")
    def _secrets(self) -> Self:
        for name in self.SECRETS:
            self._check_secret(name)
        return self

    def secret(self, name: str) -> str:
        """Return a secret, one of `SECRETS`, from wherever it is stored; empty where it is not given."""
        variable, file = getattr(self, f"{name}_env"), getattr(self, f"{name}_file")
        if variable:
            return os.environ[variable]
        if file:
            return _content(file)
        return str(getattr(self, name))

    def has_secret(self, name: str) -> bool:
        """Return whether a secret is given."""
        return any(getattr(self, name + end) for end in ("", "_env", "_file"))

    def _check_secret(self, name: str) -> None:
        variable, file = getattr(self, f"{name}_env"), getattr(self, f"{name}_file")
        if sum(map(bool, (getattr(self, name), variable, file))) > 1:
            raise ValueError(f"give only one of {name}, {name}_env and {name}_file")
        if variable and variable not in os.environ:
            # what is no name of a variable may be the secret itself, written here by mistake
            named = f"names {variable}, which" if _VARIABLE.fullmatch(variable) else "names a variable that"
            raise ValueError(f"{name}_env {named} is not set in the environment")
        if file and not Path(file).is_file():
            raise ValueError(f"{name}_file names {file}, which is not a file")
        try:
            self.secret(name)
        except (OSError, UnicodeDecodeError):
            raise ValueError(f"{name}_file names {file}, which cannot be read as text") from None


def _content(file: str) -> str:
    """Return a file's text as it is, without what editors add: a byte order mark, and the last line's end."""
    text = Path(file).read_bytes().decode("utf-8-sig")
    return text.removesuffix("\n").removesuffix("\r")
