"""The settings of what tells operators how the bridge does: metrics and traces."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bridge.settings.secret import SecretSettings
from bridge.settings.target import validate_url


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


class TracingSettings(BaseModel):
    """Whether traces are sent (`enabled`) to a collector of OpenTelemetry, at `endpoint` by OTLP over HTTP.

    That needs the extra `tracing`. `sample` is the share of requests that are traced, unless they come with a decision.
    `service_name` is what the bridge is called there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = False
    endpoint: str = "http://127.0.0.1:4318/v1/traces"
    sample: float = Field(default=1.0, ge=0, le=1)
    service_name: str = "scorm-xapi-bridge"

    @field_validator("endpoint")
    @classmethod
    def _endpoint(cls, value: str) -> str:
        return validate_url(value)
