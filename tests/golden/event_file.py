"""The golden file of `src/run/tensorboard.rs`, by TensorBoard 2.21.0's own messages and its own writer of records.

    python tests/golden/event_file.py

writes tests/golden/event_file.tfevents. A test of that module writes the same measurements and compares byte by
byte. With the path of a run folder, the script prints what TensorBoard reads in its file instead.
"""

import sys
from importlib.metadata import version
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.record_writer import RecordWriter

assert version("tensorboard") == "2.21.0", version("tensorboard")
BEGAN = 1_700_000_000.25
EPOCHS = [
    (1, 1.5, {
        "learning_rate": 0.001,
        "loss/train": 2.5,
        "train/accuracy": 0.25,
        "speed/items_per_second": 640.0,
        "speed/waited": 0.125,
        "loss/valid": 2.25,
        "valid/accuracy": 0.5,
        "valid/macro_f1": 0.3,
    }),
    # From here on the validation part is learned from.
    (300, 90.0, {
        "learning_rate": 1e-7,
        "loss/train": 0.01,
        "train/accuracy": 1.0,
        "speed/items_per_second": 655.5,
        "speed/waited": 0.0,
    }),
]


def read(path):
    accumulator = EventAccumulator(str(path))
    accumulator.Reload()
    return {
        tag: [(scalar.step, scalar.value) for scalar in accumulator.Scalars(tag)]
        for tag in accumulator.Tags()["scalars"]
    }


if len(sys.argv) > 1:
    for tag, values in sorted(read(sys.argv[1]).items()):
        print(tag, values)
    sys.exit()

path = Path(__file__).with_name("event_file.tfevents")
with path.open("wb") as file:
    writer = RecordWriter(file)
    writer.write(Event(wall_time=BEGAN, file_version="brain.Event:2").SerializeToString())
    for epoch, seconds, scalars in EPOCHS:
        event = Event(wall_time=BEGAN + seconds, step=epoch)
        for tag, value in scalars.items():
            event.summary.value.add(tag=tag, simple_value=value)
        writer.write(event.SerializeToString())
found = read(path)
assert [step for step, _ in found["loss/train"]] == [1, 300], found
assert found["valid/accuracy"] == [(1, 0.5)], found
