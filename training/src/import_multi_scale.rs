//! Weights that a 2D network starts from: those of a run, or of a model folder ([`crate::export_model`]) for whoever has no run
//! any more. A folder's weights are of half precision; nothing else of them is lost.

use std::path::Path;

use anyhow::Context;
use burn::module::Param;
use burn::prelude::*;
use stridepose::model::{ModelTask, PictureSize};

use crate::export::{CONTRACT_FILE, floats};
use crate::import;
use crate::multi_scale::{Conv, MultiScaleNetwork, MultiScaleSize};
use crate::onnx_reader::{self, Constant, Constants};
use crate::person_task::PERSON_MAPS;
use crate::picture_trainer;

/// What is taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// All of it: the same task goes on.
    Everything,
    /// All but what says that nothing is there: a detector goes on, which has none.
    Maps,
    /// All but the last convolution and what says that nothing is there: another task. It takes the first of its branches'
    /// blocks where it has fewer.
    Features,
}

/// Number of maps of the network in `from`, a folder with a checkpoint or with a model.
///
/// # Errors
/// When `from` holds neither, or is damaged.
pub fn outputs(from: &Path) -> anyhow::Result<usize> {
    if !from.join(CONTRACT_FILE).is_file() {
        return Ok(picture_trainer::state(from)?.size.outputs);
    }
    let contract = import::contract(from)?;
    let (graph, _) = import::graph(from, &contract)?;
    let head = || anyhow::Ok(Source::of_graph(onnx_reader::float_constants(&graph)?).array("head_weight")?.shape[0]);
    head().with_context(|| from.join(&contract.file).display().to_string())
}

/// The network in a model folder, on the CPU, and its sizes: those of the preset with the contract's picture and the graph's maps.
///
/// # Errors
/// When the folder holds none of this trainer's 2D networks, or is damaged.
pub fn model(folder: &Path) -> anyhow::Result<(MultiScaleNetwork, MultiScaleSize)> {
    let contract = import::contract(folder)?;
    let picture = match &contract.task {
        ModelTask::Detector(detector) => detector.input.size,
        ModelTask::Keypoints(keypoints) => keypoints.input.size,
        ModelTask::Lifter(_) => anyhow::bail!("{}: {} is no 2D network", folder.display(), contract.name),
    };
    let outputs = outputs(folder)?;
    let size = [MultiScaleSize::small(), MultiScaleSize::base(), MultiScaleSize::person()]
        .into_iter()
        .find(|size| size.picture() == picture && size.outputs == outputs)
        .with_context(|| {
            let PictureSize { width_px, height_px } = picture;
            format!(
                "{}: this trainer has no 2D network for pictures of {width_px} x {height_px} with {outputs} maps",
                folder.display()
            )
        })?;
    let share = if outputs == PERSON_MAPS { Share::Maps } else { Share::Everything };
    let device = Device::flex();
    let network = start(folder, share, MultiScaleNetwork::new(&size, &device), &device)?;
    Ok((network, size))
}

/// `network` with the weights in `from`, a folder with a checkpoint or with a model. Pictures may have another size. A network
/// with more blocks in a branch is begun with those there are: the others come last and, as new ones do, change nothing yet.
///
/// # Errors
/// When `from` holds neither, is damaged, or its network has other channels or modules, or, for the same task, more blocks.
pub fn start(
    from: &Path,
    share: Share,
    network: MultiScaleNetwork,
    device: &Device,
) -> anyhow::Result<MultiScaleNetwork> {
    if !from.join(CONTRACT_FILE).is_file() {
        let (mut other, _) = picture_trainer::load_on(from, device)?;
        let source = Source::of_network(&mut other)?;
        return start_from(source, share, network, device).with_context(|| from.display().to_string());
    }
    let contract = import::contract(from)?;
    let (graph, _) = import::graph(from, &contract)?;
    let read = || start_from(Source::of_graph(onnx_reader::float_constants(&graph)?), share, network, device);
    read().with_context(|| from.join(&contract.file).display().to_string())
}

/// Arrays of a network by the names that they have in a graph.
struct Source(Constants);

impl Source {
    /// Those of a graph, in which they are of half precision ([`crate::export_multi_scale`]).
    fn of_graph(constants: Constants) -> Self {
        let whole = |(name, array): (String, Constant)| (name.strip_suffix("_half").unwrap_or(&name).to_owned(), array);
        Self(constants.into_iter().map(whole).collect())
    }

    fn of_network(network: &mut MultiScaleNetwork) -> anyhow::Result<Self> {
        let mut arrays = Constants::new();
        network.for_each_conv(&mut |name, conv| {
            let shape = filter_shape(conv);
            arrays.insert(format!("{name}_weight"), Constant { shape: shape.to_vec(), values: floats(conv.weight.val()) });
            arrays.insert(format!("{name}_bias"), Constant { shape: vec![shape[0]], values: floats(conv.bias.val()) });
            Ok(())
        })?;
        let [coarsest, outputs] = network.absent.weight.dims();
        let weight = Constant {
            shape: vec![outputs, coarsest, 1, 1],
            values: floats(network.absent.weight.val().transpose()),
        };
        arrays.insert("absent_weight".to_owned(), weight);
        if let Some(bias) = &network.absent.bias {
            arrays.insert("absent_bias".to_owned(), Constant { shape: vec![outputs], values: floats(bias.val()) });
        }
        Ok(Self(arrays))
    }

