"""Which device a name means here."""

import pytest
import torch

from facedistill.devices import choose_device
from facedistill.errors import UsageError


@pytest.mark.parametrize(
    ("cuda", "mps", "best"),
    [(False, False, "cpu"), (True, False, "cuda"), (False, True, "mps"), (True, True, "cuda")],
)
def test_auto_takes_the_best_device_and_what_is_absent_is_refused(monkeypatch, cuda, mps, best):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_device("auto") == best
    assert choose_device("cpu") == "cpu"
    for name, there in (("cuda", cuda), ("mps", mps)):
        if there:
            assert choose_device(name) == name
        else:
            with pytest.raises(UsageError, match=f"device is {name}, which torch .* cannot use on this machine; give"):
                choose_device(name)
