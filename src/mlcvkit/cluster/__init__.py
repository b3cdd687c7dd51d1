"""The same empirical risk on a cluster: data in shards, which Dask's workers read, hold and train on."""

from mlcvkit.cluster.connection import connect
from mlcvkit.cluster.model import ShardedModel
from mlcvkit.cluster.placement import ClusterError, LeftOut, ShardError
from mlcvkit.cluster.samples import ShardedArray, ShardedSamples
from mlcvkit.cluster.shards import Shard, array_shards, find_shards, named_shards
from mlcvkit.cluster.training import TrainedOnShards, require_used_on_cluster, train_on_shards, used_on_cluster
from mlcvkit.renamed import resolved

__all__ = [
    "ClusterError",
    "LeftOut",
    "Shard",
    "ShardError",
    "ShardedArray",
    "ShardedModel",
    "ShardedSamples",
    "TrainedOnShards",
    "array_shards",
    "connect",
    "find_shards",
    "named_shards",
    "require_used_on_cluster",
    "train_on_shards",
    "used_on_cluster",
]

__getattr__ = resolved(__name__)
