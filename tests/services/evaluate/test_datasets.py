"""Each loader reads what its publisher wrote, and says which file it misses where."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from benchmarks.quality import data_folder
from heedful.faces.cli.files import opened
from heedful.services.evaluate.datasets import DATA_SETS, WHOLE, load
from heedful.services.evaluate.streams import NO_ORDER, Stream
from heedful.vocabulary.errors import Corrupt, Invalid, NotFound
from heedful.vocabulary.time import Instant, iso

FILES = {
    "movielens": {"ratings.csv": "userId,movieId,rating,timestamp\n1,10,4.5,964982703\n2,11,3.0,964982600\n"},
    "retailrocket": {
        "events.csv": "timestamp,visitorid,event,itemid,transactionid\n"
        "1433221332117,7,view,355908,\n1433221332999,7,transaction,355908,4000\n"
    },
    "yoochoose": {
        "yoochoose-clicks.dat": "1,2014-04-07T10:51:09.277Z,214536502,0\n1,2014-04-07T10:54:09.868Z,2,S\n",
    },
    "diginetica": {
        "train-item-views.csv": "sessionId;userId;itemId;timeframe;eventdate\n1;NA;81766;526309;2016-05-09\n"
        "1;NA;31331;1031018;2016-05-09\n"
    },
    "otto": {
        "train.jsonl": '{"session":0,"events":[{"aid":5,"ts":1659304800025,"type":"clicks"},'
        '{"aid":6,"ts":1659304904511,"type":"orders"}]}\n'
    },
    "online_retail": {
        "online_retail.csv": "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
        "1,tent,A TENT,6,2011-06-01 08:26:00,2.55,17,UK\n1,tent,A TENT,1,2011-06-01 08:26:00,2.55,17,UK\n"
        "C2,tent,A TENT,-1,2011-06-02 08:26:00,2.55,17,UK\n3,POST,POST,1,2011-06-02 08:26:00,9,17,UK\n"
        "4,map,MAP,1,2011-06-02 08:26:00,9,,UK\n"
    },
}  # fmt: skip


def small(name: str, folder: Path) -> Stream:
    for file, text in FILES[name].items():
        (folder / file).write_text(text, encoding="utf-8")
    return load(name, folder, opened)


def rows(stream: Stream) -> list[tuple[str, str, list[str], str]]:
    names = stream.names
    return [
        (
            names.subjects[stream.subject[n]],
            names.kinds[stream.kind[n]],
            [names.items[item] for item in stream.items_of(n).tolist()],
            iso(Instant(int(stream.at[n])))[:19],
        )
        for n in range(len(stream))
    ]


def test_movielens_ratings_come_in_hundredths_and_in_order_of_time(tmp_path: Path) -> None:
    (tmp_path / "movies.csv").write_text('movieId,title,genres\n10,"Net, The (1995)",Drama|Thriller\n')
    stream = small("movielens", tmp_path)
    assert rows(stream)[0] == ("2", "rate", ["11"], "2000-07-30T18:43:20")
    assert stream.value.tolist() == [300, 450]
    (film,) = stream.described
    assert film.item is not None
    assert (film.at, film.item.title, film.item.categories) == (
        stream.at[0], "Net, The (1995)", ("Drama", "Thriller"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("ratings.dat", "1::10::5::964982703\n"),
        ("u.data", "1\t10\t5\t964982703\n"),
        ("ratings.csv", "1,10,5,964982703\n"),
    ],
)
def test_every_shape_of_movielens_is_read(file: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "movielens").mkdir()
    (tmp_path / "movielens" / file).write_text(text)
    assert rows(load("movielens", tmp_path, opened)) == [("1", "rate", ["10"], "2000-07-30T18:45:03")]


def test_retailrocket_says_what_was_done(tmp_path: Path) -> None:
    stream = small("retailrocket", tmp_path)
    assert rows(stream) == [
        ("7", "view", ["355908"], "2015-06-02T05:02:12"),
        ("7", "purchase", ["355908"], "2015-06-02T05:02:12"),
    ]
    assert [order != NO_ORDER for order in stream.order] == [False, True]


def test_sessions_of_yoochoose_are_whole(tmp_path: Path) -> None:
    stream = small("yoochoose", tmp_path)
    assert rows(stream)[0] == ("1", "click", ["214536502"], "2014-04-07T10:51:09")
    assert stream.idle == WHOLE


def test_diginetica_adds_the_time_within_a_session_to_its_day(tmp_path: Path) -> None:
    stream = small("diginetica", tmp_path)
    assert rows(stream)[0] == ("1", "view", ["81766"], "2016-05-09T00:08:46")


def test_otto_has_milliseconds_and_deeds(tmp_path: Path) -> None:
    assert [row[1:] for row in rows(small("otto", tmp_path))] == [
        ("click", ["5"], "2022-07-31T22:00:00"),
        ("purchase", ["6"], "2022-07-31T22:01:44"),
    ]


def test_online_retail_makes_orders_of_lines_and_counts_what_it_leaves_out(tmp_path: Path) -> None:
    stream = small("online_retail", tmp_path)
    assert [row[1:] for row in rows(stream)] == [
        ("purchase", ["tent", "tent"], "2011-06-01T07:26:00"),
        ("refund", ["tent"], "2011-06-02T07:26:00"),
    ]
    assert [stream.names.keys[key] for key in stream.key] == ["tent", "tent#2", "tent"]
    assert stream.amount.tolist() == [1530, 255, 255]
    assert stream.left_out == {"no_product": 1, "without_customer": 1}


def test_a_compressed_file_is_found_too(tmp_path: Path) -> None:
    text = FILES["yoochoose"]["yoochoose-clicks.dat"]
    (tmp_path / "yoochoose-clicks.dat.gz").write_bytes(gzip.compress(text.encode()))
    assert len(load("yoochoose", tmp_path, opened)) == 2


@pytest.mark.parametrize("name", sorted(DATA_SETS.keys() - {"news"}))
def test_a_missing_file_is_named_with_its_place(name: str, tmp_path: Path) -> None:
    with pytest.raises(NotFound) as missing:
        load(name, tmp_path, opened)
    assert str(tmp_path) in str(missing.value)
    assert DATA_SETS[name].files.split(",")[0].split(" ")[0] in str(missing.value)


def test_a_name_that_nobody_knows_lists_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="movielens"):
        load("netflix", tmp_path, opened)


def test_a_line_that_does_not_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "ratings.dat").write_text("1::10::5::964982703\n1::10\n")
    with pytest.raises(Corrupt, match=r"ratings\.dat, line 2"):
        load("movielens", tmp_path, opened)


@pytest.mark.skipif(
    not data_folder().is_dir(), reason="the data sets are not there: set HEEDFUL_DATA to the data folder"
)
@pytest.mark.parametrize(
    ("name", "events", "people", "items"),
    [
        ("serenade_example", 114_834, 24_055, 18_009),
        ("serenade_example_valid", 115_052, 24_083, 18_009),
        ("movietweetings", 99_952, 16_551, 10_506),
        ("complete_journey", 47_034, 2_373, 20_833),
        ("otto", 743, 10, 443),
    ],
)
def test_the_real_files_are_read_whole(name: str, events: int, people: int, items: int) -> None:
    stream = load(name, data_folder().parent, opened)
    assert (len(stream), len(stream.names.subjects), len(stream.names.items)) == (events, people, items)
    assert (stream.at[1:] >= stream.at[:-1]).all()


def test_news_needs_no_file_and_describes_articles_when_they_appear(tmp_path: Path) -> None:
    stream = load("news", tmp_path, opened)
    appeared = {described.name: described.at for described in stream.described}
    firsts: dict[str, int] = {}
    for at, item in zip(stream.at.tolist(), stream.item.tolist(), strict=True):
        firsts.setdefault(stream.names.items[item], at)
    assert len(firsts) > 500
    assert all(appeared[name] <= at for name, at in firsts.items())
