import numpy as np
import pytest

from mlcvkit.training import batches
from mlcvkit.training.augmentation import Augmentation
from mlcvkit.training.batches import Batches


def visited(X, epoch, **options):
    made = Batches(X, np.arange(len(X)), **options)
    seen = [(batch.x.copy(), batch.y.copy()) for batch in made.epoch(epoch)]
    assert len(seen) == made.steps
    return np.concatenate([x for x, _ in seen]), np.concatenate([y for _, y in seen])


def test_an_epoch_visits_the_chosen_samples_once_with_their_targets():
    X = np.arange(60, dtype=np.float32).reshape(20, 3)
    x, y = visited(X, 0, batch_size=4, samples=np.array([7, 3, 11, 19, 2, 5]))
    assert sorted(y) == [2, 3, 5, 7, 11, 19]
    np.testing.assert_array_equal(x, X[y])


def test_a_batch_follows_from_the_seed_and_the_epoch_alone():
    X = np.zeros((50, 1), np.float32)
    made = Batches(X, np.arange(50), 8, seed=3)
    orders = [np.concatenate([batch.y for batch in made.epoch(epoch)]).tolist() for epoch in (0, 1, 0)]
    assert orders[0] == orders[2] != orders[1]
    assert visited(X, 0, batch_size=8, seed=4)[1].tolist() != orders[0]


@pytest.mark.parametrize(
    ("dtype", "distorted"), [(np.uint8, False), (np.uint8, True), (np.float32, False), (np.float64, False)]
)
def test_a_packed_batch_leaves_out_what_is_zero_in_all_of_its_samples(dtype, distorted):
    X = np.random.default_rng(0).integers(1, 256, size=(40, 6, 5)).astype(dtype)
    X[:, ::2] = 0
    options = {"augmentation": Augmentation(shift=0.5)} if distorted else {}
    whole = Batches(X, np.arange(40), 16, **options).epoch(0)
    for packed, dense in zip(Batches(X, np.arange(40), 16, packed=True, **options).epoch(0), whole, strict=True):
        assert packed.x.dtype == dense.x.dtype == (np.float32 if dtype == np.uint8 else dtype)
        np.testing.assert_array_equal(packed.y, dense.y)
        if not distorted:
            assert packed.features.tolist() == [k for k in range(30) if k // 5 % 2]
        restored = np.zeros_like(dense.x)
        restored[:, packed.features] = packed.x
        np.testing.assert_array_equal(restored, dense.x)


@pytest.mark.parametrize("batch_size", [64, 100, 4097])
def test_a_file_larger_than_the_pool_is_visited_whole_and_well_shuffled(tmp_path, monkeypatch, batch_size):
    monkeypatch.setattr(batches, "POOL_BYTES", 1024 * 4)
    N = 5000
    file = np.memmap(tmp_path / "data", np.uint8, mode="w+", shape=(N, 4))
    file[:] = np.random.default_rng(0).integers(256, size=(N, 4))
    samples = np.random.default_rng(1).permutation(N)[:4321]
    x, y = visited(file, 0, batch_size=batch_size, samples=samples)
    assert sorted(y) == sorted(samples)
    np.testing.assert_allclose(x, file[y] / np.float32(255), rtol=1e-6)
    sizes = [len(batch.y) for batch in Batches(file, np.arange(N), batch_size, samples=samples).epoch(0)]
    assert set(sizes[:-1]) <= {batch_size}
    assert abs(np.corrcoef(np.arange(len(y)), y)[0, 1]) < 0.5
    assert np.abs(np.diff(y)).mean() > 200


def test_only_what_is_mapped_is_read_ahead_and_nothing_written_to_it_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "POOL_BYTES", 1024)
    np.save(tmp_path / "X.npy", np.random.default_rng(0).random((2000, 4), np.float32))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    own = np.load(tmp_path / "X.npy", mmap_mode="c")
    own += 1
    for X in (mapped, mapped + 1, mapped.astype(np.float64), own):
        expected = np.array(X)
        x, y = visited(X, 0, batch_size=64)
        np.testing.assert_array_equal(x, expected[y])
        np.testing.assert_array_equal(X, expected)
