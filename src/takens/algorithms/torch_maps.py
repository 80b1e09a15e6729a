"""Training steps of PyTorch as systems."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from takens.algorithms.loss import n_rows
from takens.algorithms.optimisers import (
    AbstractOptimiser,
    Adam,
    GradientDescent,
    HeavyBall,
    Nesterov,
    RMSProp,
)
from takens.algorithms.torch_loss import (
    TorchEngine,
    TorchLoss,
    engine_of,
    on_host,
    private,
)
from takens.algorithms.torch_step import OwnStep, TorchStep
from takens.algorithms.training_step import TrainingStep
from takens.core import Finding
from takens.core.errors import CautionWarning, InvalidInput, MissingDependency

BUFFERS: dict[Any, tuple[str, ...]] = {
    GradientDescent: (),
    HeavyBall: ("momentum_buffer",),
    Nesterov: ("momentum_buffer",),
    RMSProp: ("square_avg",),
    Adam: ("exp_avg", "exp_avg_sq"),
}


def from_torch(
    model: Any,
    loss: Callable[..., Any],
    optimiser: Any,
    data: Any,
    *,
    batch: int | None = None,
    seed: int = 0,
    dtype: Any = None,
) -> tuple[TrainingStep | TorchStep, Array]:
    """The training step of a torch model under its optimiser as a map, with the state it is in.

    Parameters
    ----------
    model : torch.nn.Module
        Copied, as it is: weights, and train or eval mode.
    loss : callable
        ``loss(model, data)``, which calls the model that it is given; or a criterion such as
        ``torch.nn.MSELoss()``, for data ``(inputs, targets)``.
    optimiser : torch.optim.Optimizer
        Of the model's parameters; copied, with its buffers and counters where it has begun.
    data : tensors, or nested containers of them
        Passed to `loss`; not copied.
    batch : int, optional
        Examples drawn anew at every iterate, along the first axis of all data; all when not given.
    seed : int
        Of the batches, and of what the model draws, such as the masks of dropout.
    dtype : torch.dtype, optional
        Precision of the copies of model and data, such as ``torch.float64``; that of the model when not
        given.

    Returns
    -------
    system : TrainingStep or TorchStep
        To which all of `takens.dynamics` applies. `torch.optim.SGD`, `Adam`, `AdamW` and `RMSprop` become
        a `TrainingStep`, which `sharpness` has a threshold for; others, and these with dampening, AMSGrad,
        centring or other momenta in each group, a `TorchStep` through their own update.
    x0 : array, shape (dim,)
        Weights that are trained, and buffers, as they are now; parameters in the order of their names.

    Raises
    ------
    MissingDependency
        If torch is not installed.
    InvalidInput
        If the loss is no scalar, does not use the model it is given, draws at random while no batch is
        asked for, or changes what it depends on; if the optimiser trains what is no part of the model, or
        cannot take a step from a gradient alone, such as L-BFGS.

    Warns
    -----
    CautionWarning
        Where buffers such as running statistics are left out of the state, or the gradient has no second
        derivative, so that products with the Hessian are differences.

    Notes
    -----
    Learning rates are those of this moment: a scheduler is no part of the step, nor is clipping in the loop
    around it. In train mode batch normalisation uses the statistics of the data it is given, and its
    running ones do not act. Parameters that are frozen, not in the optimiser, or not used by the loss
    rest; shared ones are one. A model in single precision has single precision in its Jacobian; set
    `dtype` for exponents and fixed points. Cost: that of the step in torch, about a tenth of a millisecond
    more for the passage between the libraries, and as much again for a tangent.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Linear(1, 1, bias=False).double()
    >>> x, y = torch.ones(4, 1).double(), 3 * torch.ones(4, 1).double()
    >>> tool = torch.optim.SGD(model.parameters(), lr=0.25)
    >>> system, x0 = from_torch(model, torch.nn.MSELoss(), tool, (x, y))
    >>> error = 3 - x0[0]
    >>> bool(abs((3 - system.step(0, x0)[0]) / error - 0.5) < 1e-12)
    True
    """
    model, function, tool, data = _copies(model, loss, optimiser, data, dtype)
    held = {id(p): g for g in tool.param_groups for p in g["params"]}
    table = dict(model.named_parameters())
    wanted = {n for n, p in table.items() if id(p) in held and p.requires_grad}
    engine = engine_of(model, function, data, wanted)
    if batch is not None and not 1 <= batch <= n_rows(data):
        raise InvalidInput(f"batch = {batch}; expected 1 to the {n_rows(data)} examples there are.")
    if engine.random and batch is None:
        noisy = [
            n for n, m in model.named_modules() if m.training and "Dropout" in type(m).__name__
        ]
        raise InvalidInput(
            f"The loss draws at random{f' in {noisy}' if noisy else ''}: no map of the state alone. Call "
            f"model.eval(), or give `batch` (up to {n_rows(data)}) for a random map."
        )
    groups = [held[id(p)] for p in engine.parameters]
    rule = _known(engine, tool, groups)
    cautions = engine.cautions
    system: TrainingStep | TorchStep
    if rule is None:
        system, x0, begun = _own(engine, tool, batch or 0, seed)
        cautions += begun
    else:
        system, x0 = _ruled(engine, tool, groups, rule, batch or 0, seed)
    for caution in cautions:
        warnings.warn(CautionWarning(f"{caution.text} {caution.action}"), stacklevel=2)
    return system, x0


def _copies(model: Any, loss: Any, optimiser: Any, data: Any, dtype: Any) -> tuple[Any, ...]:
    try:
        import torch
    except ImportError:
        raise MissingDependency(
            "torch is needed for its models. Install it: pip install 'takens[torch]'."
        ) from None
    for name, value, kind in (
        ("model", model, torch.nn.Module),
        ("optimiser", optimiser, torch.optim.Optimizer),
    ):
        if not isinstance(value, kind):
            raise InvalidInput(
                f"{name} is {type(value).__name__}; expected a torch {kind.__name__}."
            )
    if not callable(loss):
        raise InvalidInput(f"loss is {type(loss).__name__}; expected a function of model and data.")
    if isinstance(data, torch.utils.data.DataLoader):
        raise InvalidInput(
            "data is a DataLoader. Give the tensors: all of them, with `batch` for mini-batches, or one "
            "batch, next(iter(loader))."
        )
    if optimiser._optimizer_step_pre_hooks or optimiser._optimizer_step_post_hooks:
        raise InvalidInput("The optimiser has hooks on its step, which are lost. Remove them.")
    inside = {id(p) for p in model.parameters()}
    outside = sum(id(p) not in inside for g in optimiser.param_groups for p in g["params"])
    if outside:
        raise InvalidInput(
            f"The optimiser trains {outside} parameters that are no part of the model. Put all of them "
            "into one module."
        )
    mine, criterion, tool = private(
        model, loss if isinstance(loss, torch.nn.Module) else None, optimiser
    )
    if dtype is not None:
        mine, data = mine.to(dtype), _cast(data, dtype)
        criterion = None if criterion is None else criterion.to(dtype)
    kinds = {p.dtype for p in mine.parameters() if p.requires_grad}
    if len(kinds) > 1 or not all(k.is_floating_point for k in kinds):
        raise InvalidInput(f"The parameters have the types {kinds}; give one real `dtype` for all.")
    return mine, loss if criterion is None else criterion, tool, data


def _cast(data: Any, dtype: Any) -> Any:
    import jax

    return jax.tree.map(lambda a: a.to(dtype) if a.is_floating_point() else a, data)


def _known(engine: TorchEngine, tool: Any, groups: list[Any]) -> AbstractOptimiser | None:
    """The rule of this package with the settings of a torch optimiser, if there is one."""
    import torch

    def one(key: str) -> Any:
        values = {_plain(g[key]) for g in groups}
        return values.pop() if len(values) == 1 else None

    rate = max(float(g["lr"]) for g in groups)
    if any(g["maximize"] for g in groups if "maximize" in g):
        return None
    if type(tool) is torch.optim.SGD:
        momentum, ahead = one("momentum"), one("nesterov")
        if momentum is None or ahead is None or (momentum and one("dampening") != 0):
            return None
        if not momentum:
            return GradientDescent(None, rate)
        return Nesterov(None, rate, momentum) if ahead else HeavyBall(None, rate, momentum)
    if type(tool) in (torch.optim.Adam, torch.optim.AdamW):
        betas, eps = one("betas"), one("eps")
        plain = one("amsgrad") is False and one("decoupled_weight_decay") is not None
        steps = {float(_entry(tool, p, "step", 0.0)) for p in engine.parameters}
        if betas is None or eps is None or not plain or len(steps) > 1:
            return None
        return Adam(None, rate, *betas, eps)
    if type(tool) is torch.optim.RMSprop:
        alpha, eps = one("alpha"), one("eps")
        if alpha is None or eps is None or one("centered") is not False or one("momentum") != 0:
            return None
        return RMSProp(None, rate, alpha, eps)
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return tuple(float(v) for v in value)
    return value if isinstance(value, bool) else float(value)


def _entry(tool: Any, parameter: Any, key: str, default: Any) -> Any:
    found = tool.state.get(parameter, {}).get(key)
    return default if found is None else found


def _ruled(
    engine: TorchEngine, tool: Any, groups: list[Any], rule: Any, batch: int, seed: int
) -> tuple[TrainingStep, Array]:
    def per_weight(values: list[float]) -> Any:
        if len(set(values)) == 1:
            return values[0]
        sizes = [p.numel() for p in engine.parameters]
        return np.repeat(np.array(values), sizes)

    rate = float(rule.learning_rate)
    scale = per_weight([float(g["lr"]) / rate if rate else 1.0 for g in groups])
    lost = per_weight([float(g["weight_decay"]) for g in groups])
    apart = groups[0].get("decoupled_weight_decay", False)
    penalty = None if apart or not np.any(lost) else jnp.asarray(lost)
    whole = TorchLoss(engine, penalty, None, None)
    keys = BUFFERS[type(rule)]
    flat = [on_host(engine.flat)]
    for key in keys:
        for p in engine.parameters:
            found = _entry(tool, p, key, None)
            flat.append(np.zeros(p.numel()) if found is None else on_host(found).ravel())
    counts = {int(_entry(tool, p, "step", 0)) for p in engine.parameters}
    system = TrainingStep.of(
        dataclasses.replace(rule, loss=whole), scale=scale, decay=lost if apart else 0.0, batch=batch, seed=seed,
        begun=max(counts),
    )  # fmt: skip
    return system, jnp.asarray(np.concatenate(flat).astype(flat[0].dtype))


def _own(
    engine: TorchEngine, tool: Any, batch: int, seed: int
) -> tuple[TorchStep, Array, tuple[Finding, ...]]:
    """The optimiser through its own step, begun with one where it has no state yet."""
    import torch

    whole = TorchLoss(engine, None, None, None)
    loss = whole.batch(0, seed, batch) if batch else whole
    flat = torch.from_numpy(np.array(loss.gradient(on_host(engine.flat))))
    sizes = [p.numel() for p in engine.parameters]
    slopes = [
        g.reshape(p.shape).to(p) for g, p in zip(flat.split(sizes), engine.parameters, strict=True)
    ]
    cautions: tuple[Finding, ...] = ()
    for group in tool.param_groups:
        for key in ("foreach", "fused", "capturable", "differentiable"):
            if key in group:
                group[key] = False
    if not all(tool.state.get(p) for p in engine.parameters):
        for p in tool.state.keys() | {q for g in tool.param_groups for q in g["params"]}:
            p.grad = None
        for p, g in zip(engine.parameters, slopes, strict=True):
            p.grad = g
        try:
            type(tool).step(tool)
        except TypeError as error:
            raise InvalidInput(
                f"{type(tool).__name__} cannot take a step from a gradient alone: {error} Write the "
                "step with `as_map`."
            ) from None
        cautions = (
            Finding(
                "first-step-taken",
                f"The buffers of {type(tool).__name__} begin with its first step: x0 is the state after "
                "it, and iterate zero the second.",
                "Nothing to do; or give the optimiser after its first step.",
            ),
        )
    update = OwnStep(tool, engine.parameters, slopes)
    if not update.exact:
        cautions += (
            Finding(
                "tangents-by-differences",
                f"{type(tool).__name__} reads numbers off its tensors, so that tangents of its update are "
                "differences.",
                "Check exponents with an optimiser that has a rule, such as Adam.",
            ),
        )
    system = TorchStep(whole, update, batch, seed)
    weights = on_host(engine.flat)
    return system, jnp.asarray(np.concatenate([weights, update.start()])), cautions
