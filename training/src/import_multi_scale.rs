//! Weights that a 2D network starts from: those of a run, or of a model folder ([`crate::export_model`]) for whoever has no run
//! any more. A folder's weights are of half precision; nothing else of them is lost.

use std::path::Path;

use anyhow::Context;
use burn::module::Param;
use burn::prelude::*;
use stridepose::model::{ModelContract, ModelTask, PictureSize};

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

/// The network in a model folder, on the CPU, and its sizes.
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
    let weights = Weights::of_model(folder, &contract)?;
    let size = weights.size(picture)?;
    let share = if size.outputs == PERSON_MAPS { Share::Maps } else { Share::Everything };
    let device = Device::flex();
    let network = weights.put_into(MultiScaleNetwork::new(&size, &device), share, &device)?;
    Ok((network, size))
}

/// Arrays of a network by the names that they have in a graph.
pub struct Weights {
    arrays: Constants,
    /// Where they come from, for what is said of them.
    path: String,
}

impl Weights {
    /// Those in `from`, a folder with a checkpoint or with a model.
    ///
    /// # Errors
    /// When `from` holds neither, or is damaged.
    pub fn read(from: &Path) -> anyhow::Result<Self> {
        if from.join(CONTRACT_FILE).is_file() {
            return Self::of_model(from, &import::contract(from)?);
        }
        let (network, _) = picture_trainer::load(from)?;
        let mut arrays = Constants::new();
        let mut put = |name: String, shape: &[usize], values: Vec<f32>| {
            arrays.insert(name, Constant { shape: shape.to_vec(), values });
        };
        let [coarsest, outputs] = network.absent.weight.dims();
        put("absent_weight".to_owned(), &[outputs, coarsest, 1, 1], floats(network.absent.weight.val().transpose()));
        if let Some(bias) = &network.absent.bias {
            put("absent_bias".to_owned(), &[outputs], floats(bias.val()));
        }
        network.clone().for_each_conv(&mut |name, conv| {
            let shape = filter_shape(conv);
            put(format!("{name}_weight"), &shape, floats(conv.weight.val()));
            put(format!("{name}_bias"), &shape[..1], floats(conv.bias.val()));
            Ok(())
        })?;
        Ok(Self { arrays, path: from.display().to_string() })
    }

    fn of_model(folder: &Path, contract: &ModelContract) -> anyhow::Result<Self> {
        let (graph, _) = import::graph(folder, contract)?;
        let path = folder.join(&contract.file).display().to_string();
        let constants = onnx_reader::float_constants(&graph).with_context(|| path.clone())?;
        // In a graph they are of half precision, and say so.
        let whole = |(name, array): (String, Constant)| (name.strip_suffix("_half").unwrap_or(&name).to_owned(), array);
        Ok(Self { arrays: constants.into_iter().map(whole).collect(), path })
    }

    /// Number of maps.
    ///
    /// # Errors
    /// When it is none of this trainer's 2D networks.
    pub fn outputs(&self) -> anyhow::Result<usize> {
        Ok(self.shape("head_weight")?[0])
    }

    /// Sizes of the network, whose pictures have this size.
    fn size(&self, picture: PictureSize) -> anyhow::Result<MultiScaleSize> {
        let has = |conv: &str| self.arrays.contains_key(&format!("{conv}_weight"));
        let count = |has: &dyn Fn(usize) -> bool| {
            let mut count = 0;
            while has(count) {
                count += 1;
            }
            count
        };
        let block = |module, branch, index| has(&format!("module_{module}_branch_{branch}_block_{index}_inner"));
        let branches = count(&|branch| has(&format!("gather_{branch}")));
        let modules = count(&|module| block(module, 0, 0));
        let channels = |branch| Ok(self.shape(&format!("gather_{branch}_weight"))?[1]);
        Ok(MultiScaleSize {
            width_px: picture.width_px,
            height_px: picture.height_px,
            stem: self.shape("stem_0_weight")?[0],
            channels: (0..branches).map(channels).collect::<anyhow::Result<_>>()?,
            modules: (0..modules).map(|module| count(&|branch| block(module, branch, 0))).collect(),
            blocks: (0..branches).map(|branch| count(&|index| block(modules.max(1) - 1, branch, index))).collect(),
            head: self.shape("head_weight")?[1],
            outputs: self.outputs()?,
        })
    }

