"""A `Recorder` in the trainers of other libraries, by the names of the methods that they call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from takens.algorithms.recording import Recorder
from takens.core import InvalidInput


def _ignored(*args: Any, **kwargs: Any) -> None:
    """A hook that is called and not needed."""


class LightningCallback:
    """A recorder as a callback of a Lightning trainer, or of one that calls the same hooks.

    Weights are taken before the step of a batch and the loss after it, so that a row holds both of one
    iterate.

    Parameters
    ----------
    recorder : Recorder

    Notes
    -----
    Follows the hooks of Lightning 2.6: ``on_train_batch_start(trainer, module, batch, batch_idx)`` and
    ``on_train_batch_end(trainer, module, outputs, batch, batch_idx)``, with the loss in `outputs`, alone or
    as ``outputs["loss"]``. Where gradients are accumulated a row is a batch and no step, and Lightning
    divides its loss by the number of them. Trainers without the first hook give weights after the step.
    Other hooks are answered by doing nothing.

    Examples
    --------
    >>> from takens.algorithms import Recorder
    >>> recorder = Recorder(n_projections=2)
    >>> callback = LightningCallback(recorder)  # Trainer(callbacks=[callback]).fit(module, loader)
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = _checked(recorder)
        self._before = False

    @property
    def state_key(self) -> str:
        """Under which a trainer would save a state; there is none to save."""
        return "takens-recorder"

    def state_dict(self) -> dict[str, Any]:
        """Nothing: a resumed run is a run of its own."""
        return {}

    def on_train_batch_start(
        self, trainer: Any, module: Any, batch: Any = None, batch_idx: int = 0, *rest: Any
    ) -> None:
        """Takes the weights."""
        self.recorder.before(_trained(module))
        self._before = True

    def on_train_batch_end(
        self,
        trainer: Any,
        module: Any,
        outputs: Any,
        batch: Any = None,
        batch_idx: int = 0,
        *rest: Any,
    ) -> None:
        """Records a row."""
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        if loss is None:  # a training step that was skipped
            return
        self.recorder.record(loss, None if self._before else _trained(module))
        self._before = False

    def __getattr__(self, name: str) -> Callable[..., None]:
        return _hook(self, name, ("setup", "teardown", "load_state_dict"))


class KerasCallback:
    """A recorder as a callback of ``model.fit`` of Keras, or of a trainer that calls the same hooks.

    Parameters
    ----------
    recorder : Recorder

    Notes
    -----
    Follows the hooks of Keras 3.15: ``set_model(model)``, ``on_epoch_begin(epoch, logs)``,
    ``on_train_batch_begin(batch, logs)`` and ``on_train_batch_end(batch, logs)``; and ``on_batch_begin``,
    ``on_batch_end`` of older ones. The loss in their logs is the mean since the epoch began; the
    batch's own is had back from it, as far as all batches are of one size, with an error that grows with
    the number of batches in single precision. Weights are the model's ``trainable_variables``.

    Examples
    --------
    >>> from takens.algorithms import Recorder
    >>> callback = KerasCallback(Recorder())  # model.fit(x, y, callbacks=[callback])
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = _checked(recorder)
        self.model: Any = None
        self.params: Any = None
        self._before = False
        self._sum, self._count = 0.0, 0

    def set_model(self, model: Any) -> None:
        """The model whose weights are recorded."""
        self.model = model

    def set_params(self, params: Any) -> None:
        """Kept, not used."""
        self.params = params

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """The mean begins anew."""
        self._sum, self._count = 0.0, 0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Takes the weights."""
        if not self._before:
            self.recorder.before(self._weights())
            self._before = True

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Records a row."""
        mean = (logs or {}).get("loss")
        if mean is None:
            raise InvalidInput("The logs of this trainer hold no 'loss'. Use Recorder in the loop.")
        count = int(batch) + 1
        if count <= self._count:  # a new epoch, of a trainer that does not say so
            self._sum, self._count = 0.0, 0
        total = float(mean) * count
        loss = (total - self._sum) / (count - self._count)
        self._sum, self._count = total, count
        if not np.isfinite(total):
            self._sum = 0.0  # the mean of an epoch that overflowed says no more
        self.recorder.record(loss, None if self._before else self._weights())
        self._before = False

    on_batch_begin = on_train_batch_begin
    on_batch_end = on_train_batch_end

    def _weights(self) -> list[Any]:
        if self.model is None:
            raise InvalidInput("The trainer has not set a model. Call set_model(model) first.")
        sync = getattr(
            self.model, "jax_state_sync", None
        )  # Keras on JAX keeps its weights elsewhere
        if sync is not None:
            sync()
        values = [getattr(v, "value", v) for v in self.model.trainable_variables]
        return [v() if callable(v) else v for v in values]

    def __getattr__(self, name: str) -> Callable[..., None]:
        return _hook(self, name, ())


def _hook(callback: Any, name: str, others: tuple[str, ...]) -> Callable[..., None]:
    if name.startswith("on_") or name in others:
        return _ignored
    raise AttributeError(f"{type(callback).__name__} has no attribute {name!r}")


def _checked(recorder: Any) -> Recorder:
    if not isinstance(recorder, Recorder):
        raise InvalidInput(f"{type(recorder).__name__} was given; expected a Recorder.")
    return recorder


def _trained(module: Any) -> list[Any]:
    return [p for p in module.parameters() if p.requires_grad]
