//! Exported lifters as the program runs them: the same validation scenes through ONNX Runtime and the pipeline's own
//! [`Lifter`], one person and one image at a time.

use std::time::Instant;

use ndarray::ArrayD;
use stridepose::adapters::model_store::Model;
use stridepose::adapters::onnx::{EngineSettings, OnnxNetwork};
use stridepose::config::Provider;
use stridepose::data::Attitude;
use stridepose::model::{ModelContract, ModelTask};
use stridepose::network::{Network, TensorView};
use stridepose::stages::lift::{Lifter, LifterFacts};

use crate::mocap::Clip;
use crate::scene;
use crate::validate::{self, Condition, Score, Validation, ValidationScene};

/// Runs that a time is the median of.
const TIMED_RUNS: usize = 1000;

/// A graph with the contract that its lifter has.
fn load(graph: &[u8], contract: &ModelContract) -> anyhow::Result<(OnnxNetwork, LifterFacts)> {
    let ModelTask::Lifter(facts) = &contract.task else { anyhow::bail!("{} is no lifter", contract.name) };
    let model = Model {
        contract: contract.clone(),
        contract_path: contract.name.clone().into(),
        weights_path: contract.file.clone().into(),
        weights: graph.to_vec(),
        sha256: String::new(),
    };
    let network =
        OnnxNetwork::load(&model, &EngineSettings { provider: Provider::Cpu, intra_threads: 1, most_people: 1 })?;
    Ok((network, facts.clone()))
}

/// Mean errors of `graph` under `condition` over the clips that `of` accepts, of the first head; absent where nothing was
/// measured.
///
/// # Errors
/// When ONNX Runtime is missing, or the graph does not fit the contract or fails.
pub fn score(
    graph: &[u8],
    contract: &ModelContract,
    validation: &Validation<'_>,
    of: impl Fn(&Clip) -> bool,
    condition: &Condition,
) -> anyhow::Result<Option<Score>> {
    let (network, facts) = load(graph, contract)?;
    let mut lifter = Lifter::new(facts, Box::new(network))?;
    let (mut sum, mut aligned, mut poses) = (0.0, 0.0, 0_usize);
    for ValidationScene { scene, keypoints, gravity, .. } in validation.scenes(of, condition) {
        let mut window = lifter.new_person();
        for (time, (keypoints, joints)) in keypoints.iter().zip(&scene.joints_in_camera).enumerate() {
            window.see(*keypoints);
            let attitude = Attitude::new(gravity.as_ref().map(|gravity| gravity[time]), 0.0);
            let people = std::slice::from_mut(&mut window);
            let answer = lifter.lift(validate::stamp(time), attitude, people)?.first().copied().flatten();
            if let Some(answer) = answer.filter(|_| condition.hidden.is_scored(time)) {
                let (answer, truth) = (answer.now.joints_from_root, scene::from_root(joints));
                sum += validate::mean_distance(&answer, &truth);
                aligned += validate::aligned_distance(&answer, &truth);
                poses += 1;
            }
        }
    }
    let mean = |sum: f64| 1e3 * sum / poses as f64;
    Ok((poses > 0).then(|| Score {
        poses,
        mpjpe_mm: vec![mean(sum)],
        pa_mpjpe_mm: mean(aligned),
        mpjve_mm: Vec::new(),
    }))
}

/// Median time of one run of each graph for `people` people, ms; the graphs take turns, so that a busy machine is busy for
/// all of them.
///
/// # Errors
/// When ONNX Runtime is missing, or a graph fails.
pub fn median_ms(graphs: &[&[u8]], contract: &ModelContract, people: usize) -> anyhow::Result<Vec<f64>> {
    let mut networks = Vec::new();
    for graph in graphs {
        networks.push(load(graph, contract)?.0);
    }
    let inputs: Vec<ArrayD<f32>> = networks[0]
        .inputs()
        .iter()
        .map(|spec| {
            let shape: Vec<usize> = spec.shape.iter().map(|size| size.unwrap_or(people)).collect();
            let mut index = 0.0;
            ArrayD::from_shape_simple_fn(shape, || {
                index += 1.0;
                0.5 * (0.7_f32 * index).sin()
            })
        })
        .collect();
    let views: Vec<TensorView<'_>> = inputs.iter().map(|input| TensorView::F32(input.view())).collect();
    let mut times = vec![Vec::with_capacity(TIMED_RUNS); networks.len()];
    for _ in 0..TIMED_RUNS {
        for (network, times) in networks.iter_mut().zip(&mut times) {
            let start = Instant::now();
            network.run(&views)?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(times
        .iter_mut()
        .map(|times| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        })
        .collect())
}
