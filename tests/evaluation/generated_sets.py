"""Small sets in the exact layout of LFW, YouTube Faces, IJB-B/C and MegaFace, of people who are patterns with noise.

The pictures are PNG inside, whatever their names end in, so that the pixels an oracle draws are those on disk.
"""

import json
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from drawn_people import SIZE, Painter, write_picture

from facedistill.faces import CROP_112X96


def copy_lists(made, root, lists):
    """The set again with a copy of its folder of lists, which a test may spoil; the pictures are shared."""
    shutil.copytree(made.root / lists, root / lists)
    for folder in made.root.iterdir():
        if folder.name != lists:
            (root / folder.name).symlink_to(folder)
    return replace(made, root=root)


@dataclass
class Lfw:
    """`pairs` in the list's order: (picture, picture, same, fold), pictures as (name, number)."""

    root: Path
    crops: dict = field(default_factory=dict)
    pairs: list = field(default_factory=list)

    def file(self, picture):
        name, number = picture
        return self.root / "lfw" / name / f"{name}_{number:04d}.jpg"


def write_lfw(root, folds=4, each=8, seed=0):
    """pairs.txt and lfw/NAME/NAME_0001.jpg, with people of their own in each fold."""
    painter, rng, made = Painter(seed), np.random.default_rng(seed), Lfw(root)
    lines = [f"{folds}\t{each}"]

    def shown(name, number):
        if (name, number) not in made.crops:
            made.crops[name, number] = painter.draw(name)
            write_picture(made.file((name, number)), made.crops[name, number])
        return name, number

    for fold in range(folds):
        names = [f"Person_{fold}{letter}" for letter in "ABCDEF"]
        for _ in range(each):
            name = names[rng.integers(6)]
            one, two = sorted(rng.choice(np.arange(1, 6), 2, replace=False).tolist())
            lines.append(f"{name}\t{one}\t{two}")
            made.pairs.append((shown(name, one), shown(name, two), True, fold))
        for _ in range(each):
            left, right = rng.choice(6, 2, replace=False)
            one, two = rng.integers(1, 6, 2).tolist()
            lines.append(f"{names[left]}\t{one}\t{names[right]}\t{two}")
            made.pairs.append((shown(names[left], one), shown(names[right], two), False, fold))
    (root / "pairs.txt").write_text("\n".join(lines) + "\n")
    return made


@dataclass
class Ytf:
    """`videos`: name -> crops of its frames; `pairs`: (video, video, same, fold)."""

    root: Path
    videos: dict = field(default_factory=dict)
    pairs: list = field(default_factory=list)

    def frames(self, video):
        return sorted((self.root / "aligned_images_DB" / video).iterdir())


def write_ytf(root, folds=3, each=10, seed=0):
    """splits.txt and aligned_images_DB/NAME/NUMBER/aligned_detect_N.jpg; pairs of both kinds take turns."""
    painter, rng, made = Painter(seed, noise=5.0), np.random.default_rng(seed), Ytf(root)
    lines = ["split number, first name, second name, is same, is the same video"]
    for fold in range(folds):
        for person in range(4):
            for number in range(3):
                video = f"Star_{fold}{person}/{number}"
                made.videos[video] = [painter.draw((fold, person)) for _ in range(rng.integers(1, 4))]
                for frame, crop in enumerate(made.videos[video]):
                    name = f"aligned_detect_{number}.{100 + frame}.jpg"
                    write_picture(root / "aligned_images_DB" / video / name, crop)
        for index in range(each):
            same = index % 2 == 0
            left, right = rng.choice(4, 2, replace=False).tolist()
            one, two = rng.choice(3, 2, replace=False).tolist()
            pair = f"Star_{fold}{left}/{one}", f"Star_{fold}{left if same else right}/{two}"
            lines.append(f"{fold + 1}, {pair[0]}, {pair[1]}, {int(same)}, 0")
            made.pairs.append((*pair, same, fold))
    (root / "splits.txt").write_text("\n".join(lines) + "\n")
    return made


@dataclass
class Ijb:
    """`faces`: (picture, template, media, crop); `pairs`: (template, template, same); the rest template -> subject."""

    root: Path
    name: str
    faces: list = field(default_factory=list)
    pairs: list = field(default_factory=list)
    galleries: dict = field(default_factory=dict)
    probes: dict = field(default_factory=dict)

    def meta(self, end):
        return self.root / "meta" / f"{self.name}_{end}"

    def pictures(self, template):
        return [self.root / "loose_crop" / name for name, owner, _media, _crop in self.faces if owner == template]


