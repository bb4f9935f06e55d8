//! Out of the folder comes what went in; what does not fit is refused with both sides.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::calibrate;
use crate::export;
use crate::network::Rows;
use burn::module::ModuleMapper;
use serde::Deserialize;
use stridepose::stages::window::{FEATURE_COUNT, FEATURE_COUNT_WITHOUT_GRAVITY};

fn size() -> LifterSize {
    LifterSize { image_strides: vec![1, 3], encoder: 24, branch: 8, fuse: 16, fuse_residuals: 2, hindsight: 12 }
}

/// A network in which no matrix is zero.
fn network() -> LifterNetwork {
    let device = Device::flex();
    let mut network = LifterNetwork::new(&size(), &device);
    let mut seed = 0.0_f32;
    let fill = &mut |_: &str, linear: &mut Linear| -> anyhow::Result<()> {
        seed += 1.0;
        let [input, output] = linear.weight.dims();
        let values: Vec<f32> = (0..input * output).map(|index| 0.2 * (index as f32 * 0.77 + seed).sin()).collect();
        linear.weight = Param::from_tensor(Tensor::from_data(TensorData::new(values, [input, output]), &device));
        Ok(())
    };
    network.for_each_linear(&size().image_strides, fill).unwrap();
    network
}

fn answers(network: &LifterNetwork, size: &LifterSize, features: &[f32]) -> Vec<f32> {
    let samples = features.len() / FEATURE_COUNT;
    let features = Tensor::<1>::from_data(TensorData::from(features), &Device::flex());
    export::floats(network.forward(features.reshape([samples, FEATURE_COUNT]), size, 1, Rows::All))
}

fn features() -> Vec<f32> {
    (0..40 * FEATURE_COUNT).map(|index| (index as f32 * 0.31).sin()).collect()
}

fn exported() -> (tempfile::TempDir, LifterNetwork) {
    let folder = tempfile::tempdir().unwrap();
    let network = network();
    export::export(&network, &size(), &calibrate::unit(), "a test", &features(), folder.path()).unwrap();
    (folder, network)
}

