"""A picture of the images that training sees: the first batch after augmentation, captioned with its classes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast, final

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from medtail.data.decoded.image_shape import viewable
from medtail.files import replacing
from medtail.training.batches.preparation import ImagePreparation
from medtail.training.module import MethodModule

#: The largest number of images, and of columns; pixels of a tile, of the gap between tiles and of a caption.
_IMAGES, _COLUMNS, _TILE, _GAP, _CAPTION = 32, 8, 84, 6, 16


@final
class AugmentedBatch(Callback):
    """Write ``augmented.png`` before the first step: the images that this step learns from."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step or batch_idx or not trainer.is_global_zero:
            return
        module = cast(MethodModule, pl_module)
        pixels: Tensor = batch["image"]
        # These are the draws of the step itself, which will repeat them: the generators are left as they were.
        with torch.random.fork_rng(devices=[pixels.device] if pixels.is_cuda else []):
            module.seed_step()
            images = cast(ImagePreparation, module.preparation).augmented(pixels)
        shown = (images[:_IMAGES] * 255).round().to(torch.uint8).movedim(1, -1).cpu().numpy()
        targets = batch["target"][:_IMAGES].cpu().numpy()
        captions = [module.task.caption(target, module.class_names) for target in targets]
        sheet = contact_sheet([viewable(image) for image in shown], captions)
        with replacing(self.path) as temporary:
            # The report embeds it, and a palette makes it a third as large.
            sheet.quantize(256).save(temporary, "PNG", optimize=True)


def contact_sheet(images: Sequence[np.ndarray], captions: Sequence[str]) -> Image.Image:
    """Put uint8 images ``(H, W, 3)`` side by side, each above its caption."""
    rows = -(-len(images) // _COLUMNS)
    width, height = _TILE + _GAP, _TILE + _CAPTION + _GAP
    sheet = Image.new("RGB", (_COLUMNS * width + _GAP, rows * height + _GAP), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for number, (image, caption) in enumerate(zip(images, captions, strict=True)):
        left, top = _GAP + number % _COLUMNS * width, _GAP + number // _COLUMNS * height
        sheet.paste(_tile(image), (left, top))
        pen.text((left, top + _TILE + 2), _shortened(caption, font), fill="black", font=font)
    return sheet


def _tile(image: np.ndarray) -> Image.Image:
    picture = Image.fromarray(np.ascontiguousarray(image))
    # The pixels of small images should be visible as they are.
    how = Image.Resampling.NEAREST if max(picture.size) <= _TILE else Image.Resampling.BICUBIC
    return picture.resize((_TILE, _TILE), how)


def _shortened(text: str, font: Any) -> str:
    """Return as much of a caption as fits below a tile."""
    # Control characters would break the line; the font draws a box for characters it lacks.
    line = " ".join(text.split())
    if font.getlength(line) <= _TILE:
        return line
    kept = line
    while kept and font.getlength(kept + "…") > _TILE:
        kept = kept[:-1]
    return kept + "…"
