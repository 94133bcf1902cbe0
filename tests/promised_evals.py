"""Promises of stored runs, recorded and made again, and of evaluation suites; see `contract.py`."""

from tests.contract import promises

_RECORDINGS = promises(
    "docs/evals-replay.md",
    """
    recordings.list             Stored responses are listed page by page, and found by model, status, tool and metadata.
    recordings.list.checked     A list that is asked wrongly is a 400 that names its parameter.
    recordings.owners           Nobody lists, records or continues what is another's.
    recordings.recording        A recording holds what the model was told and offered, step by step, and no secret.
    recordings.replay           A replay asks the model what it was asked, and answers calls with what was recorded.
    recordings.replay.outside   While results are recorded no tool is called and no server connected to.
    recordings.replay.step      A replay goes on from any turn of the model.
    recordings.replay.changed   A replay may ask another model, say something else, offer other tools.
    recordings.replay.missing   A call that was not recorded ends the response, or its model is told.
    recordings.replay.live      With live results calls are made.
    recordings.replay.unkept    Nothing of a replay is stored.
    recordings.replay.checked   A recording that is none is a 400 that names the place, never a 500.
    """,
)

_REPORTS = promises(
    "docs/evals-reports.md",
    """
    reports.table               A terminal is told what failed and why, and what all came to; nothing steers it.
    reports.junit               CI systems read failures, faults and thresholds missed, each with its reason.
    reports.json                A result is read as it was written; what is none is one line and status 2.
    reports.html                One file shows run, charts, grades and transcripts, without a network, dark or light.
    reports.html.safe           What a model says is shown and never run, also where escaping would fail.
    reports.html.search         Cases are found by outcome, grader, tag and words.
    reports.view                A result is viewed on loopback alone; that of a bench, too.
    reports.inspect             The logs of a run open in inspect's own viewer, on loopback, without a network.
    compare.sure                A change has its interval; chance is called one in 20 times, a handful of cases never.
    compare.cases               Regressions stand first; each case tells how its grades and its text differ.
    compare.costs               What got dearer is told as a ratio, over cases that ran to their end.
    compare.command             The exit status is 1 where something regressed, 2 where a result cannot be read.
    compare.bench               Benches are compared figure by figure, and noise is not called dearer.
    compare.html                The page of a comparison shows regressions first, and what differs.
    """,
)

_REPLAYED = promises(
    "docs/evals-replay.md",
    """
    record.cases                One command makes cases of stored runs that a filter finds, one a line.
    record.chains               Responses that go on with one another are one case, and nothing is said twice in it.
    record.secrets              No recording has keys, tokens, passwords or signatures; what was equal stays so.
    record.checked              A line or a file that cannot be used is one line that says how to mend it, and status 2.
    replay.same                 A model that does the same again shows no change, however it lays out JSON and texts.
    replay.changes              Exactly the steps that another model does otherwise are found, each by itself.
    replay.requests             A replay asks once a response, and once more for each change with steps behind it.
    replay.outside              A replay with recorded results calls nothing outside, and needs no server of tools.
    replay.exit                 The exit status tells of the same, of changes, and of what could not be made again.
    replay.live                 With live results calls are made, and what they come to is compared, too.
    replay.from                 A replay begins at any step, or asks each by itself.
    replay.asked                Instructions, tools and other fields may be others than those recorded.
    replay.texts                Texts are compared by their words, wholly, not at all, or by a grader.
    replay.results              A replay is a result that reports show, and recordings are cases of suites.
    """,
)

_SUITES = promises(
    "docs/evals-suites.md",
    """
    suites.shipped              Every shipped suite is green against the shipped scripted model.
    suites.documented           Suites and rules that the documentation shows do what it says.
    suites.demo                 What needs no understanding is green against the built-in model, too.
    suites.faults               A model server that misbehaves, as servers do, costs no score.
    suites.mutations            Behaviours that are broken on purpose are caught by the graders that should catch them.
    """,
)

_RUNNING = promises(
    "docs/evals.md",
    """
    running.resumed             A run that is killed goes on where it was: every case is asked once, and counted once.
    running.faults              What a server cannot do now is no verdict, and is asked again.
    running.limits              No more cases are asked at once than the suite wants.
    running.figures             pass@k, pass^k and pass rates are unbiased, and their intervals hold what is true.
    """,
)

_SOLVING = promises(
    "docs/evals.md",
    """
    solving.turns               Turns hang together by responses, a conversation or not at all, streamed or not.
    solving.asks                Client's functions are answered by name, arguments or in a row; approvals are decided.
    solving.given               Files, stores, conversations and MCP servers are there for a case and gone after it.
    solving.joined              A case asked again for the same run joins what was made, and nothing is made twice.
    solving.refused             What a server refuses is what came of the turn, and the case goes on.
    solving.faults              What cannot be asked to its end is a fault in one line, and nothing goes on behind it.
    solving.recorded            Path, state and repairs are told where a grader looks at them.
    graph.turns                 A compiled graph is asked turn by turn: texts, calls, path, state and tokens are told.
    graph.asks                  Functions, approvals and interrupts of a graph are answered as the case says.
    graph.request               Fields, files and items of a request reach the graph.
    graph.fails                 What a graph raises came of the turn; what it cannot be given is a fault.
    graph.named                 A graph is found in a module or a file, compiled or not; what is none is one line.
    """,
)

_IMPORTED = promises(
    "docs/evals-importing.md",
    """
    import.openai               Criteria, rows, templates and parameters of OpenAI Evals become a suite.
    import.promptfoo            Prompts, tests, tables and assertions of promptfoo become a suite.
    import.verdicts             What was said there has here the verdicts it had there, grader by grader.
    import.left                 What a suite cannot say is named with its place, and the exit status tells.
    import.checked              What cannot be imported is one line and status 2, and nothing is written.
    """,
)

_GRADERS = promises(
    "docs/evals-graders.md",
    """
    graders.text                Texts are equal, contain, match, hold a number; also negated.
    graders.json                JSON fits a schema, and has at a path what it should.
    graders.calls               Calls have their arguments, their number and their order; forbidden ones are seen.
    graders.path                Nodes that ran and states are graded where the target tells, else it is a fault.
    graders.citations           Citations are there, stand within their text, and leave no mark in it.
    graders.budget              Time, tokens, calls and money have limits.
    graders.leak                What a model says or sends is a leak, what a tool said is none; reasons leak nothing.
    graders.wire                Refusals, fields of responses and streams are graded.
    graders.turns               A grader looks at its turn, and else at the last.
    graders.checked             A grader that cannot work is refused before anything runs.
    graders.similarity          Every metric is what is counted by hand.
    graders.python              A function of the suite grades in a process of its own; its failure is a fault.
    graders.multi               Scores are put together by a formula, and by nothing else.
    graders.judged              A model gives scores and labels; what is no verdict is a fault.
    graders.calibrated          A judge that disagrees with known verdicts may not grade.
    """,
)

_READING = promises(
    "docs/evals.md",
    """
    suite.formats               A suite is YAML or JSONL, and the same in both; templates and defaults are filled in.
    suite.problems              What is wrong with a suite is one line with its file, line, field and the fix.
    """,
)

EVALS = [
    *_RECORDINGS,
    *_REPORTS,
    *_REPLAYED,
    *_SUITES,
    *_RUNNING,
    *_SOLVING,
    *_IMPORTED,
    *_GRADERS,
    *_READING,
]