    /// `network` with these weights. Pictures may have another size. A larger network begins as these weights' own, and answers
    /// as it does: more blocks of a branch come last and, as new ones do, change nothing yet; more channels are drawn, and no
    /// channel there was listens to them yet (Chen, Goodfellow and Shlens 2016, arXiv 1511.05641, have the idea).
    ///
    /// # Errors
    /// When these are of a network with other modules, more channels, or, for the same task, more blocks or other maps.
    pub fn put_into(
        mut self,
        mut network: MultiScaleNetwork,
        share: Share,
        device: &Device,
    ) -> anyhow::Result<MultiScaleNetwork> {
        let ([outputs, _], maps) = (network.head.weight.dims(), self.outputs()?);
        anyhow::ensure!(
            share == Share::Features || outputs == maps,
            "{}: it has {maps} maps, the network that is to start from it {outputs}",
            self.path
        );
        network.for_each_conv(&mut |name, conv| {
            if (share == Share::Features && name == "head") || self.lacks_block(name) {
                return Ok(());
            }
            let shape = filter_shape(conv);
            let weight = self.take_into(&format!("{name}_weight"), floats(conv.weight.val()), &shape)?;
            let bias = self.take_into(&format!("{name}_bias"), floats(conv.bias.val()), &shape[..1])?;
            conv.weight = Param::from_tensor(Tensor::from_data(TensorData::new(weight, conv.weight.dims()), device));
            conv.bias = Param::from_tensor(Tensor::from_data(bias.as_slice(), device));
            Ok(())
        })?;
        if share == Share::Features {
            return Ok(network);
        }
        if let Some(more) = self.arrays.keys().find(|name| name.contains("_block_") || name.contains("_from_")) {
            anyhow::bail!("{}: it has {more}, which the network that is to start from it has not", self.path);
        }
        if share == Share::Everything {
            let [coarsest, outputs] = network.absent.weight.dims();
            let weight = floats(network.absent.weight.val().transpose());
            let weight = self.take_into("absent_weight", weight, &[outputs, coarsest, 1, 1])?;
            let weight = Tensor::<2>::from_data(TensorData::new(weight, [outputs, coarsest]), device);
            network.absent.weight = Param::from_tensor(weight.transpose());
            let bias = self.take_into("absent_bias", vec![0.0; outputs], &[outputs])?;
            network.absent.bias = Some(Param::from_tensor(Tensor::from_data(bias.as_slice(), device)));
        }
        Ok(network)
    }

    fn array(&self, name: &str) -> anyhow::Result<&Constant> {
        let unknown = || format!("{} has no {name}: it is none of this trainer's 2D networks of this size", self.path);
        self.arrays.get(name).with_context(unknown)
    }

    /// Shape of a convolution's filters.
    fn shape(&self, name: &str) -> anyhow::Result<[usize; 4]> {
        let shape = &self.array(name)?.shape;
        shape.as_slice().try_into().with_context(|| format!("{}: {name} has shape {shape:?}: no filters", self.path))
    }

    /// Takes an array into `drawn` of the shape `[out, in, ...]`, which may have more of both: what is more of `out` stays as
    /// drawn, what is more of `in` is 0 for the others.
    fn take_into(&mut self, name: &str, mut drawn: Vec<f32>, shape: &[usize]) -> anyhow::Result<Vec<f32>> {
        let found = self.array(name)?;
        let is_smaller = found.shape.len() == shape.len()
            && found.shape.iter().zip(shape).all(|(has, wanted)| has <= wanted)
            && found.shape.iter().skip(2).eq(shape.iter().skip(2));
        anyhow::ensure!(
            is_smaller,
            "{}: {name} has shape {:?}, the network that is to start from it has {shape:?}: less",
            self.path,
            found.shape
        );
        let values = found.finite(name).with_context(|| self.path.clone())?;
        let width = |shape: &[usize]| shape[1..].iter().product::<usize>();
        let (has, wanted) = (width(&found.shape), width(shape));
        for (to, from) in drawn.chunks_exact_mut(wanted).zip(values.chunks_exact(has)) {
            to[..has].copy_from_slice(from);
            to[has..].fill(0.0);
        }
        self.arrays.remove(name);
        Ok(drawn)
    }

    /// Whether a block is one that only the other network has.
    fn lacks_block(&self, conv: &str) -> bool {
        conv.contains("_block_") && !conv.contains("_block_0_") && !self.arrays.contains_key(&format!("{conv}_weight"))
    }
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

    fn started(from: &Path, size: &MultiScaleSize, share: Share) -> anyhow::Result<MultiScaleNetwork> {
        let device = Device::flex();
        Weights::read(from)?.put_into(MultiScaleNetwork::new(size, &device), share, &device)
    }

