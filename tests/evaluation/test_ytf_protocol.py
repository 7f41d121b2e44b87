"""YouTube Faces' protocol against plain loops; what fails counts against the model."""

import pytest
from drawn_people import embed, embedded, figures_of, result_of, spoil
from generated_sets import write_ytf
from slow_oracles import cosine, flat, mean, pair_figures, unit

from facedistill.datasets.ytf import read_ytf
from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation import evaluate
from facedistill.variance import degrade


def templates_of(made, rows=None):
    """`made.videos` holds the frames that count."""

    def seen(crop):
        return unit(embedded(crop if rows is None else degrade(crop, rows)))

    return {video: mean([seen(crop) for crop in crops]) for video, crops in made.videos.items() if len(crops)}


def expected(made, first_at=None, second_at=None):
    first, second = templates_of(made, first_at), templates_of(made, second_at)
    return pair_figures(
        [
            (cosine(first[one], second[two]) if one in first and two in second else None, same, fold)
            for one, two, same, fold in made.pairs
        ]
    )


def counts(made):
    used = {video for one, two, _same, _fold in made.pairs for video in (one, two)}
    return len(used), sum(len(made.videos[video]) for video in used)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_figures_are_those_of_plain_loops(seed, tmp_path):
    made = write_ytf(tmp_path, seed=seed)
    found = figures_of(embed, f"ytf:{tmp_path}")
    videos, frames = counts(made)
    assert found.pop("failures") == {"pictures": frames, "unreadable": 0, "no_face": 0}
    assert (found.pop("videos"), found.pop("failed_videos")) == (videos, 0)
    wanted = expected(made)
    assert 0.5 < wanted["accuracy"] < 1
    assert flat(found) == pytest.approx(flat(wanted), abs=1e-9)


def test_frames_that_fail_are_left_out_and_a_video_without_any_fails(tmp_path):
    made = write_ytf(tmp_path)
    one = made.pairs[0][0]
    for frame in made.frames(one):
        spoil(frame)
    spoiled = len(made.videos[one]) + 1
    long = next(video for pair in made.pairs for video in pair[:2] if len(made.videos[video]) > 1 and video != one)
    _videos, frames = counts(made)
    spoil(made.frames(long)[0])
    made.videos[one], made.videos[long] = [], made.videos[long][1:]
    found = figures_of(embed, f"ytf:{tmp_path}")
    assert found.pop("failures") == {"pictures": frames, "unreadable": spoiled, "no_face": 0}
    assert found.pop("failed_videos") == 1
    assert found["failed_pairs"] >= 1
    del found["videos"]
    assert flat(found) == pytest.approx(flat(expected(made)), abs=1e-9)


def test_a_video_without_frames_fails_and_is_counted(tmp_path):
    made = write_ytf(tmp_path)
    for frame in made.frames(made.pairs[0][0]):
        frame.unlink()
    result = result_of(embed, f"ytf:{tmp_path}")
    assert result.failed_videos == 1
    (table,) = result.tables("net")
    assert f"{result.failed_pairs} of 30 pairs could not be compared" in str(table.caption)


def test_second_and_both_videos_are_degraded_as_plain_loops_have_it(tmp_path):
    made = write_ytf(tmp_path)
    for frame in made.frames(made.pairs[0][0]):
        spoil(frame)
    made.videos[made.pairs[0][0]] = []
    result = result_of(embed, f"ytf:{tmp_path}", resolutions=(12, 8))
    sweep = result.to_json()["sweep"]
    assert set(sweep) == {"12", "8", "both"}
    for rows in (12, 8):
        assert flat(sweep[str(rows)]) == pytest.approx(flat(expected(made, None, rows)), abs=1e-9)
        assert flat(sweep["both"][str(rows)]) == pytest.approx(flat(expected(made, rows, rows)), abs=1e-9)
    assert flat(sweep["8"]) != pytest.approx(flat(expected(made)), abs=1e-9)
    titles = [str(table.title) for table in result.tables("net")]
    assert [title.partition(", ")[2] for title in titles[1:]] == [
        "second video at 12 rows",
        "second video at 8 rows",
        "both videos at 12 rows",
        "both videos at 8 rows",
    ]


LIST = "1, A/0, A/1, 1\n1, A/0, B/0, 0\n2, B/0, B/1, 1\n2, B/1, A/1, 0\n"


@pytest.fixture
def videos(tmp_path):
    for name in ("A/0", "A/1", "B/0", "B/1"):
        (tmp_path / "frame_images_DB" / name).mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(LIST, id="as published"),
        pytest.param("split, first, second, same\n" + LIST, id="with headings"),
        pytest.param(LIST.replace(", ", ",").replace("\n", ",0\r\n"), id="other spaces, a fifth column, Windows' ends"),
        pytest.param(LIST.replace("2, B", "7, B"), id="other numbers of splits"),
    ],
)
def test_reads_the_list(text, videos):
    (videos / "splits.txt").write_text(text, newline="")
    found = read_ytf(videos)
    assert found.names == ("A/0", "A/1", "B/0", "B/1")
    assert found.first.tolist() == [0, 0, 2, 3]
    assert found.second.tolist() == [1, 2, 3, 1]
    assert found.same.tolist() == [True, False, True, False]
    assert found.folds.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        pytest.param("", UsageError, "holds 0 splits", id="an empty list"),
        pytest.param(LIST[: LIST.index("2, B")], UsageError, "holds 1 splits", id="one split"),
        pytest.param(LIST[: LIST.rindex("2, B")], FacedistillError, "1 to 2 pairs", id="cut"),
        pytest.param(LIST.replace("A/1, 1", "A/1"), UsageError, "pair 1 is no pair", id="half a pair"),
        pytest.param(LIST.replace("A/1, 1", "A/1, yes"), UsageError, "pair 1 is no pair", id="a truth that is none"),
        pytest.param(LIST.replace("2, B/0", "two, B/0"), UsageError, "pair 3 is no pair", id="a split that is none"),
        pytest.param(LIST.replace("A/0, A/1", "../A, A/1"), UsageError, "pair 1 names no video", id="a way out"),
        pytest.param(LIST.replace("A/0, A/1", "A/1, A/1"), UsageError, "with itself", id="a video against itself"),
        pytest.param(LIST.replace("B/1", "B/9"), FacedistillError, "lacks 1 of the 4 videos", id="a missing video"),
    ],
)
def test_says_what_is_wrong_with_the_list(text, error, message, videos):
    (videos / "splits.txt").write_text(text)
    with pytest.raises(error, match=message) as caught:
        read_ytf(videos)
    assert "\n" not in str(caught.value)


def test_a_folder_without_the_list_is_a_wrong_call(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read the pairs .*splits\.txt"):
        evaluate(embed, f"ytf:{tmp_path}")
