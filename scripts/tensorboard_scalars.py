#!/usr/bin/env python3
"""What TensorBoard's own reader finds in a run's folder `tensorboard`, as JSON. Needs tensorboard.

    scripts/tensorboard_scalars.py runs/vae/tensorboard
"""

import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "images": 0})
events.Reload()
tags = events.Tags()
scalars = {tag: [[event.step, event.value] for event in events.Scalars(tag)] for tag in tags["scalars"]}
images = {tag: [[event.step, event.height, event.width] for event in events.Images(tag)] for tag in tags["images"]}
json.dump({"scalars": scalars, "images": images}, sys.stdout)
