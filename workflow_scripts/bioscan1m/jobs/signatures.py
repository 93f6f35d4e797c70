"""Signatures with an SSH key, by OpenSSH's own tool: who wrote this file?

`ssh-keygen -Y` signs with a key file or, given the public half, with the agent's key.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from bioscan1m.foundation.errors import InputError

NAMESPACE = "bioscan1m-ledger"  # a signature is for one use alone


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


def signature_fault(path: str | Path) -> str:
    """Why the signature beside a file is not of this file; empty where it is, or where there is none."""
    signature = Path(f"{path}.sig")
    if not signature.is_file():
        return ""
    if shutil.which("ssh-keygen") is None:
        return "it cannot be checked without ssh-keygen"
    if not Path(path).is_file():
        return "what it signs is not there"
    done = _ssh_keygen("check-novalidate", "-s", str(signature), data=Path(path).read_bytes())
    return f"it does not sign this file ({done.stderr.strip() or done.stdout.strip()})" if done.returncode else ""


def _ssh_keygen(action: str, *arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[str]:
    command = ["ssh-keygen", "-Y", action, "-n", NAMESPACE, *arguments]
    try:
        done = subprocess.run(command, input=data, capture_output=True, check=False, start_new_session=True)
    except FileNotFoundError:
        raise InputError("provenance.signing_key: ssh-keygen is not installed; it comes with OpenSSH") from None
    output, errors = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(command, done.returncode, output, errors)
