"""AICC HACP: commands, groups and tables, answered in text."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from sqlalchemy import select

from storage.engine import reading
from storage.tables import journal
from tests.formats.client import SUSPEND_DATA, Answer, commit, open_format_client, read
from tests.support.bridge import Bridge
from tests.support.frames import unpack_frames

OK = "error=0\r\nerror_text=Successful\r\n"
PARAM = (
    "[Core]\r\nLesson_Location=p3\r\nLesson_Status=P,S\r\nScore=85,100,0\r\nTime=00:05:30\r\n"
    "; a remark\r\n[Core_Lesson]\r\nbookmark=1,2&x=y\r\n[not a group]\r\n"
    "[Comments]\r\n<1>nice<e.1><2>very<e.2>\r\n"
    "[Objectives_Status]\r\nJ_ID.1=obj-1\r\nJ_Score.1=50\r\nJ_Status.1=C\r\n"
    "[Student_Preferences]\r\nAudio=5\r\nLanguage=\r\n"
)
TREE: Any = {
    "cmi": {
        "core": {
            "lesson_location": "p3",
            "lesson_status": "passed",
            "exit": "suspend",
            "score": {"raw": "85", "max": "100", "min": "0"},
            "session_time": "00:05:30",
        },
        "suspend_data": "bookmark=1,2&x=y\r\n[not a group]",
        "comments": "nice\nvery",
        "student_preference": {"audio": "5"},
        "objectives": {"0": {"id": "obj-1", "score": {"raw": "50"}, "status": "completed"}},
    }
}
COLUMNS = '"course_id","student_id","lesson_id","date","time"'
INTERACTIONS = (
    f'{COLUMNS},"interaction_id","objective_id","type_interaction","correct_response","student_response","result"'
    ',"weighting","latency"\r\n'
    '"C","u","L","2026/01/02","10:20:30","Q1","obj-1","C","a","b","W","1","00:00:12"\r\n'
    '"C","u","L","2026/01/02","10:20:40","Q, 2","","T","","t","0.75","",""\r\n'
)


def form(command: str, data: str = "", name: str = "AICC_Data", **more: str) -> str:
    return urlencode({"command": command, "version": "4.0", "session_id": "SID", name: data, **more}, quote_via=quote)


def test_put_param_becomes_the_tree_in_the_words_of_scorm_12() -> None:
    name, call = read(form("PutParam", PARAM))

    assert name == "aicc"
    assert call.commit is not None
    assert call.commit.tree == TREE
    assert call.commit.scorm_version == "1.2"
    assert call.commit.terminated is False
    assert call.commit.full is False


@pytest.mark.parametrize(
    "body",
    [
        form("putparam", PARAM.replace("\r\n", "\n").upper().replace("P3", "p3"), "aicc_data"),
        form("PUTPARAM", PARAM.replace("[Core]", " [ CORE ] "), "AICC_DATA"),
        f"command=PutParam&version=4.0&session_id=SID&aicc_data={PARAM}",
        f"Session_ID=SID&Command=putparam&AICC_data={quote(PARAM, safe='[]=,: ')}".replace("%0D%0A", "\r\n"),
    ],
    ids=["line feeds and capitals", "spaces in the group's name", "not encoded at all", "half encoded"],
)
def test_case_line_ends_and_encoding_do_not_matter(body: str) -> None:
    core = commit(body).tree["cmi"]["core"]

    assert core["lesson_location"] == "p3"
    assert core["lesson_status"] == "passed"
    assert core["session_time"] == "00:05:30"


@pytest.mark.parametrize(
    ("sent", "status", "end"),
    [
        ("P", "passed", None),
        ("Completed", "completed", None),
        ("f,L", "failed", "logout"),
        ("Incomplete, Time-out", "incomplete", "time-out"),
        ("browsed", "browsed", None),
        ("N, ab-initio", "not attempted", None),
        ("zzz", "zzz", None),
    ],
)
def test_only_the_first_letter_of_a_status_counts(sent: str, status: str, end: str | None) -> None:
    core = commit(form("PutParam", f"[core]\nlesson_status={sent}\n")).tree["cmi"]["core"]

    assert core["lesson_status"] == status
    assert core.get("exit") == end


def test_a_flag_and_a_group_that_are_left_empty_empty_what_was_said() -> None:
    """The flag of `Lesson_Status` is the exit; none behind its comma is a normal one."""
    _, call = read(form("PutParam", "[Core]\r\nLesson_Location=\r\nLesson_Status=P,\r\n[Core_Lesson]\r\n"))

    assert call.commit is not None
    assert call.commit.tree == {
        "cmi": {"core": {"lesson_location": "", "lesson_status": "passed", "exit": ""}, "suspend_data": ""}
    }


async def test_an_attempt_whose_last_flag_is_empty_is_not_suspended(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "aicc")
    await at.post(form("PutParam", "[Core]\r\nLesson_Status=I,S\r\nTime=00:01:00\r\n[Core_Lesson]\r\nx=1\r\n"))
    await at.post(form("PutParam", "[Core]\r\nLesson_Status=P,\r\nTime=00:02:00\r\n[Core_Lesson]\r\n"))
    await at.post(form("ExitAU"))

    assert bridge.rules()[-1] == "terminated"
    assert "x=1" not in (await at.post(form("GetParam"))).text


def test_tables_become_collections() -> None:
    """AICC sends interactions as a table; each row is one of SCORM's, under an index of its own."""
    assert commit(form("PutInteractions", INTERACTIONS)).tree == {
        "cmi": {
            "interactions": {
                "0": {
                    "id": "Q1",
                    "type": "choice",
                    "student_response": "b",
                    "result": "wrong",
                    "weighting": "1",
                    "latency": "00:00:12",
                    "time": "10:20:30",
                    "timestamp": "2026-01-02T10:20:30",
                    "correct_responses": {"0": {"pattern": "a"}},
                    "objectives": {"0": {"id": "obj-1"}},
                },
                "1": {
                    "id": "Q, 2",
                    "type": "true-false",
                    "student_response": "t",
                    "result": "0.75",
                    "time": "10:20:40",
                    "timestamp": "2026-01-02T10:20:40",
                },
            }
        }
    }
    assert commit(form("PutObjectives", f"{COLUMNS},objective_id,score,status\nC,u,L,,,obj-1,50,P")).tree == {
        "cmi": {"objectives": {"0": {"id": "obj-1", "score": {"raw": "50"}, "status": "passed"}}}
    }
    assert commit(form("PutComments", f"{COLUMNS},location,comment\nC,u,L,2026/01/02,10:00:00,p1,nice")).tree == {
        "cmi": {
            "comments_from_learner": {"0": {"comment": "nice", "location": "p1", "timestamp": "2026-01-02T10:00:00"}}
        }
    }


