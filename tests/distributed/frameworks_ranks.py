"""What each of two processes draws in other people's loops; a spawned process can import it."""

import os
from collections.abc import Callable, Iterable
from importlib.util import find_spec

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.utils.data import BatchSampler, DataLoader

from medtail.data.samplers import StratifiedOversampler

#: 96 images of three classes; a rank's batch of 12 is to hold four of each.
TARGETS = np.repeat([0, 1, 2], [64, 24, 8])
BATCH_SIZE = 12
EPOCHS = 2

#: For every epoch the batches, each the positions that it holds.
Epochs = list[list[list[int]]]


def positions(number: int = len(TARGETS)) -> torch.Tensor:
    """A data set whose images are their own positions: ``(N, 1)``."""
    return torch.arange(number).view(-1, 1)


def by_sampler(number: int = len(TARGETS), **settings) -> DataLoader:
    sampler = StratifiedOversampler(TARGETS[:number], batch_size=BATCH_SIZE, **settings)
    return DataLoader(positions(number), sampler=sampler, batch_size=BATCH_SIZE)


def by_batch_sampler() -> DataLoader:
    sampler = StratifiedOversampler(TARGETS, batch_size=BATCH_SIZE)
    return DataLoader(
        positions(),
        batch_sampler=BatchSampler(sampler, BATCH_SIZE, drop_last=False),
        collate_fn=lambda images: torch.stack(list(images)),  # takes a single image too
    )


def drawn(loader: Iterable[torch.Tensor]) -> Epochs:
    """Loop over a loader, which is told nothing of epochs."""
    return [[batch.flatten().tolist() for batch in loader] for _ in range(EPOCHS)]


# --- plain PyTorch


def plain() -> Epochs:
    sampler = StratifiedOversampler(TARGETS, batch_size=BATCH_SIZE)
    loader = DataLoader(positions(), sampler=sampler, batch_size=BATCH_SIZE)
    epochs = []
    for epoch in range(EPOCHS):
        sampler.set_epoch(epoch)
        epochs.append([batch.flatten().tolist() for batch in loader])
    return epochs


# --- Lightning


def lightning_trainer(loader: DataLoader, **settings) -> Epochs:
    import lightning

    class Watching(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(1, 1)
            self.epochs: Epochs = [[] for _ in range(EPOCHS)]

        def training_step(self, batch: torch.Tensor, _: int) -> torch.Tensor:
            self.epochs[self.current_epoch].append(batch.flatten().tolist())
            return self.layer(batch.view(-1, 1).float()).mean()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.0)

    module = Watching()
    lightning.Trainer(
        max_epochs=EPOCHS,
        accelerator="cpu",
        devices=2,
        strategy="ddp",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    ).fit(module, loader)
    return module.epochs


def lightning_fabric(loader: DataLoader) -> Epochs:
    import lightning

    fabric = lightning.Fabric(accelerator="cpu", devices=2, strategy="ddp")
    fabric.launch()
    return drawn(fabric.setup_dataloaders(loader))


# --- accelerate


def accelerated(loader: DataLoader, **settings) -> Epochs:
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, PartialState
    from accelerate.utils import DataLoaderConfiguration

    try:
        accelerator = Accelerator(cpu=True, dataloader_config=DataLoaderConfiguration(**settings))
        return drawn(accelerator.prepare(loader))
    finally:
        AcceleratorState._reset_state()
        PartialState._reset_state()


# --- Hugging Face


def hugging_face(folder: str) -> Epochs:
    from transformers import Trainer, TrainingArguments

    class Watching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(1, 1)
            self.batches: list[list[int]] = []

        def forward(self, position: torch.Tensor) -> dict[str, torch.Tensor]:
            self.batches.append(position.tolist())
            return {"loss": self.layer(position.view(-1, 1).float()).mean()}

    class Sampled(Trainer):
        def _get_train_sampler(self, train_dataset=None) -> StratifiedOversampler:
            return StratifiedOversampler(TARGETS, batch_size=BATCH_SIZE)

    network = Watching()
    arguments = TrainingArguments(
        folder,
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=BATCH_SIZE,
        report_to=[],
        use_cpu=True,
        ddp_backend="gloo",
        save_strategy="no",
        disable_tqdm=True,
    )
    images = [{"position": position} for position in range(len(TARGETS))]
    Sampled(network, arguments, train_dataset=images).train()
    steps = len(network.batches) // EPOCHS
    return [network.batches[epoch * steps : (epoch + 1) * steps] for epoch in range(EPOCHS)]


def process(rank: int, port: int, folder: str, work: Callable[[str], dict[str, Epochs]]) -> None:
    """Do some work as one of two processes that torchrun started."""
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "GROUP_RANK": "0",
        "TORCHELASTIC_RUN_ID": "test",
        "ACCELERATE_USE_CPU": "true",
    }
    torch.save(work(folder), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def in_loops(folder: str) -> dict[str, Epochs]:
    early = by_sampler()
    dist.init_process_group("gloo")
    epochs = {
        "plain": plain(),
        "made before the group": drawn(early),
        "Lightning": lightning_trainer(by_sampler()),
        "Lightning, batch sampler": lightning_trainer(by_batch_sampler()),
        "Lightning, batch sampler, left alone": lightning_trainer(
            by_batch_sampler(), use_distributed_sampler=False
        ),
        "Fabric": lightning_fabric(by_sampler()),
    }
    if find_spec("accelerate") is None:
        return epochs
    return epochs | {
        "accelerate": accelerated(by_sampler()),
        "accelerate, batch sampler": accelerated(by_batch_sampler()),
        "accelerate, split_batches": accelerated(by_sampler(), split_batches=True),
        "accelerate, dispatch_batches": accelerated(by_sampler(), dispatch_batches=True),
        "accelerate, uneven": accelerated(by_sampler(90)),
        "accelerate, uneven, even_batches=False": accelerated(by_sampler(90), even_batches=False),
    }


def in_hugging_face(folder: str) -> dict[str, Epochs]:
    dist.init_process_group("gloo")
    return {"Hugging Face": hugging_face(folder)}
