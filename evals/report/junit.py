"""JUnit XML: what CI systems show of a run.

An epoch of a case is a test, a threshold is a test of a second suite: a CI system is red when the exit status is not 0.
Only what both wide-spread schemas know (Ant's and Jenkins') is written; elements stand in the order of Ant's.
"""

import re
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

from evals.report.outcome import reasons
from evals.results import Attempt, CaseResult, Held, RunResult

#: What XML 1.0 cannot hold, escaped or not.
_UNFIT = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TEXT_CHARS = 4000


def junit(result: RunResult) -> str:
    root = ElementTree.Element("testsuites")
    cases = [test for case in result.cases for test in _case(result.suite, case)]
    bars = [_threshold(result.suite, held) for held in result.thresholds]
    root.append(_suite(result, 0, result.suite, cases))
    if bars:
        root.append(_suite(result, 1, f"{result.suite} thresholds", bars))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(result: RunResult, at: int, name: str, tests: Sequence[ElementTree.Element]) -> ElementTree.Element:
    suite = ElementTree.Element(
        "testsuite",
        name=_fit(name),
        package=_fit(result.suite),
        id=str(at),
        timestamp=result.started_at[:19],
        hostname="localhost",
        tests=str(len(tests)),
        failures=str(_count(tests, "failure")),
        errors=str(_count(tests, "error")),
        skipped=str(_count(tests, "skipped")),
        time=f"{0 if at else result.seconds:.3f}",
    )
    about = ElementTree.SubElement(suite, "properties")
    for key, value in (("run", result.run), ("model", result.model or ""), ("target", result.target)):
        ElementTree.SubElement(about, "property", name=key, value=_fit(value))
    suite.extend(tests)
    for stream in ("system-out", "system-err"):
        ElementTree.SubElement(suite, stream)
    return suite


def _count(tests: Sequence[ElementTree.Element], kind: str) -> int:
    return sum(test.find(kind) is not None for test in tests)


def _case(suite: str, case: CaseResult) -> Iterator[ElementTree.Element]:
    if not case.attempts:
        test = _test(suite, case.id, 0)
        ElementTree.SubElement(test, "skipped")
        yield test
    several = len(case.attempts) > 1
    for attempt in case.attempts:
        test = _test(suite, f"{case.id} (epoch {attempt.epoch})" if several else case.id, attempt.seconds)
        if attempt.fault or not attempt.passed:
            test.append(_verdict(attempt))
        yield test


def _test(suite: str, name: str, seconds: float) -> ElementTree.Element:
    return ElementTree.Element("testcase", name=_fit(name), classname=_fit(suite), time=f"{seconds:.3f}")


def _verdict(attempt: Attempt) -> ElementTree.Element:
    why = list(reasons(attempt)) or [f"score {attempt.score:.2f}"]
    kind = "error" if attempt.fault else "failure"
    failed = [grade.grader for grade in attempt.grades if not grade.passed]
    element = ElementTree.Element(
        kind, message=_fit(why[0]), type=_fit(failed[0] if failed and not attempt.fault else kind)
    )
    said = attempt.transcript.text if attempt.transcript else ""
    element.text = _fit("\n".join(why) + (f"\n\nThe answer:\n{said[:_TEXT_CHARS]}" if said else ""))
    return element


def _threshold(suite: str, held: Held) -> ElementTree.Element:
    test = _test(f"{suite} thresholds", held.name, 0)
    if not held.holds:
        said = f"{held.name}: {held.reached:g} was reached, {held.wanted:g} is wanted"
        ElementTree.SubElement(test, "failure", message=_fit(said), type="threshold").text = _fit(said)
    return test


def _fit(text: str) -> str:
    return _UNFIT.sub("\ufffd", text)