def test_only_exit_au_ends_the_session() -> None:
    decoded = commit(form("ExitAU"))

    assert decoded.terminated is True
    assert decoded.tree == {}


@pytest.mark.parametrize("name", [None, "aicc"])
async def test_a_session_is_answered_as_hacp_wants_it(bridge: Bridge, name: str | None) -> None:
    at = await open_format_client(bridge, name)
    answers = [
        await at.post(form("PutParam", PARAM)),
        await at.post(form("PutParam", PARAM.replace("00:05:30", "00:06:00"))),
        await at.post(form("PutInteractions", INTERACTIONS)),
        await at.post(form("PutPath", "x")),
        await at.post(form("PutPerformance", "x")),
        await at.post(form("PutParam")),
        await at.post(form("ExitAU")),
        await at.post(form("ExitAU")),
    ]
    session = await at.session()

    assert [(answer.status, answer.content_type, answer.text) for answer in answers] == [
        (200, "text/plain; charset=utf-8", OK)
    ] * 8
    assert [commit["disposition"] for commit in session["commits"]] == ["applied"] * 4 + ["duplicate"]
    assert session["ended"] == "suspended"
    assert session["attempt"]["total_time"] == "PT6M"
    assert session["attempt"]["score"] == {"scaled": 0.85, "raw": 85, "min": 0, "max": 100}


async def test_get_param_gives_back_what_was_put(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "aicc", learner={"id": "u1", "name": "Lovelace, Ada"})
    first = await at.post(form("GetParam"))
    await at.post(form("PutParam", PARAM.replace("p3", "page 3")))
    second = await at.post(form("getparam"))
    answer: Answer = await at.get("command=GetParam&session_id=SID")

    assert first.text == (
        f"{OK}version=4.0\r\naicc_data=[Core]\r\nStudent_ID=u1\r\nStudent_Name=Lovelace, Ada\r\nLesson_Location=\r\n"
        "Credit=credit\r\nLesson_Status=N, ab-initio\r\nScore=\r\nTime=00:00:00\r\nLesson_Mode=normal\r\n"
        "[Core_Lesson]\r\n[Core_Vendor]\r\n[Objectives_Status]\r\n[Student_Data]\r\nMastery_Score=\r\n"
        "Max_Time_Allowed=\r\nTime_Limit_Action=\r\n[Student_Preferences]\r\nAudio=\r\nLanguage=\r\nSpeed=\r\nText=\r\n"
    )
    for line in (
        "Lesson_Location=page 3\r\n",
        "Lesson_Status=P, ab-initio\r\n",
        "Score=85,100,0\r\n",
        "Time=00:05:30\r\n",
        "[Core_Lesson]\r\nbookmark=1,2&x=y\r\n[not a group]\r\n[Core_Vendor]\r\n",
        "J_ID.1=obj-1\r\nJ_Score.1=50\r\nJ_Status.1=C\r\n",
        "Audio=5\r\n",
    ):
        assert line in second.text
    assert answer.text == second.text


