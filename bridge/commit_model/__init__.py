"""What every part of the bridge that deals with commits shares: launches, responses, stored states, active mappings.

It knows neither wire formats nor the queue before the writer.
"""

from __future__ import annotations
