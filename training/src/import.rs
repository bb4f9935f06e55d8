//! From a model folder back to a network that can be trained: the other way of [`crate::export`].
//!
//! The contract is read as the program reads it; the graph must have its checksum. The weights are those of
//! `streaming.onnx`, bit by bit, and the sizes are those that their shapes say.

use std::ops::Range;
use std::path::Path;

use anyhow::Context;
use burn::module::Param;
use burn::nn::Linear;
use burn::prelude::*;
use sha2::{Digest, Sha256};
use stridepose::adapters::model_store::hexadecimal;
use stridepose::model::{ModelContract, ModelTask};
use stridepose::stages::lift::{LifterFacts, Recall};
use stridepose::stages::window::FEATURE_COUNT;

use crate::export::CONTRACT_FILE;
use crate::network::{DILATIONS, HINDSIGHT, LOOKAHEADS, LifterNetwork, LifterSize, TemporalNetwork};
use crate::onnx_reader::{self, Constant, Constants};

/// A lifter out of a model folder.
pub struct ImportedLifter {
    /// Weights, on the device that was asked for.
    pub network: LifterNetwork,
    /// Its sizes.
    pub size: LifterSize,
    /// How the weights were made, as the contract says.
    pub origin: String,
    /// SHA-256 of the graph.
    pub sha256: String,
}

/// Reads the lifter in `folder`.
///
/// # Errors
/// When the contract is missing, of another kind or of another network than this trainer's; when the graph is not the
/// contract's, is damaged, or has other shapes.
pub fn lifter(folder: &Path, device: &Device) -> anyhow::Result<ImportedLifter> {
    let contract = contract(folder)?;
    let ModelTask::Lifter(facts) = &contract.task else {
        anyhow::bail!("{}: {} is no lifter", folder.join(CONTRACT_FILE).display(), contract.name);
    };
    anyhow::ensure!(
        facts.dilations == DILATIONS && facts.lookaheads == LOOKAHEADS,
        "{}: dilations {:?} and look-aheads {:?} of the weights, {DILATIONS:?} and {LOOKAHEADS:?} of this trainer",
        folder.join(CONTRACT_FILE).display(),
        facts.dilations,
        facts.lookaheads
    );
    let path = folder.join(&contract.file);
    let (graph, sha256) = graph(folder, &contract)?;
    let constants = onnx_reader::float_constants(&graph).with_context(|| path.display().to_string())?;
    let network = network(&constants, facts, device).with_context(|| path.display().to_string());
    let (network, size) = network?;
    anyhow::ensure!(
        size.branch == facts.branch_channels,
        "{}: branches of {} channels, the contract says {}",
        path.display(),
        size.branch,
        facts.branch_channels
    );
    let kept = (size.hindsight > 0).then(|| Recall { channels: size.kept(), ages: vec![HINDSIGHT] });
    anyhow::ensure!(
        facts.recall == kept,
        "{}: the network recalls {kept:?}, the contract says {:?}",
        path.display(),
        facts.recall
    );
    Ok(ImportedLifter { network, size, origin: contract.origin, sha256 })
}

/// The contract of the model in `folder`.
pub(crate) fn contract(folder: &Path) -> anyhow::Result<ModelContract> {
    let path = folder.join(CONTRACT_FILE);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("{} is no model folder: cannot read {}", folder.display(), path.display()))?;
    Ok(ModelContract::parse(&text, &path.display().to_string())?)
}

/// The graph that belongs to a contract, and its checksum, which is the contract's.
pub(crate) fn graph(folder: &Path, contract: &ModelContract) -> anyhow::Result<(Vec<u8>, String)> {
    let path = folder.join(&contract.file);
    let graph = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let sha256 = hexadecimal(&Sha256::digest(&graph));
    anyhow::ensure!(
        contract.sha256.as_ref().is_none_or(|wanted| *wanted == sha256),
        "{}: sha256 is {sha256}, the contract wants {}",
        path.display(),
        contract.sha256.as_deref().unwrap_or_default()
    );
    Ok((graph, sha256))
}

