"""The pure core: CMI in, changes, rules, statements out.

Nothing in this package does I/O, reads a clock or uses randomness: the same input gives the same bytes, in any
process. Mapping documents (`*.toml`) lie beside the code because they are data an admin reads and edits.
"""

from __future__ import annotations
