"""Trains a classifier on scikit-learn's digits: 1,797 handwritten digits of 8 x 8 pixels.

As an experiment it finds in its variables where to put what it makes and whom to tell its metrics.
Started by hand it trains just the same, and writes to ./outputs.
"""

import argparse
import json
import os
import pickle
import time
import urllib.request
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter


class Metrics:
    """Sends metrics to the service, and writes them as event files for TensorBoard."""

    def __init__(self, outputs: Path) -> None:
        self.events = EventFileWriter(str(outputs))
        self.url = None
        self.unsent = []
        if "POLYAXON_EXPERIMENT_INFO" in os.environ:
            info = json.loads(os.environ["POLYAXON_EXPERIMENT_INFO"])
            user, project, number = info["experiment_name"].split(".")
            host = os.environ["POLYAXON_API_HTTP_HOST"]
            self.url = f"{host}/api/v1/{user}/{project}/experiments/{number}/metrics"
            self.token = os.environ["POLYAXON_SECRET_EPHEMERAL_TOKEN"]

    def log(self, step: int, **values: float) -> None:
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=x) for tag, x in values.items()])
        self.events.add_event(Event(wall_time=time.time(), step=step, summary=summary))
        self.events.flush()
        if self.url:
            self.unsent.append({"step": step, "values": values})
            self._send()

    def _send(self) -> None:
        request = urllib.request.Request(
            self.url,
            data=json.dumps(self.unsent).encode(),
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10):
                self.unsent = []
        except OSError as error:  # training goes on while the service is away; the next epoch tries again
            print(f"metrics were not sent: {error}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--hidden", default="96,48", help="units of the hidden layers, by commas")
    options = parser.parse_args()

    outputs = Path(os.environ.get("POLYAXON_RUN_OUTPUTS_PATH", "outputs"))
    outputs.mkdir(exist_ok=True)

    images, labels = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        images / 16, labels, test_size=0.25, random_state=0, stratify=labels
    )
    hidden = tuple(int(units) for units in options.hidden.split(","))
    model = MLPClassifier(hidden, solver="sgd", learning_rate_init=options.lr, random_state=0)
    print(f"{len(x_train)} digits to learn from, {len(x_test)} to be tested with", flush=True)

    metrics = Metrics(outputs)
    shuffle = np.random.default_rng(0)
    for epoch in range(1, options.epochs + 1):
        order = shuffle.permutation(len(x_train))
        for start in range(0, len(order), options.batch):
            rows = order[start : start + options.batch]
            model.partial_fit(x_train[rows], y_train[rows], classes=range(10))
        loss = log_loss(y_test, model.predict_proba(x_test))
        accuracy = model.score(x_test, y_test)
        print(f"epoch {epoch:2} of {options.epochs}: loss {loss:.4f}, accuracy {accuracy:.4f}", flush=True)
        metrics.log(epoch, loss=loss, accuracy=accuracy)

    metrics.events.close()
    (outputs / "model.pkl").write_bytes(pickle.dumps(model))
    print(f"the model is in model.pkl, accuracy {accuracy:.4f}", flush=True)


if __name__ == "__main__":
    main()
