"""Bodies of nearly a mebibyte, each made to be slow for one parser or for what follows it.

A body comes as a list: those before the last one fill the session that the last one is measured on.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

SIZE = 1024 * 1024 - 512
"""Bytes of a body, at most."""
SESSION, ALL_IN_ONE, PROGRESS, OPEN, POSTBACK = "session", "all-in-one", "progress", "open", "scorm-cloud"
"""Where a body is posted to; the name of a format stands for that format's own address."""

LAUNCH = {"learner": {"id": "u1"}, "activity": {"id": "235"}}


class Hostile(NamedTuple):
    """Bodies posted one after the other to one entry; `encoding` is their Content-Encoding."""

    name: str
    entry: str
    bodies: tuple[bytes, ...]
    encoding: str = ""


def hostile() -> Iterator[Hostile]:
    """Yield all hostile bodies."""
    for name, entry, *bodies in (*_forms(), *_texts(), *_json(), *_items(), *_formats(), *_wrappers(), *_launches()):
        yield Hostile(name, entry, tuple(bodies))
    for name, entry, body in _packed():
        yield Hostile(name, entry, (gzip.compress(body, 6),), "gzip")


_Rows = Iterator[tuple[Any, ...]]


def _fill(unit: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
    return before + unit * ((SIZE - len(before) - len(after)) // len(unit)) + after


def _numbered(unit: Callable[[int], bytes], before: bytes = b"", after: bytes = b"", joint: bytes = b",") -> bytes:
    room, parts, number = SIZE - len(before) - len(after), [], 0
    while room > 0:
        part = unit(number)
        room -= len(part) + len(joint)
        parts.append(part)
        number += 1
    return before + joint.join(parts[:-1]) + after


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _forms() -> _Rows:
    field = b'--b\r\nContent-Disposition: form-data; name="cmi__a"'
    yield "multipart: many parts", SESSION, _fill(field + b"\r\n\r\n\r\n", after=b"--b--\r\n")
    yield "multipart: 4,900 parts", SESSION, (field + b"\r\n\r\n" + b"x" * 150 + b"\r\n") * 4_900 + b"--b--\r\n"
    yield "multipart: one header of parameters", SESSION, _fill(b"; a=b", field, b"\r\n\r\nx\r\n--b--")
    yield (
        "multipart: many headers of parameters",
        SESSION,
        _fill(field + b"; a=b" * 190 + b"\r\n\r\nx\r\n", after=b"--b--\r\n"),
    )
    yield "multipart: continued header lines", SESSION, _fill(b"\r\n b", field, b"\r\n\r\nx\r\n--b--")
    yield "multipart: many header lines", SESSION, _fill(b"X-A: b\r\n", field + b"\r\n", b"\r\nx\r\n--b--")
    nested = b"--b\r\n" + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    yield "multipart: nested", SESSION, _fill(nested)
    yield "multipart: lines like boundaries", SESSION, _fill(b"\r\n--c", field + b"\r\n\r\n", b"\r\n--b--")
    yield "multipart: bare boundaries", SESSION, _fill(b"--b\r\n")
    yield "multipart: no end of a header", SESSION, _fill(b"a", b"--b\r\n")
    yield "form: many names", SESSION, _fill(b"a&", b"cmi__a=b&")
    yield "form: many pairs of Moodle's", "moodle", _numbered(lambda n: b"cmi__interactions_%d__id=a" % n, joint=b"&")
    yield (
        "form: 4,900 pairs of Moodle's",
        "moodle",
        b"&".join(b"cmi__interactions_%d__id=" % n + b"x" * 150 for n in range(4_900)),
    )
    yield "form: escapes", SESSION, _fill(b"%41", b"cmi__suspend_data=")
    yield "form: pluses", SESSION, _fill(b"+", b"cmi__suspend_data=")
    yield "form: underscores", SESSION, _fill(b"_1", b"cmi__a", b"=b")
    yield "form: digits", SESSION, _fill(b"1", b"cmi__a_", b"=b")


def _texts() -> _Rows:
    yield "params: short names", SESSION, _fill(b"&cmi.x=", b"cmi.a=b")
    yield "params: interactions", SESSION, _numbered(lambda n: b"cmi.interactions.%d.id=x" % n, joint=b"&")
    yield "params: marks", SESSION, _fill(b"&a=true", b"cmi.a=b")
    yield "params: ampersands", SESSION, _fill(b"&cmi.", b"cmi.a=b")
    yield "params: dots", SESSION, _fill(b".a", b"cmi.a", b"=b")
    yield "params: encoded", SESSION, _fill(b"&cmi.x=%41", b"cmi.a=%41")
    yield "params: deep names", SESSION, _numbered(lambda n: b"cmi.a.%d.b.c.d.e=x" % n, joint=b"&")
    yield "text: not UTF-8", SESSION, _fill(b"\xff", b"cmi.suspend_data=")
    yield "text: blanks", SESSION, _fill(b" \n", b"", b"=")


def _json() -> _Rows:
    yield "JSON: brackets", SESSION, b"[" * SIZE
    yield "JSON: objects in objects", SESSION, _fill(b'{"cmi":')
    yield "JSON: lists of lists", SESSION, _fill(b"[],", b'{"cmi":{"core":{}},"a":[', b"[]]}")
    yield "JSON: objects in a list", SESSION, _fill(b'{"a":{}},', b'{"cmi":{"core":{}},"a":[', b"{}]}")
    yield (
        "JSON: 500 deep, repeated",
        SESSION,
        _fill(b"[" * 500 + b"]" * 500 + b",", b'{"cmi":{"core":{}},"a":[', b"[]]}"),
    )
    yield "JSON: many keys", SESSION, _numbered(lambda n: b'"k%d":""' % n, b'{"cmi":{', b"}}")
    yield "JSON: many keys on top", SESSION, _numbered(lambda n: b'"k%d":1' % n, b'{"cmi":{"core":{}},', b"}")
    yield "JSON: one key again and again", SESSION, _fill(b'"a":1,', b'{"cmi":{', b'"a":1}}')
    yield "JSON: flat names", SESSION, _numbered(lambda n: b'"cmi.a%d":"b"' % n, b'{"cmi":{', b"}}")
    yield "JSON: flattened on top", SESSION, _numbered(lambda n: b'"cmi.a%d":"b"' % n, b"{", b"}")
    yield "JSON: escapes", SESSION, _fill(rb"\u00e9", b'{"cmi":{"suspend_data":"', b'"}}')
    yield "JSON: half characters", SESSION, _fill(rb"\ud800", b'{"cmi":{"suspend_data":"', b'"}}')
    yield (
        "JSON: mended, many keys",
        SESSION,
        _numbered(lambda n: b'"k%d":1' % n, rb'{"cmi":{"suspend_data":"\ud800"},"a":{', b"}}"),
    )
    yield "JSON: mended, lists of lists", SESSION, _fill(b"[],", rb'{"cmi":{"suspend_data":"\ud800"},"a":[', b"[]]}")
    yield "JSON: NaN", SESSION, _fill(b"NaN,", b'{"cmi":{"core":{}},"a":[', b"1]}")
    yield "JSON: numbers beyond all range", SESSION, _fill(b"1e999,", b'{"cmi":{"core":{}},"a":[', b"1]}")
    yield "JSON: a number of all digits", SESSION, _fill(b"9", b'{"cmi":{"core":{"score":{"raw":', b"}}}}")
    yield "JSON: numbers of 4,000 digits", SESSION, _fill(b"9" * 4_000 + b",", b'{"cmi":{"core":{}},"a":[NaN,', b"1]}")
    yield "JSON: cut off", SESSION, _fill(b'{"a":1},', b'{"cmi":{"core":{}},"a":[')
    yield "JSON: text in text", SESSION, _compact(_fill(b'"', b'{"cmi":{"a":"')[: SIZE // 2].decode())
    yield (
        "JSON: objects where texts belong",
        SESSION,
        _numbered(lambda n: b'"k%d":1' % n, b'{"cmi":{"core":{"lesson_location":{', b"}}}}"),
    )
    for element, name in (("session_time", "time"), ("score", "score"), ("lesson_status", "status")):
        for text in (b"1", b" ", b":", b"1.", b"P1D", b"-"):
            value = _fill(text, b'"', b'"')
            inside = b'{"raw":%b}' % value[: SIZE - 200] if element == "score" else value[: SIZE - 200]
            if not inside.rstrip(b"}").endswith(b'"'):
                inside = inside[:-1].rstrip(b"}") + (b'"}' if element == "score" else b'"')
            yield f"JSON: a {name} of {text.decode()!r}", SESSION, b'{"cmi":{"core":{"%b":%b}}}' % (
                element.encode(), inside,
            )  # fmt: skip


def _items() -> _Rows:
    def answered(number: int) -> bytes:
        return b'"%d":{"id":"i%d","type":"choice","learner_response":"a","result":"correct"}' % (number, number)

    two_thousand = b",".join(answered(number) for number in range(2_000))
    every = b'{"cmi":{"interactions":{%b}}}' % two_thousand
    yield "items: 2,000 answers", SESSION, every
    yield "items: 2,000 answers, then the same, spaced", SESSION, every, every.replace(b'":{"', b'": {"')
    yield "items: 2,000 answers, then another answer to each", SESSION, every, every.replace(b'"a"', b'"b"')
    yield (
        "items: 2,000 answers, then a small commit",
        SESSION,
        every,
        b'{"cmi":{"interactions":{"5":{"id":"x","result":"wrong"}}}}',
    )
    yield "items: more than are kept", SESSION, _numbered(answered, b'{"cmi":{"interactions":{', b"}}}")
    yield "items: empty ones", SESSION, _numbered(lambda n: b'"%d":{}' % n, b'{"cmi":{"interactions":{', b"}}}")
    yield "items: a list of empty ones", SESSION, _fill(b"{},", b'{"cmi":{"interactions":[', b"{}]}}")
    objectives = b",".join(
        b'"%d":{"id":"o%d","score":{"raw":"1"},"success_status":"passed","completion_status":"completed"}' % (n, n)
        for n in range(2_000)
    )
    goals = b'{"cmi":{"objectives":{%b}}}' % objectives
    yield "items: 2,000 objectives", SESSION, goals
    yield (
        "items: 2,000 objectives, then a small commit",
        SESSION,
        goals,
        b'{"cmi":{"objectives":{"5":{"score":{"raw":"2"}}}}}',
    )
    yield "items: 2,000 objectives at other indices", SESSION, goals, goals.replace(b'"id":"o', b'"id":"p')
    described = b'{"cmi":{"objectives":{%b}}}' % b",".join(
        b'"%d":{"id":"o%d","description":"d"}' % (n, n) for n in range(2_000)
    )
    naming = b",".join(
        b'"%d":{"id":"i%d","result":"correct","objectives":{"0":{"id":"o1"}}}' % (n, n) for n in range(2_000)
    )
    yield "items: 2,000 answers that name objectives", SESSION, described, b'{"cmi":{"interactions":{%b}}}' % naming
    yield (
        "items: an answer that names very many",
        SESSION,
        _numbered(
            lambda n: b'"%d":{"id":"o%d"}' % (n, n),
            b'{"cmi":{"interactions":{"0":{"id":"i","result":"correct","objectives":{',
            b"}}}}}",
        ),
    )
    yield (
        "items: 15 answers that name 2,000 each",
        SESSION,
        b'{"cmi":{"interactions":{%b}}}'
        % b",".join(
            b'"%d":{"id":"i%d","result":"correct","objectives":{%b}}'
            % (i, i, b",".join(b'"%d":{"id":"%x"}' % (n, n + i * 2_000) for n in range(2_000)))
            for i in range(15)
        ),
    )
    blank = b" " * 63_000
    for kind in (b"numeric", b"choice", b"matching", b"performance", b"true-false"):
        for filler in (
            blank,
            b"," * 63_000,
            b"." * 63_000,
            b"1" * 63_000,
            b"{case_matters=true}" * 3_300,
            b"[,]" * 21_000,
        ):
            body = b",".join(
                b'"%d":{"id":"i%d","type":"%b","student_response":"%b","correct_responses":{"0":{"pattern":"x%b"},"1":{"pattern":"%b"}}}'
                % (n, n, kind, filler, filler, filler)
                for n in range(5)
            )
            yield f"items: {kind.decode()} of {filler[:3].decode()!r}", SESSION, b'{"cmi":{"interactions":{%b}}}' % body
    yield "items: patterns", SESSION, _numbered(
        lambda n: b'"%d":{"pattern":"a"}' % n,
        b'{"cmi":{"interactions":{"0":{"id":"i","type":"choice","result":"correct","correct_responses":{', b"}}}}}",
    )  # fmt: skip
    yield (
        "items: keys of one",
        SESSION,
        _numbered(lambda n: b'"k%d":"a"' % n, b'{"cmi":{"interactions":{"0":{"id":"i","result":"correct",', b"}}}}"),
    )
    long_id = b"i" * 60_000
    yield (
        "items: long ids",
        SESSION,
        b'{"cmi":{"interactions":{%b}}}'
        % b",".join(b'"%d":{"id":"%d%b","result":"correct"}' % (n, n, long_id) for n in range(16)),
    )
    yield (
        "items: ids to be escaped",
        SESSION,
        b'{"cmi":{"interactions":{%b}}}'
        % b",".join(b'"%d":{"id":"%d%b","result":"correct"}' % (n, n, "é".encode() * 30_000) for n in range(16)),
    )
    yield (
        "items: latencies",
        SESSION,
        b'{"cmi":{"interactions":{%b}}}'
        % b",".join(b'"%d":{"id":"%d","result":"correct","latency":"%b"}' % (n, n, b"1" * 60_000) for n in range(16)),
    )
    comments = b",".join(b'"%d":{"comment":"c%d"}' % (n, n) for n in range(2_000))
    yield "items: 2,000 comments", SESSION, b'{"cmi":{"comments_from_learner":{%b}}}' % comments
    # a second session of the attempt, which counts its interactions anew
    yield "items: 2,000 answers of a session that resumes", "resumed", every, every.replace(b'"id":"i', b'"id":"j')


def _formats() -> _Rows:
    yield "openedx: values", "openedx", _numbered(lambda n: b'{"name":"cmi.a%d","value":"b"}' % n, b"[", b"]")
    yield "openedx: questions", "openedx", _fill(b'{"name":"cmi.location"},', b"[", b'{"name":"cmi.location"}]')
    yield (
        "openedx: questions for much",
        "openedx",
        _compact([{"name": "cmi.suspend_data", "value": "x" * 900_000}]),
        _fill(b'{"name":"cmi.suspend_data"},', b"[", b'{"name":"cmi.suspend_data"}]'),
    )
    many = _compact([{"name": f"cmi.interactions.{n}.id", "value": f"i{n}"} for n in range(2_000)])
    yield (
        "openedx: questions for counts",
        "openedx",
        many,
        _fill(b'{"name":"cmi.interactions._count"},', b"[", b'{"name":"cmi.interactions._count"}]'),
    )
    yield "openedx: broken at the end", "openedx", _fill(b'{"name":"cmi.a","value":"b"},', b"[", b"1]")
    yield "ilias: triples", "ilias", _numbered(lambda n: b'[5,"cmi.a%d","b"]' % n, b'{"cmi":[', b"]}")
    yield "ilias: broken at the end", "ilias", _fill(b'[5,"cmi.a","b"],', b'{"cmi":[', b"[1]]}")
    yield (
        "ilias-2004: interactions",
        "ilias-2004",
        _numbered(
            lambda n: b'[%d,1,"","i"]' % n, b'{"i_check":2,"node":[[' + b"1," * 19 + b'7]],"interaction":[', b"]}"
        ),
    )
    yield (
        "ilias-2004: correct responses",
        "ilias-2004",
        _numbered(
            lambda n: b'[0,0,"%d"]' % n,
            b'{"i_check":4,"node":[[' + b"1," * 19 + b'7]],"interaction":[[0,1,"","i"]],"correct_response":[',
            b"]}",
        ),
    )
    chamilo = b"lid=1&uid=2&vid=3&iid=4"
    yield (
        "chamilo: interactions",
        "chamilo",
        _numbered(lambda n: b"&interact[%d]=[i,choice,,1,a,b,correct]" % n, chamilo, joint=b""),
    )
    yield "chamilo: commas", "chamilo", _fill(b",", chamilo + b"&interact[0]=[", b"]")
    yield (
        "sakai: a long argument",
        "sakai",
        _fill(b"x", b'{"method":"SetValue","arguments":["cmi.suspend_data","', b'"],"scoId":"s"}'),
    )
    yield (
        "rpc: a long parameter",
        "rpc",
        _fill(b"x", b'{"method":"SetValue","parameters":["cmi.suspend_data","', b'"]}'),
    )
    yield "rpc: many parameters", "rpc", _fill(b"1,", b'{"method":"SetValue","parameters":["cmi.location","b",', b"1]}")
    yield "rpc: a long method", "rpc", _fill(b"x", b'{"method":"', b'","parameters":[]}')
    yield "elements: many", "elements", _numbered(lambda n: b'"cmi.a%d":"b"' % n, b'{"elements":{', b"}}")
    yield "single: many", "single", _numbered(lambda n: b'"cmi.core.a%d":"b"' % n, b'{"cmi":{', b"}}")
    yield "hyperf: empty answers", "hyperf", _fill(b"{},", b'{"lesson":{},"session":{},"interactions":[', b"{}]}")
    yield (
        "hyperf: objectives",
        "hyperf",
        _fill(
            b"{},", b'{"lesson":{},"session":{},"interactions":[{"id":"i","result":"correct","objectives":[', b"{}]}]}"
        ),
    )
    yield (
        "hyperf: responses",
        "hyperf",
        _fill(
            b'"a",',
            b'{"lesson":{},"session":{},"interactions":[{"id":"i","result":"correct","learner_response":[',
            b'"b"]}]}',
        ),
    )
    head = (
        b'{"id":"r1","registrationCompletion":"COMPLETED","learner":{"id":"u1"},"course":{"id":"c1"},"activityDetails":'
    )
    yield "scorm-cloud: children", POSTBACK, _fill(b'{"runtime":{}},', head + b'{"children":[', b"{}]}}")
    yield (
        "scorm-cloud: answers",
        POSTBACK,
        _fill(b'{"id":"i"},', head + b'{"runtime":{"runtimeInteractions":[', b"{}]}}}"),
    )
    yield (
        "scorm-cloud: SCOs of answers",
        POSTBACK,
        _fill(
            b'{"runtime":{"runtimeInteractions":[{"id":"i","result":"correct"}]}},', head + b'{"children":[', b"{}]}}"
        ),
    )
    yield (
        "scorm-cloud: objectives",
        POSTBACK,
        _fill(b'"a",', head + b'{"runtime":{"runtimeInteractions":[{"id":"i","objectives":[', b'"a"]}]}}}'),
    )
    yield "scorm-cloud: deep", POSTBACK, head + b'{"children":[' * 400 + b"{}" + b"]}" * 400 + b"}"
    yield "scorm-cloud: a form", "scorm-cloud form", _fill(b"&a=b", b"password=x&data={}")
    yield (
        "scorm-cloud: a multipart form",
        "scorm-cloud form",
        _fill(b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n', after=b"--b--"),
    )

    def aicc(command: str, data: bytes, session: str = "1") -> bytes:
        return b"command=%b&session_id=%b&aicc_data=" % (command.encode(), session.encode()) + data

    room = SIZE - 100
    yield "aicc: lines of a group", "aicc", aicc("PutParam", b"[Core]\n" + b"a=b\n" * (room // 4 - 4))
    yield "aicc: groups", "aicc", aicc("PutParam", b"[Core]\n" * (room // 7))
    yield "aicc: brackets", "aicc", aicc("PutParam", b"[Core]\n" + b"[" * (room - 10))
    yield (
        "aicc: bracket lines of blanks",
        "aicc",
        aicc("PutParam", b"[Core]\n" + (b"[" + b" " * 1_000 + b"\n") * (room // 1_002 - 1)),
    )
    yield "aicc: a line of blanks", "aicc", aicc("PutParam", b"[Core]\n" + b" " * (room - 10))
    yield (
        "aicc: objectives",
        "aicc",
        aicc("PutParam", b"[Objectives_Status]\n" + b"".join(b"J_ID.%d=a\n" % n for n in range(room // 14))),
    )
    yield "aicc: comments", "aicc", aicc("PutParam", b"[Core]\n[Comments]\n" + b"<1>" * (room // 3 - 10))
    yield "aicc: comments that end", "aicc", aicc("PutParam", b"[Core]\n[Comments]\n" + b"<1>a<e.1>" * (room // 9 - 10))
    yield "aicc: rows", "aicc", aicc("PutInteractions", b'"interaction_id","result"\n' + b"a,c\n" * (room // 4 - 20))
    yield (
        "aicc: rows of long ids",
        "aicc",
        aicc("PutInteractions", b'"interaction_id","result"\n' + b"".join(b"i%d,c\n" % n for n in range(room // 10))),
    )
    yield (
        "aicc: columns",
        "aicc",
        aicc("PutInteractions", b"interaction_id," + b"a," * (room // 4) + b"\n" + b"b," * (room // 4)),
    )
    yield "aicc: quotes", "aicc", aicc("PutInteractions", b'interaction_id\n"' + b'"' * (room - 40))
    yield "aicc: encoded", "aicc", aicc("PutParam", b"%5BCore%5D%0A" + b"%41" * (room // 3 - 10))
    yield "aicc: many fields", "aicc", aicc("PutParam", b"x&" + b"a=b&" * (room // 4 - 10))


def _wrappers() -> _Rows:
    yield "wrapper: texts", SESSION, _numbered(lambda n: b'"k%d":"{\\"a\\":1}"' % n, b"{", b"}")
    yield "wrapper: objects", SESSION, _numbered(lambda n: b'"k%d":{"a":1}' % n, b"{", b"}")
    yield "wrapper: lists", SESSION, _numbered(lambda n: b'"k%d":[{"name":1}]' % n, b"{", b"}")
    yield "wrapper: params", SESSION, _numbered(lambda n: b'"k%d":"cmi.a=b"' % n, b"{", b"}")
    yield "wrapper: broken texts", SESSION, _numbered(lambda n: b'"k%d":"{"' % n, b"{", b"}")
    yield "wrapper: one large text", SESSION, _compact({"data": _fill(b"&cmi.x=", b"cmi.a=b")[: SIZE - 200].decode()})
    yield (
        "wrapper: a form of texts",
        SESSION,
        b"&".join(b"k%d=%b" % (n, quote('{"a":[1,2,3]}' * 4).encode()) for n in range(4_900)),
    )
    yield (
        "wrapper: form in JSON in form",
        SESSION,
        urlencode({"data": json.dumps({"data": "cmi.a=b" + "&cmi.x=" * 60_000})}).encode()[:SIZE],
    )
    deep: Any = {"cmi": {"core": {"lesson_status": "passed"}}}
    for _ in range(12):
        deep = {"data": json.dumps(deep)}
    yield "wrapper: in wrapper", SESSION, _compact(deep)[:SIZE]


def _launches() -> _Rows:
    for entry in (ALL_IN_ONE, PROGRESS, OPEN):
        cmi: dict[str, Any] = {} if entry == OPEN else {"cmi_data" if entry == PROGRESS else "cmi": {"core": {}}}
        for field, value in (
            ("scorm_version", "x" * 1_000_000),
            ("committed_at", "2026-01-31T12:00:00." + "1" * 1_000_000),
            ("session_id", "6" * 1_000_000),
            ("learner", {"id": "x" * 1_000_000}),
            ("learner", {"id": "u1", "name": "\x01" * 150_000}),
            ("activity", {"id": "235", "type": "http://" + " " * 1_000_000}),
            ("unknown", [{} for _ in range(300_000)]),
            ("attempt", int("9" * 4_000)),
        ):
            name = f"{entry}: {field} {type(value).__name__}"
            yield name, entry, _compact(LAUNCH | cmi | {field: value})
        yield f"{entry}: mended", entry, _compact(LAUNCH | cmi)[:-1] + rb',"a":"' + rb"\ud800" * 170_000 + b'"}'
    yield (
        "all-in-one: 2,000 answers",
        ALL_IN_ONE,
        _compact(
            LAUNCH | {"cmi": {"interactions": {f"{n}": {"id": f"i{n}", "result": "correct"} for n in range(2_000)}}}
        ),
    )
    yield "all-in-one: flat names", ALL_IN_ONE, _compact(LAUNCH | {"cmi": {f"cmi.a{n}": "b" for n in range(60_000)}})


def _packed() -> Iterator[tuple[str, str, bytes]]:
    yield "gzip: params", SESSION, _fill(b"&cmi.x=", b"cmi.a=b")
    yield "gzip: parts", SESSION, _fill(b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n', after=b"--b--")
    yield "gzip: lists of lists", SESSION, _fill(b"[],", rb'{"cmi":{"suspend_data":"\ud800"},"a":[', b"[]]}")
    yield "gzip: more than a mebibyte", SESSION, b" " * 40_000_000
