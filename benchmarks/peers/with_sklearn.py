"""scikit-learn's MLPClassifier."""

import sklearn
from protocol import Peer, blas, mnist, serve
from sklearn.neural_network import MLPClassifier


class ScikitLearn(Peer):
    def __init__(self):
        super().__init__()
        self.X, self.y = mnist("train")

    def info(self):
        return f"scikit-learn {sklearn.__version__}, {blas()}"

    def make_epoch(self, hidden_units, batch_size):
        model = MLPClassifier((hidden_units,), alpha=0, batch_size=batch_size, random_state=0)
        return lambda: model.partial_fit(self.X, self.y, classes=[0, 1])

    def make_inference(self, hidden_units):
        model = MLPClassifier((hidden_units,), random_state=0)
        model.partial_fit(self.X[:1000], self.y[:1000], classes=[0, 1])
        X = self.X[:10_000]
        return lambda: model.predict_proba(X)


serve(ScikitLearn())
