"""Which SCOs a manifest names, and that a file is added to each without another change."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from bridge.packages import PackageError
from bridge.packages.manifest import Manifest, read_manifest, with_file
from tests.packages.packing import EDITIONS, MANIFEST_12

_2004 = """<?xml version="1.0"?>
<cp:manifest identifier="M" xml:base="content/" xmlns:cp="http://www.imsglobal.org/xsd/imscp_v1p1"
    xmlns:adlcp="http://www.adlnet.org/xsd/adlcp_v1p3">
  <cp:organizations><cp:organization>
    <cp:item identifier="I1" identifierref="R1"/>
    <cp:item identifier="I2" identifierref="R2"/><cp:item identifier="I3" identifierref="R2" parameters="?p=2"/>
  </cp:organization></cp:organizations>
  <cp:resources xml:base="scos/">
    <cp:resource identifier="R1" adlcp:scormType="sco" href="a%20b/one.html?mode=x#top">
      <cp:dependency identifierref="D"/></cp:resource>
    <cp:resource identifier="R2" title="a > b" adlcp:scormType="sco" xml:base="../" href="two.html" />
    <cp:resource identifier="R3" adlcp:scormType="sco" href="https://elsewhere.example/three.html"></cp:resource>
    <cp:resource identifier="D" adlcp:scormType="asset"><cp:file href="d.js"/></cp:resource>
  </cp:resources>
</cp:manifest>"""


def _files(manifest: bytes) -> dict[str, list[str]]:
    """Return the files of each resource by its identifier."""
    root = ElementTree.fromstring(manifest)
    return {
        resource.get("identifier", ""): [file.get("href", "") for file in resource.findall("{*}file")]
        for resource in root.iter()
        if resource.tag.endswith("}resource")
    }


def test_a_sco_is_known_by_its_page_and_the_item_that_launches_it() -> None:
    manifest = read_manifest(MANIFEST_12.encode())

    assert (manifest.identifier, manifest.scorm_version) == ("COURSE-1", "1.2")
    assert [(sco.path, sco.activity, sco.shared) for sco in manifest.scos] == [("index.html", "ITEM-1", False)]


def test_bases_escapes_and_shared_resources_are_understood() -> None:
    manifest = read_manifest(_2004.encode())

    assert manifest.scorm_version == "2004"
    assert [(sco.path, sco.activity, sco.shared) for sco in manifest.scos] == [
        ("content/scos/a b/one.html", "I1", False),
        ("content/two.html", "R2", True),
        (None, "R3", False),
    ]


def test_a_file_of_the_root_is_listed_by_each_sco_relative_to_its_base() -> None:
    changed = with_file(read_manifest(_2004.encode()), "tap.js")
    assert _files(changed) == {
        "R1": ["../../tap.js"], "R2": ["../tap.js"], "R3": ["../../tap.js"], "D": ["d.js"],
    }  # fmt: skip
    first = b'<cp:file href="../../tap.js"/><cp:dependency identifierref="D"/>'
    assert first in changed, "the schema wants files before dependencies"


@pytest.mark.parametrize("edition", EDITIONS)
def test_nothing_else_of_a_manifest_changes(edition: str) -> None:
    manifest = read_manifest(EDITIONS[edition].encode())
    changed = with_file(manifest, "tap.js")

    assert manifest.scorm_version == edition.partition(" ")[0]
    assert [(sco.path, sco.activity) for sco in manifest.scos] == [("index.html", "ITEM-1")]
    assert changed.replace(b'<file href="tap.js"/>', b"", 1) == EDITIONS[edition].encode()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_a_manifest_stays_in_its_encoding(encoding: str) -> None:
    text = MANIFEST_12.replace("UTF-8", encoding.removesuffix("-sig"))
    changed = with_file(read_manifest(text.encode(encoding)), "tap.js")

    assert changed.decode(encoding).replace('<file href="tap.js"/>', "", 1) == text


_ENTITY = '<?xml version="1.0"?><!DOCTYPE manifest [<!ENTITY a "aaaa">]><manifest identifier="&a;"/>'
_OUTSIDE = '<?xml version="1.0"?><!DOCTYPE manifest [<!ENTITY a SYSTEM "file:///etc/passwd">]><manifest/>'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (_ENTITY.encode(), "declares the entity 'a'"),
        (_OUTSIDE.encode(), "declares the entity 'a'"),
        (b"<manifest>", "no well-formed XML: no element found"),
        (b"<course/>", "has no manifest: its root is 'course'"),
        (b"<manifest/>", "names no SCO"),
        (b"<?xml version='1.0' encoding='utf-8'?><manifest a='\xff'/>", "not in the encoding that it declares"),
        (b"<?xml version='1.0' encoding='klingon'?><manifest/>", "not in the encoding that it declares"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused_in_words(content: bytes, words: str) -> None:
    with pytest.raises(PackageError, match=words):
        read_manifest(content)


def test_more_scos_than_a_course_has_are_refused() -> None:
    resource = '<resource identifier="R" adlcp:scormtype="sco" href="a.html"/>'
    content = f'<manifest xmlns:adlcp="x"><resources>{resource * 2_001}</resources></manifest>'
    with pytest.raises(PackageError, match="more than 2,000 SCOs"):
        read_manifest(content.encode())


def test_a_manifest_of_the_limit_is_read_in_one_pass() -> None:
    resource = '<resource identifier="R" adlcp:scormtype="sco" href="a.html"><file href="a.html"/></resource>'
    manifest: Manifest = read_manifest(
        f'<manifest xmlns:adlcp="x"><resources>{resource * 2_000}</resources></manifest>'.encode()
    )

    assert with_file(manifest, "tap.js").count(b'<file href="tap.js"/>') == 2_000