async def test_asking_stores_nothing_and_get_never_does(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "aicc")
    await at.post(form("GetParam"))
    refused = await at.get("command=ExitAU")

    assert refused.text.startswith("error=1\r\nerror_text=Invalid Command: ")
    assert (await at.session())["commits"] == []


@pytest.mark.parametrize(
    ("body", "beginning"),
    [
        ("", "error=1\r\nerror_text=Invalid Command: The body is empty"),
        ("hello", "error=1\r\nerror_text=Invalid Command: The body is not JSON"),
        ("session_id=SID", "error=1\r\nerror_text=Invalid Command: The body is not in the format aicc"),
        ("command=&session_id=SID", "error=1\r\nerror_text=Invalid Command: '' is no command of HACP."),
        ("command=Explode&session_id=SID", "error=1\r\nerror_text=Invalid Command: 'Explode' is no command of HACP."),
        (form("PutParam", "Lesson_Status=P"), "error=1\r\nerror_text=Invalid Command: The aicc_data has no group"),
        (form("PutParam", "[Nonsense]\nx=y"), "error=1\r\nerror_text=Invalid Command: The aicc_data has no group"),
        (form("PutInteractions", "a,b\n1,2"), "error=1\r\nerror_text=Invalid Command: The aicc_data is no table"),
        (form("PutObjectives", '"'), "error=1\r\nerror_text=Invalid Command: The aicc_data is no table"),
        (form("PutComments", "x" * 140_000), "error=1\r\nerror_text=Invalid Command: The aicc_data is no table"),
        ('{"cmi": {}}', "error=1\r\nerror_text=Invalid Command: The body is not in the format aicc"),
    ],
)
async def test_a_body_that_is_none_is_refused_as_an_invalid_command(bridge: Bridge, body: str, beginning: str) -> None:
    at = await open_format_client(bridge, "aicc")
    answer = await at.post(body)

    assert answer.status == 200
    assert answer.text.startswith(beginning)
    assert answer.text.endswith("\r\n")
    assert answer.text.count("\r\n") == 2
    assert (await at.session())["commits"] == []


@pytest.mark.parametrize("command", ["GetParam", "PutPath", "ExitAU"])
async def test_an_unknown_session_is_an_invalid_session_id(bridge: Bridge, command: str) -> None:
    at = await open_format_client(bridge, "aicc")
    for unknown in ("99999999-0000-4000-8000-000000000001", "SID-1"):
        at.address = f"/v1/formats/aicc/sessions/{unknown}/commits"
        answer = await at.post(form(command), Authorization=f"Bearer {bridge.token}")

        assert answer.status == 200, unknown
        assert answer.text.startswith("error=3\r\nerror_text=Invalid Session ID: "), unknown


async def test_a_wrong_token_is_an_invalid_session_id(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "aicc")
    at.address = at.address[:-4] + "AAAA"

    assert (await at.post(form("GetParam"))).text.startswith("error=3\r\nerror_text=Invalid Session ID: ")


async def test_suspend_data_of_126_kib_comes_back(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "aicc")

    assert (await at.post(form("PutParam", f"[Core]\r\n[Core_Lesson]\r\n{SUSPEND_DATA}"))).text == OK
    assert f"[Core_Lesson]\r\n{SUSPEND_DATA}\r\n" in (await at.post(form("GetParam"))).text


async def test_what_of_the_data_cannot_be_used_is_warned_of(bridge: Bridge) -> None:
    at = await open_format_client(bridge, "aicc")
    await at.post(form("PutParam", "[Core]\r\nLesson_Staus=P\r\nScore=many\r\n[Objectives_Status]\r\nJ_Status.1=C\r\n"))
    rows = (
        '"interaction_id","type_interaction","student_response","latency"\r\n"","C","a",""\r\n"Q1","C","a","soon"\r\n'
    )
    await at.post(form("PutInteractions", rows))

    unpack_frames(bridge.engine)
    with reading(bridge.engine) as connection:
        replies = connection.execute(select(journal.c.response).order_by(journal.c.number)).scalars().all()
    warnings = [
        [(warning["element"], warning["code"]) for warning in json.loads(str(reply))["warnings"]] for reply in replies
    ]

    assert [sorted(listed) for listed in warnings] == [
        [
            ("cmi.core.lesson_staus", "unknown-element"),
            ("cmi.core.score.raw", "not-a-number"),
            ("cmi.objectives.0.id", "missing-id"),
        ],
        [("cmi.interactions.0.id", "missing-id"), ("cmi.interactions.1.latency", "bad-time")],
    ]
