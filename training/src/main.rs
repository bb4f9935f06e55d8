//! `stridepose-train`: the command.

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::{
    ablate, adapt, curves, discriminator, export, int8, keypoints, keypoints_calibrate, keypoints_export, lifter,
    person, validate,
};

/// Train the lifter of stridepose on motion capture and export it to ONNX.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a lifter; resumes when the folder holds a checkpoint.
    Lifter(lifter::LifterArguments),
    /// Train a 2D keypoint network on rendered people; resumes when the folder holds a checkpoint.
    Keypoints(keypoints::KeypointsArguments),
    /// Measure a 2D keypoint network on rendered people it never saw, and write its model folder.
    ExportKeypoints(keypoints_export::KeypointsExportArguments),
    /// Measure what a keypoint model's score is worth, anybody's, on rendered people, for its contract.
    CalibrateKeypoints(keypoints_calibrate::KeypointsCalibrateArguments),
    /// Train a person detector on rendered people; resumes when the folder holds a checkpoint.
    Detector(person::DetectorArguments),
    /// Measure a person detector on rendered people it never saw, and write its model folder.
    ExportDetector(person::DetectorExportArguments),
    /// Measure anybody's person detector on the same rendered people.
    MeasureDetector(person::DetectorMeasureArguments),
    /// Errors of a checkpoint on persons that training never saw.
    Validate(validate::ValidateArguments),
    /// Calibrate a checkpoint and write its model folder: ONNX graphs and contract.
    Export(export::ExportArguments),
    /// Write a finished lifter in 8 bits, and measure what that costs and brings.
    Int8(int8::Int8Arguments),
    /// Train a discriminator beside a finished lifter: what its plausibility comes from.
    Discriminator(discriminator::DiscriminatorArguments),
    /// Tune a lifter to recordings without 3D truth, and say what it brought; writes nothing that got worse.
    Adapt(adapt::AdaptArguments),
    /// Train without one part or with another, over several seeds, and write what each is worth; resumes.
    Ablate(ablate::AblateArguments),
    /// Draw error and learning rate of runs against the step.
    Curves(curves::CurvesArguments),
}

/// The states of optimisers are read onto the default device of the tensor library, which is a GPU where the program is built
/// with one, whether there is one or not. From the CPU they go where they are needed.
#[cfg(feature = "gpu")]
#[expect(unsafe_code, reason = "there is no other way to name that device")]
fn read_onto_the_cpu() {
    // SAFETY: `main` calls this first, when no other thread reads the environment.
    unsafe { std::env::set_var("BURN_DEVICE", "flex") };
}

fn main() -> ExitCode {
    #[cfg(feature = "gpu")]
    read_onto_the_cpu();
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stridepose-train: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Lifter(arguments) => lifter::lifter(&arguments),
        Command::Keypoints(arguments) => keypoints::keypoints(&arguments),
        Command::ExportKeypoints(arguments) => keypoints_export::keypoints_export(&arguments),
        Command::CalibrateKeypoints(arguments) => keypoints_calibrate::keypoints_calibrate(&arguments),
        Command::Detector(arguments) => person::detector(&arguments),
        Command::ExportDetector(arguments) => person::detector_export(&arguments),
        Command::MeasureDetector(arguments) => person::detector_measure(&arguments),
        Command::Validate(arguments) => validate::validate(&arguments),
        Command::Export(arguments) => export::export(&arguments),
        Command::Int8(arguments) => int8::int8(&arguments),
        Command::Discriminator(arguments) => discriminator::discriminator(&arguments),
        Command::Adapt(arguments) => adapt::adapt(&arguments),
        Command::Ablate(arguments) => ablate::ablate(&arguments),
        Command::Curves(arguments) => curves::curves(&arguments),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refusal(line: &str) -> Option<String> {
        Arguments::try_parse_from(line.split_whitespace()).err().map(|error| error.to_string())
    }

    #[test]
    fn numbers_that_nothing_can_be_done_with_are_refused() {
        let data = "--mocap m --noise n";
        for (command, options) in [
            (
                format!("lifter {data} -o o"),
                "--steps 0|--samples 0|--learning-rate 0|--learning-rate nan|--learning-rate inf",
            ),
            (format!("discriminator {data} -o o --lifter l"), "--steps 0|--samples 0|--learning-rate nan"),
            (
                format!("adapt {data} -o o --lifter l --unlabelled u"),
                "--steps 0|--samples 0|--scenes 0|--learning-rate nan",
            ),
            (format!("ablate {data} -o o"), "--steps 0|--samples 0|--scenes 0|--learning-rate nan"),
            (format!("validate {data} --checkpoint c"), "--scenes 0"),
            (format!("export {data} --checkpoint c -o o --origin x"), "--scenes 0"),
            (format!("int8 {data} --lifter l -o o"), "--scenes 0"),
            (
                "keypoints --mocap m -o o".to_owned(),
                "--samples 0|--minutes nan|--minutes 0|--echo 0|--learning-rate nan",
            ),
            ("detector --mocap m -o o".to_owned(), "--samples 0|--minutes -1|--kept-pictures 0|--learning-rate inf"),
            ("export-keypoints r --mocap m".to_owned(), "--pictures 0|--bvh-scale 0"),
            ("export-detector r --mocap m".to_owned(), "--pictures 0"),
            ("measure-detector d --mocap m".to_owned(), "--pictures 0"),
            ("calibrate-keypoints k --mocap m".to_owned(), "--pictures 0"),
        ] {
            let command = format!("stridepose-train {command}");
            assert_eq!(refusal(&command), None);
            for option in options.split('|') {
                let option = option.replacen(' ', "=", 1);
                let error = refusal(&format!("{command} {option}")).unwrap();
                assert!(error.contains("must be"), "{command} {option}: {error}");
            }
        }
    }

    #[test]
    fn every_command_that_reads_motion_capture_is_told_how_bvh_files_are_read() {
        for command in
            ["keypoints -o o", "detector -o o", "export-keypoints r", "export-detector r", "measure-detector d"]
        {
            let line = format!("stridepose-train {command} --mocap m --bvh-joints j.yaml --bvh-scale 0.01 --bvh-up z");
            assert_eq!(refusal(&line), None);
        }
    }
}
