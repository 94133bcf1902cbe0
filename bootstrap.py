"""Make .venv, and uv in it, with nothing but the standard library; `make` runs this when .venv/bin/uv is missing.

Works without pip and without Debian's python3-venv: pip then comes from PyPI as one file, checked by its digest.
"""

import hashlib
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import venv
from pathlib import Path

VENV = Path(__file__).resolve().parent / ".venv"
PYTHON = VENV / "bin" / "python"
UV = "uv>=0.9"
PIP_URL = (
    "https://files.pythonhosted.org/packages/44/3c/"
    "d717024885424591d5376220b5e836c2d5293ce2011523c9de23ff7bf068/pip-25.3-py3-none-any.whl"
)
PIP_SHA256 = "9655943313a94722b7774661c21049070f6bbb0a1516bf02f7c8d5d9201514cd"


def main() -> None:
    if not PYTHON.exists():
        venv.create(VENV, symlinks=True, prompt="graphnexus")
    with tempfile.TemporaryDirectory() as scratch:
        pip = pip_command(Path(scratch))
        subprocess.run([PYTHON, *pip, "install", "--quiet", "--disable-pip-version-check", UV], check=True)  # noqa: S603


def pip_command(scratch: Path) -> list[str]:
    """Arguments that run pip in .venv: its own, made by ensurepip, or a downloaded one."""
    ensured = subprocess.run([PYTHON, "-m", "ensurepip", "--default-pip"], capture_output=True)  # noqa: S603
    if ensured.returncode == 0:
        return ["-m", "pip"]
    wheel = scratch / PIP_URL.rpartition("/")[2]
    wheel.write_bytes(download(PIP_URL, PIP_SHA256))
    return [str(wheel / "pip")]


def download(url: str, sha256: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 (a constant https address)
        content: bytes = answer.read()
    if hashlib.sha256(content).hexdigest() != sha256:
        sys.exit(f"{url} is not the file that was expected; nothing was installed.")
    return content


if __name__ == "__main__":
    try:
        main()
    except urllib.error.URLError as error:
        sys.exit(f"pip could not be fetched ({error.reason}). On Debian or Ubuntu: apt-get install python3-venv")
    except subprocess.CalledProcessError as error:
        sys.exit(f"uv could not be installed into {VENV}: pip ended with {error.returncode}, see above.")
