"""The settings of a target's form: how it knows learners, and what it does not get."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import ClassVar, Literal, Self

from pydantic import AwareDatetime, Field, field_validator, model_validator

from bridge.settings.secret import SecretSettings

MIN_KEY_CHARS = 32


class PseudonymKeySettings(SecretSettings):
    """A key that pseudonyms are made with, from the environment or a file: `key` in the settings themselves is refused.

    `id` is a part of the pseudonyms' home page. The key is for attempts that began at `since` or later; the first one
    has none and is for all that began before the next one's.
    """

    SECRETS: ClassVar[tuple[str, ...]] = ("key",)

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    key: str = ""
    key_env: str = ""
    key_file: str = ""
    since: AwareDatetime | None = None

    @field_validator("key")
    @classmethod
    def _not_here(cls, value: str) -> str:
        if value:
            raise ValueError("must not be in the settings, as whoever reads them could tell who is who; use key_file")
        return value

    @model_validator(mode="after")
    def _validate_key(self) -> Self:
        if not self.has_secret("key"):
            raise ValueError("a pseudonym key needs key_env or key_file")
        if len(self.secret("key")) < MIN_KEY_CHARS:
            raise ValueError(
                f"the key has fewer than {MIN_KEY_CHARS} characters and could be guessed; make one with"
                " `openssl rand -hex 32`"
            )
        return self

    @property
    def since_ms(self) -> int:
        """Return `since` in milliseconds since the epoch, 0 where there is none."""
        return 0 if self.since is None else int((self.since - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)


class TargetFormSettings(SecretSettings):
    """The form in which a target gets statements and documents: what it learns about people.

    `actor` is how learners are identified; by default as the mapping says. `names = false` leaves out their names,
    which is the default with pseudonyms, and `free_text = false` what they wrote.
    """

    SECRETS: ClassVar[tuple[str, ...]] = ()

    actor: Literal["account", "pseudonym", "mbox", "mbox_sha1sum"] | None = None
    names: bool | None = None
    free_text: bool = True
    pseudonym_keys: tuple[PseudonymKeySettings, ...] = ()

    @property
    def has_names(self) -> bool:
        """Return whether the target gets learners' names."""
        return self.actor != "pseudonym" if self.names is None else self.names

    @property
    def form_description(self) -> str:
        """Return what the target gets differently from what the mapping says, in words; empty for nothing."""
        keys = ", ".join(key.id for key in self.pseudonym_keys)
        parts = (
            f"pseudonyms by key {keys}" if keys else self.actor,
            None if self.has_names else "no names",
            None if self.free_text else "no free text",
        )
        return ", ".join(part for part in parts if part)

    @model_validator(mode="after")
    def _validate_form(self) -> Self:
        if self.actor != "pseudonym":
            if self.pseudonym_keys:
                raise ValueError('pseudonym_keys go with actor = "pseudonym"')
            return self
        if self.names:
            raise ValueError("names = true would say whose each pseudonym is; leave it out")
        if not self.pseudonym_keys:
            raise ValueError('actor = "pseudonym" needs a [[targets.pseudonym_keys]] section')
        times = [key.since_ms for key in self.pseudonym_keys]
        if times[0] or any(later <= earlier for earlier, later in pairwise(times)):
            raise ValueError(
                "pseudonym_keys must be in the order of their `since`, the first one without it: it is for all attempts"
                " that began before the next one's"
            )
        for name, values in (
            ("id", [key.id for key in self.pseudonym_keys]),
            ("key", [key.secret("key") for key in self.pseudonym_keys]),
        ):
            if len({*values}) < len(values):
                raise ValueError(f"two pseudonym_keys have the same {name}")
        return self
