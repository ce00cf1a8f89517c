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

MANIFEST_2004 = """<?xml version="1.0" encoding="UTF-8"?>
<manifest identifier="COURSE-1" xmlns="http://www.imsglobal.org/xsd/imscp_v1p1"
          xmlns:adlcp="http://www.adlnet.org/xsd/adlcp_v1p3" xmlns:adlseq="http://www.adlnet.org/xsd/adlseq_v1p3"
          xmlns:adlnav="http://www.adlnet.org/xsd/adlnav_v1p3" xmlns:imsss="http://www.imsglobal.org/xsd/imsss">
  <metadata><schema>ADL SCORM</schema><schemaversion>{edition}</schemaversion></metadata>
  <organizations default="O"><organization identifier="O" adlseq:objectivesGlobalToSystem="false"><title>Größe</title>
    <item identifier="ITEM-1" identifierref="RES-1"><title>One</title>
      {threshold}<adlcp:dataFromLMS>level=2</adlcp:dataFromLMS>
      <imsss:sequencing IDRef="SEQ"><imsss:objectives><imsss:primaryObjective satisfiedByMeasure="true">
        <imsss:minNormalizedMeasure>0.8</imsss:minNormalizedMeasure>
      </imsss:primaryObjective></imsss:objectives></imsss:sequencing>
      <adlnav:presentation><adlnav:navigationInterface><adlnav:hideLMSUI>continue</adlnav:hideLMSUI>
      </adlnav:navigationInterface></adlnav:presentation>
    </item>
  </organization></organizations>
  <resources>
    <resource identifier="RES-1" type="webcontent" adlcp:scormType="sco" href="index.html">
      <file href="index.html"/>
    </resource>
  </resources>
  <imsss:sequencingCollection><imsss:sequencing ID="SEQ"><imsss:controlMode choice="false" flow="true"/>
  </imsss:sequencing></imsss:sequencingCollection>
</manifest>
"""
THRESHOLD = "<adlcp:completionThreshold>0.7</adlcp:completionThreshold>"
EDITIONS = {
    "1.2": MANIFEST_12,
    "2004 2nd Edition": MANIFEST_2004.format(edition="CAM 1.3", threshold=THRESHOLD),
    "2004 3rd Edition": MANIFEST_2004.format(edition="2004 3rd Edition", threshold=THRESHOLD),
    "2004 4th Edition": MANIFEST_2004.format(
        edition="2004 4th Edition",
        threshold='<adlcp:completionThreshold completedByMeasure="true" minProgressMeasure="0.7"/>',
    ),
}


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
