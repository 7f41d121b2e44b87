"""IJB-B and IJB-C against plain loops; what fails counts against the model, what contradicts itself is refused."""

import numpy as np
import pytest
from drawn_people import SIZE, embed, embedded, figures_of, result_of, spoil
from generated_sets import copy_lists, write_ijb
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_oracles import auc, average, cosine, eer, flat, highest_refused, mean, rates_at, total, unit

from facedistill.datasets.ijb import read_ijb
from facedistill.errors import FacedistillError, UsageError
from facedistill.evaluation import evaluate
from facedistill.variance import degrade

FARS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)


def templates_of(made, lost=(), rows=None):
    """Template -> its vector; those without a picture that counts are missing."""
    media = {}
    for picture, template, medium, crop in made.faces:
        if picture not in lost:
            media.setdefault(template, {}).setdefault(medium, []).append(
                unit(embedded(crop if rows is None else degrade(crop, rows)))
            )
    return {template: total([mean(faces) for faces in found.values()]) for template, found in media.items()}


def expected_verification(made, vectors, second):
    scored = [
        (cosine(vectors[one], second[two]) if one in vectors and two in second else None, same)
        for one, two, same in made.pairs
    ]
    genuine = [score for score, same in scored if same and score is not None]
    others = [score for score, same in scored if not same and score is not None]
    in_all = sum(same for _score, same in scored)
    return {
        "eer": eer(genuine, others, in_all),
        "auc": auc(genuine, others, in_all),
        "tar_at_far": rates_at(genuine, others, FARS, in_all),
        "genuine": in_all,
        "impostors": len(scored) - in_all,
        "failed_pairs": sum(score is None for score, _same in scored),
    }


def expected_search(gallery, probes, vectors, shown):
    mated = {probe: person for probe, person in probes.items() if person in gallery.values()}
    ranks, hits, strangers, failed = [], [], [], 0
    for probe, person in probes.items():
        scores = {
            other: cosine(shown[probe], vectors[template])
            for template, other in gallery.items()
            if probe in vectors and template in vectors
        }
        if probe not in vectors or (probe in mated and person not in scores):
            failed += 1
        elif probe in mated:
            ranks.append(sum(score >= scores[person] for score in scores.values()))
            hits.append(scores[person] if ranks[-1] == 1 else -2.0)
        else:
            strangers.append(max(scores.values()))
    tpir = {}
    for fpir in (0.01, 0.1):
        if fpir * len(strangers) >= 1 - 1e-9:
            bar = highest_refused(strangers, fpir)
            tpir[f"{fpir:g}"] = sum(score > bar for score in hits) / len(mated)
    return {
        "rank_k": {str(k): sum(rank <= k for rank in ranks) / len(mated) for k in (1, 5, 10)},
        "tpir_at_fpir": tpir,
        "identities": len(gallery),
        "mated": len(mated),
        "unmated": len(probes) - len(mated),
        "failed_searches": failed,
    }


def expected(made, lost=(), gallery_at=None, probes_at=None):
    vectors, shown = templates_of(made, lost, gallery_at), templates_of(made, lost, probes_at)
    every = {template for _picture, template, _medium, _crop in made.faces}
    galleries = {key: expected_search(gallery, made.probes, vectors, shown) for key, gallery in made.galleries.items()}
    shared = set.intersection(*(set(part["tpir_at_fpir"]) for part in galleries.values()))
    return {
        "verification": expected_verification(made, vectors, shown),
        "identification": {
            "rank_k": {k: average([part["rank_k"][k] for part in galleries.values()]) for k in ("1", "5", "10")},
            "tpir_at_fpir": {
                fpir: average([part["tpir_at_fpir"][fpir] for part in galleries.values()]) for fpir in shared
            },
            "galleries": galleries,
        },
        "templates": len(every),
        "failed_templates": len(every) - len(vectors),
        "fte": (len(every) - len(vectors)) / len(every),
        "failures": {"pictures": len(made.faces), "unreadable": len(lost), "no_face": 0},
    }


@pytest.mark.parametrize(("name", "seed"), [("ijbb", 0), ("ijbc", 1)])
def test_the_figures_are_those_of_plain_loops(name, seed, tmp_path):
    made = write_ijb(tmp_path, name, seed=seed)
    found = figures_of(embed, f"{name}:{tmp_path}")
    wanted = expected(made)
    assert list(found["verification"]["tar_at_far"]) == ["0.01", "0.1"]
    assert 0.2 < wanted["verification"]["tar_at_far"]["0.01"] < 1
    assert 0 < wanted["identification"]["tpir_at_fpir"]["0.1"] < wanted["identification"]["rank_k"]["1"] < 1
    assert flat(found) == pytest.approx(flat(wanted), abs=1e-9)


