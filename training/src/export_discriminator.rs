//! The discriminator as files of a model folder.
//!
//! * `discriminator.onnx`: the graph.
//! * `discriminator_golden.json`: movements of validation persons, kind by kind, and the trainer's own scores.
//! * `discriminator.yaml`: the section that the lifter's contract has of it, so that a new lifter can take it over.
//!
//! Input `features` `[people, 51 + 136 * poses]`: what [`kinematic_chain`] makes of the poses [`WINDOW_AGES`] ago (a spatial
//! discriminator takes the first alone), relative to the pelvis, in the axes of the virtual camera. Output `score`
//! `[people, 1]`, near 1 for true movements and near 0 for false ones; the section says how it becomes the plausibility.

use std::ops::Range;
use std::path::Path;

use anyhow::Context;
use burn::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stridepose::adapters::model_store::hexadecimal;
use stridepose::stages::plausibility::kinematic_chain::{self, KCS_VALUES, POSE_VALUES};

use crate::discriminator::{Discriminator, DiscriminatorKind, KinematicChain, LEAK, Mlp, WINDOW_AGES};
use crate::export::{CONTRACT_FILE, floats, gemm, write};
use crate::judge::Logistic;
use crate::onnx::{Attribute, Dimension, Graph};

const FILE: &str = "discriminator.onnx";
const GOLDEN_FILE: &str = "discriminator_golden.json";
const SECTION_FILE: &str = "discriminator.yaml";

/// What the lifter's contract says of its discriminator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiscriminatorSection {
    file: String,
    sha256: String,
    origin: String,
    window_ages: Vec<usize>,
    score_scale: f64,
    score_offset: f64,
}

/// Movements of one kind.
#[derive(Clone, Debug, Serialize)]
pub struct GoldenGroup {
    /// Which kind, in words.
    pub name: String,
    /// `[n, kind.poses() * 51]`.
    pub poses: Vec<f32>,
}

#[derive(Serialize)]
struct Golden {
    kind: DiscriminatorKind,
    window_ages: &'static [usize],
    groups: Vec<JudgedGroup>,
}

#[derive(Serialize)]
struct JudgedGroup {
    name: String,
    windows: usize,
    poses: Vec<f32>,
    scores: Vec<f32>,
}

/// Writes the three files, the section last; `groups` are what the golden holds, `origin` says how the weights were made.
///
/// # Errors
/// When a file cannot be written.
pub fn export(
    network: &Discriminator,
    kind: DiscriminatorKind,
    logistic: Logistic,
    groups: &[GoldenGroup],
    origin: &str,
    folder: &Path,
) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let width = kind.poses() * POSE_VALUES;
    let device = Device::flex();
    let kcs = KinematicChain::new(&device);
    let judged = groups.iter().map(|group| {
        let windows = group.poses.len() / width;
        let input = Tensor::<1>::from_data(TensorData::from(group.poses.as_slice()), &device).reshape([windows, width]);
        let scores = floats(network.forward(&input, &kcs));
        JudgedGroup { name: group.name.clone(), windows, poses: group.poses.clone(), scores }
    });
    let window_ages = &WINDOW_AGES[..kind.poses()];
    let golden = Golden { kind, window_ages, groups: judged.collect() };
    let graph = graph(network, kind);
    let section = DiscriminatorSection {
        file: FILE.to_owned(),
        sha256: hexadecimal(&Sha256::digest(&graph)),
        origin: origin.to_owned(),
        window_ages: window_ages.to_vec(),
        score_scale: logistic.scale,
        score_offset: logistic.offset,
    };
    write(&folder.join(FILE), &graph)?;
    write(&folder.join(GOLDEN_FILE), serde_json::to_string(&golden)?.as_bytes())?;
    write(&folder.join(SECTION_FILE), serde_yaml::to_string(&section)?.as_bytes())
}

