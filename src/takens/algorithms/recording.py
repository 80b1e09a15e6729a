"""What a training run leaves behind: loss, size of the gradient, and a few shadows of the weights."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from takens.algorithms.shadows import Projector, Shadow, later, on_host
from takens.core import InvalidInput

LATEST = 256  # rows that may still be on their way to the host
SUFFIXES = (".npz", ".csv", ".jsonl")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TrainingRun:
    """The log of a training run.

    Parameters
    ----------
    steps : array of int, shape (row,)
        Updates made before each row; strictly increasing.
    loss : array, shape (row,)
        May be infinite or NaN where the run diverged.
    gradient_norm : array, shape (row,), or None
    projections : array, shape (row, projection), or None
        Weighted sums of all weights, the same at every row.
    n_weights : int
        Zero when unknown.
    settings : mapping of str to number or text
        Such as the optimiser's name and its rates.

    Raises
    ------
    InvalidInput
        If shapes disagree, steps do not increase, or there is no row.
    """

    steps: np.ndarray
    loss: np.ndarray
    gradient_norm: np.ndarray | None = None
    projections: np.ndarray | None = None
    n_weights: int = 0
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, ndim in (("steps", 1), ("loss", 1), ("gradient_norm", 1), ("projections", 2)):
            value = getattr(self, name)
            if value is None:
                continue
            try:
                array = np.array(value, dtype=float)
            except (TypeError, ValueError):
                raise InvalidInput(f"{name} holds something that is no real number.") from None
            if array.ndim != ndim or len(array) != np.size(self.steps):
                raise InvalidInput(
                    f"{name} has shape {array.shape} for {np.size(self.steps)} steps; expected one "
                    f"{'row' if ndim == 2 else 'number'} for each."
                )
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        if not len(self.steps):
            raise InvalidInput("The run has no row. Record at least one step.")
        if not (np.isfinite(self.steps).all() and np.all(np.diff(self.steps) > 0)):
            raise InvalidInput("Steps must increase. Sort the rows, and keep one for each step.")

    def __len__(self) -> int:
        return len(self.steps)

    def save(self, path: str | Path) -> Path:
        """Write the run; the suffix, ``.npz``, ``.csv`` or ``.jsonl``, says how.

        Only ``.npz`` keeps settings and the number of weights. An existing file is not replaced.
        """
        path = _suffixed(path)
        if path.exists():
            raise InvalidInput(f"{path} exists already. Choose another name, or remove it first.")
        columns = self._columns()
        if path.suffix == ".npz":
            extra = {"n_weights": self.n_weights, "settings": json.dumps(dict(self.settings))}
            arrays = {"steps": self.steps, "loss": self.loss}
            for name in ("gradient_norm", "projections"):
                if getattr(self, name) is not None:
                    arrays[name] = getattr(self, name)
            np.savez_compressed(path, **arrays, **extra)
        elif path.suffix == ".csv":
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(columns)
                writer.writerows(zip(*columns.values(), strict=True))
        else:
            with path.open("w", encoding="utf-8") as file:
                for row in zip(*columns.values(), strict=True):
                    file.write(json.dumps(dict(zip(columns, row, strict=True))) + "\n")
        return path

    def _columns(self) -> dict[str, list[float]]:
        columns = {"step": self.steps.tolist(), "loss": self.loss.tolist()}
        if self.gradient_norm is not None:
            columns["gradient_norm"] = self.gradient_norm.tolist()
        if self.projections is not None:
            for i, column in enumerate(self.projections.T):
                columns[f"projection{i}"] = column.tolist()
        return columns


class Recorder:
    r"""Records a training run at negligible cost: loss, and random projections of the weights.

    Projection k is the sum of every `n_projections`-th weight, from the k-th on, each times a random
    factor: a linear map that keeps distances on average (a sparse Johnson-Lindenstrauss map), and through
    which every mode of the training dynamics shows with its own multiplier. In models of more than 16,384
    weights it takes a thirteenth of each array of more than 1,024: runs of 64 neighbours.

    Parameters
    ----------
    n_projections : int
    every : int
        Steps from one row to the next; 1 to see flips, of which every second row would hide all.
    seed : int
        Of the factors, which are not stored.
    settings : mapping, optional
        Kept with the run, such as the optimiser's name and its rates.

    Notes
    -----
    It is the one object here that changes: it belongs into a loop. Weights may be NumPy or JAX arrays
    or torch tensors, alone or in containers, or what ``model.parameters()`` gives. Tensors on the host are
    read where they lie; those on a device are copied from it. A list made once,
    ``weights = list(model.parameters())``, spares torch the search for them at every step.

    Squared distances keep their mean over the seeds. Their relative standard deviation is some
    :math:`\sqrt{2/n}` for n projections, 0.35 for 16, where a change is spread over many weights, and
    :math:`\sqrt 2` at worst, for one of a single projection's weights; where runs are taken,
    :math:`\sqrt{12/m}` beside it for a change over m runs, so that one within a dozen of them may be
    missed. Cost: some 0.05 ms a step for 50,000 weights of torch, 0.08 ms for those of JAX, and less
    than in proportion for more; memory less than a byte for each of many weights, a megabyte at most for
    rows that wait, and `n_projections` numbers a row.

    References
    ----------
    Li, Hastie and Church, Proc. KDD 12, 287 (2006), on sparse projections.

    Examples
    --------
    >>> recorder = Recorder(n_projections=2)
    >>> w = np.array([1.0, 2.0, 3.0])
    >>> for _ in range(3):
    ...     recorder.record(float(w @ w), w)
    ...     w = 0.9 * w
    >>> len(recorder.run()), recorder.run().projections.shape
    (3, (3, 2))
    """

    def __init__(
        self,
        n_projections: int = 16,
        *,
        every: int = 1,
        seed: int = 0,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        if n_projections < 1 or every < 1:
            raise InvalidInput(
                f"n_projections = {n_projections}, every = {every}; expected at least 1 each."
            )
        self._n_projections, self._every, self._seed = n_projections, every, seed
        self._settings = dict(settings or {})
        self._project: Projector | None = None
        self._held: Any = None
        self._calls = 0
        self._rows: list[tuple[int, Any, Any, Any]] = []
        self._settled = 0

    def before(self, weights: Any) -> None:
        """The weights of the next row, in loops that change them before its loss is at hand.

        Parameters
        ----------
        weights : arrays, or containers of them
            At the same places at every call.
        """
        if self._calls % self._every == 0:
            self._held = self._shadow(weights)

    def record(
        self,
        loss: Any,
        weights: Any = None,
        *,
        gradient_norm: Any = np.nan,
        step: int | None = None,
    ) -> None:
        """One step of the run; those that `every` skips cost nothing.

        Parameters
        ----------
        loss : float
            Of this step, a number or an array of one; what is given is taken to the host.
        weights : arrays, or containers of them, optional
            At the same places at every call; those that `before` was given when left out.
        gradient_norm : float, optional
        step : int, optional
            Updates made before; counted by the calls when not given.

        Raises
        ------
        InvalidInput
            If the weights are laid out otherwise than at the first call, or were never given.
        """
        call, self._calls = self._calls, self._calls + 1
        if call % self._every:
            return
        shadow = self._held if weights is None else self._shadow(weights)
        if shadow is None:
            raise InvalidInput("No weights were given. Pass them, or call `before` in the loop.")
        self._held = None
        n = call if step is None else int(step)
        self._rows.append((n, later(loss), later(gradient_norm), shadow))
        if len(self._rows) - self._settled >= LATEST:
            self._settle()

    def _shadow(self, weights: Any) -> Any:
        if self._project is None:
            self._project = Projector(weights, self._n_projections, self._seed)
        return self._project(weights)

    def _settle(self) -> None:
        """Sums what waits, and takes to the host what was left on a device: no step waits for it."""
        if self._project is not None:
            self._project.settle()
        for i in range(self._settled, len(self._rows)):
            n, loss, size, shadow = self._rows[i]
            sums = shadow.value if isinstance(shadow, Shadow) else on_host(shadow)
            self._rows[i] = (n, _number(loss), _number(size), sums)
        self._settled = len(self._rows)

    def run(self) -> TrainingRun:
        """The run up to now."""
        self._settle()
        if not self._rows:
            raise InvalidInput("Nothing was recorded. Call `record` in the loop.")
        steps, loss, size, shadows = zip(*self._rows, strict=True)
        gradient = np.array(size)
        return TrainingRun(
            steps=np.array(steps),
            loss=np.array(loss),
            gradient_norm=None if np.isnan(gradient).all() else gradient,
            projections=np.array(shadows),
            n_weights=0 if self._project is None else sum(self._project.sizes),
            settings=self._settings,
        )

    def save(self, path: str | Path) -> Path:
        """Write the run up to now; see `TrainingRun.save`."""
        return self.run().save(path)


def read_run(path: str | Path) -> TrainingRun:
    """Read the log of a training run.

    Parameters
    ----------
    path : str or Path
        ``.npz`` as `TrainingRun.save` writes it; ``.csv`` with a header or ``.jsonl`` with an object
        on each line, with a column ``loss`` and, if there are any, ``step`` (or ``epoch``,
        ``iteration``), ``gradient_norm`` and ``projection0``, ``projection1`` and so on. Other columns
        are kept out.

    Returns
    -------
    TrainingRun

    Raises
    ------
    InvalidInput
        If the file cannot be read so, and why.

    Examples
    --------
    >>> import tempfile
    >>> run = TrainingRun(steps=[0, 1, 2], loss=[1.0, 0.5, 0.25])
    >>> read_run(run.save(Path(tempfile.mkdtemp()) / "run.csv")).loss.tolist()
    [1.0, 0.5, 0.25]
    """
    path = _suffixed(path)
    if not path.is_file():
        raise InvalidInput(f"There is no file {path}. Check the name.")
    if path.suffix == ".npz":
        return _from_npz(path)
    table = _from_csv(path) if path.suffix == ".csv" else _from_lines(path)
    if "loss" not in table:
        raise InvalidInput(f"{path.name} has the columns {list(table)}; one must be called 'loss'.")
    steps = next((table[k] for k in ("step", "iteration", "epoch") if k in table), None)
    shadows = sorted(
        (k for k in table if k.startswith("projection") and k[10:].isdigit()),
        key=lambda k: int(k[10:]),
    )
    return TrainingRun(
        steps=np.arange(len(table["loss"])) if steps is None else steps,
        loss=table["loss"],
        gradient_norm=table.get("gradient_norm"),
        projections=np.stack([table[k] for k in shadows], axis=1) if shadows else None,
    )


def _suffixed(path: str | Path) -> Path:
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise InvalidInput(f"{path.name!r} ends in {path.suffix!r}; expected one of {SUFFIXES}.")
    return path


def _from_npz(path: Path) -> TrainingRun:
    try:
        with np.load(path, allow_pickle=False) as file:
            held = {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path.name} is no such file: {error}") from None
    if not {"steps", "loss"} <= held.keys():
        raise InvalidInput(
            f"{path.name} holds {sorted(held)}; expected 'steps' and 'loss' among them."
        )
    return TrainingRun(
        steps=held["steps"], loss=held["loss"], gradient_norm=held.get("gradient_norm"),
        projections=held.get("projections"), n_weights=int(held.get("n_weights", 0)),
        settings=json.loads(str(held.get("settings", "{}"))),
    )  # fmt: skip


def _from_csv(path: Path) -> dict[str, np.ndarray]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    return _table(path, rows, first=2)


def _from_lines(path: Path) -> dict[str, np.ndarray]:
    rows = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise InvalidInput(f"Line {number} of {path.name} is no JSON: {error}") from None
            if not isinstance(row, dict):
                raise InvalidInput(f"Line {number} of {path.name} is no object with names.")
            rows.append(row)
    return _table(path, rows, first=1)


def _table(path: Path, rows: list[dict[Any, Any]], first: int) -> dict[str, np.ndarray]:
    """Columns that hold a number in every row, and `loss` and its like, which must."""
    if not rows:
        raise InvalidInput(f"{path.name} has no rows.")
    names = [name for name in rows[0] if isinstance(name, str)]
    table = {}
    for name in names:
        values = []
        for number, row in enumerate(rows, first):
            text = row.get(name)
            try:
                values.append(float(text))
            except (TypeError, ValueError):
                if name.strip() in ("loss", "step", "gradient_norm") or "projection" in name:
                    raise InvalidInput(
                        f"Line {number} of {path.name}: {name} is {text!r}, no number."
                    ) from None
                break
        else:
            table[name.strip()] = np.array(values)
    return table


def _number(value: Any) -> float:
    return value if isinstance(value, float) else float(on_host(value))
