"""Variables that share kernels.

TensorFlow keeps a kernel for each set of attributes of an operation. The one that makes a variable has the
variable's name among them, which only messages show: each variable of each model takes most of a
millisecond for a kernel of its own, which is never used again, nor freed.
"""

from __future__ import annotations

from typing import Any

from tensorflow.python.eager import context
from tensorflow.python.ops import gen_resource_variable_ops


def install() -> None:
    """Replace how TensorFlow makes variables outside of graphs."""
    original = gen_resource_variable_ops.var_handle_op

    def var_handle_op(*args: Any, debug_name: str = "", **kwargs: Any) -> Any:
        if context.executing_eagerly():
            debug_name = ""
        return original(*args, debug_name=debug_name, **kwargs)

    gen_resource_variable_ops.var_handle_op = var_handle_op