fn network(constants: &Constants, facts: &LifterFacts, device: &Device) -> anyhow::Result<(LifterNetwork, LifterSize)> {
    let image_strides = &facts.image_strides;
    let size = LifterSize {
        image_strides: image_strides.clone(),
        encoder: columns(constants, "encode")?,
        branch: image_strides.first().map_or(Ok(0), |stride| columns(constants, &format!("project_{stride}")))?,
        fuse: columns(constants, "join")?,
        fuse_residuals: (0..constants.len())
            .take_while(|index| constants.contains_key(&format!("fuse_{index}_inner_weight")))
            .count(),
        hindsight: if facts.recall.is_some() { columns(constants, "hindsight_inner")? } else { 0 },
    };
    // Sizes are taken from shapes whose values are there: nothing larger than the file is made.
    let mut network = LifterNetwork::new(&size, device);
    let mut used = 0;
    network.for_each_linear(image_strides, &mut |name, linear| {
        used += 2;
        // Features that the weights do not know count nothing until they learn.
        let unknown = if matches!(name, "encode" | "join") { facts.feature_count..FEATURE_COUNT } else { 0..0 };
        replace(linear, constants, name, unknown)
    })?;
    anyhow::ensure!(
        used == constants.len(),
        "the graph has {} float constants, a network of sizes {size:?} has {used}",
        constants.len()
    );
    Ok((network, size))
}

/// Width of what the matrix `name` gives.
fn columns(constants: &Constants, name: &str) -> anyhow::Result<usize> {
    let weight = constant(constants, &format!("{name}_weight"))?;
    match weight.shape.as_slice() {
        [_, columns] if *columns > 0 => Ok(*columns),
        shape => anyhow::bail!("{name}_weight has shape {shape:?}, a matrix is needed"),
    }
}

fn constant<'a>(constants: &'a Constants, name: &str) -> anyhow::Result<&'a Constant> {
    constants.get(name).with_context(|| {
        let scale = name.strip_suffix("_weight").map(|matrix| format!("{matrix}_scale"));
        if scale.is_some_and(|scale| constants.contains_key(&scale)) {
            "the weights are in 8 bits, which nothing can be read back from; name the lifter in 32 bits that it was made of"
                .to_owned()
        } else {
            format!("the graph has no {name}: it is none of this trainer's lifters")
        }
    })
}

/// Puts the values of the matrix `name` into `linear`, zeros into the rows `unknown` that it lacks.
fn replace(linear: &mut Linear, constants: &Constants, name: &str, unknown: Range<usize>) -> anyhow::Result<()> {
    let [input, output] = linear.weight.dims();
    let known = input - unknown.len();
    let checked = |part: &str, wanted: &[usize]| {
        let name = format!("{name}_{part}");
        let constant = constant(constants, &name)?;
        anyhow::Ok(TensorData::new(constant.checked(&name, wanted)?, wanted.to_vec()))
    };
    let device = linear.weight.val().device();
    let weight = Tensor::<2>::from_data(checked("weight", &[known, output])?, &device);
    let bias = checked("bias", &[output])?;
    let weight = if unknown.is_empty() {
        weight
    } else {
        let before = weight.clone().narrow(0, 0, unknown.start);
        let zeros = Tensor::zeros([unknown.len(), output], &device);
        let after = (unknown.start < known).then(|| weight.narrow(0, unknown.start, known - unknown.start));
        Tensor::cat([before, zeros].into_iter().chain(after).collect(), 0)
    };
    // Through plain data: a parameter is a leaf.
    linear.weight = Param::from_tensor(Tensor::from_data(weight.into_data(), &device));
    linear.bias = Some(Param::from_tensor(Tensor::from_data(bias, &device)));
    Ok(())
}

#[cfg(test)]
#[path = "import_tests.rs"]
mod tests;
