"""Comparisons as HTML: one file that needs nothing else."""

from evals.comparing.bench import BenchComparison
from evals.comparing.comparison import Comparison
from evals.report.page import page


def comparison_page(comparison: Comparison) -> str:
    title = f"{comparison.after.suite}: before and after"
    return page(title, ("charts.js", "items.js", "comparison.js"), comparison.model_dump(mode="json"))


def bench_comparison_page(comparison: BenchComparison) -> str:
    told = comparison.model_dump(mode="json")
    return page("Bench: before and after", ("charts.js", "benches.js"), told)
