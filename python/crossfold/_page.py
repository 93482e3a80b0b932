"""Where the HTML of a drop-in finds its documentation."""

from __future__ import annotations


class ScikitLearnPage:
    """A drop-in's HTML shows and links what scikit-learn documents of the class it stands for."""

    _doc_link_module = "crossfold"

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        kind = type(self)
        module = kind.__module__.replace("crossfold", "sklearn", 1)
        return {"estimator_module": module, "estimator_name": kind.__name__}
