"""Published data sets by name, read from files that the user has: nothing is downloaded.

Each loader names the files it wants; a file may also end in .gz or .zst, and may lie in the folder itself or in
one of the data set's name. What a loader leaves out it counts, by reason.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from heedful.playground.news import News
from heedful.services.evaluate.streams import Builder, Described, Stream
from heedful.vocabulary.errors import Corrupt, Invalid, NotFound
from heedful.vocabulary.event import Line
from heedful.vocabulary.ids import ItemId
from heedful.vocabulary.item import Item, Price
from heedful.vocabulary.kinds import CART, CLICK, PURCHASE, RATE, REFUND, VIEW
from heedful.vocabulary.money import minor_units
from heedful.vocabulary.time import MILLISECOND, SECOND, Instant, instant

WHOLE = 2**62
"""The idle time of a source whose people are sessions already: none of them is cut."""

_ENDINGS = ("", ".zst", ".gz")
_NO_PRODUCT = frozenset({"POST", "D", "M", "DOT", "BANK CHARGES", "C2"})
_DEEDS = {"clicks": CLICK, "carts": CART, "orders": PURCHASE}
_RETAILROCKET = {"view": VIEW, "addtocart": CART, "transaction": PURCHASE}

Open = Callable[[Path], BinaryIO]
"""Opens a file's bytes, decompressed by its ending."""


class Place:
    """Where the files of one data set are. Raises NotFound, naming what is expected where."""

    def __init__(self, name: str, folder: Path, opened: Open) -> None:
        self.name = name
        self._folders = (folder / name, folder)
        self._opened = opened

    def find(self, *names: str) -> Path | None:
        """The first of `names` that is there."""
        places = (inside / f"{name}{end}" for name in names for inside in self._folders for end in _ENDINGS)
        return next((place for place in places if place.is_file()), None)

    def need(self, *names: str) -> Path:
        """As `find`, but it must be there."""
        found = self.find(*names)
        if found is None:
            wanted, inside = " or ".join(names), " or ".join(str(folder) for folder in self._folders)
            raise NotFound(
                f"{self.name}: there is no {wanted} in {inside} (it may also end in .gz or .zst); "
                "say where with --folder or HEEDFUL_DATA"
            )
        return found

    @contextmanager
    def text(self, file: Path, encoding: str = "utf-8-sig") -> Iterator[Iterator[str]]:
        """The lines of a file. A line that does not read is Corrupt, with its number."""
        with self._opened(file) as raw:
            text = io.TextIOWrapper(raw, encoding=encoding, newline="")
            numbered = _Numbered(text)
            try:
                yield numbered
            except (ValueError, IndexError, KeyError, msgspec.DecodeError, csv.Error) as error:
                raise Corrupt(f"{file}, line {numbered.number}: {error!r}") from error
            finally:
                text.detach()


class _Numbered(Iterator[str]):
    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.number = 0

    def __next__(self) -> str:
        self.number += 1
        return next(self._lines)


class DataSet(NamedTuple):
    """A data set that can be asked for by name. files: what its loader looks for, for people."""

    files: str
    load: Callable[[Place], Stream]


def load(name: str, folder: Path, opened: Open) -> Stream:
    """The stream of data set `name`, from files under `folder`.

    Raises Invalid (`dataset_unknown`), NotFound with what is expected where, Corrupt with file and line.
    """
    known = DATA_SETS.get(name)
    if known is None:
        raise Invalid("dataset_unknown", f"no data set {name!r}; there are {', '.join(DATA_SETS)}")
    return known.load(Place(name, folder, opened))


def _serenade(place: Place, test: str = "test") -> Stream:
    builder = Builder(place.name)
    place = Place("serenade_example", *_origin(place))
    for part in ("train", test):
        with place.text(place.need(f"{part}.tsv")) as lines:
            next(lines)
            for session, item, seconds in csv.reader(lines, delimiter="\t"):
                at = round(float(seconds) * SECOND)
                builder.add(session, VIEW, at, (Line(item),), tested=part == test)
    return builder.stream(idle=WHOLE, split=True)


def _origin(place: Place) -> tuple[Path, Open]:
    return place._folders[1], place._opened


def _serenade_valid(place: Place) -> Stream:
    return _serenade(place, "valid")


