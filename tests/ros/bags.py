"""Bags for the tests of the live node, by rosbag2's own reader and writer."""

import rosbag2_py
from rclpy.serialization import deserialize_message
from stridepose.msg import SkeletonArray

CDR = rosbag2_py.ConverterOptions(input_serialization_format="cdr", output_serialization_format="cdr")
TOLERANCE_M = 1e-5


def open_reader(bag, storage="mcap"):
    """A reader of a bag's file itself: metadata.yaml may be of a version that this rosbag2 does not read."""
    (file,) = [file for file in bag.iterdir() if file.suffix in (".mcap", ".db3")]
    reader = rosbag2_py.SequentialReader()
    reader.open(rosbag2_py.StorageOptions(uri=str(file), storage_id=storage), CDR)
    return reader


def read(bag, *topics, storage="mcap"):
    """Topic and CDR of every message of `topics`, in order."""
    reader = open_reader(bag, storage)
    while reader.has_next():
        topic, data, _ = reader.read_next()
        if topic in topics:
            yield topic, data


def stamp_bytes(data):
    """Stamps lead every message here: bytes 4 to 12 of its CDR."""
    return data[4:12]


def copy(bag, to, keep=lambda _topic, _data: True):
    """Writes the messages that `keep` wants into a bag of this rosbag2's own."""
    reader = open_reader(bag)
    writer = rosbag2_py.SequentialWriter()
    writer.open(rosbag2_py.StorageOptions(uri=str(to), storage_id="mcap"), CDR)
    for topic in reader.get_all_topics_and_types():
        writer.create_topic(topic)
    while reader.has_next():
        topic, data, at = reader.read_next()
        if keep(topic, data):
            writer.write(topic, data, at)
    # It ends the file when it is collected.
    del writer


def skeletons_of(result):
    """The skeletons that `stridepose replay` wrote."""
    return [deserialize_message(data, SkeletonArray) for _, data in read(result, "/stridepose/skeletons")]


def assert_same(test, live, replayed):
    """The same people at the same places, image by image."""
    test.assertEqual(len(live), len(replayed))
    people = 0
    for ours, theirs in zip(live, replayed):
        test.assertEqual(ours.header, theirs.header)
        test.assertEqual([found.track_id for found in ours.skeletons], [found.track_id for found in theirs.skeletons])
        for our, their in zip(ours.skeletons, theirs.skeletons):
            people += 1
            for a, b in zip(our.joints, their.joints):
                test.assertEqual(a.state, b.state)
                for axis in "xyz":
                    difference = abs(getattr(a.position, axis) - getattr(b.position, axis))
                    test.assertLess(difference, TOLERANCE_M)
    test.assertGreater(people, 0.9 * len(live))
