"""Packages to wrap, made as authoring tools make them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from bridge.packages.wrapping import WrapOptions

SCRIPT = b"/* the recording script */"
OPTIONS = WrapOptions("pk_key", "https://bridge.example.org", SCRIPT)
PAGE = b'<!doctype html><html lang="en"><head><meta charset="utf-8"><script src="api.js"></script></head></html>'

MANIFEST_12 = """<?xml version="1.0" encoding="UTF-8"?>
<manifest identifier="COURSE-1" xmlns="http://www.imsproject.org/xsd/imscp_rootv1p1p2"
          xmlns:adlcp="http://www.adlnet.org/xsd/adlcp_rootv1p2">
  <metadata><schema>ADL SCORM</schema><schemaversion>1.2</schemaversion></metadata>
  <organizations default="O"><organization identifier="O"><title>Größe</title>
    <item identifier="ITEM-1" identifierref="RES-1"><adlcp:masteryscore>80</adlcp:masteryscore></item>
  </organization></organizations>
  <resources>
    <resource identifier="RES-1" type="webcontent" adlcp:scormtype="sco" href="index.html">
      <file href="index.html"/>
    </resource>
    <resource identifier="PIC" type="webcontent" adlcp:scormtype="asset" href="picture.png"/>
  </resources>
</manifest>
"""


def pack(place: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write an archive and return its path."""
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return place


def unpack(place: Path) -> dict[str, bytes]:
    """Return the files of an archive, each checked against its checksum."""
    with zipfile.ZipFile(place) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}
