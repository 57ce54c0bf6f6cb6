"""A thin installation: nothing heavy is imported, and what is missing is named."""

from __future__ import annotations

import subprocess
import sys


def python(code: str) -> str:
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_importing_hashpact_imports_nothing_heavy() -> None:
    heavy = python(
        "import hashpact, sys; "
        "print([m for m in ('grpc', 'google.protobuf', 'numpy', 'PIL', 'typer', 'rich') if m in sys.modules])"
    )
    assert heavy == "[]"


def test_help_imports_neither_grpc_nor_numpy() -> None:
    heavy = python(
        "import sys; sys.argv = ['hashpact', 'check', '--help']\n"
        "import hashpact.cli\n"
        "try: hashpact.cli.main()\n"
        "except SystemExit: pass\n"
        "print('heavy:', [m for m in ('grpc', 'google.protobuf', 'numpy', 'PIL') if m in sys.modules])"
    )
    assert heavy.splitlines()[-1] == "heavy: []"


def test_every_public_name_is_there() -> None:
    python(
        "import hashpact\nfor name in hashpact.__all__: getattr(hashpact, name)\n"
        "assert set(hashpact.__all__) <= set(dir(hashpact))"
    )
    assert "AttributeError" in python(
        "import hashpact\ntry: hashpact.nothing\nexcept AttributeError as e: print(repr(e))"
    )


BLOCK = "import sys\nfor name in ('PIL', 'av', 'numpy', 'imagehash', 'numba', 'pypdfium2'): sys.modules[name] = None\n"


def test_without_the_media_extra_look_ups_work_and_hashing_says_what_to_install() -> None:
    said = python(
        BLOCK + "from hashpact import Client, errors\n"
        "client = Client('127.0.0.1:1', token='t', plaintext=True)\n"
        "for attempt in (lambda: client.check('x.jpg'), lambda: client.contribute('x.jpg', labels=['a']),\n"
        "                lambda: __import__('hashpact').hash_image, lambda: __import__('hashpact').hash_video,\n"
        "                lambda: __import__('hashpact').hash_document):\n"
        "    try: attempt()\n"
        "    except errors.MissingExtraError as error: print(error)\n"
    )
    assert said.count("pip install 'hashpact[media]'") == 5


def test_each_library_of_the_media_extra_is_missed() -> None:
    """An environment that has an older extra has some of them."""
    for library, name in (("av", "hash_video"), ("pypdfium2", "hash_document")):
        said = python(
            f"import sys; sys.modules[{library!r}] = None\n"
            f"import hashpact\nhashpact.hash_image\n"
            f"try: hashpact.{name}\nexcept hashpact.errors.MissingExtraError as error: print(error)"
        )
        assert "pip install 'hashpact[media]'" in said
        assert library in said


def test_without_the_media_extra_the_command_line_ends_with_a_usage_error() -> None:
    code = BLOCK + "import sys; sys.argv = ['hashpact', 'hash', 'x.jpg']\nimport hashpact.cli\nhashpact.cli.main()"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 2
    assert "pip install 'hashpact[media]'" in run.stderr
    assert "Traceback" not in run.stderr
