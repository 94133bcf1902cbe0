"""One file of a vector store: read, parsed, cut, embedded, written, and then found."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from graph.errors import UpstreamError
from graph.files import Files
from graph.vector_stores import Edition, Job, Window
from nodes.documents.parsed import Document, Unreadable
from nodes.documents.parser import Parser
from nodes.file_search.cutter import Cut, Cutter, Shape, pieces
from nodes.file_search.port import Embedder, Index, Jobs

#: Windows written in one transaction: nobody else writes meanwhile.
_TOGETHER = 50
_ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Bounds:
    #: Files made searchable at once.
    files: int = 2
    #: Of one file.
    size_bytes: int = 100 * 2**20
    chars: int = 20_000_000


@dataclass(frozen=True, slots=True)
class Maker:
    jobs: Jobs
    index: Index
    files: Files
    parser: Parser
    embedder: Embedder | None
    bounds: Bounds

    async def make(self, job: Job, cutter: Cutter) -> bool:
        """False when it is not wanted any more.

        Raises `Unreadable`, `UpstreamError`, `CutterFailed`, `NotFound`, `LeaseLost` and `StoreUnavailable`.
        """
        text, shape = await self._text(job), Shape.of(job.chunking)
        languages: Counter[str] = Counter()
        position = usage_bytes = 0
        for piece in pieces(text):
            if not await self.jobs.wanted(job):
                return False
            cut = await cutter.cut(piece, shape.window_tokens)
            languages.update(one.language for one in cut)
            usage_bytes += await self._written(job, position, cut)
            position += len(cut)
        known = [language for language, _ in languages.most_common()]
        made = Edition(shape.chunk_windows, shape.shared_windows, known, self._space, usage_bytes)
        return await self.jobs.complete(job, made)

    @property
    def _space(self) -> str | None:
        return self.embedder.space if self.embedder else None

    async def _text(self, job: Job) -> str:
        document = Document(await self._content(job), job.filename)
        parsed = await self.parser.parse(job.owner, document, self.bounds.chars)
        if parsed.chars > self.bounds.chars:
            raise Unreadable(f"has more than {self.bounds.chars} characters of text; split it.", damaged=True)
        text = parsed.text
        if not text or text.isspace():
            raise Unreadable("has no text.")
        return text

    async def _content(self, job: Job) -> bytes:
        """Never more than the bounds allow, whatever its row says of it."""
        file, pieces = await self.files.find(job.owner, job.file_id), list[bytes]()
        size_bytes = file.size_bytes if file else 0
        if size_bytes <= self.bounds.size_bytes:
            size_bytes = 0
            async for piece in self.files.read(job.owner, job.file_id):
                pieces.append(piece)
                size_bytes += len(piece)
                if size_bytes > self.bounds.size_bytes:
                    break
        if size_bytes > self.bounds.size_bytes:
            raise Unreadable(f"has more than {self.bounds.size_bytes >> 20} MB; split it.", damaged=True)
        return b"".join(pieces)

    async def _written(self, job: Job, position: int, cut: Sequence[Cut]) -> int:
        """How many bytes it took."""
        usage_bytes = 0
        for at in range(0, len(cut), _TOGETHER):
            some = cut[at : at + _TOGETHER]
            vectors = await self._vectors(some)
            windows = [Window(one.text, one.words, vectors.get(nth)) for nth, one in enumerate(some)]
            await self.index.add(job, position + at, windows, self._space)
            usage_bytes += sum(len(window.text.encode()) + len(window.vector or b"") for window in windows)
        return usage_bytes

    async def _vectors(self, cut: Sequence[Cut]) -> Mapping[int, bytes]:
        """Of those that the embedder can read."""
        known = self.embedder.languages if self.embedder else ()
        read = [at for at, one in enumerate(cut) if known is None or one.language in (*known, "")]
        if self.embedder is None or not read:
            return {}
        trying = AsyncRetrying(
            retry=retry_if_exception_type(UpstreamError),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.5, max=10),
            reraise=True,
        )
        vectors: list[bytes] = await trying(self.embedder.embed, [cut[at].text for at in read])
        return dict(zip(read, vectors, strict=True))
