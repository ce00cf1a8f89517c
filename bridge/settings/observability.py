"""The settings of what tells operators how the bridge does: metrics."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import model_validator

from bridge.settings.secret import SecretSettings


class MetricsSettings(SecretSettings):
    """Who may read `/metrics`.

    `access` is `loopback` for programs on the machine of the bridge, `token` for those that send the token, `public`
    for everybody who reaches the bridge, and `off` for nobody.
    """

    SECRETS: ClassVar = ("token",)

    access: Literal["off", "loopback", "token", "public"] = "loopback"
    token: str = ""
    token_env: str = ""
    token_file: str = ""

    @model_validator(mode="after")
    def _token_where_needed(self) -> MetricsSettings:
        if self.access == "token" and not self.has_secret("token"):
            raise ValueError('access = "token" needs token, token_env or token_file')
        if self.access != "token" and self.has_secret("token"):
            raise ValueError(f"a token is given, and access = {self.access!r} does not ask for it")
        return self