/// The discriminator that lies in `folder`, with its checksum verified; `None` where there is none.
///
/// # Errors
/// When its files are damaged or do not belong together.
pub fn section(folder: &Path) -> anyhow::Result<Option<DiscriminatorSection>> {
    let path = folder.join(SECTION_FILE);
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.with_context(|| path.display().to_string())?,
    };
    let section: DiscriminatorSection = serde_yaml::from_str(&text).with_context(|| path.display().to_string())?;
    let graph = folder.join(&section.file);
    let bytes = std::fs::read(&graph).with_context(|| graph.display().to_string())?;
    let sha256 = hexadecimal(&Sha256::digest(&bytes));
    anyhow::ensure!(
        sha256 == section.sha256,
        "{}: sha256 is {sha256}, {} wants {}",
        graph.display(),
        path.display(),
        section.sha256
    );
    Ok(Some(section))
}

/// Copies the discriminator of `from` into `to`; whether there is one.
///
/// # Errors
/// When its files are damaged or cannot be copied.
pub fn copy(from: &Path, to: &Path) -> anyhow::Result<bool> {
    if section(from)?.is_none() {
        return Ok(false);
    }
    std::fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for name in [FILE, GOLDEN_FILE, SECTION_FILE] {
        let path = from.join(name);
        write(&to.join(name), &std::fs::read(&path).with_context(|| path.display().to_string())?)?;
    }
    Ok(true)
}

/// Puts the discriminator that lies in the model folder `folder` into its contract; whether there is a contract.
///
/// # Errors
/// When the contract is none of a lifter or cannot be written.
pub fn attach(folder: &Path) -> anyhow::Result<bool> {
    let path = folder.join(CONTRACT_FILE);
    if !path.exists() {
        return Ok(false);
    }
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut contract: serde_yaml::Value = serde_yaml::from_str(&text).with_context(|| path.display().to_string())?;
    let lifter = contract.get_mut("lifter").and_then(serde_yaml::Value::as_mapping_mut);
    let lifter = lifter.with_context(|| format!("{} is no contract of a lifter", path.display()))?;
    lifter.insert("discriminator".into(), serde_yaml::to_value(section(folder)?)?);
    write(&path, serde_yaml::to_string(&contract)?.as_bytes())?;
    Ok(true)
}

/// The graph.
pub fn graph(network: &Discriminator, kind: DiscriminatorKind) -> Vec<u8> {
    let mut graph = Graph::new("stridepose discriminator");
    let free = Dimension::Free("people");
    let width = kinematic_chain::feature_count(kind.poses());
    graph.input("features", &[free, Dimension::Fixed(width)]);
    let (pose, psi, end) = (POSE_VALUES, POSE_VALUES + KCS_VALUES, width);
    let joints = columns(&mut graph, "pose", 0..pose);
    let angles = columns(&mut graph, "psi", pose..psi);
    let mut branches =
        vec![mlp(&mut graph, "pose", &network.pose, &joints), mlp(&mut graph, "spatial", &network.spatial, &angles)];
    if let Some(temporal) = &network.temporal {
        let changes = columns(&mut graph, "phi", psi..end);
        branches.push(mlp(&mut graph, "temporal", temporal, &changes));
    }
    let joined = concat(&mut graph, &branches);
    let joined = gemm(&mut graph, "join", &network.join, &joined);
    let joined = leaky(&mut graph, &joined);
    let score = gemm(&mut graph, "score", &network.score, &joined);
    graph.named_node("Identity", &[&score], "score", &[]);
    graph.output("score", &[free, Dimension::Fixed(1)]);
    graph.into_model()
}

/// These columns of the input.
fn columns(graph: &mut Graph, name: &str, columns: Range<usize>) -> String {
    let start = graph.integers(&format!("{name}_start"), &[columns.start as i64]);
    let end = graph.integers(&format!("{name}_end"), &[columns.end as i64]);
    let axis = graph.integers(&format!("{name}_axis"), &[1]);
    graph.node("Slice", &["features", &start, &end, &axis], &[])
}

fn mlp(graph: &mut Graph, name: &str, mlp: &Mlp, x: &str) -> String {
    let x = gemm(graph, &format!("{name}_inner"), &mlp.inner, x);
    let x = leaky(graph, &x);
    let x = gemm(graph, &format!("{name}_outer"), &mlp.outer, &x);
    leaky(graph, &x)
}

