"""Networks one can train by name, one file an architecture.

All read slabs with a neighbour on each side, float32 Hounsfield units (n, rows, columns, 3), and give the
middle slabs' bleed probabilities, float32 (n, rows, columns, 1). Windows belong inside the network.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from headct.errors import SettingsError
from model_training.learning.networks.bleed import bleed_network

if TYPE_CHECKING:
    from model_training.learning.config import TrainingConfig

NETWORKS: "dict[str, Callable[[TrainingConfig, int, int], Any]]" = {
    "bleed": lambda config, rows, columns: bleed_network(config.widths, rows, columns, config.normalisation),
}
"""Settings, rows and columns to an untrained ``keras.Model``."""


def build(config: "TrainingConfig", rows: int, columns: int) -> Any:
    """The network that a configuration names, untrained.

    Raises:
        SettingsError: there is none of that name.
    """
    if config.network not in NETWORKS:
        raise SettingsError(f"unknown network {config.network}; there are: {', '.join(sorted(NETWORKS))}")
    return NETWORKS[config.network](config, rows, columns)
