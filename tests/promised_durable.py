"""Promises of responses that outlive their request, and of connections that carry many; see `contract.py`."""

from tests.contract import Promise, promises

_BACKGROUND = promises(
    "§12",
    """
    background.run              A background response is queued at once and polled.
    background.output_so_far    Who polls sees every item that is done.
    background.stream           A background stream is created, queued, in progress, and goes on as any other.
    background.leaving          A reader who leaves a background response changes nothing.
    background.resume           A stream is taken up behind any event with `starting_after`, and followed live.
    background.same_bytes       What is told again is told in the same bytes.
    background.starting_after   A place that is not in the stream is a 400.
    background.expired          Events that are no longer kept are a 400 that says so; the response is there.
    background.cancel           A cancelled response stays cancelled; cancelling again, or too late, changes nothing.
    background.delete           Deleting a background response that runs stops it.
    background.parent           A response that has not ended cannot be continued yet.
    background.input_items      The input of a response that waits can be read.
    background.conversation     A background response has its conversation until it ends.
    background.unstored         With `store: false` a background response is there for ten minutes after its end.
    background.checked          What can be seen to be wrong is a 4xx, not a response that fails later.
    background.failed           A background response whose model fails is `failed`.
    background.replicas         What one server made another polls, streams and cancels.
    background.resumable_streams A setting keeps the events of every stored stream.
    """,
)
_FAULTS = promises(
    "§12",
    """
    faults.recovery             Killed, paused, stopped or cut off from its database at any point, a response ends.
    faults.numbers              Who reconnects after a crash sees every event once, in order, in the same bytes.
    faults.fencing              A process that was thought dead and wakes up writes nothing.
    faults.unsafe_calls         A call that is not safe to repeat is never made twice.
    faults.secrets              What a crash leaves on disk holds no secret of a caller.
    faults.clocks               Replicas whose clocks are an hour apart work together.
    faults.versions             Replicas of two versions work together while one replaces the other.
    faults.leaving              A client that is gone after the first event finds the whole response later.
    faults.takeover             With default settings another replica finishes a dead one's response in ten seconds.
    """,
)
_SHARED = promises(
    "§5, §12",
    """
    store.together              Several servers write to one database at once; where two continue one head both go on.
    store.freeing               What is deleted beside what grows takes nothing with it, and leaves nothing behind.
    store.follow                Events that one server writes are told by the others within milliseconds.
    store.restart               When PostgreSQL restarts, what waits too long is a 503; afterwards all goes on.
    store.failover              A standby that knows less than its primary did is believed, also by what is remembered.
    store.busy                  Who gets no connection in time gets a 503, and the others are not held up.
    store.unknown               A commit whose outcome is not known is not made twice.
    store.upgrade               A database of a later version is refused; one that only knows more is not.
    store.migrate               Servers that start at once on an empty database make it once.
    """,
)
_REPEATED = promises(
    "§1.1",
    """
    idempotency.same            The same key and body give the same response, streamed or not.
    idempotency.reused          The same key with another body is a 422.
    idempotency.lost            A response whose caller lost the connection is found by its key.
    idempotency.together        Of requests at the same moment one runs and the others join it, on any server.
    idempotency.free            A key is free again when its request failed before it began, or was deleted.
    idempotency.failed          A response that failed on its way is given again as it is.
    idempotency.checked         A key that cannot be kept is a 400.
    retry.began                 After a run has begun the SDKs are told not to ask again.
    retry.never_began           Where nothing began they are told to ask again.
    retry.store_away            While the store cannot be reached the answer is a 503 with `Retry-After`.
    """,
)
_SOCKET = promises(
    "§13",
    """
    websocket.create            Responses are made over a WebSocket, with the events of a stream.
    websocket.background        Background responses are refused over a WebSocket.
    websocket.sequential        Requests of one lane are answered one after another, in their order.
    websocket.lanes             Lanes run side by side, each in order; their events bear their name.
    websocket.active            Sixteen responses are made at once over a connection; more wait for their turn.
    websocket.queue             More requests than may wait are refused.
    websocket.stream_id         A name that no lane can have is refused.
    websocket.stream_limit      A connection has 32 named lanes at most.
    websocket.cache             Unstored responses are continued on their connection, and nowhere else.
    websocket.cache.bounded     A connection remembers so many bytes and no more.
    websocket.evict             A continuation that is refused evicts its unstored parent.
    websocket.fork              A refused fork from another lane does not.
    websocket.warm_up           `generate: false` asks no model; its response is continued like any other.
    websocket.compact           What was compacted begins a new chain.
    websocket.errors            What is refused is told in an envelope; the connection stays.
    websocket.failures          A response that fails ends with `error` and `response.failed`, as in a stream.
    websocket.gate              A handshake is let in or refused like any request, at once.
    websocket.key               A key that is revoked opens nothing more, not even over an open connection.
    websocket.time_limit        A connection ends after so many minutes, and says so.
    websocket.leaving           Who leaves stops their responses; nothing of them stays.
    websocket.slow              Who reads slowly is waited for; who reads nothing is given up.
    websocket.stop              A server that stops lets responses end, then closes with 1012.
    websocket.steer             Steering ends a response and is taken up by its successor.
    websocket.steer.pending     Steering waits for what the client still has to say.
    websocket.steer.failed      Steering that cannot be applied is given back with the reason.
    websocket.codex             Codex works over a WebSocket.
    """,
)
_QUEUE = promises(
    "issue Durable runs",
    """
    queue.once                  What is submitted is made once, however often it is submitted.
    queue.again                 What was handed back is made again.
    queue.limits                A process makes no more responses at once than it may, nor of one owner.
    queue.fair                  Who asks once does not wait behind who asks much.
    queue.recovered             What a killed process has taken from the queue is taken over once.
    queue.given_up              What never comes to an end is given up.
    queue.drained               A process that stops takes no more, and leaves what it has to others.
    queue.tidied                What has ended leaves nothing in the queue; what is in it is JSON.
    queue.told                  A notice is told, and told again later, across any crash.
    crash.goes_on               A response goes on where it was when its killed server starts again.
    crash.replica               Another replica finishes what a killed one has begun, within ten seconds.
    crash.handed_over           What a stopped server leaves goes on at once elsewhere, or when it starts again.
    crash.sleeper               A server that slept longer than its lease writes nothing, and goes on serving.
    crash.given_up              A response whose process dies each time fails.
    crash.queue_lost            What waits is made even when the queue itself was lost.
    """,
)
_OPERATIONS = promises(
    "issue Durable runs",
    """
    operations.workers          Several processes serve one port; one that dies is replaced, and none is missed.
    operations.one_key          Replicas share the key that seals; one with another key is refused.
    operations.health           While its database is away a server is not healthy, yet alive; it comes back by itself.
    operations.metrics          Requests, responses, tokens and the queue are counted, over all processes of a port.
    operations.metrics_key      Metrics are an operator's: keys of callers do not open them.
    operations.doctor           `doctor` says how the database is, and never with its password.
    operations.backup           The backup that is described can be served.
    operations.compose          The files for containers say only what the server understands.
    """,
)
_WEBHOOKS = promises(
    "§12",
    """
    webhook.sent                Who wants to is told how a background response ended, in all four ways to end.
    webhook.signed              Events are signed as OpenAI signs them; two secrets may be valid at once.
    webhook.background          Nobody is told of a response somebody waits for, nor of events not asked for.
    webhook.retried             An event is sent again in the same bytes, also after a crash.
    webhook.answers             A 2xx is the end of it, a 410 too; all else is tried again; no redirect is followed.
    webhook.secret              A webhook's secret is neither logged nor kept.
    """,
)
_KEPT = promises(
    "§12",
    """
    retention.reads             Whatever goes, what stays reads what it read before.
    retention.responses         A response goes when its time is over; what continues it lives on.
    retention.unstored          A response with an expiry of its own goes within minutes of it.
    retention.conversations     A conversation goes when it was not used for the time a setting says.
    retention.events            The events of an ended response go after the time a setting says.
    retention.steps             The steps of an ended response go after an hour; the response stays.
    retention.leftovers         Old idempotency keys and rows of dead processes go.
    retention.bytes             The database shrinks by what has gone.
    retention.alone             Of several servers on a database one removes what is over.
    retention.by_hand           `graphnexus prune` says what it removes, also beside a running server.
    """,
)
DURABLE: list[Promise] = [
    *_BACKGROUND,
    *_FAULTS,
    *_SHARED,
    *_REPEATED,
    *_SOCKET,
    *_QUEUE,
    *_WEBHOOKS,
    *_OPERATIONS,
    *_KEPT,
]
