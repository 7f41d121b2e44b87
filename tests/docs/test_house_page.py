"""The page about the house says what the code's imports say."""

import re
from pathlib import Path

from tests.docs.house_picture import PICTURE, ROOMS, draw, rooms_used
from tests.test_house import RANK

PAGE = Path(__file__).parents[2] / "docs" / "developers" / "house.md"


def test_the_picture_is_that_of_the_imports():
    assert PICTURE.read_text(encoding="utf-8") == draw(), "draw it anew: python -m tests.docs.house_picture"


def test_no_room_imports_a_later_one():
    places = {room: place for place, room in enumerate(ROOMS)}
    upwards = [(room, other) for room, used in rooms_used().items() for other in used if places[other] > places[room]]
    assert upwards == []


def test_every_room_has_its_sentence_in_the_order_of_the_house():
    named = re.findall(r"^\| `(\w+)/?` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert named == [room for room in ROOMS if room != "root"]
    assert [RANK[room] for room in named] == sorted(RANK[room] for room in named)
