"""How picks are scored: one-to-one matching, precision, recall, F1, average precision, localisation error.

A pick is a hit if it is matched, best score first, to the nearest free reference of its class within reach, by
default half the particle's radius. References that are neutral need not be found, and a pick that matches nothing
but one of them is not counted at all.
"""

from core.metrics.assessing import Assessment, assess
from core.metrics.cases import Case
from core.metrics.comparing import Comparison, Kind, compare
from core.metrics.evaluation import Evaluation, evaluate
from core.metrics.matching import Ranking, rank
from core.metrics.rules import RULES, Rule, rule_named
from core.metrics.summary import Curve, Figures, best_threshold, f1_curve, figures

__all__ = [
    "RULES",
    "Assessment",
    "Case",
    "Comparison",
    "Curve",
    "Evaluation",
    "Figures",
    "Kind",
    "Ranking",
    "Rule",
    "assess",
    "best_threshold",
    "compare",
    "evaluate",
    "f1_curve",
    "figures",
    "rank",
    "rule_named",
]
