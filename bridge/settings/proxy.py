"""The settings of proxies between clients and the bridge."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

HeaderName = Literal["auto", "x-forwarded-for", "forwarded"]


class ProxySettings(BaseModel):
    """Which proxies are trusted to say where a request comes from.

    `hops` is how many of them every request passes through, 0 for none: that many entries at the right end of their
    headers were added by them, all others by whoever sent the request. `addresses` are those that the last of them
    speaks from, as addresses or networks; empty for any. `header` is what they add; `auto` takes either, and believes
    neither where both are there and do not say the same.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    hops: int = Field(default=0, ge=0, le=20)
    addresses: tuple[str, ...] = ()
    header: HeaderName = "auto"

    @field_validator("addresses")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            try:
                ip_network(address)
            except ValueError:
                raise ValueError(f"{address} is not an address or network such as 10.0.0.7 or 10.0.0.0/8") from None
        return value