def write_ijb(root, name="ijbb", people=12, seed=0):
    """loose_crop/*.jpg and the meta files; each gallery enrols half of the people, and all are searched."""
    painter, rng, made = Painter(seed, noise=3.5), np.random.default_rng(seed), Ijb(root, name)
    landmarks, subject_of = [], {}

    def template(number, subject):
        subject_of[number] = subject
        for medium in range(rng.integers(1, 4)):
            for _frame in range(rng.integers(1, 4)):
                picture, crop = f"{len(made.faces) + 1}.jpg", painter.draw(subject)
                down, right = rng.integers(3, 20, 2).tolist()
                loose = np.full((150, 140, 3), 90, np.uint8)
                loose[down : down + SIZE[0], right : right + SIZE[1]] = crop
                write_picture(root / "loose_crop" / picture, loose)
                points = CROP_112X96.template + np.array([right, down])
                landmarks.append(f"{picture} {' '.join(repr(float(value)) for value in points.ravel())} 0.98")
                made.faces.append((picture, number, 1000 * number + medium, crop))
        return number

    for key, members in (("G1", range(people // 2)), ("G2", range(people // 2, people))):
        made.galleries[key] = {template(100 + 7 * person, 500 + person): 500 + person for person in members}
    made.probes = {
        template(10_000 + 3 * (3 * person + extra), 500 + person): 500 + person
        for person in range(people)
        for extra in range(3)
    }
    enrolled = [number for gallery in made.galleries.values() for number in gallery]
    made.pairs = [(one, two, subject_of[one] == subject_of[two]) for one in enrolled for two in made.probes]
    write_meta(made, landmarks)
    return made


def write_meta(made, landmarks):
    made.meta("").parent.mkdir(exist_ok=True)
    faces = [f"{picture} {template} {media}" for picture, template, media, _crop in made.faces]
    made.meta("face_tid_mid.txt").write_text("\n".join(faces) + "\n")
    made.meta("name_5pts_score.txt").write_text("\n".join(landmarks) + "\n")
    pairs = [f"{one} {two} {int(same)}" for one, two, same in made.pairs]
    made.meta("template_pair_label.txt").write_text("\n".join(pairs) + "\n")
    lists = {f"gallery_{key}": gallery for key, gallery in made.galleries.items()} | {"probe_mixed": made.probes}
    for file, listed in lists.items():
        # As published: a line for each picture, so a template is on several.
        lines = [
            f"{template},{listed[template]},img/{picture},{media}"
            for picture, template, media, _crop in made.faces
            if template in listed
        ]
        made.meta(f"1N_{file}.csv").write_text(
            "TEMPLATE_ID,SUBJECT_ID,FILENAME,SIGHTING_ID\n" + "\n".join(lines) + "\n"
        )


@dataclass
class Megaface:
    """`probes`: (path, person, crop); `distractors`: (path, crop); `lists`: size -> paths."""

    root: Path
    probes: list = field(default_factory=list)
    distractors: list = field(default_factory=list)
    lists: dict = field(default_factory=dict)


def write_megaface(root, people=6, each=4, sizes=(10, 100), seed=0):
    """templatelists/, facescrub/PERSON/PERSON_N.png and megaface/AB/USER/N.jpg; the lists are not nested."""
    painter, rng, made = Painter(seed, noise=3.5), np.random.default_rng(seed), Megaface(root)
    for person in range(people):
        for number in range(each):
            path = f"Star_{person}/Star_{person}_{number}.png"
            made.probes.append((path, f"Star_{person}", painter.draw(person)))
            write_picture(root / "facescrub" / path, made.probes[-1][2])
    for number in range(max(sizes) + 15):
        path = f"{number % 10}/{number}@N00/{number}_0.jpg"
        made.distractors.append((path, painter.draw(f"stranger {number}")))
        write_picture(root / "megaface" / path, made.distractors[-1][1])
    (root / "templatelists").mkdir()
    listed = {"path": [path for path, _person, _crop in made.probes], "id": [person for _, person, _ in made.probes]}
    (root / "templatelists/facescrub_features_list.json").write_text(json.dumps(listed))
    for size in sizes:
        chosen = rng.choice(len(made.distractors), size, replace=False)
        made.lists[size] = [made.distractors[index][0] for index in chosen]
        content = json.dumps({"path": made.lists[size]})
        (root / f"templatelists/megaface_features_list.json_{size}_1").write_text(content)
    return made
