//! What is trained, and one step of it.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::Context;
use burn::grad_clipping::GradientClippingConfig;
use burn::module::ParamGroup;
use burn::optim::{AdamWConfig, AdjustLrFn, GradientsAccumulator, GradientsParams, ModuleOptimizer, MuonConfig};
use burn::prelude::*;
use stridepose::stages::window::FEATURE_COUNT;

use crate::adversary::{self, Adversary, Judge};
use crate::average::{ENDS_OF_A_MEAN, MeanOfEnds, WeightAverage};
use crate::batch::{Batch, POSE_VALUES};
use crate::checkpoint::{self, CheckpointState};
use crate::discriminator::DiscriminatorKind;
use crate::hardware::Hardware;
use crate::loss::{LossWeights, loss};
use crate::network::{LOOKAHEADS, LifterNetwork, LifterSize, Rows, TemporalNetwork};
use crate::semi_supervised::{UnlabelledWeights, unlabelled_loss};
use crate::workers::Workers;

/// Share of the schedule after which unlabelled clips count: before, answers are no bodies that a root could be found for.
const UNLABELLED_FROM: f64 = 0.1;

/// What one step says of itself.
#[derive(Default)]
pub(crate) struct StepReport {
    /// Mean joint distance of the first head, mm.
    pub position_mm: f32,
    /// Mean likelihood of the first head, nats a coordinate.
    pub likelihood: f32,
    /// What the discriminator adds to the loss.
    pub adversarial: Option<f32>,
    /// Loss of the discriminator.
    pub discriminator: Option<f32>,
    /// Mean reprojection error of unlabelled clips, mm.
    pub reprojection_mm: Option<f32>,
}

impl StepReport {
    /// Takes in what a part of the batch adds.
    fn add(&mut self, part: &Self) {
        let sum = |a: Option<f32>, b: Option<f32>| a.map_or(b, |a| Some(a + b.unwrap_or(0.0)));
        self.position_mm += part.position_mm;
        self.likelihood += part.likelihood;
        self.adversarial = sum(self.adversarial, part.adversarial);
        self.reprojection_mm = sum(self.reprojection_mm, part.reprojection_mm);
    }
}

/// What learns, and how.
#[derive(Clone, Debug)]
pub struct LearnSettings {
    /// Sizes of the lifter.
    pub size: LifterSize,
    /// What it is to minimise.
    pub loss: LossWeights,
    /// Whether hidden matrices learn by orthogonalised momentum (Muon); else everything learns by Adam.
    pub is_orthogonalised: bool,
    /// Decay of the moving average of the weights; 0 for none.
    pub average_decay: f64,
    /// How many times the learning rate goes from its peak to zero. With more than one, the mean of the weights at the ends of
    /// the cycles is what comes of it.
    pub cycles: u64,
    /// The discriminator; absent for none.
    pub discriminator: Option<DiscriminatorKind>,
    /// Weight of the discriminator's judgement in the lifter's loss, m; 0 trains the discriminator alone.
    pub adversarial_weight: f32,
    /// Model folder whose weights a new run starts from; absent for weights that are drawn.
    pub start_from: Option<PathBuf>,
}

/// All that learns, and all that a checkpoint holds.
pub(crate) struct Trainer<N: TemporalNetwork = LifterNetwork> {
    device: Device,
    size: LifterSize,
    loss: LossWeights,
    network: N,
    optimizer: ModuleOptimizer,
    average: Option<WeightAverage<N>>,
    ends: Option<MeanOfEnds<N>>,
    adversary: Option<Adversary>,
    /// SHA-256 of the graph whose weights the run started from.
    started_from: Option<String>,
    workers: Workers,
    /// Steps done.
    pub step: u64,
}

