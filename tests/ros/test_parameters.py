"""The node's parameters as ROS 2's services show and change them."""

import tempfile
from pathlib import Path

import yaml
from harness import PACKAGE, NodeProcess
from people import KEYPOINTS, PeopleTest
from rcl_interfaces.msg import Parameter, ParameterEvent, ParameterType, ParameterValue
from rcl_interfaces.srv import DescribeParameters, GetParameters, ListParameters, SetParameters, SetParametersAtomically
from stridepose.msg import SkeletonArray

CONFIG = PACKAGE / "share/stridepose/config/stridepose.yaml"


def flat(tree, prefix=""):
    """Full names and values of a parameter file's nodes."""
    for name, value in tree.items():
        yield from flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]


class ParametersTest(PeopleTest):
    def test_every_parameter_of_the_shipped_file_is_declared_and_explained(self):
        wanted = dict(flat(yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["/**"]["ros__parameters"]))
        self.assertGreater(len(wanted), 30)
        kinds = {
            bool: ParameterType.PARAMETER_BOOL, int: ParameterType.PARAMETER_INTEGER,
            float: ParameterType.PARAMETER_DOUBLE, str: ParameterType.PARAMETER_STRING,
        }  # fmt: skip
        with NodeProcess(files=[CONFIG], parameters={"node.autostart": "false"}):
            names = self.call(ListParameters, "/stridepose/list_parameters", ListParameters.Request()).result.names
            self.assertEqual(set(names), {*wanted, "use_sim_time"})
            request = DescribeParameters.Request(names=list(wanted))
            for found in self.call(DescribeParameters, "/stridepose/describe_parameters", request).descriptors:
                self.assertEqual(found.type, kinds[type(wanted[found.name])], found.name)
                self.assertGreater(len(found.description), 8, found.name)
                ranges = len(found.integer_range) + len(found.floating_point_range)
                self.assertEqual(ranges, int(type(wanted[found.name]) in (int, float)), found.name)
            request = GetParameters.Request(names=list(wanted))
            values = self.call(GetParameters, "/stridepose/get_parameters", request).values
        for (name, value), given in zip(wanted.items(), values):
            fields = {bool: "bool_value", int: "integer_value", float: "double_value", str: "string_value"}
            self.assertEqual(getattr(given, fields[type(value)]), False if name == "node.autostart" else value, name)

    def test_a_switch_works_while_the_node_runs(self):
        self.start()
        refined = self.listen(SkeletonArray, "/stridepose/skeletons_refined")
        switch = Parameter(name="output.refined", value=ParameterValue(type=ParameterType.PARAMETER_BOOL))
        with NodeProcess(parameters={**KEYPOINTS, "node.reliability": "reliable"}), self.streaming():
            self.spin_until(lambda: refined, "refined skeletons")
            for is_on in (False, True):
                switch.value.bool_value = is_on
                request = SetParameters.Request(parameters=[switch])
                (result,) = self.call(SetParameters, "/stridepose/set_parameters", request).results
                self.assertTrue(result.successful, result.reason)
                self.spin_for(0.3)
                refined.clear()
                self.spin_for(0.5)
                self.assertEqual(bool(refined), is_on)

    def test_parameters_are_described_and_changed(self):
        events = self.listen(ParameterEvent, "/parameter_events")
        with NodeProcess(parameters=KEYPOINTS):
            names = self.call(ListParameters, "/stridepose/list_parameters", ListParameters.Request()).result.names
            self.assertIn("detector.interval", names)
            self.assertIn("use_sim_time", names)
            request = DescribeParameters.Request(names=["detector.interval", "track.max_age_secs", "lifter.model"])
            interval, age, lifter = self.call(DescribeParameters, "/stridepose/describe_parameters", request).descriptors
            self.assertEqual((interval.integer_range[0].from_value, interval.integer_range[0].to_value), (1, 100))
            self.assertEqual(interval.type, ParameterType.PARAMETER_INTEGER)
            self.assertEqual(age.floating_point_range[0].to_value, 10.0)
            self.assertTrue(age.description and not age.read_only and lifter.read_only)

            def parameter(name, **value):
                return Parameter(name=name, value=ParameterValue(**value))

            wanted = [
                parameter("track.min_hits", type=ParameterType.PARAMETER_INTEGER, integer_value=4),
                parameter("track.min_hits", type=ParameterType.PARAMETER_INTEGER, integer_value=400),
                parameter("lifter.model", type=ParameterType.PARAMETER_STRING, string_value="other"),
                parameter("refine.mod", type=ParameterType.PARAMETER_STRING, string_value="off"),
            ]
            results = self.call(SetParameters, "/stridepose/set_parameters", SetParameters.Request(parameters=wanted)).results
            self.assertEqual([result.successful for result in results], [True, False, False, False])
            self.assertIn("1 … 20", results[1].reason)
            self.assertIn("at start only", results[2].reason)
            self.assertIn("refine.mode", results[3].reason)
            request = SetParametersAtomically.Request(parameters=wanted[:2])
            self.assertFalse(self.call(SetParametersAtomically, "/stridepose/set_parameters_atomically", request).result.successful)
            request = GetParameters.Request(names=["track.min_hits", "nothing"])
            values = self.call(GetParameters, "/stridepose/get_parameters", request).values
            self.assertEqual((values[0].integer_value, values[1].type), (4, ParameterType.PARAMETER_NOT_SET))
            self.spin_until(lambda: [event for event in events if event.node == "/stridepose"], "a parameter event")

    def test_an_unknown_name_in_a_file_stops_the_start_and_names_the_nearest(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "wrong.yaml"
            file.write_text("/**:\n  ros__parameters:\n    detector: {intervall: 3}\n", encoding="utf-8")
            with NodeProcess(files=[file]) as process:
                self.assertEqual(process.process.wait(timeout=10), 2)
                process.reader.join()
                self.assertIn("detector.interval", "".join(process.lines))
