"""What rocrate-validator says of a crate, without network: the JSON-LD contexts are put into its cache."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import requests
import rocrate
from requests.adapters import BaseAdapter
from requests_cache import CachedSession
from rocrate_validator import services
from rocrate_validator.models import Severity
from urllib3 import HTTPResponse

ROOT = "https://w3id.org/ro/"
TERMS = ("ParameterConnection", "connection", "environment", "resourceUsage", "sha256", "sourceParameter")
CONTEXTS = {
    # The library that writes crates carries that of version 1.3, where the terms of Bioschemas have moved.
    f"{ROOT}crate/1.1/context": (Path(rocrate.__file__).parent / "data/ro-crate.jsonld")
    .read_bytes()
    .replace(b"https://bioschemas.org/terms/", b"https://bioschemas.org/"),
    f"{ROOT}terms/workflow-run/context": json.dumps(
        {"@context": {term: f"{ROOT}terms/workflow-run#{term}" for term in TERMS}}
    ).encode(),
}


class ServedFromHere(BaseAdapter):
    """Answers requests with the contexts."""

    def send(self, request: requests.PreparedRequest, **_: object) -> requests.Response:
        headers = {"Content-Type": "application/ld+json"}
        raw = HTTPResponse(BytesIO(CONTEXTS[request.url]), headers, 200, preload_content=False)
        return requests.adapters.HTTPAdapter().build_response(request, raw)

    def close(self) -> None:
        """Nothing is open."""


def fill_cache(path: Path) -> None:
    """Write the cache of HTTP answers to a file of this name (`.sqlite` comes after it)."""
    with CachedSession(str(path), backend="sqlite", expire_after=-1) as session:
        session.mount(ROOT, ServedFromHere())
        for url in CONTEXTS:
            session.get(url).raise_for_status()


def issues_of_crate(crate: Path, cache: Path) -> list[str]:
    """What the validator says of a crate, at level REQUIRED and without network."""
    fill_cache(cache)
    settings = services.ValidationSettings(
        rocrate_uri=str(crate),
        profile_identifier="provenance-run-crate-0.5",
        requirement_severity=Severity.REQUIRED,
        offline=True,
        cache_path=cache,
        cache_max_age=-1,
    )
    return [f"{issue.check.identifier}: {issue.message}" for issue in services.validate(settings).get_issues()]