impl<N: TemporalNetwork> Trainer<N> {
    /// Goes on from the checkpoint in `folder`; without one, starts anew from the weights that the settings name, or from
    /// weights drawn with `seed`.
    pub(crate) fn resume(
        folder: &Path,
        settings: &LearnSettings,
        seed: u64,
        hardware: &Hardware,
    ) -> anyhow::Result<Self> {
        let device = hardware.device().clone().autodiff();
        device.seed(seed);
        let state: Option<CheckpointState> = checkpoint::read_state(folder)?;
        let start = |start: &PathBuf| N::of_model(start, &settings.size, &device).context("the weights to start from");
        let (network, started_from) = match settings.start_from.as_ref().map(start).transpose()? {
            Some((network, sha256)) => (network, Some(sha256)),
            None => (N::new(&settings.size, &device), None),
        };
        let decay = settings.average_decay;
        let average = |network, updates| (decay > 0.0).then(|| WeightAverage::new(network, decay, updates));
        let mut trainer = Self {
            size: settings.size.clone(),
            loss: settings.loss,
            optimizer: optimizer(settings.is_orthogonalised)?,
            average: average(network.valid(), 0),
            ends: (settings.cycles > 1).then(|| MeanOfEnds::new(network.valid(), 0)),
            adversary: settings.discriminator.map(|kind| Adversary::new(kind, settings.adversarial_weight, &device)),
            network,
            device,
            started_from,
            workers: hardware.workers()?,
            step: 0,
        };
        let Some(state) = state else { return Ok(trainer) };
        state.check_fits(settings, folder)?;
        state.check_start(trainer.started_from.as_deref(), folder)?;
        let files = state.files(folder);
        trainer.network = checkpoint::load_module(trainer.network, &files, "network")?;
        trainer.optimizer = checkpoint::load_optimizer(trainer.optimizer, &files, "optimizer")?;
        trainer.average = match state.average_updates {
            Some(updates) => average(checkpoint::load_module(trainer.network.valid(), &files, "average")?, updates),
            None => average(trainer.network.valid(), 0),
        };
        trainer.ends = match (trainer.ends, state.cycle_ends) {
            (Some(_), Some(ends)) => {
                Some(MeanOfEnds::new(checkpoint::load_module(trainer.network.valid(), &files, "ends")?, ends))
            }
            (Some(_), None) => Some(MeanOfEnds::new(trainer.network.valid(), 0)),
            (None, _) => None,
        };
        if state.discriminator.is_some() {
            trainer.adversary = trainer.adversary.map(|adversary| adversary.load(&files)).transpose()?;
        }
        trainer.started_from = state.started_from;
        trainer.step = state.step;
        Ok(trainer)
    }

    /// One step down the gradient of the mean loss over the parts of a batch, which are clips that `draw` draws; `progress`
    /// is the share of the schedule that is done. The answer is the same with any number of workers.
    pub(crate) fn step(
        &mut self,
        parts: &[Range<usize>],
        draw: impl Fn(Range<usize>) -> Batch + Sync,
        learning_rate: f64,
        progress: f64,
    ) -> anyhow::Result<StepReport> {
        let clips = parts.iter().map(ExactSizeIterator::len).sum::<usize>() as f32;
        // A copy for each: two backward passes through the same leaves would be one graph.
        let parts: Vec<_> = parts
            .iter()
            .map(|clips| (clips.clone(), self.network.valid().train(), self.adversary.as_ref().map(Adversary::judge)))
            .collect();
        let (device, size, terms, step) = (&self.device, &self.size, &self.loss, self.step);
        let learnt = self.workers.map(&parts, |(of_batch, network, judge)| {
            let share = of_batch.len() as f32 / clips;
            let batch = draw(of_batch.clone());
            learn(&batch, &Learner { network, size, terms, judge: judge.as_ref(), device, share, progress })
        })?;
        let mut report = StepReport::default();
        let mut sum = GradientsAccumulator::new();
        let mut movements = Vec::new();
        for part in learnt {
            report.add(&part.report);
            sum.accumulate(&self.network, part.gradients);
            movements.extend(part.movements);
        }
        anyhow::ensure!(report.position_mm.is_finite(), "the loss of step {step} is not finite");
        if let Some(adversary) = &mut self.adversary {
            let (truth, answered) = movements.into_iter().unzip();
            report.discriminator = adversary.learn(&Tensor::cat(truth, 0), &Tensor::cat(answered, 0), progress)?;
        }
        self.network = self.optimizer.step(learning_rate, self.network.clone(), sum.grads());
        if let Some(average) = &mut self.average {
            average.update(&self.network);
        }
        self.step += 1;
        Ok(report)
    }

