"""How long things are lent, out of Insula's context on standard input."""

import json
import statistics
import sys
from datetime import date

context = json.load(sys.stdin)
loans, overdue = context["db_context"]["loans"], context["db_context"]["overdue"]
days = [(date.fromisoformat(loan["due_on"]) - date.fromisoformat(loan["lent_on"])).days for loan in loans]

print(json.dumps({
    "since": context["payload"]["since"],
    "loans": len(loans),
    "overdue": overdue,
    "days_median": statistics.median(days) if days else None,
    "days_longest": max(days, default=None),
}))
