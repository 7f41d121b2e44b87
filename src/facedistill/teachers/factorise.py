"""dlib's convolutions as few directions: the start of a `dliblowrank`, computed from dlib's weights and some faces.

The weights alone do not tell which directions matter: those in which faces move the maps do. So the outputs are
projected on their own principal directions (Zhang et al. 2015, https://arxiv.org/abs/1505.06798), and the inputs on the
directions that change those outputs most, weighted by how far faces move along them.
"""

import torch
from torch import Tensor, nn

from facedistill.backbones import Backbone
from facedistill.backbones.dliblowrank import LowRankConvolution

_AT_ONCE = 64  # faces
_RIDGE = 1e-4  # times the mean variance: keeps directions in which no face moved invertible


def factorise(source: Backbone, net: Backbone, crops: Tensor) -> None:
    """Fills a `dliblowrank` with the weights of dlib's net, factorised where its own convolutions are.

    The embedding becomes what centred teacher targets are before they are brought to unit length: dlib's, divided by
    its mean length over the faces, less its mean.

    Args:
        source: A `dlibresnet` of width 1, on the CPU.
        net: A `dliblowrank` for crops of the same size, on the CPU.
        crops: float32 [N, 3, H, W], see `normalise_crops`: faces whose maps decide which directions are kept; a few
            hundred. No label is needed.
    """
    moments, embeddings = _run(source, net, crops)
    with torch.no_grad():
        for name, module in net.named_modules():
            if isinstance(module, LowRankConvolution):
                original = source.get_submodule(name)
                assert isinstance(original, nn.Conv2d), "the two nets have the same units"
                _fill(module, original, moments[name])
            elif isinstance(module, nn.Conv2d | nn.Linear) and name in dict(source.named_modules()):
                module.load_state_dict(source.get_submodule(name).state_dict(), strict=isinstance(module, nn.Conv2d))
        (projection,) = (module for module in net.neck.modules() if isinstance(module, nn.Linear))
        lengths = torch.linalg.vector_norm(embeddings, dim=1, keepdim=True)
        projection.weight /= lengths.mean()
        projection.bias.copy_(-(embeddings / lengths).mean(dim=0))


class _Moments:
    """Sums over all positions of all faces: of a layer's input and output."""

    def __init__(self, layer: nn.Conv2d) -> None:
        inside, outside = layer.in_channels, layer.out_channels
        self.input = torch.zeros(inside, inside, dtype=torch.float64)
        self.output = torch.zeros(outside, outside, dtype=torch.float64)
        self.sum = torch.zeros(outside, dtype=torch.float64)
        self.positions = 0
        self.handle = layer.register_forward_hook(self._add)

    def _add(self, _layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        x, y = (maps.detach().transpose(0, 1).flatten(1).double() for maps in (inputs[0], output))
        self.input += x @ x.T
        self.output += y @ y.T
        self.sum += y.sum(dim=1)
        self.positions += y.shape[1]


def _run(source: Backbone, net: Backbone, crops: Tensor) -> tuple[dict[str, _Moments], Tensor]:
    """The moments of each layer that is factorised, and the embeddings of the crops [N, D]."""
    moments: dict[str, _Moments] = {}
    for name, module in net.named_modules():
        if isinstance(module, LowRankConvolution):
            layer = source.get_submodule(name)
            assert isinstance(layer, nn.Conv2d), "the two nets have the same units"
            moments[name] = _Moments(layer)
    with torch.no_grad():
        parts = [crops[start : start + _AT_ONCE] for start in range(0, len(crops), _AT_ONCE)]
        embeddings = torch.cat([source(part).embedding for part in parts])
    for each in moments.values():
        each.handle.remove()
    return moments, embeddings


def _fill(module: LowRankConvolution, original: nn.Conv2d, moments: _Moments) -> None:
    into, out = module.ranks
    weight = original.weight.double()
    layers = [layer for layer in module if isinstance(layer, nn.Conv2d)]
    bias, its_bias = layers[-1].bias, original.bias
    assert bias is not None, "the last factor has a bias"
    assert its_bias is not None, "dlib's convolutions have a bias"
    bias.copy_(its_bias)
    if out < original.out_channels:
        mean = moments.sum / moments.positions
        variance = moments.output / moments.positions - mean[:, None] * mean
        directions = torch.linalg.eigh(variance)[1][:, -out:]
        offset = mean - its_bias.double()
        bias += offset - directions @ (directions.T @ offset)  # the mean is kept whole
        weight = torch.einsum("oc,oikl->cikl", directions, weight)
        layers[-1].weight.copy_(directions[:, :, None, None])
    if into < original.in_channels:
        spread, inverse = _square_roots(moments.input)
        rows = weight.permute(0, 2, 3, 1).flatten(0, 2)
        directions = torch.linalg.svd(rows @ spread, full_matrices=False)[2][:into].T
        reduce = directions.T @ inverse
        # Of unit length: optimisers whose steps are as long for small weights as for large ones destroy small ones.
        lengths = torch.linalg.vector_norm(reduce, dim=1)
        weight = torch.einsum("cikl,ir,r->crkl", weight, spread @ directions, lengths)
        layers[0].weight.copy_((reduce / lengths[:, None])[:, :, None, None])
    layers[1 if into < original.in_channels else 0].weight.copy_(weight)


def _square_roots(moment: Tensor) -> tuple[Tensor, Tensor]:
    """The symmetric square root of a second moment, made invertible, and its inverse."""
    values, vectors = torch.linalg.eigh(moment)
    values = values.clamp_min(0) + _RIDGE * values.mean()
    return vectors * values.sqrt() @ vectors.T, vectors * values.rsqrt() @ vectors.T
