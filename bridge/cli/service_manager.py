"""Messages to systemd, for units of `Type=notify`: that the service is ready, and that it is stopping.

The protocol is sd_notify's: a datagram to the socket that the environment names. Without one nothing is sent.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from enum import StrEnum

VARIABLE = "NOTIFY_SOCKET"
"""The environment variable that holds the address of the socket."""


class ServiceState(StrEnum):
    """What is said of the service."""

    READY = "READY=1"
    """It accepts connections."""
    STOPPING = "STOPPING=1"
    """It was asked to stop, and finishes what it has begun."""


def notify_manager(state: ServiceState) -> None:
    """Send a state to the service manager, if one asked for it. A manager that does not listen changes nothing."""
    address = os.environ.get(VARIABLE, "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):  # an abstract socket
        address = f"\0{address[1:]}"
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.settimeout(0)
        channel.sendto(state.encode(), address)


def silence_manager() -> None:
    """Send nothing from here on, nor from processes that are started: they would speak for the whole service."""
    os.environ.pop(VARIABLE, None)
