"""The documentation, and in `docs.site` what its web site is built with."""
