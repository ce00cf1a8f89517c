"""Packages are wrapped so that an LMS finds all that it found before, and unwrapped to what they were."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.packages import PackageError
from bridge.packages.archive import Archive
from bridge.packages.manifest import MANIFEST
from bridge.packages.wrapping import ORIGINAL_NAME, SCRIPT_NAME, FileReport, WrapOptions, unwrap, wrap
from tests.packages.packing import MANIFEST_12, OPTIONS, PAGE, SCRIPT, pack, unpack

FILES: dict[str, str | bytes] = {
    MANIFEST: MANIFEST_12,
    "index.html": PAGE,
    "picture.png": bytes(range(256)) * 40,
    "data/Größe.js": "let a = 1;",
}


def _folder(place: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return place


def _content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_sco_loads_the_script_first_and_the_manifest_lists_it(tmp_path: Path) -> None:
    reports = wrap(pack(tmp_path / "in.zip", FILES), tmp_path / "out.zip", OPTIONS)

    files = unpack(tmp_path / "out.zip")
    script = (
        f'<script src="{SCRIPT_NAME}" data-key="pk_key" data-bridge="https://bridge.example.org"'
        ' data-course="COURSE-1" data-activity="ITEM-1"></script>'
    )

    assert files["index.html"].decode() == PAGE.decode().replace('"utf-8">', f'"utf-8">{script}')
    assert f'<file href="{SCRIPT_NAME}"/>'.encode() in files[MANIFEST]
    assert files[SCRIPT_NAME] == SCRIPT
    assert reports[0] == FileReport("index.html", "has the script, as activity ITEM-1")
    assert [report.path for report in reports] == ["index.html", MANIFEST, SCRIPT_NAME, ORIGINAL_NAME]


def test_ids_can_be_given(tmp_path: Path) -> None:
    options = WrapOptions("pk", 'https://b.example/"x', SCRIPT, course_id="Course & 1", activity_id="a<b")
    wrap(pack(tmp_path / "in.zip", FILES), tmp_path / "out.zip", options)

    page = unpack(tmp_path / "out.zip")["index.html"].decode()

    assert 'data-bridge="https://b.example/&quot;x" data-course="Course &amp; 1" data-activity="a&lt;b"' in page


def test_unwrapping_gives_the_very_bytes_back(tmp_path: Path) -> None:
    source = pack(tmp_path / "in.zip", FILES)
    wrap(source, tmp_path / "out.zip", OPTIONS)
    unwrap(tmp_path / "out.zip", tmp_path / "back.zip")

    assert (tmp_path / "back.zip").read_bytes() == source.read_bytes()


def test_a_folder_is_wrapped_and_unwrapped_likewise(tmp_path: Path) -> None:
    source = _folder(tmp_path / "in", FILES)
    wrap(source, tmp_path / "out", OPTIONS)
    unwrap(tmp_path / "out", tmp_path / "back")

    wrap(pack(tmp_path / "in.zip", FILES), tmp_path / "out.zip", OPTIONS)
    in_archive = unpack(tmp_path / "out.zip")

    assert {**_content(tmp_path / "out"), ORIGINAL_NAME: b""} == {**in_archive, ORIGINAL_NAME: b""}
    assert _content(tmp_path / "back") == _content(source)


@pytest.mark.parametrize("kind", ["archive", "folder"])
def test_wrapping_twice_changes_nothing(kind: str, tmp_path: Path) -> None:
    source = pack(tmp_path / "in", FILES) if kind == "archive" else _folder(tmp_path / "in", FILES)
    wrap(source, tmp_path / "once", OPTIONS)
    reports = wrap(tmp_path / "once", tmp_path / "twice", OPTIONS)

    read: Any = unpack if kind == "archive" else _content

    assert read(tmp_path / "twice") == read(tmp_path / "once")
    assert [report.done for report in reports] == ["is there already: nothing was changed"]


def test_wrapping_otherwise_begins_with_the_original(tmp_path: Path) -> None:
    other = WrapOptions("pk_other", "https://bridge.example.org", b"/* newer */")
    source = pack(tmp_path / "in.zip", FILES)
    wrap(source, tmp_path / "out.zip", OPTIONS)
    wrap(tmp_path / "out.zip", tmp_path / "again.zip", other)
    wrap(source, tmp_path / "direct.zip", other)

    assert (tmp_path / "again.zip").read_bytes() == (tmp_path / "direct.zip").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"in.zip", "out.zip", "again.zip", "direct.zip"}


_NAMES = st.text("abcäß €/.", min_size=1, max_size=12).filter(
    lambda name: not name.startswith("/") and ".." not in name.split("/") and not name.endswith("/")
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.dictionaries(_NAMES, st.binary(max_size=300), max_size=6),
    method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2]),
    before=st.binary(max_size=40),
    comment=st.binary(max_size=40),
    is_streamed=st.booleans(),
)
def test_of_any_archive_the_other_files_stay_and_the_original_comes_back(
    tmp_path: Path, files: dict[str, bytes], method: int, before: bytes, comment: bytes, *, is_streamed: bool
) -> None:
    """Archives with something before them, comments, descriptors behind files, and files in any order."""
    buffer = _Streamed() if is_streamed else io.BytesIO()
    if not is_streamed:
        buffer.write(before)
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in {**files, MANIFEST: MANIFEST_12.encode(), "index.html": PAGE}.items():
            archive.writestr(name, content)
        archive.comment = comment
    for path in tmp_path.iterdir():
        path.unlink()
    (tmp_path / "in.zip").write_bytes(buffer.getvalue())
    wrap(tmp_path / "in.zip", tmp_path / "out.zip", OPTIONS)
    unwrap(tmp_path / "out.zip", tmp_path / "back.zip")

    wrapped = unpack(tmp_path / "out.zip")

    assert {name: wrapped[name] for name in files if name not in {MANIFEST, "index.html"}} == {
        name: content for name, content in files.items() if name not in {MANIFEST, "index.html"}
    }
    assert (tmp_path / "back.zip").read_bytes() == buffer.getvalue()


class _Streamed(io.BytesIO):
    """A file in which nobody can go back: sizes follow each file's data."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_place: Any) -> int:
        raise io.UnsupportedOperation

    def tell(self) -> int:
        raise io.UnsupportedOperation


