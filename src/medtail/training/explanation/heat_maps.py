"""Heat maps: how much each place of an image speaks for a class."""

from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from medtail import checks
from medtail.errors import InputError
from medtail.methods import Method
from medtail.training.explanation.layers import map_layer

#: Images whose gradients are held at once.
_BATCH = 32

#: The usual kind.
GRAD_CAM = "grad-cam"

#: Ways of weighing maps, and the classes of grad-cam that compute them.
HEAT_MAPS: dict[str, str] = {
    GRAD_CAM: "GradCAM",
    "grad-cam++": "GradCAMPlusPlus",
    "hires-cam": "HiResCAM",
    "layer-cam": "LayerCAM",
}


def heat_maps(
    method: Method, images: Tensor, classes: Sequence[int] | np.ndarray, *, heat_map: str = GRAD_CAM
) -> np.ndarray:
    r"""Return where in each image the evidence for a class lies.

    Grad-CAM weighs the maps :math:`A_k` of a late layer by the mean gradient of the output :math:`z_c` of the class
    (a logit or a cosine, before any prior or operating point):

    .. math:: M = \max\Big(0, \sum_k \Big(\tfrac{1}{|\Omega|} \sum_{u \in \Omega}
              \tfrac{\partial z_c}{\partial A_k(u)}\Big) A_k\Big)

    Args:
        method: A trained model, in evaluation mode. Each network of an ensemble gives a map; the mean is returned.
        images: Prepared as the network takes them, ``(N, channels, H, W)``, or volumes ``(N, channels, D, H, W)``.
        classes: The class id to explain, of each image ``(N,)``.
        heat_map: ``"grad-cam"``; ``"grad-cam++"``, for several objects of one class; ``"hires-cam"``, which multiplies
            gradients and maps place by place and so shows nothing that the output does not depend on; or
            ``"layer-cam"``, like it with positive gradients only.

    Returns:
        ``(N, H, W)`` or ``(N, D, H, W)`` in [0, 1], float32. Every map is scaled by its own maximum, so that values
        compare places of one image, never images. It is zero everywhere if nothing speaks for the class.

    Raises:
        InputError: The kind is unknown, a class is out of range, a network has no maps, or grad-cam is missing.

    Source: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", 2017.
    """
    explainer = _explainer(heat_map)
    with torch.no_grad():
        num_classes = method.predict(images[:1]).shape[1]
    ids = checks.class_ids("classes", classes, num_classes)
    layers = [map_layer(network, images) for network in method.networks]
    parts = []
    for start in range(0, len(images), _BATCH):
        part = slice(start, start + _BATCH)
        per_network = [
            _maps(explainer, method, layer.module, layer.as_maps, images[part], ids[part]) for layer in layers
        ]
        parts.append(np.mean(per_network, axis=0))
    method.zero_grad(set_to_none=True)
    return np.concatenate(parts).clip(0, 1).astype(np.float32)


def _maps(
    explainer: Callable[..., Any],
    method: Method,
    layer: nn.Module,
    as_maps: Callable[[Tensor], Tensor],
    images: Tensor,
    classes: np.ndarray,
) -> np.ndarray:
    cam = explainer(_Outputs(method), [layer], reshape_transform=as_maps)
    try:
        # Images that need gradients: a frozen network has them too then.
        maps: np.ndarray = cam(
            input_tensor=images.detach().clone().requires_grad_(),
            targets=[_OutputOf(int(one)) for one in classes],
        )
    finally:
        cam.activations_and_grads.release()
    return maps


def check_heat_map(heat_map: str) -> None:
    """Refuse an unknown kind of heat map, and any without grad-cam, before work is done.

    Raises:
        InputError: The kind is unknown, or grad-cam is missing.
    """
    _explainer(heat_map)


def _explainer(heat_map: str) -> Callable[..., Any]:
    checks.choice("`heat_map`", heat_map, HEAT_MAPS)
    try:
        import pytorch_grad_cam
    except ImportError as error:
        raise InputError(
            "heat maps need the package grad-cam, which is not installed; pip install 'medtail[explain]'"
        ) from error
    explainer: Callable[..., Any] = getattr(pytorch_grad_cam, HEAT_MAPS[heat_map])
    return explainer


@final
class _Outputs(nn.Module):
    """A method as a function from images to outputs; its own ``forward`` is a training step."""

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method

    def forward(self, images: Tensor) -> Tensor:
        return self.method.predict(images).float()


@final
class _OutputOf:
    """What is explained: the output of one class."""

    def __init__(self, class_id: int) -> None:
        self.class_id = class_id

    def __call__(self, outputs: Tensor) -> Tensor:
        return outputs[self.class_id]
