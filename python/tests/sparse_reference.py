"""What one epoch of the loop for zeros has to leave, in NumPy and double precision.

As a program: draws tasks and compares, for a library that looks at its own memory accesses.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossfold._runtime._keras import _sparse
from crossfold._runtime._keras._sparse import LINEAR, SIGMOID, SOFTMAX, Adam, Loss, Variable

ADAM = Adam(iterations=3, rate=0.01, beta_1=0.9, beta_2=0.99, epsilon=1e-3)


@dataclass(frozen=True)
class Task:
    """Rows, targets, an order, a size of batches, and widths of layers: the first is that of the rows."""

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    order: NDArray[np.int64]
    columns: NDArray[np.int32]
    batch: int
    layers: list[tuple[Variable, Variable]]
    loss: Loss


def task(widths: list[int], rows: int, batch: int, density: float, activation: int, seed: int) -> Task:
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, widths[0])) * (random.random((rows, widths[0])) < density)
    used = x.any(axis=0) | (random.random(widths[0]) < 0.2)
    y = random.dirichlet(np.ones(widths[-1]), rows)
    layers = [
        (_variable(random, a, b), _variable(random, b)) for a, b in zip(widths, widths[1:], strict=False)
    ]
    layers[0][0].velocity[~used] = 0  # or Adam goes on with what earlier gradients left
    scale = {SOFTMAX: 1, SIGMOID: 1 / widths[-1], LINEAR: 2 / widths[-1]}[activation]
    order = random.permutation(rows)[: random.integers(1, rows + 1)]
    columns = np.flatnonzero(used).astype(np.int32)
    return Task(
        x.astype("f4"), y.astype("f4"), order, columns, min(batch, rows), layers, Loss(activation, scale)
    )


def _variable(random: np.random.Generator, *shape: int) -> Variable:
    value, momentum = random.normal(0, 0.3, (2, *shape)).astype("f4")
    return Variable(value, momentum * 0, (momentum**2).astype("f4"))


def trained(task: Task) -> tuple[list[NDArray[Any]], NDArray[Any]]:
    """Return what the loop leaves: all variables, and the logits of the rows that were drawn."""
    layers = [(_copied(kernel), _copied(bias)) for kernel, bias in task.layers]
    count = np.count_nonzero(task.x)
    x = _sparse.arrange(task.x, task.columns, task.order, task.batch, count)
    logits = _sparse.train(x, task.y, layers, ADAM, task.loss)
    return _flat(layers), logits[task.order]


def expected(task: Task) -> tuple[list[NDArray[Any]], NDArray[Any]]:
    layers = [[_double(kernel), _double(bias)] for kernel, bias in task.layers]
    left, logits = [], []
    for i, begin in enumerate(range(0, len(task.order), task.batch)):
        rows = task.order[begin : begin + task.batch]
        inputs, outputs = [], task.x[rows].astype("f8")
        for kernel, bias in layers:
            inputs.append(np.maximum(outputs, 0) if inputs else outputs)
            outputs = inputs[-1] @ kernel[0] + bias[0]
        logits.append(outputs)
        delta = (_activated(outputs, task.loss.activation) - task.y[rows]) * task.loss.scale / len(rows)
        for (kernel, bias), taken in reversed(list(zip(layers, inputs, strict=True))):
            below = (delta @ kernel[0].T) * (taken > 0)
            _update(kernel, taken.T @ delta, ADAM.iterations + i + 1)
            _update(bias, delta.sum(axis=0), ADAM.iterations + i + 1)
            delta = below
    for layer in layers:
        left += [array for variable in layer for array in variable]
    return left, np.concatenate(logits)


def _activated(outputs: NDArray[Any], activation: int) -> NDArray[Any]:
    if activation == SOFTMAX:
        powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)
    return 1 / (1 + np.exp(-outputs)) if activation == SIGMOID else outputs


def _update(variable: list[NDArray[Any]], gradient: NDArray[Any], iteration: int) -> None:
    value, momentum, velocity = variable
    momentum += (gradient - momentum) * (1 - ADAM.beta_1)
    velocity += (gradient**2 - velocity) * (1 - ADAM.beta_2)
    rate = ADAM.rate * np.sqrt(1 - ADAM.beta_2**iteration) / (1 - ADAM.beta_1**iteration)
    value -= momentum * rate / (np.sqrt(velocity) + ADAM.epsilon)


def _copied(variable: Variable) -> Variable:
    return Variable(*(array.copy() for array in vars(variable).values()))


def _double(variable: Variable) -> list[NDArray[Any]]:
    return [array.astype("f8") for array in vars(variable).values()]


def _flat(layers: list[tuple[Variable, Variable]]) -> list[NDArray[Any]]:
    return [array for layer in layers for variable in layer for array in vars(variable).values()]


def compare(task: Task) -> None:
    (found, outputs), (wanted, logits) = trained(task), expected(task)
    for mine, theirs in zip([*found, outputs], [*wanted, logits], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4)


def main(library: str, tasks: str) -> None:
    _sparse.LIBRARY = Path(library)
    for seed in range(int(tasks)):
        random = np.random.default_rng(seed)
        widths = [int(width) for width in random.integers(1, 140, random.integers(2, 5))]
        rows, batch = random.integers(1, 50, 2)
        compare(task(widths, int(rows), int(batch), random.random(), seed % 3, seed))
    print(tasks)


if __name__ == "__main__":
    main(*sys.argv[1:])