    fn array(&self, name: &str) -> anyhow::Result<&Constant> {
        let unknown = || format!("it has no {name}: it is none of this trainer's 2D networks of this size");
        self.0.get(name).with_context(unknown)
    }

    /// Takes an array, which must have this shape.
    fn take(&mut self, name: &str, shape: &[usize]) -> anyhow::Result<Vec<f32>> {
        let values = self.array(name)?.checked(name, shape)?;
        self.0.remove(name);
        Ok(values)
    }

    /// Whether a block is one that only the other network has.
    fn lacks_block(&self, conv: &str) -> bool {
        conv.contains("_block_") && !conv.contains("_block_0_") && !self.0.contains_key(&format!("{conv}_weight"))
    }
}

fn start_from(
    mut source: Source,
    share: Share,
    mut network: MultiScaleNetwork,
    device: &Device,
) -> anyhow::Result<MultiScaleNetwork> {
    network.for_each_conv(&mut |name, conv| {
        if (share == Share::Features && name == "head") || source.lacks_block(name) {
            return Ok(());
        }
        let shape = filter_shape(conv);
        let weight = source.take(&format!("{name}_weight"), &shape)?;
        let bias = source.take(&format!("{name}_bias"), &shape[..1])?;
        conv.weight = Param::from_tensor(Tensor::from_data(TensorData::new(weight, conv.weight.dims()), device));
        conv.bias = Param::from_tensor(Tensor::from_data(bias.as_slice(), device));
        Ok(())
    })?;
    let is_known = |name: &str| share == Share::Features || !(name.contains("_block_") || name.contains("_from_"));
    if let Some(more) = source.0.keys().find(|name| !is_known(name)) {
        anyhow::bail!("it has {more}, which the network that is to start from it has not");
    }
    if share == Share::Everything {
        let [coarsest, outputs] = network.absent.weight.dims();
        let weight = source.take("absent_weight", &[outputs, coarsest, 1, 1])?;
        let weight = Tensor::<2>::from_data(TensorData::new(weight, [outputs, coarsest]), device);
        network.absent.weight = Param::from_tensor(weight.transpose());
        let bias = source.take("absent_bias", &[outputs])?;
        network.absent.bias = Some(Param::from_tensor(Tensor::from_data(bias.as_slice(), device)));
    }
    Ok(network)
}

