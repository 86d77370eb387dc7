#!/usr/bin/env python3
"""Writes tests/fixtures/journal/scalars.tfevents: what TensorBoard's own writer makes of three events.

With a FOLDER as argument it instead reads the event files there as TensorBoard does, and prints every
scalar: step, name, value.
"""
import pathlib
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter


def show(folder):
    log = EventAccumulator(folder, size_guidance={"scalars": 0})
    log.Reload()
    for name in log.Tags()["scalars"]:
        for point in log.Scalars(name):
            print(point.step, name, f"{point.value:.9g}")


def make():
    path = pathlib.Path(__file__).parents[1] / "fixtures" / "journal" / "scalars.tfevents"
    path.parent.mkdir(exist_ok=True)
    summary = summary_pb2.Summary(value=[
        summary_pb2.Summary.Value(tag="loss", simple_value=0.125),
        summary_pb2.Summary.Value(tag="loss/band 1", simple_value=-3.5e-7),
    ])
    start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    events = [
        event_pb2.Event(wall_time=1234567890.25, file_version="brain.Event:2"),
        event_pb2.Event(wall_time=1234567891.5, step=300, session_log=start),
        event_pb2.Event(wall_time=1234567892.0, step=5_000_000_000, summary=summary),
    ]
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        for event in events:
            writer.write(event.SerializeToString())


if len(sys.argv) > 1:
    show(sys.argv[1])
else:
    make()