    /// Takes the weights of now in as those of the end of a cycle.
    pub(crate) fn end_cycle(&mut self) {
        if let Some(ends) = &mut self.ends {
            ends.take(&self.network);
        }
    }

    /// The network for use, on the CPU: the mean of the ends of the cycles once there are two, else the average of the weights
    /// where one is kept.
    pub(crate) fn network(&self) -> N {
        let ends = self.ends.as_ref().filter(|ends| ends.ends() >= ENDS_OF_A_MEAN).map(MeanOfEnds::network);
        let average = ends.or(self.average.as_ref().map(WeightAverage::network));
        average.cloned().unwrap_or_else(|| self.network.valid()).to_device(&Device::flex())
    }

    /// Writes a checkpoint.
    pub(crate) fn save(&self, folder: &Path) -> anyhow::Result<()> {
        let mut state = CheckpointState::new(self.step, self.size.clone());
        state.average_updates = self.average.as_ref().map(WeightAverage::updates);
        state.cycle_ends = self.ends.as_ref().map(MeanOfEnds::ends);
        state.discriminator = self.adversary.as_ref().map(Adversary::kind);
        state.started_from.clone_from(&self.started_from);
        checkpoint::commit(folder, &state, |files| {
            checkpoint::save_module(&self.network, files, "network")?;
            checkpoint::save_optimizer(&self.optimizer, files, "optimizer")?;
            if let Some(average) = &self.average {
                checkpoint::save_module(average.network(), files, "average")?;
            }
            if let Some(ends) = &self.ends {
                checkpoint::save_module(ends.network(), files, "ends")?;
            }
            self.adversary.as_ref().map_or(Ok(()), |adversary| adversary.save(files))
        })
    }
}

/// What learns from a part of a batch.
struct Learner<'a, N> {
    network: &'a N,
    size: &'a LifterSize,
    terms: &'a LossWeights,
    judge: Option<&'a Judge>,
    device: &'a Device,
    /// Of the whole batch.
    share: f32,
    /// Share of the schedule that is done.
    progress: f64,
}

/// What a part of a batch gave.
struct Learnt {
    /// What it adds to the report of the step.
    report: StepReport,
    /// What it adds to the gradient.
    gradients: GradientsParams,
    /// True movements and answered ones, for the discriminator.
    movements: Option<(Tensor<2>, Tensor<2>)>,
}

