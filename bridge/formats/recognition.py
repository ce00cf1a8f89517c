"""Telling which format a commit is in from its body; players label bodies with any content type they like."""

from __future__ import annotations

from bridge.errors import MalformedBody
from bridge.formats import native, scorm_again
from bridge.formats.jsonbody import decode
from bridge.formats.post import Post
from mappings.attempt.commit import Commit


def recognise(post: Post) -> Commit:
    """Read a commit of a session that is known from the address.

    Raises:
        MalformedBody: it is in no known format.
        MalformedField: it is in the bridge's own format with a value that cannot be used.
    """
    if not post.body.strip():
        raise MalformedBody("The body is empty; a commit in JSON is needed.")
    body = decode(post.body)
    if isinstance(body, dict):
        if native.MARKS & body.keys() and ("cmi" in body or "cmi_data" in body):
            return native.recognise(body, post)
        commit = scorm_again.recognise(body, post)
        if commit is not None:
            return commit
    raise MalformedBody(
        "The body is in no known format: neither the bridge's own, {\"cmi\": {…}, …}, nor one of scorm-again's."
    )
