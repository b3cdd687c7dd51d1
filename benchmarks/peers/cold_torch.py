"""A minimal PyTorch script: NN2 with 128 hidden units and Adam, until 98.5 % of the test images are right."""

import torch
from protocol import mnist

X, y = map(torch.from_numpy, mnist("train"))
test_X, test_y = map(torch.from_numpy, mnist("t10k"))
model = torch.nn.Sequential(torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 1))
adam, loss = torch.optim.Adam(model.parameters(), lr=1e-3), torch.nn.BCEWithLogitsLoss()
for _ in range(30):
    for batch in torch.randperm(len(X)).split(128):
        adam.zero_grad()
        loss(model(X[batch])[:, 0], y[batch]).backward()
        adam.step()
    with torch.no_grad():
        accuracy = ((model(test_X)[:, 0] > 0) == (test_y > 0.5)).float().mean().item()
    if accuracy >= 0.985:
        break
print(f"Test accuracy {accuracy:.2%}")
