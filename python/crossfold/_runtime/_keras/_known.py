"""Which models give Keras' own bits when a twin runs them, and the key of an architecture."""

from __future__ import annotations

import json
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras.src.models.functional import Functional


def _is_keras(value: Any) -> bool:
    owner = value if isinstance(value, type | types.FunctionType) else type(value)
    return str(owner.__module__).startswith("keras.src.")


def _all_of(module: Any) -> frozenset[Any]:
    """Keras' own functions and classes in a module: somebody may have put others there."""
    return frozenset(value for value in vars(module).values() if callable(value) and _is_keras(value))


def named(module: Any, names: str) -> frozenset[Any]:
    """Keras' own functions and classes of these names."""
    return _all_of(module) & {getattr(module, name) for name in names.split()}


MODELS = frozenset({keras.Sequential, Functional})
"""Models that their config describes in full."""

LAYERS = named(
    keras.layers,
    "Activation AveragePooling1D AveragePooling2D BatchNormalization Bidirectional Conv1D Conv2D Dense"
    " DepthwiseConv2D Dropout ELU Embedding Flatten GRU GRUCell GaussianDropout GaussianNoise"
    " GlobalAveragePooling1D GlobalAveragePooling2D GlobalMaxPooling1D GlobalMaxPooling2D InputLayer LSTM"
    " LSTMCell LayerNormalization LeakyReLU MaxPooling1D MaxPooling2D PReLU Permute ReLU RepeatVector"
    " Rescaling Reshape SeparableConv2D SimpleRNN SimpleRNNCell Softmax SpatialDropout1D SpatialDropout2D"
    " TimeDistributed UpSampling2D ZeroPadding1D ZeroPadding2D",
)
"""Layers whose state is in their variables and whose work is in their config."""

OPTIMIZERS = named(keras.optimizers, "Adagrad Adam AdamW Nadam RMSprop SGD")

SCHEDULES = _all_of(keras.optimizers.schedules)

LOSSES = _all_of(keras.losses) - {keras.losses.Loss}
METRICS = _all_of(keras.metrics) - {
    keras.metrics.Metric,
    keras.metrics.MeanMetricWrapper,
}

DTYPES = frozenset({"float32", "float64"})
"""Dtype policies of layers."""

REPLACEABLE = ("call", "compute_loss", "compute_metrics", "predict_step", "test_step", "train_step")
"""Methods that some people replace on one object."""

WEIGHTS_LIMIT = 256 << 20
"""Most bytes of variables of a model: for larger ones the Python between their steps is nothing."""


class Unknown(Exception):
    """Something is not known to give Keras' own bits; the text says what, for the report."""


@dataclass(frozen=True)
class Part:
    """What a model was compiled with, and what makes another one of it."""

    kind: Any
    config: dict[str, Any] | None

    def make(self) -> Any:
        return self.kind if self.config is None else self.kind.from_config(self.config)

    def key(self) -> Any:
        return getattr(self.kind, "__name__", self.kind), self.config


@dataclass(frozen=True)
class Architecture:
    """A model without its weights, names and seeds. Models with equal keys do the same work.

    ``optimizer`` is None where the model is only used to predict; ``metrics`` are the metrics and the
    weighted metrics.
    """

    key: str
    kind: Any
    config: dict[str, Any]
    optimizer: Part | None = None
    loss: Part | None = None
    metrics: tuple[list[Part] | None, ...] = (None, None)


def forward(model: Any) -> Architecture:
    """Return what predicting needs of a model. Raises Unknown."""
    _check_model(model)
    config = canonical(model.get_config())
    return Architecture(_key([type(model).__name__, config, *_surroundings(model)]), type(model), config)


def training(model: Any) -> Architecture:
    """Return what training and evaluating need of a model. Raises Unknown."""
    _check_compiled(model)
    plain = forward(model)
    if not model.trainable_weights:
        raise Unknown("nothing to train")  # Keras warns of it when it traces a step
    optimizer = _optimizer(model.optimizer, model.trainable_variables)
    loss = _part(model.loss, LOSSES, "loss")
    compiled = model._compile_metrics
    lists = (compiled._user_metrics, compiled._user_weighted_metrics) if compiled else (None, None)
    metrics = tuple(_metrics(items) for items in lists)
    parts = [optimizer.key(), loss.key(), *([m.key() for m in part or []] for part in metrics)]
    return Architecture(_key([plain.key, parts]), plain.kind, plain.config, optimizer, loss, metrics)


def canonical(config: Any) -> Any:
    """Return a model's config without what makes no difference to a trace.

    Names become positions. Seeds and initial values come with the variables, so that making a model of
    this draws from no random stream.
    """
    names: dict[str, str] = {}
    for name in _names(config):
        names.setdefault(name, f"part_{len(names)}")
    return _canonical(config, names)


def check_layers(model: Any) -> None:
    """Raise Unknown for a layer, or a function inside one, that is not Keras' own."""
    for layer in model._flatten_layers(include_self=False):
        if type(layer) not in LAYERS:
            raise Unknown(f"layer {type(layer).__name__}")
        if layer.dtype_policy.name not in DTYPES:
            raise Unknown(f"dtype {layer.dtype_policy.name}")
        if getattr(layer, "stateful", False):
            raise Unknown(f"a stateful {type(layer).__name__}")
        for name, value in vars(layer).items():
            if name in REPLACEABLE:
                raise Unknown(f"a replaced {name} of {type(layer).__name__}")
            if callable(value) and "initializer" not in name and not _is_keras(value):
                raise Unknown(f"custom {name.strip('_')} {_name(value)}")