fn leaky(graph: &mut Graph, x: &str) -> String {
    graph.node("LeakyRelu", &[x], &[Attribute::Float("alpha", LEAK as f32)])
}

fn concat(graph: &mut Graph, parts: &[String]) -> String {
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    graph.node("Concat", &parts, &[Attribute::Int("axis", 1)])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::calibrate::HeadCalibration;
    use crate::import;
    use crate::network::{LOOKAHEADS, LifterNetwork, LifterSize, TemporalNetwork};
    use stridepose::model::{ModelContract, ModelTask};
    use stridepose::stages::plausibility::DiscriminatorFacts;
    use stridepose::stages::window::FEATURE_COUNT;

    fn write_lifter(folder: &Path) {
        let size =
            LifterSize { image_strides: vec![1, 2], encoder: 16, branch: 8, fuse: 16, fuse_residuals: 2, hindsight: 8 };
        let head = |lookahead| HeadCalibration { lookahead, lateral: 1.1, depth: 1.0, coverage: Vec::new() };
        let calibration: Vec<_> = LOOKAHEADS.into_iter().map(head).collect();
        let network = LifterNetwork::new(&size, &Device::flex());
        crate::export::export(&network, &size, &calibration, "a test", &[0.5; FEATURE_COUNT], folder).unwrap();
    }

    fn write_discriminator(folder: &Path) {
        let kind = DiscriminatorKind::SpatioTemporal;
        let network = Discriminator::new(kind, &Device::flex());
        let groups = [GoldenGroup { name: "any".to_owned(), poses: vec![0.25; kind.poses() * POSE_VALUES] }];
        export(&network, kind, Logistic { scale: 4.0, offset: 0.25 }, &groups, "drawn", folder).unwrap();
    }

    fn facts(folder: &Path) -> Option<DiscriminatorFacts> {
        let text = std::fs::read_to_string(folder.join("model.yaml")).unwrap();
        match ModelContract::parse(&text, "model.yaml").unwrap().task {
            ModelTask::Lifter(facts) => facts.discriminator,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_lifter_s_contract_gets_the_discriminator_and_a_new_lifter_keeps_it() {
        let folder = tempfile::tempdir().unwrap();
        let (model, other) = (folder.path().join("model"), folder.path().join("other"));
        assert!(!attach(folder.path()).unwrap(), "no contract, nothing to attach to");
        write_lifter(&model);
        let before = std::fs::read_to_string(model.join("model.yaml")).unwrap();
        assert_eq!((facts(&model), section(&model).unwrap()), (None, None));
        write_discriminator(&model);
        assert!(attach(&model).unwrap());
        let attached = facts(&model).unwrap();
        assert_eq!(
            (attached.window_ages.as_slice(), attached.score_scale, attached.score_offset),
            (&WINDOW_AGES[..], 4.0, 0.25)
        );
        let after = std::fs::read_to_string(model.join("model.yaml")).unwrap();
        assert!(after.starts_with(before.trim_end()), "the rest is as it was:\n{after}");
        import::lifter(&model, &Device::flex()).unwrap();
        // Another lifter into the same folder, and one beside.
        write_lifter(&model);
        assert_eq!(facts(&model).as_ref(), Some(&attached));
        assert!(copy(&model, &other).unwrap());
        write_lifter(&other);
        assert_eq!(facts(&other), Some(attached));
        assert!(!copy(folder.path(), &other).unwrap(), "there is none to copy");
    }

    #[test]
    fn files_that_do_not_belong_together_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        write_discriminator(folder.path());
        std::fs::write(folder.path().join(FILE), b"another").unwrap();
        for error in [section(folder.path()).err(), copy(folder.path(), &folder.path().join("to")).err()] {
            assert!(error.unwrap().to_string().contains("sha256"));
        }
        let keypoints = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/movenet_lightning/model.yaml");
        std::fs::copy(keypoints, folder.path().join("model.yaml")).unwrap();
        write_discriminator(folder.path());
        assert!(attach(folder.path()).unwrap_err().to_string().contains("no contract of a lifter"));
    }
}
