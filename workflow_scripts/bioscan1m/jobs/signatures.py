"""Signatures with an SSH key, by OpenSSH's own tool: who wrote this file?

`ssh-keygen -Y` signs with a key file or, given the public half, with the agent's key. A file of allowed signers, in the
form that ssh-keygen(1) describes and Git uses too, names whose signature counts; without it any key's does.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bioscan1m.foundation.errors import InputError

NAMESPACE = "bioscan1m-ledger"  # a signature is for one use alone


@dataclass(frozen=True)
class Signing:
    """Who signs: the key, and the file of the signers that are allowed; None where there is none."""

    key: str | None = None
    allowed: str | None = None


def sign(path: str | Path, key: str | Path) -> None:
    """Write `<path>.sig`. Raises InputError where the key cannot sign without being asked for a passphrase."""
    signature = Path(f"{path}.sig")
    signature.unlink(missing_ok=True)
    done = _ssh_keygen("sign", "-f", str(Path(key).expanduser()), str(path))
    if done.returncode:
        signature.unlink(missing_ok=True)
        raise InputError(
            f"provenance.signing_key: {key} does not sign ({done.stderr.strip()}); name a key without passphrase, or "
            "the public half of one that the SSH agent holds"
        )


def signature_fault(path: str | Path, allowed: str | Path | None = None) -> str:
    """Why the signature beside a file does not count; empty where it does.

    Without `allowed`, the file of allowed signers, it is also right that there is no signature.
    """
    signatures = [name for name in (Path(f"{path}.sig"), Path(f"{path}.part.sig")) if name.is_file()]
    if not signatures:
        return "" if allowed is None else "the ledger is not signed, and the config names who must sign it"
    if shutil.which("ssh-keygen") is None:
        return "it cannot be checked without ssh-keygen"
    if not Path(path).is_file():
        return "what it signs is not there"
    faults = [_fault_of(signature, path, allowed) for signature in signatures]
    return "" if "" in faults else faults[0]


def require_own_signature(path: str | Path, signing: Signing, was_signed: bool) -> None:
    """Raise InputError where a ledger has lost its signature, or has one that does not count or is of another key.

    What is added to a ledger is signed together with all that was in it, so that must be one's own.
    """
    signature, unfinished = Path(f"{path}.sig"), Path(f"{path}.part.sig")
    if not signature.is_file() and not unfinished.is_file():
        if was_signed:
            raise InputError(
                f"{path} was signed, and its signature is gone. Put back a copy of {signature.name}; if there is none, "
                "`repair_run.py RUN --lost-ledger --why TEXT` states it"
            )
        return
    if signing.key is None:
        raise InputError(f"{path} is signed; name the key under provenance.signing_key, or remove {signature}")
    if unfinished.is_file() and not _fault_of(unfinished, path, None):
        unfinished.replace(signature)  # its writer was killed between two files
    if fault := signature_fault(path, signing.allowed) or _other_key(signature, path, signing):
        raise InputError(f"{signature}: {fault}. Put back the ledger that you signed, with its signature")


def _fault_of(signature: Path, path: str | Path, allowed: str | Path | None) -> str:
    data = Path(path).read_bytes()
    if allowed is None:
        done = _ssh_keygen("check-novalidate", "-s", str(signature), data=data)
        return f"it does not sign this file ({_said(done)})" if done.returncode else ""
    signers = Path(allowed).expanduser()
    if not signers.is_file():
        return f"it cannot be checked: {allowed}, the file of allowed signers, is not there"
    found = _ssh_keygen("find-principals", "-s", str(signature), "-f", str(signers))
    names = found.stdout.split("\n")[0].strip()
    if found.returncode or not names:
        return f"it is not of a signer that {allowed} allows"
    done = _ssh_keygen("verify", "-s", str(signature), "-f", str(signers), "-I", names.split(",")[0], data=data)
    return f"it does not sign this file ({_said(done)})" if done.returncode else ""


def _other_key(signature: Path, path: str | Path, signing: Signing) -> str:
    """That a signature is of another key than the one that signs now, where no file names allowed signers."""
    if signing.key is None or signing.allowed is not None:
        return ""
    own = _fingerprints(["ssh-keygen", "-l", "-f", str(Path(signing.key).expanduser())])
    done = _ssh_keygen("check-novalidate", "-s", str(signature), data=Path(path).read_bytes())
    used = set(re.findall(r"SHA256:\S+", done.stdout))
    if own and used and own.isdisjoint(used):
        return "it is of another key than provenance.signing_key; name both in provenance.allowed_signers if both count"
    return ""


def _fingerprints(command: list[str]) -> set[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, start_new_session=True)
    return set(re.findall(r"SHA256:\S+", done.stdout))


def _said(done: subprocess.CompletedProcess[str]) -> str:
    return done.stderr.strip() or done.stdout.strip()


def _ssh_keygen(action: str, *arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[str]:
    namespace = [] if action == "find-principals" else ["-n", NAMESPACE]
    command = ["ssh-keygen", "-Y", action, *namespace, *arguments]
    try:
        done = subprocess.run(command, input=data, capture_output=True, check=False, start_new_session=True)
    except FileNotFoundError:
        raise InputError("provenance.signing_key: ssh-keygen is not installed; it comes with OpenSSH") from None
    output, errors = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(command, done.returncode, output, errors)
