"""PyTorch, eager, as its tutorials write it; ``fused`` takes its fused Adam."""

import sys

import torch
from protocol import Peer, mnist, serve


class Torch(Peer):
    def __init__(self, fused):
        super().__init__()
        self.X, self.y = map(torch.from_numpy, mnist("train"))
        self.fused = fused

    def info(self):
        cpu, mkl = torch.backends.cpu.get_cpu_capability(), torch.backends.mkl.is_available()
        return f"PyTorch {torch.__version__}, {'MKL' if mkl else 'no MKL'}, {cpu}, {torch.get_num_threads()} threads"

    def make_model(self, hidden_units):
        K = self.X.shape[1]
        layers = torch.nn.Linear(K, hidden_units, bias=False), torch.nn.Linear(hidden_units, 1, bias=False)
        return torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1])

    def make_epoch(self, hidden_units, batch_size):
        model, loss = self.make_model(hidden_units), torch.nn.BCEWithLogitsLoss()
        adam = torch.optim.Adam(model.parameters(), lr=1e-3, fused=self.fused)

        def epoch():
            for batch in torch.randperm(len(self.X)).split(batch_size):
                adam.zero_grad()
                loss(model(self.X[batch])[:, 0], self.y[batch]).backward()
                adam.step()

        return epoch

    def make_inference(self, hidden_units):
        model, X = self.make_model(hidden_units), self.X[:10_000]

        @torch.inference_mode()
        def inference():
            return torch.sigmoid(model(X))

        return inference


serve(Torch(fused="fused" in sys.argv))
