"""Rules by which a pick counts as right: this project's own and those of two public challenges."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.particles import ClassSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How picks are matched to references, and what sums them up.

    Attributes
    ----------
    name : str
        As on the command line.
    title : str
        What it says, in one sentence.
    reach : float
        How far a hit may lie from its reference, in radii of the reference's class.
    lying : bool
        A pick belongs to the one reference in whose volume it lies, of whatever class, and counts if it is the first one there;
        otherwise references are matched class by class, one-to-one.
    beta : float
        Recall counts beta squared times as much as precision.
    weights : Mapping[str, float]
        Weight of classes in the overall score by their names, as `plain_name` writes them; 1 where a class is not in it.
    """

    name: str
    title: str
    reach: float
    lying: bool = False
    beta: float = 1.0
    weights: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def score(self) -> str:
        """Name of the figure that sums picks up."""
        return f"F{self.beta:g}"

    def weight(self, spec: ClassSpec) -> float:
        """Return how much a class counts.

        Parameters
        ----------
        spec : ClassSpec
            The class.

        Returns
        -------
        float
            At least 0.
        """
        return self.weights.get(plain_name(spec.name), 1.0)

    def combine(self, scores: Mapping[int, float], classes: Sequence[ClassSpec]) -> float:
        """Return the weighted mean of the scores of classes.

        Parameters
        ----------
        scores : Mapping[int, float]
            By class id; a class that is not in it is left out.
        classes : Sequence[ClassSpec]
            All classes.

        Returns
        -------
        float
            0 where nothing counts.
        """
        counted = [(self.weight(spec), scores[spec.id]) for spec in classes if spec.id in scores]
        total = sum(weight for weight, _ in counted)
        return sum(weight * score for weight, score in counted) / total if total else 0.0


def plain_name(name: str) -> str:
    """Write the name of a class so that spellings of it are the same.

    Parameters
    ----------
    name : str
        Such as ``Beta_Galactosidase`` or ``β-galactosidase``.

    Returns
    -------
    str
        Such as ``beta-galactosidase``.
    """
    return name.strip().lower().replace("β", "beta").replace("_", "-").replace(" ", "-")


HALF = Rule(name="half", title="A pick is right within half the particle's radius of its reference.", reach=0.5)
RADIUS = Rule(name="radius", title="A pick is right within the particle's radius of its reference.", reach=1.0)
SHREC = Rule(
    name="shrec",
    title="SHREC 2021: a pick counts for the particle in whose volume it lies; the first there is right, others are false.",
    reach=1.0,
    lying=True,
)
"""After the challenge's ``eval.py``, as kept in paloha/faket: precision is the particles found over the picks."""
CZII = Rule(
    name="czii",
    title="CZII 2024: right within half the particle's radius; F4, and hard classes count twice.",
    reach=0.5,
    beta=4.0,
    weights=MappingProxyType({"thyroglobulin": 2.0, "beta-galactosidase": 2.0, "beta-amylase": 0.0}),
)
"""After the challenge's metric. It counts the references that have a pick in reach, which is the same as matching one-to-one unless
references of a class lie within a radius of each other."""
RULES = {rule.name: rule for rule in (HALF, RADIUS, SHREC, CZII)}


def rule_named(name: str) -> Rule:
    """Return a rule by its name.

    Parameters
    ----------
    name : str
        One of `RULES`.

    Returns
    -------
    Rule
        The rule.

    Raises
    ------
    ConfigError
        If there is none of this name.
    """
    if name not in RULES:
        raise ConfigError(f"There is no rule {name!r} for scoring; choose one of {', '.join(RULES)}.")
    return RULES[name]