/// `[out, in, rows, columns]` of the filters of a convolution.
fn filter_shape(conv: &Conv) -> [usize; 4] {
    let [output, fan_in] = conv.weight.dims();
    [output, fan_in / (conv.kernel * conv.kernel), conv.kernel, conv.kernel]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{export, export_model, export_multi_scale};
    use stridepose::model::SCORE_KNOTS;

    fn size(outputs: usize) -> MultiScaleSize {
        MultiScaleSize {
            width_px: 64,
            height_px: 64,
            stem: 4,
            channels: vec![4, 6, 8],
            modules: vec![2, 3, 3],
            blocks: vec![1, 2, 1],
            head: 5,
            outputs,
        }
    }

    /// A network in which no filter is zero, exact in half precision.
    fn network(size: &MultiScaleSize) -> MultiScaleNetwork {
        let device = Device::flex();
        let mut network = MultiScaleNetwork::new(size, &device);
        let mut seed = 0.0_f32;
        let mut drawn = |count: usize| -> Vec<f32> {
            seed += 1.0;
            (0..count).map(|index| 0.2 * (index as f32 * 0.77 + seed).sin()).collect()
        };
        network
            .for_each_conv(&mut |_, conv| {
                let [rows, columns] = conv.weight.dims();
                let values = TensorData::new(drawn(rows * columns), [rows, columns]);
                conv.weight = Param::from_tensor(Tensor::from_data(values, &device));
                conv.bias = Param::from_tensor(Tensor::from_data(drawn(rows).as_slice(), &device));
                Ok(())
            })
            .unwrap();
        let [rows, columns] = network.absent.weight.dims();
        let values = TensorData::new(drawn(rows * columns), [rows, columns]);
        network.absent.weight = Param::from_tensor(Tensor::from_data(values, &device));
        export_multi_scale::rounded(&network)
    }

    fn answers(network: &MultiScaleNetwork, columns: usize) -> (Vec<f32>, Vec<f32>) {
        let values: Vec<f32> = (0..3 * 64 * columns).map(|index| (index as f32 * 0.31).sin()).collect();
        let picture = Tensor::<1>::from_data(values.as_slice(), &Device::flex()).reshape([1, 3, 64, columns]);
        let answers = network.forward(picture);
        (export::floats(answers.maps), export::floats(answers.absent))
    }

    fn exported(size: &MultiScaleSize) -> (tempfile::TempDir, MultiScaleNetwork) {
        let folder = tempfile::tempdir().unwrap();
        let network = network(size);
        export_model::keypoints(folder.path(), &network, size, &[0.5; SCORE_KNOTS], "a test").unwrap();
        (folder, network)
    }

    #[test]
    fn a_model_folder_gives_back_the_network_that_was_exported() {
        let (folder, network) = exported(&size(17));
        let device = Device::flex();
        let back =
            start(folder.path(), Share::Everything, MultiScaleNetwork::new(&size(17), &device), &device).unwrap();
        let ((maps, absent), (wanted_maps, wanted_absent)) = (answers(&back, 64), answers(&network, 64));
        assert!(maps == wanted_maps && maps.iter().any(|value| *value != 0.0), "every map is the same");
        for (found, wanted) in absent.iter().zip(&wanted_absent) {
            assert!((found - wanted).abs() < 1e-6, "{found} instead of {wanted}");
        }
    }

    #[test]
    fn a_detector_s_folder_gives_back_its_maps() {
        let folder = tempfile::tempdir().unwrap();
        let (size, device) = (size(PERSON_MAPS), Device::flex());
        let network = network(&size);
        export_model::person(folder.path(), &network, &size, "a test").unwrap();
        assert_eq!(outputs(folder.path()).unwrap(), PERSON_MAPS);
        let back = start(folder.path(), Share::Maps, MultiScaleNetwork::new(&size, &device), &device).unwrap();
        assert!(answers(&back, 64).0 == answers(&network, 64).0, "every map is the same");
    }

    #[test]
    fn a_shipped_model_is_read_by_its_name_and_another_picture_is_refused() {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
        for (name, size) in
            [("stridepose_pose_small", MultiScaleSize::small()), ("stridepose_person", MultiScaleSize::person())]
        {
            let (network, found) = model(&models.join(name)).unwrap();
            assert_eq!(found, size);
            assert!(network.head.weight.val().abs().max().into_scalar::<f32>() > 0.0);
        }
        let (folder, _) = exported(&size(17));
        let text = format!("{:#}", model(folder.path()).unwrap_err());
        assert!(text.contains("no 2D network for pictures of 64 x 64 with 17 maps"), "{text}");
        let text = format!("{:#}", model(&models.join("lifter")).unwrap_err());
        assert!(text.contains("lifter is no 2D network"), "{text}");
    }

    #[test]
    fn another_task_takes_the_features_and_keeps_its_own_head() {
        let (folder, network) = exported(&size(17));
        let device = Device::flex();
        let new = MultiScaleNetwork::new(&size(5), &device);
        let mut other = start(folder.path(), Share::Features, new, &device).unwrap();
        assert!(answers(&other, 96).0.iter().all(|value| *value == 0.0), "the head knows nothing yet");
        other.head = network.head.clone();
        assert!(answers(&other, 96).0 == answers(&network, 96).0, "with the old head it is the old network");
    }

    #[test]
    fn a_deeper_network_begins_as_the_one_it_starts_from() {
        let (folder, network) = exported(&size(17));
        let device = Device::flex();
        let deeper = MultiScaleSize { blocks: vec![2, 4, 1], ..size(17) };
        let grown =
            start(folder.path(), Share::Everything, MultiScaleNetwork::new(&deeper, &device), &device).unwrap();
        assert!(grown.num_params() > network.num_params());
        assert!(answers(&grown, 64).0 == answers(&network, 64).0, "the new blocks change nothing yet");
    }

    #[test]
    fn what_does_not_fit_is_refused_with_both_sides() {
        let (folder, _) = exported(&size(17));
        let device = Device::flex();
        let refusal = |path: &Path, size: &MultiScaleSize| {
            let network = MultiScaleNetwork::new(size, &device);
            format!("{:#}", start(path, Share::Everything, network, &device).unwrap_err())
        };
        let larger = MultiScaleSize { stem: 8, ..size(17) };
        let text = refusal(folder.path(), &larger);
        assert!(text.contains("stem_0_weight has shape [4, 3, 3, 3], [8, 3, 3, 3] is needed"), "{text}");
        let shallower = MultiScaleSize { blocks: vec![1, 1, 1], ..size(17) };
        let text = refusal(folder.path(), &shallower);
        assert!(text.contains("it has module_0_branch_1_block_1_inner_bias"), "{text}");
        let longer = MultiScaleSize { modules: vec![2, 3, 3, 3], ..size(17) };
        let text = refusal(folder.path(), &longer);
        assert!(text.contains("no module_2_from_2_to_0_weight"), "{text}");
        let empty = tempfile::tempdir().unwrap();
        assert!(refusal(empty.path(), &size(17)).contains("holds no checkpoint"));
        let graph = folder.path().join(format!("{}.onnx", folder.path().file_name().unwrap().display()));
        let mut bytes = std::fs::read(&graph).unwrap();
        bytes[40] ^= 1;
        std::fs::write(&graph, bytes).unwrap();
        assert!(refusal(folder.path(), &size(17)).contains("the contract wants"));
    }
}
