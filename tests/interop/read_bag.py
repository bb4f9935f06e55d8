"""Reads a bag that tests/bag_interop.rs wrote, with two independent libraries, and compares every field.

Usage: read_bag.py BAG_DIRECTORY EXPECTED_JSON
Versions: requirements.txt. Floats are compared exactly: both sides hold the same bits; "nan" in the JSON is NaN.
EXPECTED_JSON: {"duration_ns": …, "topics": [{name, type, durability}], "messages": [{topic, log_time_ns, fields}]}
"""

import json
import math
import pathlib
import sys

from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from rosbags.highlevel import AnyReader
from rosbags.interfaces import QosDurability
from rosbags.typesys import Stores, get_typestore


def compare(actual, expected, where):
    if isinstance(expected, dict):
        for name, value in expected.items():
            # rosbags writes `sec`/`nanosec` as the message does; both libraries give attributes.
            compare(getattr(actual, name), value, f"{where}.{name}")
    elif isinstance(expected, list):
        assert len(actual) == len(expected), f"{where}: {len(actual)} elements, expected {len(expected)}"
        for index, value in enumerate(expected):
            compare(actual[index], value, f"{where}[{index}]")
    elif expected == "nan":
        assert math.isnan(actual), f"{where}: {actual}, expected NaN"
    else:
        assert actual == expected, f"{where}: {actual!r}, expected {expected!r}"


def check(messages, expected, library):
    assert len(messages) == len(expected), f"{library}: {len(messages)} messages, expected {len(expected)}"
    for index, ((topic, log_time, message), wanted) in enumerate(zip(messages, expected)):
        assert (topic, log_time) == (wanted["topic"], wanted["log_time_ns"]), f"{library} message {index}: {topic} {log_time}"
        compare(message, wanted["fields"], f"{library} message {index} {topic}")


def read_with_rosbags(bag, expected):
    with AnyReader([bag], default_typestore=get_typestore(Stores.EMPTY)) as reader:
        assert reader.duration == expected["duration_ns"] + 1, f"duration {reader.duration}"
        assert reader.message_count == len(expected["messages"])
        connections = {connection.topic: connection for connection in reader.connections}
        assert set(connections) == {topic["name"] for topic in expected["topics"]}
        for topic in expected["topics"]:
            connection = connections[topic["name"]]
            assert connection.msgtype == topic["type"]
            (qos,) = connection.ext.offered_qos_profiles
            assert qos.durability == QosDurability[topic["durability"]], f"{topic['name']}: {qos}"
        return [
            (connection.topic, log_time, reader.deserialize(data, connection.msgtype))
            for connection, log_time, data in reader.messages()
        ]


def read_with_mcap_ros2(file):
    with open(file, "rb") as stream:
        reader = make_reader(stream, validate_crcs=True, decoder_factories=[DecoderFactory()])
        return [
            (channel.topic, message.log_time, decoded)
            for _, channel, message, decoded in reader.iter_decoded_messages()
        ]


bag, expected = pathlib.Path(sys.argv[1]), json.loads(pathlib.Path(sys.argv[2]).read_text())
(file,) = bag.glob("*.mcap")
check(read_with_rosbags(bag, expected), expected["messages"], "rosbags")
check(read_with_mcap_ros2(file), expected["messages"], "mcap-ros2-support")
print(f"{len(expected['messages'])} messages agree")
