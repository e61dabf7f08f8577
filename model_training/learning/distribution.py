"""One device, several GPUs or several hosts: the same training on as many replicas as there are."""

import json
import os
from typing import Any

import tensorflow as tf

from headct.errors import SettingsError


def strategy() -> Any:
    """The ``tf.distribute.Strategy`` for this machine; to be called once, before anything is computed.

    Several workers in ``TF_CONFIG``: ``MultiWorkerMirroredStrategy``. Several GPUs: ``MirroredStrategy``.
    Otherwise TensorFlow's default, one device.

    Raises:
        SettingsError: ``TF_CONFIG`` is not what TensorFlow's documentation of it asks for.
    """
    try:
        cluster = json.loads(os.environ.get("TF_CONFIG", "{}")).get("cluster", {})
        hosts = sum(len(cluster.get(job, ())) for job in ("chief", "worker"))
        if hosts > 1:
            return tf.distribute.MultiWorkerMirroredStrategy()
    except (ValueError, AttributeError, TypeError) as error:
        raise SettingsError(f"TF_CONFIG cannot be used: {error}") from error
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def is_chief(strategy: Any) -> bool:
    """Whether this process is the one of the cluster that writes what is kept."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return True
    if resolver.task_type == "chief":
        return True
    return resolver.task_id == 0 and "chief" not in resolver.cluster_spec().jobs


def total(x: Any) -> Any:
    """Sum over all replicas of a value that each of them has of its part of the batch; differentiable."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return x
    return context.all_reduce(tf.distribute.ReduceOp.SUM, x)