def test_templates_without_a_usable_picture_fail_to_enrol(tmp_path):
    """One enrolled, one searched, and one that only lost some of its pictures."""
    made = write_ijb(tmp_path)
    whole = expected(made)
    gone = [next(iter(made.galleries["G1"])), list(made.probes)[-1]]
    lost = {path.name for template in gone for path in made.pictures(template)}
    lost.add(next(made.pictures(probe)[0].name for probe in made.probes if len(made.pictures(probe)) > 2))
    for name in lost:
        spoil(tmp_path / "loose_crop" / name)
    result = result_of(embed, f"ijbb:{tmp_path}")
    found = result.to_json()
    assert flat(found) == pytest.approx(flat(expected(made, lost)), abs=1e-9)
    assert found["failed_templates"] == 2
    assert found["identification"]["rank_k"]["10"] < whole["identification"]["rank_k"]["10"]
    one, many = result.tables("net")
    assert "2 of 48 templates failed to enrol" in str(one.caption)
    assert [column.header for column in many.columns] == ["", "mean %", "G1 %", "G2 %"]


def test_probes_and_all_templates_are_degraded_as_plain_loops_have_it(tmp_path):
    made = write_ijb(tmp_path)
    result = result_of(embed, f"ijbb:{tmp_path}", resolutions=(10,))
    found = result.to_json()
    sweep = found["sweep"]
    for cell, sides in ((sweep["10"], (None, 10)), (sweep["both"]["10"], (10, 10))):
        wanted = expected(made, (), *sides)
        for part in ("verification", "identification"):
            assert flat(cell[part]) == pytest.approx(flat(wanted[part]), abs=1e-9)
    assert sweep["10"]["verification"]["eer"] != found["verification"]["eer"]
    titles = [str(table.title) for table in result.tables("net")]
    assert [title.partition(", ")[2] for title in titles[2:]] == [
        "probes at 10 rows, 1:1",
        "probes at 10 rows, 1:N",
        "all templates at 10 rows, 1:1",
        "all templates at 10 rows, 1:N",
    ]


def test_landmarks_that_coincide_are_a_failure(ijb):
    path = ijb.meta("name_5pts_score.txt")
    lines = path.read_text().splitlines()
    lines[4] = lines[4].split()[0] + " 5" * 10 + " 0.1"
    path.write_text("\n".join(lines))
    found = figures_of(embed, f"ijbb:{ijb.root}")
    assert found["failures"] == {"pictures": len(ijb.faces), "unreadable": 0, "no_face": 1}
    wanted = expected(ijb, {ijb.faces[4][0]})
    assert flat(found["verification"]) == pytest.approx(flat(wanted["verification"]), abs=1e-9)


def test_a_set_without_search_lists_has_no_search_table(ijb):
    for file in ("gallery_G1", "gallery_G2", "probe_mixed"):
        ijb.meta(f"1N_{file}.csv").unlink()
    result = result_of(embed, f"ijbb:{ijb.root}")
    assert result.to_json()["identification"] is None
    (table,) = result.tables("net")
    assert "no 1:N lists" in str(table.caption)


def test_galleries_may_be_called_s1_and_s2(ijb):
    wanted = read_ijb(ijb.root, "ijbb").galleries["G2"].subjects.tolist()
    for key in ("1", "2"):
        ijb.meta(f"1N_gallery_G{key}.csv").rename(ijb.meta(f"1N_gallery_S{key}.csv"))
    assert read_ijb(ijb.root, "ijbb").galleries["G2"].subjects.tolist() == wanted == list(range(506, 512))


def test_embeddings_that_are_no_numbers_are_an_error(ijb):
    with pytest.raises(FacedistillError, match="zero, NaN or infinite"):
        evaluate(lambda crops: np.where(embed(crops) > 40, np.nan, embed(crops)), f"ijbb:{ijb.root}")


def test_a_set_of_damaged_pictures_only(tmp_path):
    write_ijb(tmp_path)
    for path in (tmp_path / "loose_crop").iterdir():
        spoil(path)
    with pytest.raises(FacedistillError, match="not one of the templates"):
        evaluate(embed, f"ijbb:{tmp_path}")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return write_ijb(tmp_path_factory.mktemp("ijb"))


@pytest.fixture
def ijb(published, tmp_path):
    """The set with meta files of its own."""
    return copy_lists(published, tmp_path, "meta")


def first_line(text):
    return text.partition("\n")[0] + "\n"