def _online_retail(place: Place) -> Stream:
    """Orders of a shop: the rows of one invoice are the lines of one order; returns are refunds."""
    builder, zone = Builder(place.name), ZoneInfo("Europe/London")
    orders: dict[str, tuple[str, Instant, list[Line], dict[str, int]]] = {}
    described: set[str] = set()
    with place.text(place.need("online_retail.csv")) as lines:
        rows = csv.reader(lines)
        next(rows)
        for invoice, item, title, count, when, price, customer, _ in rows:
            quantity, minor = int(count), minor_units(float(price), "GBP")
            if not customer or item in _NO_PRODUCT or not quantity or minor < 0:
                builder.leave_out("without_customer" if not customer else "no_product")
                continue
            if invoice not in orders:
                at = instant(datetime.fromisoformat(when).replace(tzinfo=zone))
                orders[invoice] = (customer, at, [], {})
            _, at, order, repeats = orders[invoice]
            nth = repeats[item] = repeats.get(item, 0) + 1
            key = item if nth == 1 else f"{item}#{nth}"
            order.append(Line(item, abs(quantity), minor * abs(quantity), key))
            if item not in described and quantity > 0:
                described.add(item)
                told = Item(ItemId(item), title=title, price=Price(minor, "GBP"))
                builder.described.append(Described(at, item, told))
    for invoice, (customer, at, order, _) in orders.items():
        kind = REFUND if invoice.startswith("C") else PURCHASE
        builder.add(customer, kind, at, order, order=invoice, currency="GBP")
    return builder.stream()


def _movietweetings(place: Place) -> Stream:
    return _ratings(place, place.need("ratings_to_2013-09-01.dat", "ratings.dat"), place.find("movies.dat"))


def _movielens(place: Place) -> Stream:
    films = place.find("movies.csv", "movies.dat", "u.item")
    return _ratings(place, place.need("ratings.csv", "ratings.dat", "u.data"), films)


def _ratings(place: Place, file: Path, films: Path | None) -> Stream:
    """Ratings as user, film, stars and seconds; films, where there is a file of them, with their genres."""
    builder, begun = Builder(place.name), 2**62
    with place.text(file) as lines:
        for user, item, stars, seconds in _cells(file, lines):
            if user in ("userId", "user_id"):
                continue
            at = int(seconds) * SECOND
            begun = min(begun, at)
            builder.add(user, RATE, at, (Line(item),), value=round(float(stars) * 100))
    if films is not None:
        with place.text(films, "latin-1" if films.name.startswith("u.item") else "utf-8-sig") as lines:
            for item, title, *rest in _cells(films, lines):
                genres = rest[0].split("|") if len(rest) == 1 else []
                known = tuple(genre for genre in genres if genre and not genre.startswith("(no "))
                told = Item(ItemId(item), title=title, categories=known)
                if item != "movieId":
                    builder.described.append(Described(begun, item, told))
    return builder.stream()


def _cells(file: Path, lines: Iterator[str]) -> Iterator[list[str]]:
    """The cells of each line: commas, tabs (`u.data`), bars (`u.item`) or double colons (`.dat`)."""
    name = file.name.removesuffix(".zst").removesuffix(".gz")
    if name.endswith(".csv"):
        yield from csv.reader(lines)
        return
    between = {"u.data": "\t", "u.item": "|"}.get(name, "::")
    for line in lines:
        if line.strip():
            yield line.rstrip("\r\n").split(between)


def _complete_journey(place: Place) -> Stream:
    """Baskets of households; times carry no zone and are read as UTC."""
    builder = Builder(place.name)
    baskets: dict[str, tuple[str, Instant, list[Line], dict[str, int]]] = {}
    with place.text(place.need("transactions_sample.csv", "transactions.csv")) as lines:
        for row in csv.DictReader(lines):
            quantity = int(float(row["quantity"]))
            if quantity <= 0:
                builder.leave_out("without_quantity")
                continue
            basket, item = row["basket_id"], row["product_id"]
            if basket not in baskets:
                at = instant(datetime.fromisoformat(row["transaction_timestamp"]))
                baskets[basket] = (row["household_id"], at, [], {})
            _, _, order, repeats = baskets[basket]
            nth = repeats[item] = repeats.get(item, 0) + 1
            amount = minor_units(float(row["sales_value"]), "USD")
            order.append(Line(item, quantity, amount, item if nth == 1 else f"{item}#{nth}"))
    for basket, (household, at, order, _) in baskets.items():
        builder.add(household, PURCHASE, at, order, order=basket, currency="USD")
    begun = min((at for _, at, _, _ in baskets.values()), default=0)
    products = place.find("products.csv")
    if products is not None:
        with place.text(products) as lines:
            for row in csv.DictReader(lines):
                kinds = tuple(row[name] for name in ("product_category", "department") if row[name])
                told = Item(ItemId(row["product_id"]), title=row["product_type"], categories=kinds)
                builder.described.append(Described(begun, told.id, told))
    return builder.stream()


