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