    #[test]
    fn a_model_folder_gives_back_the_network_that_was_exported() {
        let (folder, network) = exported(&size(17));
        let back = started(folder.path(), &size(17), Share::Everything).unwrap();
        let ((maps, absent), (wanted_maps, wanted_absent)) = (answers(&back, 64), answers(&network, 64));
        assert!(maps == wanted_maps && maps.iter().any(|value| *value != 0.0), "every map is the same");
        for (found, wanted) in absent.iter().zip(&wanted_absent) {
            assert!((found - wanted).abs() < 1e-6, "{found} instead of {wanted}");
        }
    }

    #[test]
    fn a_detector_s_folder_gives_back_its_maps() {
        let folder = tempfile::tempdir().unwrap();
        let size = size(PERSON_MAPS);
        let network = network(&size);
        export_model::person(folder.path(), &network, &size, "a test").unwrap();
        assert_eq!(Weights::read(folder.path()).unwrap().outputs().unwrap(), PERSON_MAPS);
        let back = started(folder.path(), &size, Share::Maps).unwrap();
        assert!(answers(&back, 64).0 == answers(&network, 64).0, "every map is the same");
    }

    #[test]
    fn a_model_is_read_with_its_sizes_and_a_lifter_is_refused() {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
        for (name, size) in
            [("stridepose_pose_small", MultiScaleSize::small()), ("stridepose_person", MultiScaleSize::person())]
        {
            let (network, found) = model(&models.join(name)).unwrap();
            assert_eq!(found, size);
            assert!(network.head.weight.val().abs().max().into_scalar::<f32>() > 0.0);
        }
        let (folder, network) = exported(&size(17));
        let (back, found) = model(folder.path()).unwrap();
        assert_eq!(found, size(17), "any size is read");
        assert!(answers(&back, 64).0 == answers(&network, 64).0);
        let text = format!("{:#}", model(&models.join("lifter")).unwrap_err());
        assert!(text.contains("lifter is no 2D network"), "{text}");
    }

    #[test]
    fn another_task_takes_the_features_and_keeps_its_own_head() {
        let (folder, network) = exported(&size(17));
        let mut other = started(folder.path(), &size(5), Share::Features).unwrap();
        assert!(answers(&other, 96).0.iter().all(|value| *value == 0.0), "the head knows nothing yet");
        other.head = network.head.clone();
        assert!(answers(&other, 96).0 == answers(&network, 96).0, "with the old head it is the old network");
    }

    #[test]
    fn a_deeper_network_begins_as_the_one_it_starts_from() {
        let (folder, network) = exported(&size(17));
        let deeper = MultiScaleSize { blocks: vec![2, 4, 1], ..size(17) };
        let grown = started(folder.path(), &deeper, Share::Everything).unwrap();
        assert!(grown.num_params() > network.num_params());
        assert!(answers(&grown, 64).0 == answers(&network, 64).0, "the new blocks change nothing yet");
    }

    #[test]
    fn a_wider_network_begins_as_the_one_it_starts_from() {
        let (folder, network) = exported(&size(17));
        let wider = MultiScaleSize { stem: 7, channels: vec![6, 6, 13], blocks: vec![1, 2, 2], head: 8, ..size(17) };
        let grown = started(folder.path(), &wider, Share::Everything).unwrap();
        let ((maps, absent), (wanted_maps, wanted_absent)) = (answers(&grown, 96), answers(&network, 96));
        for (found, wanted) in [(maps, wanted_maps), (absent, wanted_absent)] {
            assert_eq!(found.len(), wanted.len());
            assert!(found.iter().zip(&wanted).all(|(found, wanted)| (found - wanted).abs() < 1e-4));
        }
        let stem = floats(grown.stem[0].weight.val());
        assert!(stem[4 * 27..].iter().all(|value| *value != 0.0), "new channels are drawn");
    }

    #[test]
    fn what_does_not_fit_is_refused_with_both_sides() {
        let (folder, _) = exported(&size(17));
        let refusal =
            |path: &Path, size: &MultiScaleSize| format!("{:#}", started(path, size, Share::Everything).err().unwrap());
        let narrower = MultiScaleSize { stem: 3, ..size(17) };
        let text = refusal(folder.path(), &narrower);
        assert!(text.contains("stem_0_weight has shape [4, 3, 3, 3], the network that is to start"), "{text}");
        assert!(text.contains("has [3, 3, 3, 3]: less"), "{text}");
        let shallower = MultiScaleSize { blocks: vec![1, 1, 1], ..size(17) };
        let text = refusal(folder.path(), &shallower);
        assert!(text.contains("it has module_0_branch_1_block_1_inner_bias"), "{text}");
        let text = refusal(folder.path(), &size(18));
        assert!(text.contains("it has 17 maps, the network that is to start from it 18"), "{text}");
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