class _Deed(msgspec.Struct):
    aid: int
    ts: int
    type: str


class _OttoSession(msgspec.Struct):
    session: int
    events: list[_Deed]


def _otto(place: Place) -> Stream:
    builder, read = Builder(place.name), msgspec.json.Decoder(_OttoSession).decode
    file = place.need("out_train_sessions.jsonl", "otto-recsys-train.jsonl", "train.jsonl")
    with place.text(file) as lines:
        for line in lines:
            if line.strip():
                session = read(line)
                for deed in session.events:
                    item = (Line(str(deed.aid)),)
                    builder.add(str(session.session), _DEEDS[deed.type], deed.ts * MILLISECOND, item)
    return builder.stream()


def _retailrocket(place: Place) -> Stream:
    builder = Builder(place.name)
    with place.text(place.need("events.csv")) as lines:
        rows = csv.reader(lines)
        next(rows)
        for milliseconds, visitor, event, item, order in rows:
            line = Line(item, 1, 0, item if order else "")
            at = int(milliseconds) * MILLISECOND
            builder.add(visitor, _RETAILROCKET[event], at, (line,), order=order)
    return builder.stream()


def _yoochoose(place: Place) -> Stream:
    builder = Builder(place.name)
    with place.text(place.need("yoochoose-clicks.dat")) as lines:
        for session, when, item, _ in csv.reader(lines):
            builder.add(session, CLICK, instant(datetime.fromisoformat(when)), (Line(item),))
    return builder.stream(idle=WHOLE)


def _diginetica(place: Place) -> Stream:
    """Views have a day and the milliseconds since their session began."""
    builder = Builder(place.name)
    with place.text(place.need("train-item-views.csv")) as lines:
        for row in csv.DictReader(lines, delimiter=";"):
            day = datetime.fromisoformat(row["eventdate"]).replace(tzinfo=UTC)
            at = instant(day) + int(row["timeframe"]) * MILLISECOND
            builder.add(row["sessionId"], VIEW, at, (Line(row["itemId"]),))
    return builder.stream(idle=WHOLE)


def _news(place: Place) -> Stream:
    """The playground's news site: no file, but a seed."""
    builder, news = Builder(place.name), News()
    for article in news.articles:
        told = Item(
            ItemId(article.name), title=article.title, categories=(article.section,),
            published=datetime.fromtimestamp(article.published / SECOND, UTC),
        )  # fmt: skip
        builder.described.append(Described(article.published, article.name, told))
    for click in news.clicks():
        builder.add(click.reader, VIEW, click.at, (Line(click.article),))
    return builder.stream()


DATA_SETS: dict[str, DataSet] = {
    "serenade_example": DataSet("train.tsv, test.tsv", _serenade),
    "serenade_example_valid": DataSet("train.tsv, valid.tsv", _serenade_valid),
    "online_retail": DataSet("online_retail.csv", _online_retail),
    "movietweetings": DataSet("ratings_to_2013-09-01.dat, movies.dat", _movietweetings),
    "complete_journey": DataSet("transactions_sample.csv, products.csv", _complete_journey),
    "otto": DataSet("out_train_sessions.jsonl, otto-recsys-train.jsonl or train.jsonl", _otto),
    "movielens": DataSet("ratings.csv, ratings.dat or u.data; movies.csv, movies.dat or u.item", _movielens),
    "retailrocket": DataSet("events.csv", _retailrocket),
    "yoochoose": DataSet("yoochoose-clicks.dat", _yoochoose),
    "diginetica": DataSet("train-item-views.csv", _diginetica),
    "news": DataSet("no file: a world made from a seed", _news),
}
"""By name; `files` is what is looked for, in the order of preference."""