/// Writes `graph` with a contract that fits it.
fn replace_graph(folder: &Path, graph: &[u8]) {
    std::fs::write(folder.join("streaming.onnx"), graph).unwrap();
    let path = folder.join("model.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let checksum = format!("sha256: {}", hexadecimal(&Sha256::digest(graph)));
    let lines = text.lines().map(|line| if line.starts_with("sha256") { &checksum } else { line });
    let lines = lines.map(|line| format!("{line}\n"));
    std::fs::write(&path, lines.collect::<String>()).unwrap();
}

fn refusal(folder: &Path) -> String {
    format!("{:#}", lifter(folder, &Device::flex()).err().unwrap())
}

#[test]
fn what_was_exported_answers_bit_by_bit_as_before() {
    let (folder, network) = exported();
    let imported = lifter(folder.path(), &Device::flex()).unwrap();
    assert_eq!((imported.size, imported.origin.as_str()), (size(), "a test"));
    assert_eq!(answers(&imported.network, &size(), &features()), answers(&network, &size(), &features()));
    // The same graph again.
    let again = export::streaming(&imported.network, &size());
    assert_eq!(again, std::fs::read(folder.path().join("streaming.onnx")).unwrap());
}

#[test]
fn weights_that_know_no_gravity_answer_as_before_whatever_they_are_told() {
    let (folder, mut network) = (tempfile::tempdir().unwrap(), network());
    network
        .for_each_linear(&size().image_strides, &mut |name, linear| {
            if matches!(name, "encode" | "join") {
                let weight = linear.weight.val();
                let rows = weight.dims()[0] - FEATURE_COUNT;
                let known = weight.clone().narrow(0, 0, FEATURE_COUNT_WITHOUT_GRAVITY);
                let others = (rows > 0).then(|| weight.narrow(0, FEATURE_COUNT, rows));
                linear.weight = Param::from_tensor(Tensor::cat([known].into_iter().chain(others).collect(), 0));
            }
            Ok(())
        })
        .unwrap();
    let graph = export::streaming(&network, &size());
    let exported = self::exported().0;
    let text = std::fs::read_to_string(exported.path().join("model.yaml")).unwrap();
    let text = text.replace("feature_count: 109", "feature_count: 106");
    std::fs::write(folder.path().join("model.yaml"), text).unwrap();
    replace_graph(folder.path(), &graph);

    let grown = lifter(folder.path(), &Device::flex()).unwrap();
    assert_eq!(grown.size, size());
    let told = features();
    let mut untold = told.clone();
    untold.chunks_exact_mut(FEATURE_COUNT).for_each(|row| row[FEATURE_COUNT_WITHOUT_GRAVITY..].fill(0.0));
    let before: Vec<f32> =
        untold.chunks_exact(FEATURE_COUNT).flat_map(|row| &row[..FEATURE_COUNT_WITHOUT_GRAVITY]).copied().collect();
    let before = Tensor::<1>::from_data(TensorData::from(before.as_slice()), &Device::flex());
    let before = network.forward(before.reshape([40, FEATURE_COUNT_WITHOUT_GRAVITY]), &size(), 1, Rows::All);
    let before = export::floats(before);
    for features in [told, untold] {
        for (found, wanted) in answers(&grown.network, &size(), &features).iter().zip(&before) {
            assert!((found - wanted).abs() < 1e-5, "{found} instead of {wanted}");
        }
    }
}

#[test]
fn the_shipped_lifter_gives_its_golden_answers() {
    #[derive(Deserialize)]
    struct Golden {
        features: Vec<f32>,
        answers: Vec<f32>,
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/lifter");
    let imported = lifter(&folder, &Device::flex()).unwrap();
    assert_eq!(imported.size, LifterSize::default());
    let golden: Golden = serde_json::from_str(&std::fs::read_to_string(folder.join("golden.json")).unwrap()).unwrap();
    let found = answers(&imported.network, &imported.size, &golden.features);
    assert_eq!(found.len(), golden.answers.len());
    // Another processor sums in another order.
    for (found, wanted) in found.iter().zip(&golden.answers) {
        assert!((found - wanted).abs() < 1e-4, "{found} against {wanted}");
    }
}

#[test]
fn another_contract_is_refused_with_both_sides() {
    let (folder, _) = exported();
    let path = folder.path().join("model.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    for (from, to, words) in [
        ("- 9", "- 10", ["[1, 3, 10]", "[1, 3, 9]"]),
        ("lookahead: 4", "lookahead: 5", ["[0, 5, 12]", "[0, 4, 12]"]),
        ("    - 12\n", "    - 11\n", ["[11]", "[12]"]),
        ("channels: 101", "channels: 102", ["101", "102"]),
        ("feature_count: 109", "feature_count: 108", ["108", "109"]),
        ("branch_channels: 8", "branch_channels: 9", ["8 channels", "says 9"]),
        ("joint_set: h36m_17", "joint_set: coco_17", ["coco_17", "h36m_17"]),
    ] {
        assert!(text.contains(from), "{from}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
        let error = refusal(folder.path());
        assert!(words.iter().all(|word| error.contains(word)), "{from}: {error}");
    }
    let keypoints = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/movenet_lightning");
    assert!(refusal(&keypoints).contains("no lifter"));
    let nothing = tempfile::tempdir().unwrap();
    assert!(refusal(nothing.path()).contains("no model folder"));
}

#[test]
fn another_graph_is_refused_with_the_reason() {
    let (folder, network) = exported();
    let graph = std::fs::read(folder.path().join("streaming.onnx")).unwrap();
    std::fs::write(folder.path().join("streaming.onnx"), &graph[..graph.len() / 2]).unwrap();
    assert!(refusal(folder.path()).contains("sha256"));
    // A checksum made from the damaged file.
    replace_graph(folder.path(), &graph[..graph.len() / 2]);
    assert!(refusal(folder.path()).contains("not a whole ONNX file"));
    // Another branch: its matrices are missing, and others are left over.
    let other = LifterSize { image_strides: vec![1, 4], ..size() };
    replace_graph(folder.path(), &export::streaming(&network, &other));
    assert!(refusal(folder.path()).contains("no project_3_weight"));
    let wider = LifterSize { image_strides: vec![1, 3, 5], ..size() };
    let wider_network = LifterNetwork::new(&wider, &Device::flex());
    replace_graph(folder.path(), &export::streaming(&wider_network, &wider));
    assert!(refusal(folder.path()).contains("join_weight has shape"));
    let mut broken = network;
    broken.head.weight = broken.head.weight.map(|weight| weight.mul_scalar(f32::NAN));
    replace_graph(folder.path(), &export::streaming(&broken, &size()));
    assert!(refusal(folder.path()).contains("head_weight has values that are not finite"));
}

#[test]
fn a_lifter_in_8_bits_is_refused_as_such() {
    let (folder, network) = exported();
    replace_graph(folder.path(), &crate::export_int8::streaming(&network, &size()));
    let error = refusal(folder.path());
    assert!(error.contains("in 8 bits") && error.contains("32 bits"), "{error}");
}

#[test]
fn a_lifter_is_mixed_with_one_of_a_folder() {
    let (folder, other) = exported();
    let own = other.clone().map(&mut Halved);
    let mixed = |share: f64| crate::mix::lifter(own.clone(), &size(), folder.path(), share);
    let head = |network: &LifterNetwork| export::floats(network.head.weight.val());
    assert_eq!(head(&mixed(0.0).unwrap()), head(&own));
    for (mean, other) in head(&mixed(0.5).unwrap()).iter().zip(head(&other)) {
        assert!((mean - 0.75 * other).abs() < 1e-6, "{mean} of {other}");
    }
    let wider = LifterSize { encoder: 32, ..size() };
    let error =
        crate::mix::lifter(LifterNetwork::new(&wider, &Device::flex()), &wider, folder.path(), 0.5).err().unwrap();
    assert!(error.to_string().contains("cannot be mixed in"), "{error}");
    assert!(mixed(-0.1).err().unwrap().to_string().contains("a share of -0.1: it must be 0 to 1"));
}

/// All weights, halved.
struct Halved;

impl ModuleMapper for Halved {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|weights| weights.mul_scalar(0.5))
    }
}
