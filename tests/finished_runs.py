"""Finished run folders without any training: tiny ONNX nets, measured on toy people."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx

from facedistill.datasets import open_face_set, split_identities, write_face_set
from facedistill.evaluation import sweep
from facedistill.files import file_digest
from facedistill.model_file import Logistic, ModelMetadata
from facedistill.recipe import DataRecipe, LossTerm, NetRecipe, Recipe, TeacherRecipe
from facedistill.runtime import Recognizer
from facedistill.teachers import load_teacher
from facedistill.training.run_folder import open_run_folder
from tests.conftest import draw_toy_people

HELD_OUT, RESOLUTIONS = 8, (16,)


def write_people(folder, people=16, labels=True):
    """A face set on disk; with labels, who wears glasses, in which picture."""
    write_face_set(folder, draw_toy_people(people, 4), extension=".png")
    if labels:
        rows = [f"{face.key},{('none', 'worn')[index % 2]}" for index, face in numbered(folder)]
        (folder / "labels.csv").write_text("key,glasses\n" + "\n".join(rows) + "\n")
    return folder


def numbered(folder):
    faces = open_face_set(folder)
    return [(index, faces[index]) for index in range(len(faces))]


def write_net(path, seed, size=(112, 96), metadata=None):
    """A net of one random convolution, its embedding of unit length."""
    height, width = size
    random = np.random.default_rng(seed)
    nodes = [
        onnx.helper.make_node("Cast", ["crops"], ["f"], to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("Sub", ["f", "m"], ["z"]),
        onnx.helper.make_node("Transpose", ["z"], ["x"], perm=[0, 3, 1, 2]),
        onnx.helper.make_node("Conv", ["x", "w"], ["y"], strides=[16, 16]),
        onnx.helper.make_node("Flatten", ["y"], ["v"]),
        onnx.helper.make_node("LpNormalization", ["v"], ["embedding"], axis=1, p=2),
    ]
    weights = random.normal(size=(2, 3, 16, 16)).astype(np.float32)
    graph = onnx.helper.make_graph(
        nodes,
        "net",
        [onnx.helper.make_tensor_value_info("crops", onnx.TensorProto.UINT8, ["b", height, width, 3])],
        [onnx.helper.make_tensor_value_info("embedding", onnx.TensorProto.FLOAT, ["b", 2 * 7 * (width // 16)])],
        [onnx.numpy_helper.from_array(weights, "w"), onnx.numpy_helper.from_array(np.float32(127.5), "m")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    if metadata:
        onnx.helper.set_model_props(model, metadata.to_map())
    onnx.save(model, path)
    return path


def write_run(folder, faces, seed=0, teacher=True, **changes):
    """A run folder as `distill` leaves it, but for checkpoints."""
    folder = Path(folder)
    teacher_file = faces.parent / "teacher.onnx"
    if not teacher_file.exists():
        write_net(teacher_file, seed=99)
    settings = {
        "name": "toy",
        "out": str(folder),
        "seed": seed,
        "steps": 20,
        "test": "held_out",
        "data": DataRecipe(faces=str(faces), held_out_identities=HELD_OUT, validation_identities=4),
        "teacher": TeacherRecipe(spec=str(teacher_file)),
        "student": NetRecipe(embedding_size=84),
        "losses": {"hard": LossTerm(), "cosine": LossTerm()} if teacher else {"hard": LossTerm()},
    }
    recipe = Recipe(**settings | changes)
    open_run_folder(recipe)
    held_out = split_identities(open_face_set(faces), (HELD_OUT,), seed=recipe.data.split_seed)[0]
    metadata = ModelMetadata(
        "toy",
        (112, 96),
        84,
        thresholds={at: {"1e-1": 0.4, "1e-2": 0.6} for at in ("native", "16", "both 16", "matched 16")},
        probability={at: Logistic(6.0, -3.0) for at in ("native", "16", "both 16", "matched 16")},
        calibration="on 16 pictures of 4 people",
        data_digest="d" * 64,
        recipe_digest=recipe.digest,
        licence="For tests.",
    )
    files = {
        role: write_net(folder / f"{role}.onnx", 10 * seed + place, metadata=metadata)
        for place, role in enumerate(("student", "control") if teacher else ("student",))
    }
    embedders = {"teacher": load_teacher(teacher_file).embed} if teacher else {}
    embedders |= {role: Recognizer(path).embed for role, path in files.items()}
    for role, path in files.items():
        write_training(path.parent if role == "student" else path.parent / role)
    summary = {
        "name": recipe.name,
        "test": {"set": recipe.data.faces, "identities": HELD_OUT, "pictures": len(held_out), "note": "strangers"},
        "models": {
            role: {
                "name": role,
                "size_mb": 1.5 + place,
                "parameters": 1536,
                "macs": 64512,
                "latency_ms": 0.5 + place,
                **({"sha256": file_digest(files[role])} if role in files else {}),
                "sweep": sweep(embed, held_out, RESOLUTIONS, bootstrap=20).to_json(),
            }
            for place, (role, embed) in enumerate(embedders.items())
        },
        "settings": {"seed": seed, "recipe": "recipe.yaml", "train_identities": 4, "train_pictures": 16, "steps": 20},
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def write_training(folder):
    """A `metrics.jsonl` of twenty steps."""
    folder.mkdir(exist_ok=True)
    lines = []
    for step in (10, 20):
        lines.append({"step": step, "kind": "train", "hard": 20 / step, "learning_rate": 0.1, "timing": {"seconds": 1}})
        lines.append({"step": step, "kind": "validation", "eer_native": 2 / step, "timing": {"seconds": 1}})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def plain(report):
    """All of a report, to compare two."""
    return json.loads(json.dumps(asdict(report), default=lambda value: value.hex()))
