"""As much of Google Cloud Storage's JSON API as gcsfs reads an object by, for the server on loopback."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from urllib.parse import parse_qs, unquote, urlsplit

from loopback import Answer, Request


def storage(objects: dict[str, bytes], *troubles: Answer) -> Answer:
    """Serve a bucket: what lies under a prefix, what an object is, its bytes; `troubles` answer the first for bytes."""
    waiting = list(troubles)

    def answer(request: Request) -> None:
        address = urlsplit(request.path)
        key, query = unquote(address.path).partition("/o/")[2], parse_qs(address.query)
        if not key:
            found = [name for name in objects if name.startswith(query["prefix"][0])]
            send_json(request, {"items": [described(name, objects[name]) for name in found]})
        elif key not in objects:
            request.reply(404, b"{}")
        elif query.get("alt") == ["media"]:
            (waiting.pop(0) if waiting else part_of(objects[key]))(request)
        else:
            send_json(request, described(key, objects[key]))

    return answer


def refusal(code: int, message: str) -> Answer:
    """Answer with an error as the API writes it."""
    return lambda request: send_json(request, {"error": {"code": code, "message": message}}, code)


def part_of(data: bytes) -> Answer:
    """Serve the bytes from the first to the last that are asked for."""

    def answer(request: Request) -> None:
        first, last = map(int, re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers["Range"]).groups())
        request.reply(206, data[first : last + 1], Content_Range=f"bytes {first}-{last}/{len(data)}")

    return answer


def etag(data: bytes) -> str:
    """What the store calls this version of an object."""
    return hashlib.sha1(data).hexdigest()


def described(key: str, data: bytes) -> dict[str, str]:
    md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
    return {"name": key, "size": str(len(data)), "etag": etag(data), "md5Hash": md5}


def send_json(request: Request, value: dict[str, object], code: int = 200) -> None:
    request.reply(code, json.dumps(value).encode(), Content_Type="application/json")
