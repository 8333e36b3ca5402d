"""Log files to exchanges, in batches, in memory only.

In: paths and options. Out: `SourceFile`s that yield batches of `Exchange`, count what they met, and hand each
bad row to the quarantine. Cost: the importer's, plus JSON parsing; memory is one batch and one line at most.
Left to `sketch`: reducing the exchanges. Left to `store`: not reading a file twice, by its digest.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from stillwatch.logs.batches import batch_side, load_results, pair_files
from stillwatch.logs.catalog import IMPORTERS, detect
from stillwatch.logs.documents import rows_of
from stillwatch.logs.importer import BadRow, Importer, Lens, Row
from stillwatch.logs.lines import Fault
from stillwatch.logs.mapping import load_mapping
from stillwatch.logs.quarantine import Quarantine
from stillwatch.logs.several import parted
from stillwatch.logs.tally import Tally
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.exchange import Exchange

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".log")
"""Names that are read when a folder is walked, also with `.gz` or `.zst` after them; a named file always is."""
SNIFF_ROWS = 64
"""Readable rows by which a file is known."""
_SNIFF_LINES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How files are read; the same for every file of one command."""

    importer: str | None = None
    """Name in the catalogue; None tells each file by its first rows."""
    mapping: Path | None = None
    """Mapping file; chooses the importer `mapped`."""
    account_field: str | None = None
    """Dotted path of the account, such as `metadata.user_api_key_team_id`."""
    since: float | None = None
    """Rows before this are passed over, seconds since 1970."""
    until: float | None = None
    """Rows from this on are passed over, seconds since 1970."""
    batch: int = 2000
    """Exchanges a batch, at least 1."""

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise StillwatchError(f"batch = {self.batch}: must be at least 1.")
        if self.importer is not None:
            IMPORTERS.get(self.importer)
        if self.importer == "mapped" and self.mapping is None:
            raise StillwatchError("importer 'mapped' needs --mapping; `stillwatch logs map FILE` proposes one.")
        if self.mapping is not None and self.importer not in (None, "mapped"):
            raise StillwatchError(f"importer {self.importer!r} takes no mapping file; leave out one of the two.")


def list_files(paths: Iterable[str | Path]) -> list[Path]:
    """Return the log files that `paths` name, sorted, each once; folders are walked, hidden names passed over.

    Raises:
        StillwatchError: a path does not exist, or a folder holds no log file.
    """
    found: set[Path] = set()
    for given in map(Path, paths):
        if given.is_dir():
            inside = [path for path in given.rglob("*") if path.is_file() and _is_log(path.relative_to(given))]
            if not inside:
                raise StillwatchError(f"{given}: no log file inside; names must end in {', '.join(SUFFIXES)}.")
            found.update(inside)
        elif given.exists():
            found.add(given)
        else:
            raise StillwatchError(f"{given}: no such file or folder; check the path.")
    return sorted(found)


def _is_log(path: Path) -> bool:
    name = path.name.lower().removesuffix(".gz").removesuffix(".zst")
    return name.endswith(SUFFIXES) and not any(part.startswith(".") for part in path.parts)


def digest(path: str | Path, options: ReadOptions | None = None) -> str:
    """Return the digest of a file's bytes and of what decides how they are read: BLAKE2b, 32 hex digits.

    Args:
        path: The file.
        options: Importer, mapping, account field and time bounds change the digest; None stands for none of them.
    """
    options = options or ReadOptions()
    mapping = options.mapping.read_bytes() if options.mapping is not None else b""
    told = (options.importer, options.account_field, options.since, options.until, mapping)
    whole = hashlib.blake2b(repr(told).encode(), digest_size=16)
    with Path(path).open("rb") as file:
        while chunk := file.read(1 << 20):
            whole.update(chunk)
    return whole.hexdigest()