def test_a_directory_with_64_bit_offsets_is_understood(tmp_path: Path) -> None:
    """Some tools write them whatever the size."""
    content = pack(tmp_path / "plain.zip", FILES).read_bytes()
    directory = content.index(b"PK\1\2")
    records, end = [], content.rindex(b"PK\5\6")
    at = directory
    while at < end:
        name, extra, note = struct.unpack_from("<3H", content, at + 28)
        record = bytearray(content[at : at + 46 + name + extra + note])
        (offset,) = struct.unpack_from("<L", record, 42)
        struct.pack_into("<L", record, 42, 0xFFFFFFFF)
        struct.pack_into("<H", record, 30, extra + 12)
        record[46 + name : 46 + name] = struct.pack("<2HQ", 1, 8, offset)
        records.append(bytes(record))
        at += 46 + name + extra + note
    tail = bytearray(content[end:])
    struct.pack_into("<L", tail, 12, sum(map(len, records)))
    (tmp_path / "in.zip").write_bytes(content[:directory] + b"".join(records) + tail)
    wrap(tmp_path / "in.zip", tmp_path / "out.zip", OPTIONS)
    unwrap(tmp_path / "out.zip", tmp_path / "back.zip")

    assert unpack(tmp_path / "out.zip")["picture.png"] == FILES["picture.png"]
    assert (tmp_path / "back.zip").read_bytes() == (tmp_path / "in.zip").read_bytes()


def test_a_page_that_several_scos_have_gets_the_script_once(tmp_path: Path) -> None:
    second = '<resource identifier="RES-2" adlcp:scormtype="sco" href="index.html?part=2"/></resources>'
    manifest = MANIFEST_12.replace("</resources>", second)
    reports = wrap(pack(tmp_path / "in.zip", {**FILES, MANIFEST: manifest}), tmp_path / "out.zip", OPTIONS)

    assert unpack(tmp_path / "out.zip")["index.html"].count(SCRIPT_NAME.encode()) == 1
    assert reports[1].done == "has the script already: several SCOs have this page, and are told as one activity"


@pytest.mark.parametrize(
    ("href", "words"),
    [
        ("https://elsewhere.example/", "it lies outside of the package"),
        ("missing.html", "the manifest launches it, and the package does not have it"),
        ("picture.png", "it is no HTML page"),
        ("../index.html", "has the script already"),
    ],
)
def test_a_sco_that_cannot_be_wrapped_is_told_and_left(href: str, words: str, tmp_path: Path) -> None:
    second = f'<resource identifier="RES-2" adlcp:scormtype="sco" href="{href}"/></resources>'
    manifest = MANIFEST_12.replace("</resources>", second)
    reports = wrap(pack(tmp_path / "in.zip", {**FILES, MANIFEST: manifest}), tmp_path / "out.zip", OPTIONS)

    assert words in reports[1].done


def test_an_id_for_one_activity_does_not_go_with_several_scos(tmp_path: Path) -> None:
    second = '<resource identifier="RES-2" adlcp:scormtype="sco" href="two.html"/></resources>'
    files = {**FILES, "two.html": PAGE, MANIFEST: MANIFEST_12.replace("</resources>", second)}
    options = WrapOptions("pk", "https://b.example", SCRIPT, activity_id="mine")
    with pytest.raises(PackageError, match="It has 2 SCOs: each is an activity of its own"):
        wrap(pack(tmp_path / "in.zip", files), tmp_path / "out.zip", options)


