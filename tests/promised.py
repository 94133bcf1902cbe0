"""The promises by section of the contract, one a line; see `contract.py`."""

from tests.contract import Promise, promises
from tests.promised_browser import BROWSER
from tests.promised_citations import CITATIONS
from tests.promised_code import CODE
from tests.promised_containers import CONTAINERS
from tests.promised_durable import DURABLE
from tests.promised_evals import EVALS
from tests.promised_files import FILES
from tests.promised_ingestion import INGESTION
from tests.promised_input_files import INPUT_FILES
from tests.promised_quality import QUALITY
from tests.promised_running import RUNNING
from tests.promised_sandbox import SANDBOX
from tests.promised_security import SECURITY
from tests.promised_servers import SERVERS
from tests.promised_shell import SHELL
from tests.promised_vector_stores import CHROMA, FILE_SEARCH, VECTOR_STORES
from tests.promised_ways import WAYS
from tests.promised_web import WEB

_STREAM = promises(
    "§7",
    """
    stream.framing              Frames are `event:` and `data:` lines ended by LF, each whole in one write.
    stream.done                 The last frame is `data: [DONE]`.
    stream.numbers              Sequence numbers start at 0 and have no gaps.
    stream.live                 An event is sent when it happens, not when the answer is complete.
    stream.created_early        `response.created` is sent when the model server has taken the request.
    stream.no_interleaving      One item is open at a time, also when the model server interleaves calls.
    stream.order.message        A message is added, its part is added, text, text done, part done, item done.
    stream.order.refusal        A refusal is a part of its own kind with events of its own.
    stream.order.reasoning      Raw thoughts are a reasoning item with `reasoning_text` parts, before the answer.
    stream.order.function_call  A call is added with empty arguments, which follow as deltas.
    stream.order.shell_call     Every command of a shell call is added, told and done.
    stream.order.apply_patch_call  The diff of a patch is told by `apply_patch_call_operation_diff` events.
    stream.order.error          A failure after `created` is `error`, then `response.failed`.
    stream.incomplete           An answer cut short ends with `response.incomplete`; its last item is incomplete.
    stream.empty                An answer without a word is a completed response.
    stream.long                 An answer of any length arrives whole.
    stream.concurrent           Streams at the same time do not mix.
    stream.any_script           Whatever a model says in whatever order, the stream is legal.
    stream.text_whole           No character of a text is lost.
    stream.options              `stream_options` is accepted; obfuscation is never added.
    stream.same_as_stored       The response of the terminal event is the response that is stored.
    stream.stored_before_completed  When `response.completed` is seen, the response can be read and continued.
    stream.open_responses_names A setting gives reasoning events the names of Open Responses.
    """,
)
_RESPONSE = promises(
    "§3, §4",
    """
    response.create             A response is made in one answer when no stream is asked for.
    response.same_path          Waiting and streaming give the same response.
    response.request_id         Every answer has an `x-request-id`.
    response.echo               Every request field the contract names is echoed.
    response.defaults           A null is as good as a field left out.
    response.options            Sampling options reach the model server; what is left out is left to it.
    response.unknown_fields     Unknown fields are let through and ignored.
    response.strict             A strict server refuses fields the API does not have.
    response.input_shapes       Every shape of a message and every type of output item is taken as input.
    response.images             Images by URL or data URL reach the model.
    response.binary             Files given as data reach the model.
    response.usage              `usage` is what the model server counted, with its details.
    include.logprobs            Logprobs are told only when `include` asks for them.
    metadata.limits             16 pairs, keys of 64 and values of 512 characters.
    truncation.auto             What does not fit is dropped from the beginning; without `auto` it is a 400.
    structured.native           A JSON schema is given to a model server that can enforce it.
    structured.emulated         Without such a server the schema is explained and the answer validated.
    structured.repair           An emulated answer of the wrong shape is asked for once more, then fails.
    structured.refusal          A refusal is shown, not validated.
    structured.calls            A turn that only calls tools is not held to the shape.
    structured.json_object      JSON mode is passed on.
    structured.checked          A `text.format` that means nothing is a 400.
    reasoning.encrypted         Sealed thoughts make the round trip; foreign or broken seals are passed over.
    """,
)
_CHAIN = promises(
    "§6",
    """
    chain.order                 The model sees instructions, the chain oldest first, then the input.
    chain.instructions          Instructions stand before everything and are not kept as items.
    chain.not_inherited         Nothing but items is inherited from a parent.
    chain.branches              Children of one parent are independent, also when made at once.
    chain.fork                  A chain can be forked at any of its responses.
    chain.deep                  A long chain stays whole.
    chain.other_model           A chain can go on with another model.
    chain.phase                 The phase of an assistant message is kept.
    chain.pairing               Calls and outputs must pair by `call_id`; what does not is a 400 naming the call.
    chain.item_reference        An item can be named instead of sent; an unknown one is a 404.
    chain.stateless             A client that keeps its own history may send all items back.
    chain.unknown_parent        An unknown, deleted or unstored parent is 400 `previous_response_not_found`.
    chain.incomplete_parent     An incomplete response can be continued.
    chain.failed_parent         A failed response cannot be continued.
    store.false                 What is not stored is nowhere: not read, not continued, not on the disk.
    store.any_text              Text of any characters is stored and continued, or refused.
    """,
)
_TOOLS = promises(
    "§8",
    """
    tools.function              Functions are offered as declared and called by their names.
    tools.echo                  `response.tools` shows functions with all four keys.
    tools.parallel              Parallel calls can be answered in any order, and switched off.
    tools.output_parts          Outputs may be parts; images in them reach the model.
    tools.custom                Custom tools take free text; their grammar is told to the model.
    tools.namespace             Members of a namespace are flattened for the model and restored on the way back.
    tools.shell                 A local shell is run by the client.
    tools.local_shell           The legacy local shell is run by the client and answered by `id`.
    tools.apply_patch           Patches are operations on one file, applied by the client.
    tools.computer              A computer is driven by the client; its screenshots reach the model.
    tools.tool_search           Deferred tools are offered once the client's search has found them.
    tools.unknown               A type we do not have is a 400 naming it, at `tools[i].type`.
    tools.chat_style            A function nested as in Chat Completions is a 400.
    tools.names                 A function name is 1 to 128 of `[a-zA-Z0-9_-]`.
    tool_choice.modes           `auto`, `none` and `required` reach the model server.
    tool_choice.function        One function can be forced.
    tool_choice.types           One tool of any other type can be forced.
    tool_choice.allowed_tools   `allowed_tools` is a hard filter; `tools` stays as it is.
    tool_choice.checked         A choice of a tool that is not there is a 400.
    """,
)
_RESOURCES = promises(
    "§2, §1.3, §11, §14",
    """
    retrieve                    A stored response is read as it was told.
    retrieve.stream             Only responses whose events are kept can be streamed again; others are a 400.
    delete                      A deleted response is unknown at once; its children live.
    cancel.foreground           A foreground response cannot be cancelled.
    input_items                 Input items are listed in pages, newest first unless asked otherwise.
    input_tokens                Input tokens are those the model server counts; nothing is stored.
    compact                     Compacting keeps user messages and seals the rest into one item.
    compact.usable              A compacted window can start a new chain and is no parent itself.
    compact.automatic           A conversation over its threshold is compacted during the request.
    models                      Models are those of the model servers, also ones that appear later.
    conversations.crud          Conversations are made, read, changed and deleted.
    conversations.items         Items of conversations are added, listed, read and deleted.
    conversations.limits        At most 20 items are added at once.
    conversations.responses     A response reads its conversation and adds its input and output to it.
    conversations.unstored      A response that is not stored still adds to its conversation.
    chain.deleted_conversation  The responses of a deleted conversation can be read and continued.
    conversations.edit          An item deleted from a conversation is not shown to the model again.
    conversations.locked        One response at a time; another is 400 `conversation_locked`.
    conversations.unknown       An unknown conversation is a 404, a malformed id a 400.
    conversations.exclusive     `conversation` and `previous_response_id` exclude each other.
    """,
)
_ERRORS = promises(
    "§1.1, §1.2",
    """
    errors.shape                Every error body is `{error: {message, type, param, code}}`.
    errors.param                `param` is the path of what is wrong.
    errors.code                 `code` says what is wrong with it.
    errors.message              Messages are worded as OpenAI words them.
    errors.model_not_found      An unknown model is 400 `model_not_found`.
    errors.not_found            An unknown id is a 404.
    errors.bodies               A body that is no request is a 4xx.
    errors.horrors              However odd a request is, nothing breaks.
    errors.mutations            A valid request with anything in it replaced or removed breaks nothing.
    errors.paths                However odd a path is, the answer is a 4xx in OpenAI's shape.
    errors.schemathesis         No request that our OpenAPI document describes gives a 5xx.
    """,
)
_WORLD = promises(
    "§5, §15",
    """
    failures.before_created     Until the model server accepts, its refusal is an HTTP status; 429 has Retry-After.
    failures.nothing_kept       A response that was refused leaves nothing behind.
    failures.retried            A model server busy for a moment is asked again, before the first byte only.
    failures.hints              Hints a model server does not know are left out; what matters never is.
    failures.after_created      A stream the model server breaks ends in `error` and `response.failed`.
    failures.partial            What was said before a failure stays, its last item incomplete.
    failures.waiting            Who waits hears of the failure: a failed response, or a 5xx.
    failures.sdk                The client raises what broke its stream.
    failures.open_responses     An error event has its fields flat and nested.
    failures.unreachable        A model server that is not there is a 5xx that says where it was looked for.
    failures.stall              A model server that stalls is given up after a setting.
    failures.slow_start         `created` does not wait for the model's first word.
    leaving.stops               A reader who leaves a foreground response stops it.
    leaving.keeps_nothing       Of a response that was left nothing half-written stays.
    process.kill                What was acknowledged survives kill -9.
    process.stop                A stopped server finishes its responses and exits with 0.
    store.damaged               A damaged database is refused at the start, in one line, and left as it is.
    store.full                  A full disk is a 503; what was kept can be read, and with space it goes on.
    secrets.not_kept            Prompts, answers and keys are not logged.
    repair.think_tags           Thoughts in `<think>` tags become reasoning items.
    repair.usage                `usage` is there when the model server reports none.
    repair.framing              CRLF streams and text with line separators are understood.
    repair.surrogates           Half a character from a model server does not break the stream.
    repair.plain_json           One JSON body instead of a stream is understood.
    repair.nonsense             A call whose name or id is no text is told to the model as one that cannot be made.
    repair.unknown_function     A model that calls what is not there is told so.
    repair.shell_arguments      A model that writes broken arguments for a tool of fixed shape is told so.
    repair.call_ids             Calls without ids are given some.
    sdk.stream_helper           `responses.stream()` of the client works.
    sdk.parse_helper            `responses.parse()` of the client works.
    """,
)
_GAPS = [
    *promises(
        "§7.3, §8",
        """
        tools.file_search           File search runs on the server.
        tools.image_generation      Images are made on the server.
        tools.programmatic          Models call tools from programs.
        stream.order.summary        Thoughts are told in summaries.
        """,
        gap="These hosted tools are not built yet.",
    ),
    *promises(
        "§14",
        """
        files                       Files are kept and read.
        vector_stores               Vector stores are filled and searched.
        containers                  Containers are made and listed.
        """,
        gap="These resources are not built yet.",
    ),
]
_MCP = promises(
    "§8.4, §7.3",
    """
    stream.order.mcp_call       A call is in progress, its arguments told whole, then completed or failed.
    stream.order.mcp_list_tools A listing is in progress, then completed or failed.
    approvals.asked             A call that needs a yes ends its response with a request for one.
    approvals.answered          A yes makes the call first of all; a no is told to the model.
    approvals.stateless         A client that keeps its own history asks and answers in it.
    approvals.once              One answer counts once; a different one is refused.
    approvals.checked           What is unanswered, or answers nothing, is a 400.
    approvals.listed            Stored requests are listed for their owner until they are decided.
    approvals.decided           A decision made at the endpoint is found when the response is continued.
    approvals.background        A background response goes on by itself, once, when all it asked is decided.
    approvals.audit             Every decision and every call made upon one is a log line without what is secret.
    approvals.durable           Days and restarts may pass between asking and answering; no call is made twice.
    approvals.replicas          Whichever server is asked or answered, one call is made and one response goes on.
    approvals.retained          Requests go with their responses, loose decisions after 30 days.
    approvals.policy            The operator rules which calls wait, whatever the request says.
    approvals.mixed             Calls that wait and calls that need not stand side by side.
    approvals.sdk               openai-agents asks and answers by itself.
    mcp.list                    A server's tools are listed in an item and offered with their schema.
    mcp.list.once               Tools are listed once a conversation.
    mcp.call                    The model reads what its tools said in its next turn.
    mcp.parallel                Calls of one turn run at once and are shown one after the other.
    mcp.names                   Tools of one name are told apart for the model and keep it on the wire.
    mcp.allowed_tools           Only allowed tools are listed and offered.
    mcp.checked                 A declaration that cannot be used is a 400 at its place.
    mcp.secrets                 Credentials reach the server they are for and nothing else.
    mcp.private                 Private addresses are refused where the operator says so.
    mcp.images                  Images a tool returns reach the model.
    mcp.capped                  A long result is cut, and says how much is missing.
    mcp.failure.told            A tool that fails is told to the model; the response completes.
    mcp.failure.lost            A server that dies in a call is told to the model.
    mcp.broken                  A broken answer fails its call, not the session.
    mcp.timeout                 A call that takes too long is given up and told to the model.
    mcp.unreachable             A server that does not list its tools is a 424, or an event after `created`.
    mcp.cancel                  A reader who leaves cancels the calls that run.
    mcp.session.kept            A session is kept between calls and responses of one caller.
    mcp.session.renewed         A session that was lost is opened anew.
    mcp.session.idle            A session nobody uses is closed.
    mcp.session.patient         Whoever gives up waiting for a session leaves it to the others.
    mcp.progress                A call that makes progress is given more time, ten times over at most.
    mcp.list.cached             What a server lists is used again for a while, for the same credentials only.
    mcp.list.changed            A server that has other tools now is asked again.
    mcp.elicitation.declined    Questions of a server to the user are declined.
    mcp.elicitation.values      Values of an approval answer one question of its call, as far as they fit.
    mcp.sampling.refused        Servers ask the model only where the operator lets them.
    mcp.sampling.asked          A server that asks the model during a call gets its answer; it counts into the usage.
    mcp.sampling.bounded        A call asks the model so often and for so many tokens and no more.
    """,
)
_SEARCH = promises(
    "§8.10, §7.3",
    """
    tool_search.hidden          A tool with `defer_loading` is not offered before it is found.
    tool_search.order           A search is added and done, then what it found is.
    tool_search.found           What was found can be called in the same response.
    tool_search.context         Tools that wait to be found take no room in the context.
    tool_search.chain           What was found stays so in the chain, and for clients that keep their own history.
    tool_search.client_tools    The client's functions and members of namespaces can wait to be found.
    tool_search.query           Tools are found by words, or by the name of their server or namespace.
    tool_search.capped          What one search adds to the context is limited, and what is left out is told.
    tool_search.choice          `tool_choice` and `allowed_tools` hold for tools that are found.
    tool_search.approval        Calls of found tools wait for approvals as others do.
    tool_search.resumed         What was found before a crash can be called after it.
    tool_search.agents          openai-agents' `ToolSearchTool` works unchanged.
    tool_search.checked         Deferred tools without a search, or a search without them, are a 400.
    tool_search.secrets         Credentials in what a client says was found are not kept.
    """,
)
_MCP_OAUTH = promises(
    "MCP specification 2025-11-25, Authorization",
    """
    mcp.oauth.login             A login finds the authorization server, registers, and keeps what it is granted.
    mcp.oauth.login.refused     A login that is denied, strange or late keeps nothing and says why in one line.
    mcp.oauth.renewed           Tokens are renewed before they expire, and once when they are refused.
    mcp.oauth.renewed.together  Of processes and calls that need a new token one asks for it; none is lost.
    mcp.oauth.needed            Without a login a server's tools are a 424 that names the command that mends it.
    mcp.oauth.machine           `client_credentials` needs no person.
    mcp.oauth.bound             Tokens and secrets go nowhere but to the server they are for.
    mcp.oauth.sealed            What is granted is kept encrypted, and is in no log.
    """,
)
PROMISES: list[Promise] = [
    *_STREAM, *_RESPONSE, *_CHAIN, *_TOOLS, *_RESOURCES, *_ERRORS, *_WORLD, *_MCP, *_SEARCH, *_GAPS, *BROWSER,
    *DURABLE, *SERVERS, *SECURITY, *QUALITY, *RUNNING, *SANDBOX, *WAYS, *WEB, *CONTAINERS, *FILES, *CODE, *SHELL,
    *_MCP_OAUTH, *INPUT_FILES, *INGESTION, *CITATIONS, *VECTOR_STORES, *FILE_SEARCH, *CHROMA, *EVALS,
]  # fmt: skip
