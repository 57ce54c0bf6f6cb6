"""The data directory: what lies where, whether it is ours and whole, and whether its disk is fit for a store.

::

    DIR/                   0700
      layout               its presence says that ``init`` came to its end; holds the number of this layout
      config.toml          settings, optional
      store/               ledger and state (LMDB)
      index/               what is searched by distance; may be deleted while no server runs, and is built anew
      lock                 held by the process that uses the directory
      ca.pem  ca.key       the authority that signed the server's certificate; members need ca.pem
      server.pem .key      the server's certificate and key
      numba-cache/         compiled kernels, a folder per version of them; may be deleted
      streamed/            snapshots for replicas that begin; emptied by the server
      decoy.key            on a hub, if its operator wants decoys: the secret that tells whose they are
      reports/             how often members met which item, as they report it
      uploads/             on a replica, if its operator wants it: what is remembered of its member's uploads
      replica              its presence says that the list follows another server's, and takes no writes of its own

``initialising`` exists while ``init`` works: found later, it says that ``init`` was interrupted.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hashpact_server.trouble import Trouble

LAYOUT: Final = "hashpact data directory, layout 1\n"

NETWORK_FILE_SYSTEMS: Final = frozenset(
    {"9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs", "gfs2", "glusterfs", "gpfs", "lustre"}
    | {"ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "prl_fs", "pvfs2", "smb3", "smbfs", "vboxsf", "vmhgfs"}
)
_REMOTE_FUSE: Final = re.compile(
    r"fuse\.(sshfs|glusterfs|ceph.*|s3.*|rclone|gcsfuse|goofys|mount-s3|blobfuse.*|davfs.*|curlftpfs|juicefs|seaweed.*)"
)


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """A data directory by its path; making one of these touches nothing."""

    path: Path

    def file(self, name: str) -> Path:
        """A file of it; an absolute name stays as it is."""
        return self.path / name

    @property
    def config_file(self) -> Path:
        """Settings."""
        return self.file("config.toml")

    @property
    def ca(self) -> Path:
        """Certificate of the authority: what members need."""
        return self.file("ca.pem")

    @property
    def ca_key(self) -> Path:
        """Private key of the authority."""
        return self.file("ca.key")

    @property
    def kernel_cache(self) -> Path:
        """Compiled kernels."""
        return self.file("numba-cache")

    @property
    def reports(self) -> Path:
        """How often items were met."""
        return self.file("reports")

    @property
    def decoy_key(self) -> Path:
        """The secret of the decoys, on a hub that hands some out."""
        return self.file("decoy.key")

    @property
    def uploads(self) -> Path:
        """What is remembered of uploads."""
        return self.file("uploads")

    @property
    def layout_file(self) -> Path:
        """Written last by ``init``."""
        return self.file("layout")

    @property
    def replica_mark(self) -> Path:
        """There in a replica's directory."""
        return self.file("replica")

    @property
    def marker(self) -> Path:
        """There while ``init`` works."""
        return self.file("initialising")

    def require(self) -> None:
        """Make sure that this is a whole data directory of a layout that we know, on a local disk.

        Raises:
            Trouble: it is not; says what to do.
        """
        try:
            layout = self.layout_file.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            raise Trouble(self._why_not()) from None
        except OSError as error:
            raise Trouble(f"cannot read {self.layout_file}: {error.strerror}") from error
        if layout != LAYOUT:
            raise Trouble(
                f"{self.path} has another layout than this version knows: use the version that made it, or newer"
            )
        self.require_local()

    def require_local(self) -> None:
        """Refuse a network file system: memory maps and locks do not hold there, and a store would be damaged.

        Raises:
            Trouble: it is one.
        """
        if is_remote(kind := file_system(self.path)):
            raise Trouble(f"{self.path} is on a network file system ({kind}); use a local disk")

    def _why_not(self) -> str:
        if not self.path.is_dir():
            return f"{self.path} is no directory; make one with: hashpact-server init {self.path}"
        if self.marker.exists():
            return (
                f"{self.path} is half made: its init was interrupted, and nothing in it is in use."
                f" Remove it (rm -r {self.path}) and run: hashpact-server init {self.path}"
            )
        return f"{self.path} is no data directory; make one with: hashpact-server init DIR"


def file_system(path: Path) -> str:
    """Kind of the file system that holds ``path`` (which need not exist yet), e.g. ``ext4``; "" when unknown."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    real = Path(os.path.realpath(path))
    best, kind = -1, ""
    for line in lines:
        left, _, right = line.partition(" - ")
        # Blanks in mount points are written as octal escapes.
        point = Path(re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), left.split(" ")[4]))
        # Of two mounts on one point the later hides the earlier, hence >=.
        if (point == real or point in real.parents) and len(point.parts) >= best:
            best, kind = len(point.parts), right.split(" ")[0]
    return kind


def is_remote(kind: str) -> bool:
    """Whether a kind of file system lives on another machine."""
    return kind in NETWORK_FILE_SYSTEMS or _REMOTE_FUSE.fullmatch(kind) is not None


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner reads, whole or not at all, and durable."""
    partial = path.with_name(path.name + ".partial")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(handle, 0o600)  # the file may be left from an interrupted run, with another mode
        file.write(data)
        file.flush()
        os.fsync(handle)
    partial.replace(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make names that were added to or removed from a directory durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
