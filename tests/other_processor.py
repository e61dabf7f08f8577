"""LiteRT with its plain kernels, as a stand-in for another processor: `make test-other-processor`.

Run by every Python of the environment as it starts, children and workers too, where the environment variable
``HEADCT_TEST_PLAIN_LITERT`` is set. It changes LiteRT once that is imported, and imports nothing itself.
"""

import sys
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

LITERT = "ai_edge_litert.interpreter"


class PlainLiteRT(MetaPathFinder):
    """Finds LiteRT as others do, and lets nobody build an interpreter with delegates."""

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname != LITERT:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def load_plain(module: ModuleType) -> None:
            load(module)
            plain = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            module.Interpreter = partial(  # type: ignore[attr-defined]
                module.Interpreter, experimental_op_resolver_type=plain
            )

        spec.loader.exec_module = load_plain  # type: ignore[method-assign]
        return spec


sys.meta_path.insert(0, PlainLiteRT())