@pytest.mark.parametrize(
    ("end", "change", "error", "message"),
    [
        pytest.param("face_tid_mid.txt", lambda _: "", UsageError, "names no face", id="no faces"),
        pytest.param("face_tid_mid.txt", lambda t: t + "9 9\n", UsageError, "must read", id="half a face"),
        pytest.param("face_tid_mid.txt", lambda t: t + "../9.jpg 1 1\n", UsageError, "must read", id="a way out"),
        pytest.param("face_tid_mid.txt", lambda t: t + "1.jpg x 1\n", UsageError, "must read", id="no number"),
        pytest.param(
            "face_tid_mid.txt", lambda t: t + first_line(t), FacedistillError, "count double", id="a picture twice"
        ),
        pytest.param("face_tid_mid.txt", lambda t: t + "no.jpg 1 1\n", FacedistillError, "no landmarks", id="unknown"),
        pytest.param("name_5pts_score.txt", lambda t: t + "x.jpg 1 2\n", UsageError, "ten", id="too few numbers"),
        pytest.param(
            "name_5pts_score.txt", lambda t: t + "x.jpg" + " nan" * 11, UsageError, "ten", id="landmarks nowhere"
        ),
        pytest.param(
            "name_5pts_score.txt", lambda t: t + "1.jpg" + " 7" * 11, FacedistillError, "two sets", id="two landmarks"
        ),
        pytest.param("template_pair_label.txt", lambda _: "\n", UsageError, "holds no pair", id="no pairs"),
        pytest.param("template_pair_label.txt", lambda t: t + "1 2\n", UsageError, "must read", id="half a pair"),
        pytest.param("template_pair_label.txt", lambda t: t + "1 2 3\n", UsageError, "must read", id="no truth"),
        pytest.param("template_pair_label.txt", lambda t: t + "1 2 0\n", FacedistillError, "no face", id="no template"),
        pytest.param(
            "template_pair_label.txt", lambda t: t + "100 100 1\n", FacedistillError, "with itself", id="itself"
        ),
        pytest.param(
            "template_pair_label.txt",
            lambda t: t.replace(" 0\n", " 1\n"),
            FacedistillError,
            "0 impostor",
            id="one class only",
        ),
        pytest.param("1N_gallery_G1.csv", lambda _: "", UsageError, "TEMPLATE_ID", id="an empty gallery"),
        pytest.param("1N_gallery_G1.csv", first_line, UsageError, "nobody", id="a gallery of nobody"),
        pytest.param("1N_gallery_G1.csv", lambda t: t + "a,b\n", UsageError, "number", id="names for numbers"),
        pytest.param(
            "1N_gallery_G1.csv", lambda t: t + "107,500\n", FacedistillError, "shows subjects", id="of two people"
        ),
        pytest.param(
            "1N_gallery_G1.csv", lambda t: t + "142,500\n", FacedistillError, "with 2 templates", id="enrolled twice"
        ),
        pytest.param(
            "1N_gallery_G1.csv", lambda t: t + "10000,777\n", FacedistillError, "find itself", id="an enrolled probe"
        ),
        pytest.param("1N_probe_mixed.csv", lambda t: t + "5,500\n", FacedistillError, "no face", id="unknown probe"),
    ],
)
def test_meta_files_that_are_wrong_are_refused(end, change, error, message, ijb):
    path = ijb.meta(end)
    path.write_text(change(path.read_text()))
    with pytest.raises(error, match=message) as caught:
        evaluate(embed, f"ijbb:{ijb.root}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("end", ["face_tid_mid.txt", "template_pair_label.txt", "1N_gallery_G2.csv"])
def test_a_missing_meta_file_is_named(end, ijb):
    ijb.meta(end).unlink()
    with pytest.raises(UsageError, match=f"cannot read .*{end}"):
        evaluate(embed, f"ijbb:{ijb.root}")


def test_missing_pictures_are_counted_and_named(tmp_path):
    made = write_ijb(tmp_path)
    for picture in ("2.jpg", "3.jpg"):
        (tmp_path / "loose_crop" / picture).unlink()
    with pytest.raises(FacedistillError, match=rf"^2 of the {len(made.faces)} pictures .*2\.jpg, .*3\.jpg"):
        evaluate(embed, f"ijbb:{tmp_path}")


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["face_tid_mid.txt", "name_5pts_score.txt", "template_pair_label.txt", "1N_probe_mixed.csv"]),
    st.one_of(st.text(max_size=60), st.text("0123456789 ,\n.jpTEMPLATE_IDSUBJECT-", max_size=60)),
)
def test_no_text_breaks_the_readers(published, tmp_path_factory, end, text):
    ijb = copy_lists(published, tmp_path_factory.mktemp("spoiled"), "meta")
    ijb.meta(end).write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(FacedistillError) as caught:
        read_ijb(ijb.root, "ijbb")
    assert len(str(caught.value).splitlines()) == 1


def test_the_generator_cuts_what_the_protocol_aligns(tmp_path):
    """The landmarks of a generated picture lead to the very crop that the oracle sees."""
    made, seen = write_ijb(tmp_path, people=4), []

    def remembering(crops):
        seen.extend(crops)
        return embed(crops)

    evaluate(remembering, f"ijbb:{tmp_path}")
    assert all(crop.shape == (*SIZE, 3) for crop in seen)
    assert all(np.array_equal(crop, face[3]) for crop, face in zip(seen, made.faces, strict=True))
