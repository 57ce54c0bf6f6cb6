"""Labels of imported records: those given for all, those the file has, and tags of another list, translated."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from hashpact.errors import ConfigError
from hashpact.exchange.records import Record

MAP_BYTES_MAX: Final = 1 << 20
TAGS_COUNTED_MAX: Final = 1000
_LABEL: Final = re.compile(r"[a-z0-9][a-z0-9_\-.:/]{0,63}")


class Labelling:
    """Gives records their labels.

    Attributes:
        untranslated: tags that the map does not name, with how often they came; at most ``TAGS_COUNTED_MAX``.

    Args:
        labels: for every record.
        tags: translation of tags; an empty list drops a tag knowingly.

    Raises:
        ConfigError: one of them is no label.
    """

    def __init__(self, labels: Iterable[str], tags: Mapping[str, Iterable[str]] | None = None) -> None:
        self._labels = tuple(clean_label(label) or _no_label(label) for label in labels)
        self._tags = {
            tag: tuple(clean_label(label) or _no_label(label) for label in given) for tag, given in (tags or {}).items()
        }
        self.untranslated: dict[str, int] = {}

    def of(self, record: Record) -> tuple[str, ...] | None:
        """Labels of a record, sorted; None when the file states one that is none."""
        own = [clean_label(label) for label in record.labels]
        found = {*self._labels, *(label for label in own if label)}
        for tag in record.tags:
            if tag in self._tags:
                found.update(self._tags[tag])
            elif tag in self.untranslated or len(self.untranslated) < TAGS_COUNTED_MAX:
                self.untranslated[tag] = self.untranslated.get(tag, 0) + 1
        return None if None in own else tuple(sorted(found))


def clean_label(text: str) -> str | None:
    """A label as the service writes it, or None when it cannot be one."""
    label = text.strip().lower()
    return label if _LABEL.fullmatch(label) else None


def _no_label(text: str) -> str:
    raise ConfigError(
        f"{text!r} is no label: 1 to 64 characters of a-z 0-9 _ - . : /, beginning with a letter or digit"
    )


def read_map(path: Path) -> dict[str, list[str]]:
    """A translation of tags: TOML with a table ``tags`` of lists of labels.

    Raises:
        ConfigError: it cannot be read, or says something else.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAP_BYTES_MAX + 1)
        if len(raw) > MAP_BYTES_MAX:
            raise ConfigError(f"{str(path)!r} is larger than {MAP_BYTES_MAX} bytes")
        content = tomllib.loads(raw.decode())
    except OSError as error:
        raise ConfigError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{str(path)!r} is not TOML: {error}") from error
    tags = content.get("tags")
    if set(content) != {"tags"} or not isinstance(tags, dict):
        raise ConfigError(f"{str(path)!r} holds one table, [tags], and nothing else")
    for tag, labels in tags.items():
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise ConfigError(f'{str(path)!r}: tags.{tag} is a list of labels, such as ["list:un"]; [] drops the tag')
    return tags