class SourceFile:
    """One log file, with the batch results that complete it where it holds batch requests."""

    def __init__(
        self,
        path: str | Path,
        options: ReadOptions | None = None,
        quarantine: Quarantine | None = None,
        results: Sequence[Path] = (),
    ) -> None:
        self.path = Path(path)
        self.options = options or ReadOptions()
        self.quarantine = quarantine
        self.results = tuple(results)
        self.tally = Tally()
        self._mapping = load_mapping(self.options.mapping) if self.options.mapping else {}
        self._importer: Importer | None = None
        self._sniffed: list[Row] | None = None

    def __repr__(self) -> str:
        return f"SourceFile({str(self.path)!r}, rows={self.tally.rows})"

    def digest(self) -> str:
        """Return `digest` of the file, with those of its batch results worked in."""
        own = digest(self.path, self.options)
        if not self.results:
            return own
        parts = [own, *(digest(path) for path in self.results)]
        return hashlib.blake2b("".join(parts).encode(), digest_size=16).hexdigest()

    def head(self) -> list[Row]:
        """Return the first readable rows, at most `SNIFF_ROWS`; read once."""
        if self._sniffed is None:
            rows = islice(self._rows(), _SNIFF_LINES)
            self._sniffed = list(islice((row for _, row in rows if type(row) is dict), SNIFF_ROWS))
        return self._sniffed

    def importer(self) -> Importer | None:
        """Return what reads this file; None where no row can be read at all.

        Raises:
            StillwatchError: rows can be read, but no importer knows them.
        """
        if self._importer is None:
            if self.options.mapping is not None:
                self._importer = IMPORTERS.get("mapped")
            elif self.options.importer is not None:
                self._importer = IMPORTERS.get(self.options.importer)
            elif self.head():
                self._importer = detect(self.head())
                if self._importer is None:
                    raise StillwatchError(self._unknown())
        return self._importer

    def _unknown(self) -> str:
        if any("sketch" in row or "sketch" in (row.get("values") or ()) for row in self.head()[:4]):
            return f"{self.path}: holds Stillwatch events, not logs; the store reads those, so leave it out here."
        return (
            f"{self.path}: no importer knows its rows. Run `stillwatch logs map {self.path.name}` for a mapping file, "
            f"or name one of {', '.join(IMPORTERS.names())} with --importer."
        )

    def batches(self) -> Iterator[list[Exchange]]:
        """Yield the exchanges of the file in batches; `tally` is started anew and grows as they come.

        Raises:
            StillwatchError: no importer knows the rows, or the file cannot be opened.
        """
        tally = self.tally = Tally()
        try:
            importer = self.importer()
            tally.importer = importer.name if importer is not None else ""
            lens = self._lens()
            batch: list[Exchange] = []
            for exchange in self._exchanges(importer, lens):
                batch.append(exchange)
                if len(batch) >= self.options.batch:
                    tally.add(batch)
                    tally.assumed_times = lens.assumed_times
                    yield batch
                    batch = []
            if batch:
                tally.add(batch)
                tally.assumed_times = lens.assumed_times
                yield batch
        except OSError as error:
            raise StillwatchError(f"{self.path}: cannot be read ({error.strerror}).") from None

    def _lens(self) -> Lens:
        path = self.options.account_field
        return Lens(
            modified=self.path.stat().st_mtime,
            account_path=tuple(path.split(".")) if path else (),
            fields=self._mapping,
            answers=load_results(self.results),
        )

    def _rows(self) -> Iterator[tuple[int, Row | Fault]]:
        return rows_of(self.path, form=self._mapping.get("format"), delimiter=self._mapping.get("delimiter"))

    def _exchanges(self, importer: Importer | None, lens: Lens) -> Iterator[Exchange]:
        since = self.options.since if self.options.since is not None else float("-inf")
        until = self.options.until if self.options.until is not None else float("inf")
        tally = self.tally
        for line, row in self._rows():
            if isinstance(row, Fault) or importer is None:
                tally.rows += 1
                self._refuse(line, row.reason if isinstance(row, Fault) else "row of no known kind")
                continue
            for record in importer.split(row):
                tally.rows += 1
                exchange = self._read(importer, row, record, lens, line)
                if exchange is None:
                    continue
                several = parted(exchange)
                tally.rows += len(several) - 1
                if since <= exchange.time < until:
                    yield from several
                else:
                    tally.outside += len(several)

    def _read(self, importer: Importer, row: Row, record: Row, lens: Lens, line: int) -> Exchange | None:
        try:
            exchange = importer.read(record, lens)
            if self.options.importer is not None and _says_nothing(exchange):
                _check_known(importer, row, record)
        except BadRow as error:
            self._refuse(line, str(error))
            return None
        except Exception as error:  # no row, however odd, may stop a scan; the error's own words may quote the row
            self._refuse(line, f"row: of a shape that {importer.name} cannot read ({type(error).__name__})")
            return None
        if exchange is None:
            self.tally.other += 1
        return exchange

    def _refuse(self, line: int, reason: str) -> None:
        self.tally.refuse(reason)
        if self.quarantine is not None:
            self.quarantine.add(str(self.path), line, reason)


def _says_nothing(exchange: Exchange | None) -> bool:
    """Return whether there is an account and a time at most: any importer finds those in any log."""
    if exchange is None:
        return True
    told = exchange.messages or exchange.answer or exchange.model or exchange.tools or exchange.parameters
    return not told and exchange.tokens_in < 0 and exchange.tokens_out < 0


def _check_known(importer: Importer, row: Row, record: Row) -> None:
    """A forced importer must not pass another source's rows for empty requests of its own, or for no requests.

    Raises:
        BadRow: the importer recognises neither the record nor the row that holds it.
    """
    if importer.name != "mapped" and not importer.claims(record) and not importer.claims(row):
        raise BadRow(f"row: holds nothing that {importer.name} knows; leave out --importer, or name another")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What a command has to read."""

    files: list[SourceFile]
    skipped: dict[Path, str]
    """Files met in folders that no importer knows, and why; files that were named are never skipped."""


def open_sources(
    paths: Iterable[str | Path], options: ReadOptions | None = None, quarantine: Quarantine | None = None
) -> Sources:
    """Return the files that `paths` name, both files of each batch brought together.

    Raises:
        StillwatchError: a path does not exist, or no importer knows a file that was named.
    """
    given = [Path(path) for path in paths]
    named = {path for path in given if not path.is_dir()}
    files: dict[Path, SourceFile] = {}
    skipped: dict[Path, str] = {}
    sides: dict[str, list[Path]] = {"requests": [], "results": []}
    for path in list_files(given):
        source = SourceFile(path, options, quarantine)
        try:
            importer = source.importer()
        except StillwatchError as error:
            if path in named:
                raise
            skipped[path] = str(error)
            continue
        except OSError as error:
            raise StillwatchError(f"{path}: cannot be read ({error.strerror}).") from None
        files[path] = source
        if importer is not None and importer.name in ("openai", "anthropic") and source.head():
            side = batch_side(source.head()[0])
            if side:
                sides[side].append(path)
    for answers, requests in pair_files(sides["requests"], sides["results"]).items():
        del files[answers]
        files[requests].results = (*files[requests].results, answers)
    return Sources(files=list(files.values()), skipped=skipped)


def read_all(sources: Iterable[SourceFile]) -> Iterator[tuple[SourceFile, list[Exchange]]]:
    """Yield every batch of every file with its file; what `scan` goes through."""
    for source in sources:
        for batch in source.batches():
            yield source, batch


def total(sources: Iterable[Any]) -> Tally:
    """Return the tallies of all files, merged."""
    whole = Tally()
    for source in sources:
        whole.merge(source.tally)
    return whole