/// The gradient of the loss over a part of a batch.
fn learn<N: TemporalNetwork>(batch: &Batch, learner: &Learner<'_, N>) -> Learnt {
    let Learner { network, size, terms, judge, device, share, progress } = *learner;
    let clips = batch.clips;
    let rows = batch.weights.len() / LOOKAHEADS.len();
    let features = tensor(device, &batch.features, [batch.length * clips, FEATURE_COUNT]);
    let targets = tensor(device, &batch.targets, [rows, LOOKAHEADS.len() * POSE_VALUES]);
    let weights = tensor(device, &batch.weights, [rows, LOOKAHEADS.len()]);

    let answered = if judge.is_some() { Rows::PairsAndTail } else { Rows::Pairs };
    let all = network.forward(features, size, clips, answered);
    let [all_rows, width] = all.dims();
    let answers = all.clone().slice([0..rows, 0..width]);
    let loss = loss(&answers, &targets, &weights, clips, terms);
    let scalar = |value: Tensor<1>| share * value.into_scalar::<f32>();
    let mut report = StepReport {
        position_mm: 1e3 * scalar(loss.position),
        likelihood: scalar(loss.likelihood),
        ..StepReport::default()
    };
    let mut total = loss.total;

    let movements = judge.map(|judge| {
        let tail = all.slice([rows..all_rows, 0..POSE_VALUES]);
        let answered = adversary::windows(&tail, clips, judge.kind());
        if let Some(term) = judge.persuade(&answered, progress) {
            report.adversarial = Some(scalar(term.clone()));
            total = total.clone() + term;
        }
        (adversary::labelled_windows(batch, judge.kind(), device), answered.detach())
    });

    if batch.labelled < clips && progress >= UNLABELLED_FROM {
        let keypoints = tensor(device, &batch.keypoints, [rows, LOOKAHEADS.len() * POSE_VALUES]);
        let weights = tensor(device, &batch.keypoint_weights, [rows, LOOKAHEADS.len()]);
        let loss = unlabelled_loss(&answers, &keypoints, &weights, clips, &UnlabelledWeights::default());
        report.reprojection_mm = Some(1e3 * scalar(loss.reprojection));
        total = total + loss.total;
    }
    let gradients = GradientsParams::from_grads(total.mul_scalar(share).backward(), network);
    Learnt { report, gradients, movements }
}

fn tensor(device: &Device, values: &[f32], shape: [usize; 2]) -> Tensor<2> {
    Tensor::<1>::from_data(TensorData::from(values), device).reshape(shape)
}

