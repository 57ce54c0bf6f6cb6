"""Build the virtual environments from nothing but a Python with pip: ``.venv``, or ``--bench`` with the peers.

Called by the Makefile. A run that changes nothing takes milliseconds and says nothing, because the part of
``pyproject.toml`` that matters for an environment is remembered beside it.
Kept to the standard library, and parseable by old Pythons so that they can be told what is missing.
"""

import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYTHON_MIN = (3, 11)
PIP_MIN = (25, 1)  # the first that installs dependency groups

NO_VENV = """\
Could not make a virtual environment with {python}: neither ensurepip nor pip is there to fill it.
Install one of them (Debian and Ubuntu: apt-get install python3-venv), or choose another Python, for example:
make PYTHON=python3.12
"""


def main():
    """Bring one environment up to date."""
    require_python()
    if "--lowest" in sys.argv[1:]:
        oldest = ["--editable", ".[sidecar]", "--group", "test", *lower_bounds()]
        refresh(ROOT / ".tools" / "lowest", oldest)
    elif "--bench" in sys.argv[1:]:
        refresh(ROOT / ".tools" / "bench", ["--editable", ".[sidecar]", "--group", "test", "--group", "bench"])
    else:
        refresh(ROOT / ".venv", ["--editable", ".[sidecar]", "--group", "dev"])


def require_python():
    """End with a clear sentence when this Python is too old."""
    if sys.version_info < PYTHON_MIN:
        sys.exit(
            "Hashpact needs Python %d.%d or later; %s is %s. Choose another: make PYTHON=python3.12"
            % (*PYTHON_MIN, sys.executable, sys.version.split()[0])
        )


def refresh(folder, requirements):
    """Make ``folder`` an environment that holds ``requirements``, unless it is one already."""
    with (ROOT / "pyproject.toml").open("rb") as project:
        fcntl.flock(project, fcntl.LOCK_EX)  # two `make` at once: the second finds the work done
        stamp = folder / ".stamp"
        wanted = fingerprint(project, folder, requirements)
        if not stamp.exists() or stamp.read_text() != wanted:
            print("building %s (a few minutes the first time)" % folder.relative_to(ROOT), flush=True)
            create(folder)
            pip(folder, "install", *requirements)
        stamp.write_text(wanted)


def lower_bounds():
    """The oldest versions that pyproject.toml promises to work with, pinned."""
    import tomllib  # noqa: PLC0415  (as below)

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    return sorted({text.replace(">=", "==") for group in groups for text in group if "[" not in text})


def fingerprint(project, folder, requirements):
    """What an environment depends on: this Python, its place, and the packaging part of pyproject.toml."""
    import tomllib  # noqa: PLC0415  (absent from Pythons that only get as far as the refusal)

    packaging = {}
    if "--editable" in requirements:  # else they are pinned, and nothing in pyproject.toml changes them
        tables = tomllib.load(project)
        packaging = {name: tables.get(name) for name in ("build-system", "project", "dependency-groups")}
        packaging["hatch"] = tables["tool"]["hatch"]
    text = json.dumps([sys.version, str(folder), requirements, packaging], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest() + "\n"


def create(folder):
    """Make an environment with a pip that is new enough; one that does not run is replaced."""
    python = folder / "bin" / "python"
    same_python = "import pip, sys; sys.exit(sys.version_info[:2] != %r)" % (sys.version_info[:2],)
    pip_script = folder / "bin" / "pip"  # names its environment in the first line: tells one that was moved
    if runs(python, "-c", same_python) and pip_script.exists() and str(folder) in pip_script.read_text():
        upgrade_pip(folder)
        return
    if folder.exists():
        shutil.rmtree(str(folder))
    folder.parent.mkdir(exist_ok=True)
    # Debian splits ensurepip off; its python3-pip can fill an environment from outside.
    bare = [sys.executable, "-m", "venv", "--clear", "--without-pip", folder]
    fill = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "pip"]
    if not (runs(sys.executable, "-m", "venv", folder) or (runs(*bare) and runs(*fill))):
        shutil.rmtree(str(folder), ignore_errors=True)
        sys.exit(NO_VENV.format(python=sys.executable))
    upgrade_pip(folder)


def upgrade_pip(folder):
    """Old pips do not know dependency groups; a new enough one is left alone."""
    version = subprocess.check_output(
        [str(folder / "bin" / "python"), "-c", "import pip; print(pip.__version__)"], text=True
    )
    if tuple(int(part) for part in version.split(".")[:2]) < PIP_MIN:
        pip(folder, "install", "--upgrade", "pip>=%d.%d" % PIP_MIN)


def pip(folder, *arguments):
    """Run the environment's pip, quietly."""
    run(folder / "bin" / "python", "-m", "pip", "-qq", "--disable-pip-version-check", *arguments)


def run(*command):
    """Run a command in the checkout; end with its exit code when it fails."""
    words = [str(word) for word in command]
    code = subprocess.call(words, cwd=str(ROOT), stdin=subprocess.DEVNULL)
    if code:
        sys.exit("failed with exit code %d: %s" % (code, " ".join(words)))


def runs(*command):
    """Whether a command exists and succeeds; what it says is not shown."""
    try:
        return (
            subprocess.call(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1"),
            )
            == 0
        )
    except OSError:
        return False


if __name__ == "__main__":
    main()