def _check_model(model: Any) -> None:
    if type(model) not in MODELS:
        raise Unknown(f"model class {type(model).__name__}")
    for name in REPLACEABLE:
        if name in vars(model):
            raise Unknown(f"a replaced {name}")
    if not model.built:
        raise Unknown("a model without an input shape")
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise Unknown("several inputs or outputs")
    check_layers(model)
    if type(model) is Functional:
        _check_chain(model)
    elif len(set(map(id, model.layers))) != len(model.layers):
        raise Unknown("shared layers")
    if sum(int(np.prod(v.shape)) for v in model.variables) * 4 > WEIGHTS_LIMIT:
        raise Unknown(f"weights of more than {WEIGHTS_LIMIT >> 20} MiB")


def _check_chain(model: Any) -> None:
    """Raise Unknown for branches: TensorFlow may add up their gradients in an order that depends on how
    the graph around them looks."""
    nodes = [node for level in model._nodes_by_depth.values() for node in level]
    for node in nodes:
        if not isinstance(node.operation, keras.layers.Layer):
            raise Unknown(f"operation {type(node.operation).__name__}")
    if len(nodes) != len(model._nodes_by_depth) or len({id(n.operation) for n in nodes}) != len(nodes):
        raise Unknown("branches or shared layers")


def _check_compiled(model: Any) -> None:
    if not model.compiled or model.optimizer is None or model.loss is None:
        raise Unknown("a model that is not compiled")
    if model.run_eagerly:
        raise Unknown("run_eagerly")
    if model.jit_compile:
        raise Unknown("jit_compile")
    if model._metrics:
        raise Unknown("metrics outside of compile")
    if model._compile_loss._user_loss_weights is not None:
        raise Unknown("loss weights")


def _optimizer(optimizer: Any, trained: list[Any]) -> Part:
    if type(optimizer) not in OPTIMIZERS:
        raise Unknown(f"optimizer {type(optimizer).__name__}")
    if getattr(optimizer, "_exclude_from_weight_decay", None):
        raise Unknown("weights without weight decay")
    if optimizer.built and list(map(id, optimizer._trainable_variables)) != list(map(id, trained)):
        raise Unknown("an optimizer of other weights")
    rate = optimizer._learning_rate
    fixed = isinstance(rate, keras.Variable)
    if not fixed and type(rate) not in SCHEDULES:
        raise Unknown(f"learning rate {_name(rate)}")
    config = _nameless(optimizer)
    if fixed:
        config["learning_rate"] = 0.5  # a variable: it comes with the others
    return Part(type(optimizer), config)


def _metrics(items: Any) -> list[Part] | None:
    if items is None:
        return None
    if not isinstance(items, list | tuple):
        raise Unknown(f"metrics in a {type(items).__name__}")
    return [_part(item, METRICS, "metric") for item in items]


def _part(value: Any, known: Iterable[Any], what: str) -> Part:
    if isinstance(value, str):
        if value in keras.saving.get_custom_objects():
            raise Unknown(f"custom {what} {value}")
        return Part(value, None)
    if isinstance(value, types.FunctionType) and value in known:
        return Part(value, None)
    if type(value) not in known:
        raise Unknown(f"custom {what} {_name(value)}")
    return Part(type(value), _nameless(value))


def _nameless(value: Any) -> dict[str, Any]:
    """Return a config without the name, which may be a counter's."""
    return {name: item for name, item in value.get_config().items() if name != "name"}


def _surroundings(model: Any) -> list[Any]:
    """What a trace takes from outside of the config."""
    trainable = [v.trainable for v in model.variables]
    return [trainable, keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format()]


def _key(parts: list[Any]) -> str:
    try:
        return json.dumps(parts, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise Unknown("a config that is not JSON") from error


def _names(config: Any) -> Iterator[str]:
    """Yield the names of a model and its layers, as often as they occur."""
    if isinstance(config, dict):
        inner = config.get("config")
        if isinstance(config.get("name"), str) and not _is_dtype(config):
            yield config["name"]
        if isinstance(inner, dict) and not _is_dtype(config):
            yield from _names(inner)
        for name, value in config.items():
            if name != "config":
                yield from _names(value)
    elif isinstance(config, list | tuple):
        for item in config:
            yield from _names(item)


def _canonical(config: Any, names: dict[str, str]) -> Any:
    if isinstance(config, dict):
        if _is_dtype(config):
            return config
        return {name: _canonical_item(name, value, names) for name, value in config.items()}
    if isinstance(config, list | tuple):
        return [_canonical(item, names) for item in config]
    return config


def _canonical_item(name: str, value: Any, names: dict[str, str]) -> Any:
    if name == "name":
        return names.get(value, value)
    if name == "seed":
        return 0
    if name.endswith("initializer"):
        return "zeros"
    if name in ("keras_history", "input_layers", "output_layers"):
        return _renamed(value, names)
    return _canonical(value, names)


def _renamed(reference: Any, names: dict[str, str]) -> Any:
    """Replace the names in references to layers: ["dense", 0, 0], or lists of such."""
    if isinstance(reference, str):
        return names.get(reference, reference)
    if isinstance(reference, list | tuple):
        return [_renamed(item, names) for item in reference]
    return reference


def _is_dtype(config: dict[str, Any]) -> bool:
    return config.get("class_name") == "DTypePolicy"


def _name(value: Any) -> str:
    return str(getattr(value, "__name__", type(value).__name__))
