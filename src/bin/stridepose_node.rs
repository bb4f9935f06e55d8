//! `stridepose_node`: the live ROS 2 node. Everything it does is in [`stridepose::adapters::ros`].

use std::process::ExitCode;

fn main() -> ExitCode {
    stridepose::adapters::ros::node::main()
}