/// Hidden matrices by orthogonalised momentum (Muon) where that is asked for, everything else by Adam.
fn optimizer(is_orthogonalised: bool) -> anyhow::Result<ModuleOptimizer> {
    let clipping = GradientClippingConfig::Norm(1.0);
    let adam = AdamWConfig::new().with_weight_decay(1e-4).with_grad_clipping(Some(clipping)).init();
    if !is_orthogonalised {
        return Ok(adam);
    }
    let hidden = ParamGroup::from_regex(r"(encoder|branches|levels|join|fuse|hindsight).*weight$")
        .map_err(|error| anyhow::anyhow!("the pattern of hidden matrices: {error:?}"))?;
    Ok(adam.with_group(hidden, MuonConfig::new().with_adjust_lr_fn(AdjustLrFn::MatchRmsAdamW).build(), None))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::adversary::TAIL;
    use crate::calibrate;
    use crate::checkpoint::Weights;
    use crate::network::{HEAD_VALUES, HINDSIGHT};

    type Resumed = Trainer;

    fn size() -> LifterSize {
        LifterSize { image_strides: vec![1, 2], encoder: 16, branch: 8, fuse: 16, fuse_residuals: 2, hindsight: 8 }
    }

    fn settings(average_decay: f64) -> LearnSettings {
        LearnSettings {
            size: size(),
            loss: LossWeights::default(),
            is_orthogonalised: true,
            average_decay,
            cycles: 1,
            discriminator: None,
            adversarial_weight: 0.0,
            start_from: None,
        }
    }

    fn adversarial() -> LearnSettings {
        let discriminator = Some(DiscriminatorKind::SpatioTemporal);
        LearnSettings { discriminator, adversarial_weight: 0.1, ..settings(0.9) }
    }

    /// Two parts of a batch.
    const PARTS: [Range<usize>; 2] = [0..3, 3..6];

    /// Any numbers do: the same for the same step and the same part.
    fn batch(step: u64, part: Range<usize>) -> Batch {
        let values = |count: usize, scale: f32| {
            (0..count)
                .map(|index| scale * ((index as f32) * 0.7 + step as f32 + 0.3 * part.start as f32).sin())
                .collect::<Vec<f32>>()
        };
        let (clips, length) = (3, 12);
        let rows = length / 6 * 2 * clips;
        Batch {
            clips,
            length,
            features: values(clips * length * FEATURE_COUNT, 1.0),
            targets: values(rows * LOOKAHEADS.len() * POSE_VALUES, 0.3),
            weights: vec![1.0; rows * LOOKAHEADS.len()],
            tail_targets: values(TAIL * clips * POSE_VALUES, 0.3),
            labelled: 2,
            keypoints: values(rows * LOOKAHEADS.len() * POSE_VALUES, 0.1).iter().map(|value| value.abs()).collect(),
            keypoint_weights: vec![1.0; rows * LOOKAHEADS.len()],
        }
    }

    fn answers(network: &LifterNetwork) -> Vec<f32> {
        let features = Tensor::ones([4, FEATURE_COUNT], &Device::flex());
        let answers = network.forward(features, &size(), 1, Rows::All);
        assert_eq!(answers.dims(), [4, LOOKAHEADS.len() * HEAD_VALUES]);
        answers.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn a_run_taken_up_again_ends_where_one_in_a_piece_ends() {
        let run = tempfile::tempdir().unwrap();
        let mut whole = Resumed::resume(run.path(), &adversarial(), 1, &Hardware::cpu(2)).unwrap();
        whole.save(run.path()).unwrap();
        for step in 0..6 {
            whole.step(&PARTS, |clips| batch(step, clips), 1e-2, 0.5).unwrap();
        }
        for stop in [3, 6] {
            let mut part = Resumed::resume(run.path(), &adversarial(), 1, &Hardware::cpu(1)).unwrap();
            for step in part.step..stop {
                part.step(&PARTS, |clips| batch(step, clips), 1e-2, 0.5).unwrap();
            }
            part.save(run.path()).unwrap();
        }
        let (raw, state) = checkpoint::load(run.path(), Weights::Raw).unwrap();
        let (averaged, _) = checkpoint::load(run.path(), Weights::Averaged).unwrap();
        assert_eq!((state.step, state.average_updates), (6, Some(6)));
        assert_eq!(answers(&raw), answers(&whole.network.valid()));
        assert_eq!(answers(&averaged), answers(&whole.network()));
        assert_ne!(answers(&raw), answers(&averaged));
        let report = whole.step(&PARTS, |clips| batch(6, clips), 1e-2, 0.5).unwrap();
        assert!(report.adversarial.is_some_and(f32::is_finite) && report.discriminator.is_some_and(f32::is_finite));
        assert!(report.reprojection_mm.is_some_and(f32::is_finite));
        let other =
            LearnSettings { discriminator: Some(DiscriminatorKind::Spatial), adversarial_weight: 0.1, ..settings(0.9) };
        let error = Resumed::resume(run.path(), &other, 1, &Hardware::cpu(1)).err().unwrap().to_string();
        assert!(error.contains("SpatioTemporal"), "{error}");
    }

    #[test]
    fn cycles_end_in_the_mean_of_their_ends_taken_up_again_or_not() {
        let run = tempfile::tempdir().unwrap();
        let cyclic = LearnSettings { cycles: 3, ..settings(0.9) };
        let mut whole = Resumed::resume(run.path(), &cyclic, 1, &Hardware::cpu(1)).unwrap();
        whole.save(run.path()).unwrap();
        let learn = |trainer: &mut Resumed, to: u64| {
            for step in trainer.step..to {
                trainer.step(&PARTS, |clips| batch(step, clips), 1e-2, 0.5).unwrap();
                if step % 2 == 1 {
                    trainer.end_cycle();
                }
            }
        };
        learn(&mut whole, 2);
        assert_eq!(answers(&whole.network()), answers(whole.average.as_ref().unwrap().network()), "one end is no mean");
        learn(&mut whole, 6);
        for stop in [3, 6] {
            let mut part = Resumed::resume(run.path(), &cyclic, 1, &Hardware::cpu(1)).unwrap();
            learn(&mut part, stop);
            part.save(run.path()).unwrap();
        }
        let (averaged, state) = checkpoint::load(run.path(), Weights::Averaged).unwrap();
        assert_eq!(state.cycle_ends, Some(3));
        assert_eq!(answers(&averaged), answers(&whole.network()));
        assert_ne!(answers(&averaged), answers(&whole.network.valid()));
        // Whoever asks for a single cycle goes on with the weights of the last step, and their moving average.
        let single = Resumed::resume(run.path(), &settings(0.9), 1, &Hardware::cpu(1)).unwrap();
        assert_eq!(answers(&single.network()), answers(whole.average.as_ref().unwrap().network()));
    }

    /// The GPU of this machine; a driver that computes on the CPU will do. Says so where there is none.
    #[cfg(feature = "gpu")]
    fn gpu(test: &str) -> Option<Hardware> {
        let gpu = Hardware::choose(crate::hardware::HardwareChoice::Gpu, 2);
        gpu.inspect_err(|error| println!("SKIP {test}: {error}")).ok()
    }

    #[test]
    #[cfg(feature = "gpu")]
    fn a_gpu_learns_what_the_cpu_learns_and_each_goes_on_from_the_other() {
        let Some(gpu) = gpu("a_gpu_learns_what_the_cpu_learns_and_each_goes_on_from_the_other") else { return };
        let (run, cpu) = (tempfile::tempdir().unwrap(), Hardware::cpu(1));
        let whole = 0..3;
        let steps = |hardware: &Hardware, from: u64, to: u64| {
            let mut trainer = Resumed::resume(run.path(), &adversarial(), 1, hardware).unwrap();
            assert_eq!(trainer.step, from);
            for step in from..to {
                let report = trainer.step(std::slice::from_ref(&whole), |clips| batch(step, clips), 1e-3, 0.5).unwrap();
                assert!(
                    report.adversarial.is_some_and(f32::is_finite)
                        && report.reprojection_mm.is_some_and(f32::is_finite)
                );
            }
            trainer
        };
        steps(&cpu, 0, 3).save(run.path()).unwrap();
        let assert_close = |a: Vec<f32>, b: Vec<f32>| {
            for (a, b) in a.iter().zip(&b) {
                assert!((a - b).abs() < 1e-3, "{a} instead of {b}");
            }
        };
        let (on_gpu, on_cpu) = (steps(&gpu, 3, 8), steps(&cpu, 3, 8));
        assert_close(answers(&on_gpu.network()), answers(&on_cpu.network()));
        assert_ne!(answers(&on_cpu.network()), answers(&steps(&cpu, 3, 3).network()), "nothing was learnt");
        on_gpu.save(run.path()).unwrap();
        let (on_gpu, on_cpu) = (steps(&gpu, 8, 10), steps(&cpu, 8, 10));
        assert_close(answers(&on_gpu.network()), answers(&on_cpu.network()));
    }

    #[test]
    fn without_an_average_there_is_no_file_of_it_and_another_size_is_refused() {
        let run = tempfile::tempdir().unwrap();
        let trainer = Resumed::resume(run.path(), &settings(0.0), 1, &Hardware::cpu(1)).unwrap();
        trainer.save(run.path()).unwrap();
        assert!(!run.path().join("step-0/average.bpk").exists());
        let (averaged, _) = checkpoint::load(run.path(), Weights::Averaged).unwrap();
        assert_eq!(answers(&averaged), answers(&trainer.network()));
        let larger = LearnSettings { size: LifterSize { fuse: 32, ..size() }, ..settings(0.0) };
        let error = Resumed::resume(run.path(), &larger, 1, &Hardware::cpu(1)).err().unwrap().to_string();
        assert!(error.contains("fuse: 16") && error.contains("fuse: 32"), "{error}");
    }

    #[test]
    fn a_new_run_starts_from_a_model_folder_and_one_taken_up_again_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let (model, other, run) = (folder.path().join("model"), folder.path().join("other"), folder.path().join("run"));
        std::fs::create_dir(&run).unwrap();
        let export = |of: &Path, steps: u64| {
            let mut trainer =
                Resumed::resume(&folder.path().join("none"), &settings(0.0), 1, &Hardware::cpu(1)).unwrap();
            for step in 0..steps {
                trainer.step(&PARTS, |clips| batch(step, clips), 1e-2, 0.5).unwrap();
            }
            let features = vec![0.5; FEATURE_COUNT];
            crate::export::export(&trainer.network(), &size(), &calibrate::unit(), "test", &features, of).unwrap();
            answers(&trainer.network())
        };
        let exported = export(&model, 4);
        export(&other, 5);
        let from = |start: &Path| LearnSettings { start_from: Some(start.to_owned()), ..settings(0.9) };

        let mut trainer = Resumed::resume(&run, &from(&model), 7, &Hardware::cpu(1)).unwrap();
        assert_eq!(answers(&trainer.network()), exported, "bit by bit, average and all");
        trainer.step(&PARTS, |clips| batch(9, clips), 1e-2, 0.5).unwrap();
        assert_ne!(answers(&trainer.network.valid()), exported);
        trainer.save(&run).unwrap();
        let trained = answers(&trainer.network.valid());
        for settings in [from(&model), settings(0.9)] {
            let again = Resumed::resume(&run, &settings, 7, &Hardware::cpu(1)).unwrap();
            assert_eq!((again.step, answers(&again.network.valid())), (1, trained.clone()));
            again.save(&run).unwrap();
        }
        let error = Resumed::resume(&run, &from(&other), 7, &Hardware::cpu(1)).err().unwrap().to_string();
        assert!(error.contains("started from other weights"), "{error}");
        let larger = LearnSettings { size: LifterSize { fuse: 32, ..size() }, ..from(&model) };
        let error =
            format!("{:#}", Resumed::resume(&folder.path().join("new"), &larger, 1, &Hardware::cpu(1)).err().unwrap());
        assert!(error.contains("fuse: 16") && error.contains("fuse: 32"), "{error}");
    }

    #[test]
    fn weights_without_hindsight_answer_as_before_and_begin_to_have_it() {
        let folder = tempfile::tempdir().unwrap();
        let plain = LifterSize { hindsight: 0, ..size() };
        let settings = |size: &LifterSize, start_from: Option<&Path>| LearnSettings {
            size: size.clone(),
            start_from: start_from.map(Path::to_owned),
            ..settings(0.0)
        };
        let mut trainer =
            Resumed::resume(&folder.path().join("none"), &settings(&plain, None), 1, &Hardware::cpu(1)).unwrap();
        for step in 0..3 {
            trainer.step(&PARTS, |clips| batch(step, clips), 1e-2, 0.5).unwrap();
        }
        let model = folder.path().join("model");
        let golden: Vec<f32> = (0..30 * FEATURE_COUNT).map(|index| (index as f32 * 0.31).sin()).collect();
        crate::export::export(&trainer.network(), &plain, &calibrate::unit(), "test", &golden, &model).unwrap();

        let long = |network: &LifterNetwork, size: &LifterSize| -> Vec<f32> {
            let features = Tensor::<1>::from_data(TensorData::from(golden.as_slice()), &Device::flex());
            let answers = network.forward(features.reshape([30, FEATURE_COUNT]), size, 1, Rows::All);
            answers.into_data().try_to_vec().unwrap()
        };
        let before = long(&trainer.network(), &plain);
        let mut trainer =
            Resumed::resume(&folder.path().join("run"), &settings(&size(), Some(&model)), 7, &Hardware::cpu(1))
                .unwrap();
        let all_after = long(&trainer.network(), &size());
        let width = LOOKAHEADS.len() * HEAD_VALUES;
        for (time, (before, after)) in before.chunks_exact(width).zip(all_after.chunks_exact(width)).enumerate() {
            assert_eq!(after[..2 * HEAD_VALUES], before[..2 * HEAD_VALUES]);
            if let Some(then) = time.checked_sub(HINDSIGHT) {
                let then = &all_after[then * width..][..HEAD_VALUES];
                assert_eq!(after[2 * HEAD_VALUES..], *then, "sample {time} answers what was answered then");
            }
        }
        trainer.step(&PARTS, |clips| batch(9, clips), 1e-2, 0.5).unwrap();
        let hindsight = trainer.network.hindsight.clone().unwrap();
        assert!(hindsight.outer.weight.val().abs().max().into_scalar::<f32>() > 0.0, "it learns");
    }

    #[test]
    fn weights_with_fewer_residuals_answer_as_before_and_get_more() {
        let folder = tempfile::tempdir().unwrap();
        let (model, run) = (folder.path().join("model"), folder.path().join("run"));
        let mut trainer = Resumed::resume(&run, &settings(0.0), 1, &Hardware::cpu(1)).unwrap();
        for step in 0..3 {
            trainer.step(&PARTS, |clips| batch(step, clips), 1e-2, 0.5).unwrap();
        }
        let features = vec![0.5; FEATURE_COUNT];
        crate::export::export(&trainer.network(), &size(), &calibrate::unit(), "test", &features, &model).unwrap();

        let with = |fuse_residuals: usize| LearnSettings {
            size: LifterSize { fuse_residuals, ..size() },
            start_from: Some(model.clone()),
            ..settings(0.0)
        };
        let mut grown = Resumed::resume(&run, &with(4), 7, &Hardware::cpu(1)).unwrap();
        assert_eq!(grown.network.fuse.len(), 4);
        assert_eq!(answers(&grown.network()), answers(&trainer.network()), "bit by bit");
        grown.step(&PARTS, |clips| batch(9, clips), 1e-2, 0.5).unwrap();
        for new in &grown.network.fuse[2..] {
            assert!(new.outer.weight.val().abs().max().into_scalar::<f32>() > 0.0, "it learns");
        }
        let error = format!("{:#}", Resumed::resume(&run, &with(1), 7, &Hardware::cpu(1)).err().unwrap());
        assert!(error.contains("fuse_residuals: 2") && error.contains("fuse_residuals: 1"), "{error}");
    }

    #[test]
    fn weights_that_are_not_finite_are_neither_saved_nor_exported() {
        let folder = tempfile::tempdir().unwrap();
        let mut trainer = Resumed::resume(folder.path(), &settings(0.0), 1, &Hardware::cpu(1)).unwrap();
        trainer.step(&PARTS, |clips| batch(0, clips), f64::NAN, 0.5).unwrap();
        let error = format!("{:#}", trainer.save(folder.path()).unwrap_err());
        assert!(error.contains("no checkpoint at step 1") && error.contains("not finite"), "{error}");
        let (model, features) = (folder.path().join("model"), vec![0.5; FEATURE_COUNT]);
        let exported =
            crate::export::export(&trainer.network(), &size(), &calibrate::unit(), "test", &features, &model);
        assert!(exported.unwrap_err().to_string().contains("not finite"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_loss_that_is_not_finite_ends_the_run() {
        let run = tempfile::tempdir().unwrap();
        let mut trainer = Resumed::resume(run.path(), &settings(0.0), 1, &Hardware::cpu(1)).unwrap();
        let broken = |part: Range<usize>| {
            let mut broken = batch(0, part);
            broken.targets[0] = f32::NAN;
            broken
        };
        let error = trainer.step(&PARTS, broken, 1e-2, 0.5).err().unwrap().to_string();
        assert!(error.contains("step 0"), "{error}");
    }
}
