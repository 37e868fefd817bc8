"""The supermarket's programme of twenty rules, ready to be evaluated."""

from __future__ import annotations

import json

from loyalty.earning.rule_sets import read_rule_set
from scripts.bench import supermarket

TWENTY = read_rule_set(json.dumps(supermarket.TWENTY))
