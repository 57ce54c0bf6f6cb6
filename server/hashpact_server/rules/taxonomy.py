"""The forum's taxonomy: which labels there are, and what each means. Data, adopted by two stewards, kept in the ledger.

A label's *class* is what the public part of an entry may say about it. Only terms of the taxonomy are their own class,
because they tell what kind of thing was listed and nothing about the media or the people in it. Everything else is
``other``, every incident is ``incident``, and ``canary`` is itself, so that who counts what is listed can leave test
pictures out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from hashpact.canary.published import LABEL as CANARY

from hashpact_server.rules.json_content import Fault, members_of, parse

OTHER: Final = "other"
INCIDENT: Final = "incident"
CONTEXT: Final = "context"
AXES_KNOWN: Final = ("producer", "behaviour", CONTEXT, "list", "media")
AXES_NEEDED: Final = ("producer", "behaviour", CONTEXT)
TERMS_MAX: Final = 100
MEANING_CHARACTERS_MAX: Final = 500

_TERM: Final = re.compile(r"[a-z0-9][a-z0-9_]{0,47}")

Terms = Mapping[str, str]
"""Term -> what it means."""


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """Which labels there are.

    Attributes:
        open: whether a member may use labels of its own beside them.
        axes: axis -> its terms.
        incident_types: type of an incident -> what it means.
    """

    open: bool
    axes: Mapping[str, Terms]
    incident_types: Terms
    _classes: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        full = {f"{axis}:{term}": f"{axis}:{term}" for axis, terms in self.axes.items() for term in terms}
        # The names of lists are two letters: as bare words they could mean anything.
        bare = {term: f"{axis}:{term}" for axis, terms in self.axes.items() if axis != "list" for term in terms}
        object.__setattr__(self, "_classes", MappingProxyType(bare | full | {CANARY: CANARY}))

    def class_of(self, label: str) -> str:
        """The public class of a stored label.

        A term may be written bare (``journalism``) or with its axis (``context:journalism``), with ``-`` or ``_``
        between words; both are the class ``context:journalism``.
        """
        found = self._classes.get(label)
        if found is not None:  # nearly always
            return found
        if label.startswith("incident:"):
            return INCIDENT
        return self._classes.get(label.replace("-", "_"), OTHER)

    def takes(self, label: str) -> bool:
        """Whether an item may be given this label."""
        return self.open or self.class_of(label) != OTHER


def taxonomy_from(content: str) -> Taxonomy:
    """Read a taxonomy.

    Raises:
        Fault: it breaks its format; names the field.
    """
    members = members_of("taxonomy", parse("taxonomy", content), ("open", "axes", "incident_types"))
    is_open = members.get("open", False)
    if not isinstance(is_open, bool):
        raise Fault("taxonomy.open", "true or false")
    axes = members_of("taxonomy.axes", members.get("axes", {}), AXES_KNOWN)
    for axis in AXES_NEEDED:
        if not axes.get(axis):
            raise Fault(f"taxonomy.axes.{axis}", "an axis that has to have terms")
    read = {axis: _terms(f"taxonomy.axes.{axis}", terms) for axis, terms in axes.items()}
    bare: dict[str, str] = {}
    for axis, terms in read.items():
        for term in terms if axis != "list" else ():
            if bare.setdefault(term, axis) != axis:
                raise Fault(f"taxonomy.axes.{axis}.{term}", f"a term of the axis {bare[term]} already")
    return Taxonomy(is_open, read, _terms("taxonomy.incident_types", members.get("incident_types", {})))


def widens(old: Taxonomy, new: Taxonomy) -> bool:
    """Whether more can be listed or acted on than before: a new term, another meaning, one context less."""
    if new.open and not old.open:
        return True
    for axis in AXES_KNOWN:
        before, after = old.axes.get(axis, {}), new.axes.get(axis, {})
        changed = any(term in before and before[term] != meaning for term, meaning in after.items())
        # What is of a context is not acted on: there, the term that goes away widens.
        more = before.keys() - after.keys() if axis == CONTEXT else after.keys() - before.keys()
        if changed or more:
            return True
    return False


def _terms(where: str, found: Any) -> Terms:
    terms = members_of(where, found)
    if len(terms) > TERMS_MAX:
        raise Fault(where, f"at most {TERMS_MAX} terms")
    for term, meaning in terms.items():
        if not _TERM.fullmatch(term):
            raise Fault(where, "a term has 1 to 48 characters of a-z 0-9 _, starting with a letter or digit")
        if not isinstance(meaning, str) or not meaning.strip() or not meaning.isprintable():
            raise Fault(f"{where}.{term}", "what it means, in printable characters")
        if len(meaning) > MEANING_CHARACTERS_MAX:
            raise Fault(f"{where}.{term}", f"at most {MEANING_CHARACTERS_MAX} characters")
    return MappingProxyType(dict(terms))


BUILT_IN: Final = Taxonomy(
    open=True,
    axes=MappingProxyType(
        {
            "producer": MappingProxyType(
                {
                    "un_listed_entity": "Made by an entity on the consolidated list of the United Nations.",
                    "other_listed_entity": "Made by an entity that another authority designated as terrorist.",
                    "attack_perpetrator_or_accomplice": "Made by who carries out an attack, or helps to.",
                    "manifesto_author": "Made by the author of a manifesto that justifies an attack.",
                    "branded_publication": "Bears the brand of such an entity, whoever spread it.",
                }
            ),
            "behaviour": MappingProxyType(
                {
                    "imminent_credible_threat": "Announces violence that can be expected to happen.",
                    "graphic_violence_against_defenseless_people": "Shows violence against people who cannot defend"
                    " themselves.",
                    "glorification_of_terrorist_acts": "Praises, celebrates or justifies an attack or who did it.",
                    "recruitment_and_instruction": "Recruits for such an entity, or teaches how to attack.",
                }
            ),
            CONTEXT: MappingProxyType(
                {
                    "journalism": "Published to report about it.",
                    "documentation": "Kept or published to document abuses of rights.",
                    "counter_speech": "Speaks against it.",
                    "research": "Part of research.",
                    "education": "Part of teaching.",
                    "art": "Part of a work of art.",
                }
            ),
            "list": MappingProxyType(
                {
                    "un": "The entity is on the list of the United Nations.",
                    "eu": "The entity is on the list of the European Union.",
                    "uk": "The entity is on the list of the United Kingdom.",
                    "us": "The entity is on the list of the United States.",
                }
            ),
            "media": MappingProxyType(
                {
                    "image": "A picture.",
                    "video": "A video.",
                    "pdf": "A document.",
                    "url": "What an address leads to.",
                    "text": "A text.",
                }
            ),
        }
    ),
    incident_types=MappingProxyType(
        {
            "attack": "An attack is going on or has just happened, and media of it spread.",
            "perpetrator_content": "Media that a perpetrator or accomplice made of an attack spread.",
            "manifesto": "A text or recording that justifies an attack spreads.",
        }
    ),
)
"""What holds until a forum adopts a taxonomy: open, so that a member may use labels of its own."""