@pytest.mark.parametrize("name", ["../a.js", "/a.js", "C:/a.js", "a/../../b.js", "..\\a.js", "C:\\a.js"])
def test_a_name_that_leads_out_of_the_package_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="outside of the package's folder"):
        wrap(pack(tmp_path / "in.zip", {**FILES, name: b"x"}), tmp_path / "out.zip", OPTIONS)

    assert not (tmp_path / "out.zip").exists()


def test_names_with_backslashes_are_those_that_the_manifest_means(tmp_path: Path) -> None:
    manifest = MANIFEST_12.replace("index.html", "sco/index.html")
    wrap(pack(tmp_path / "in.zip", {MANIFEST: manifest, "sco\\index.html": PAGE}), tmp_path / "out.zip", OPTIONS)

    assert f'src="../{SCRIPT_NAME}"'.encode() in unpack(tmp_path / "out.zip")["sco\\index.html"]


def test_symbolic_links_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(pack(tmp_path / "in.zip", FILES), "a") as archive:
        link = zipfile.ZipInfo("link.js")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    folder = _folder(tmp_path / "in", FILES)
    (folder / "link.js").symlink_to("/etc/passwd")
    for source in (tmp_path / "in.zip", folder):
        with pytest.raises(PackageError, match="symbolic link"):
            wrap(source, tmp_path / "out", OPTIONS)


def test_a_bomb_is_refused_unopened(tmp_path: Path) -> None:
    source = pack(tmp_path / "in.zip", FILES)
    content = bytearray(source.read_bytes())
    at = content.index(b"PK\1\2")
    struct.pack_into("<L", content, at + 24, 0xFFFFFFF0)
    source.write_bytes(content)
    with pytest.raises(PackageError, match="a bomb"):
        wrap(source, tmp_path / "out.zip", OPTIONS)


def test_files_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    """A bomb of overlapping files has each file's data once, and names it many times."""
    source = pack(tmp_path / "in.zip", {"a.js": b"x" * 9, "b.js": b"y" * 9, **FILES})
    content = bytearray(source.read_bytes())
    first = content.index(b"PK\1\2")
    struct.pack_into("<L", content, content.index(b"PK\1\2", first + 4) + 42, 0)
    source.write_bytes(content)
    with pytest.raises(PackageError, match="overlap"), source.open("rb") as file:
        Archive(file)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"index.html": PAGE}, "no imsmanifest.xml at its root."),
        ({f"course/{MANIFEST}": MANIFEST_12}, "there is one in 'course': pack what is in that folder"),
        ({MANIFEST: MANIFEST_12}, "None of its SCOs can be wrapped"),
        ({MANIFEST: b"<manifest>" + b" " * 17_000_000}, "has more than 16,777,216 bytes"),
    ],
)
def test_what_is_no_package_is_refused_in_words(files: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=words):
        wrap(pack(tmp_path / "in.zip", files), tmp_path / "out.zip", OPTIONS)

    assert not (tmp_path / "out.zip").exists()


def test_what_is_no_archive_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "in.zip").write_bytes(b"no archive")
    with pytest.raises(PackageError, match="It is no ZIP archive"):
        wrap(tmp_path / "in.zip", tmp_path / "out.zip", OPTIONS)


def test_no_file_that_is_there_is_overwritten(tmp_path: Path) -> None:
    source = pack(tmp_path / "in.zip", FILES)
    wrap(source, tmp_path / "out.zip", OPTIONS)
    before = (tmp_path / "out.zip").read_bytes()
    for write in (lambda: wrap(source, tmp_path / "out.zip", OPTIONS), lambda: unwrap(tmp_path / "out.zip", source)):
        with pytest.raises(PackageError, match="is there already"):
            write()

    assert (tmp_path / "out.zip").read_bytes() == before


def test_a_package_without_the_script_cannot_be_unwrapped(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="It is not wrapped"):
        unwrap(pack(tmp_path / "in.zip", FILES), tmp_path / "out.zip")


def test_a_package_that_was_packed_anew_is_not_unwrapped_to_something_else(tmp_path: Path) -> None:
    wrap(pack(tmp_path / "in.zip", FILES), tmp_path / "out.zip", OPTIONS)
    anew = pack(tmp_path / "anew.zip", {**unpack(tmp_path / "out.zip"), "picture.png": b"another"})
    with pytest.raises(PackageError, match=r"changed since it was wrapped|ends too early"):
        unwrap(anew, tmp_path / "back.zip")

    assert not (tmp_path / "back.zip").exists()
