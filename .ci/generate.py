"""Write ``client/hashpact/v1`` from ``proto/``, or ``--check`` that it is what ``proto/`` generates.

Runs an older generator on purpose, in an environment of its own: generated code refuses, at import, to run
with libraries older than its generator, so these pins are the lower bounds that users of ``hashpact`` get.
"""

import filecmp
import pathlib
import shutil
import sys
import tempfile

import environment

ROOT = environment.ROOT
GENERATED = ROOT / "client" / "hashpact" / "v1"
TOOLS = ROOT / ".tools" / "generate"
GENERATOR = ["grpcio-tools==1.76.0", "mypy-protobuf==5.1.0"]


def main():
    """Generate into a temporary folder, then compare with the checkout or replace it."""
    environment.require_python()
    environment.refresh(TOOLS, GENERATOR)
    with tempfile.TemporaryDirectory() as scratch:
        fresh = generate(pathlib.Path(scratch))
        changed = differences(fresh)
        if "--check" in sys.argv[1:]:
            if changed:
                sys.exit(
                    "client/hashpact/v1 is not what proto/ generates; run `make generate`:\n  " + "\n  ".join(changed)
                )
            return
        for name in changed:
            if (fresh / name).exists():
                shutil.copyfile(str(fresh / name), str(GENERATED / name))
            else:
                (GENERATED / name).unlink()
            print("generated " + name)


def generate(folder):
    """Generated modules of every .proto, in ``folder``; returns the folder that holds them."""
    protos = sorted((ROOT / "proto").rglob("*.proto"))
    environment.run(
        "env",
        "PATH=%s:/usr/bin:/bin" % (TOOLS / "bin"),  # protoc finds its typing plug-ins by PATH
        TOOLS / "bin" / "python",
        "-m",
        "grpc_tools.protoc",
        "-I%s" % (ROOT / "proto"),
        "--python_out=%s" % folder,
        "--grpc_python_out=%s" % folder,
        "--mypy_out=quiet:%s" % folder,
        "--mypy_grpc_out=quiet:%s" % folder,
        *protos,
    )
    fresh = folder / "hashpact" / "v1"
    for proto in protos:
        if "\nservice " not in proto.read_text():
            for empty in fresh.glob(proto.stem + "_pb2_grpc.py*"):
                empty.unlink()
    return fresh


def differences(fresh):
    """Names of the generated files that are missing, superfluous or different in the checkout."""
    names = {path.name for folder in (fresh, GENERATED) for path in folder.glob("*_pb2*.py*")}
    same, _, _ = filecmp.cmpfiles(str(fresh), str(GENERATED), sorted(names), shallow=False)
    return sorted(names - set(same))


if __name__ == "__main__":
    main()
