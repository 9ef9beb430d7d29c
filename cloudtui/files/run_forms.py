"""The last run that was started from the form, for each machine; its environment is not kept."""

from __future__ import annotations

import json
from collections.abc import Mapping

from cloudtui.files import view
from cloudtui.model.job_form import FIELDS, HOLDER, SECRET, TICKS

_NAME = "run_forms"
MACHINES_KEPT = 50


def recall(instance_id: str) -> dict[str, str]:
    """The fields by name; empty when there were none."""
    try:
        found = json.loads(view.recall_table(_NAME).get(instance_id, ""))
    except ValueError:
        return {}
    known = (*FIELDS, *TICKS, HOLDER)
    return {k: str(v) for k, v in found.items() if k in known} if isinstance(found, dict) else {}


def remember(instance_id: str, values: Mapping[str, str]) -> None:
    """Keep them for the next time."""
    kept = view.recall_table(_NAME)
    kept.pop(instance_id, None)
    fields = {k: v for k, v in values.items() if v.strip() and k not in SECRET}
    if fields:
        kept[instance_id] = json.dumps(fields, ensure_ascii=False)
    view.remember(run_forms=dict(list(kept.items())[-MACHINES_KEPT:]))
