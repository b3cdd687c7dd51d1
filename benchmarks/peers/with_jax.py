"""JAX, a whole epoch compiled into one call, the fastest form there is of it."""

import jax
import jax.numpy as jnp
from protocol import Peer, mnist, serve


def logits(W, x):
    return (jnp.maximum(x @ W[0], 0) @ W[1])[:, 0]


def loss(W, x, y):
    z = logits(W, x)
    return jnp.mean(jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z))))


class Jax(Peer):
    def __init__(self):
        super().__init__()
        self.X, self.y = map(jnp.array, mnist("train"))

    def info(self):
        import os

        return f"JAX {jax.__version__}, XLA's own products, {len(os.sched_getaffinity(0))} threads"

    def make_weights(self, hidden_units):
        keys = jax.random.split(jax.random.key(0))
        shapes = (self.X.shape[1], hidden_units), (hidden_units, 1)
        return [jax.random.normal(key, shape) * shape[0] ** -0.5 for key, shape in zip(keys, shapes, strict=True)]

    def make_epoch(self, hidden_units, batch_size):
        zeros = [jnp.zeros_like(w) for w in self.make_weights(hidden_units)]
        state = self.make_weights(hidden_units), zeros, zeros, jnp.float32(0)
        key = jax.random.key(1)

        def step(state, batch):
            W, m, s, t = state
            g = jax.grad(loss)(W, self.X[batch], self.y[batch])
            t += 1
            m = [0.9 * a + 0.1 * b for a, b in zip(m, g, strict=True)]
            s = [0.999 * a + 0.001 * b * b for a, b in zip(s, g, strict=True)]
            W = [
                w - 1e-3 * a / (1 - 0.9**t) / (jnp.sqrt(b / (1 - 0.999**t)) + 1e-8)
                for w, a, b in zip(W, m, s, strict=True)
            ]
            return (W, m, s, t), None

        @jax.jit
        def compiled(state, key):
            N = len(self.X)
            whole = N // batch_size
            order = jax.random.permutation(key, N)
            state, _ = jax.lax.scan(step, state, order[: whole * batch_size].reshape(whole, batch_size))
            return step(state, order[whole * batch_size :])[0] if N % batch_size else state

        def epoch():
            nonlocal state, key
            key, now = jax.random.split(key)
            state = jax.block_until_ready(compiled(state, now))

        return epoch

    def make_inference(self, hidden_units):
        W, X = self.make_weights(hidden_units), self.X[:10_000]
        compiled = jax.jit(lambda W, X: jax.nn.sigmoid(logits(W, X)))
        return lambda: jax.block_until_ready(compiled(W, X))


serve(Jax())
