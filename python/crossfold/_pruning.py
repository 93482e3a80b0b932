"""Early-fold pruning of a search: what it is asked for by, and what its client sees."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from crossfold._policies import PolicyFile
from crossfold.v1 import job_pb2 as pb

RULES = ("median", "percentile", "halving", "race")

Prune = str | Mapping[str, Any]


def pruning(
    prune: Prune | None, policy: str | os.PathLike[str] | None, metric: str = "score"
) -> pb.Pruning | None:
    """What the coordinator is asked for; None when neither prunes.

    `prune` is a rule's name, or a mapping of "rule" and its settings; without it a policy's `prune` rules.

    Raises
    ------
    ValueError
        The rule is not known.
    PolicyError
        The policy can't be read, or is refused.
    """
    if prune is not None:
        settings = {"rule": prune} if isinstance(prune, str) else dict(prune)
        rule = settings.pop("rule", None)
        if rule not in RULES:
            raise ValueError(
                f"prune is {prune!r}: use one of {', '.join(RULES)}, or a mapping with such a rule"
            )
        return pb.Pruning(rule=rule, params_json=json.dumps({"metric": metric, **settings}))
    if policy is None:
        return None
    file = PolicyFile(policy)
    if not file.has("prune"):
        return None
    return pb.Pruning(policy=file.source, params_json=json.dumps({"metric": metric}))
