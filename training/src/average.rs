//! Exponential moving average of weights: what a run is judged by and what is exported, since it lies nearer to the
//! middle of the valley that the last steps wander about in (Polyak and Juditsky 1992).
//!
//! `average <- d average + (1 - d) weights` after every step, with `d = min(decay, (1 + n) / (10 + n))` after `n`
//! updates, so that the start of a run is forgotten soon.

use burn::module::{ModuleMapper, ModuleVisitor, Param, ParamId, list_param_ids};
use burn::optim::GradientsParams;
use burn::prelude::*;

/// The average of the weights of a network that is being trained.
pub struct WeightAverage<M: Module> {
    average: M,
    decay: f64,
    updates: u64,
}

impl<M: Module> WeightAverage<M> {
    /// An average of which `updates` have been taken. `average` is a network without gradients.
    pub fn new(average: M, decay: f64, updates: u64) -> Self {
        Self { average, decay, updates }
    }

    /// Takes in the weights of `network`, whose parameters are those of the average (the same ids).
    pub fn update(&mut self, network: &M) {
        let n = self.updates as f64;
        let decay = self.decay.min((1.0 + n) / (10.0 + n));
        self.average = moved(&self.average, network, (1.0 - decay) as f32);
        self.updates += 1;
    }

    /// The average, without gradients.
    pub fn network(&self) -> &M {
        &self.average
    }

    /// Updates taken.
    pub fn updates(&self) -> u64 {
        self.updates
    }
}

/// Ends of cycles from which on their mean is used: one is no mean.
pub const ENDS_OF_A_MEAN: u64 = 2;

/// Even mean of the weights at the ends of the cycles of a schedule: wider valleys than any end (stochastic weight averaging,
/// Izmailov et al. 2018, arXiv 1803.05407).
pub struct MeanOfEnds<M: Module> {
    mean: M,
    ends: u64,
}

impl<M: Module> MeanOfEnds<M> {
    /// The mean of `ends` ends, `mean`, a network without gradients; any network of the right parameters if there are none yet.
    pub fn new(mean: M, ends: u64) -> Self {
        Self { mean, ends }
    }

    /// Takes in the weights of `network` at the end of a cycle.
    pub fn take(&mut self, network: &M) {
        self.ends += 1;
        self.mean = moved(&self.mean, network, 1.0 / self.ends as f32);
    }

    /// The mean, without gradients.
    pub fn network(&self) -> &M {
        &self.mean
    }

    /// Ends taken in.
    pub fn ends(&self) -> u64 {
        self.ends
    }
}

/// `average` with `share` of the weights of `network`, a network that is being trained and has the same parameter ids.
fn moved<M: Module>(average: &M, network: &M, share: f32) -> M {
    let mut weights = Weights(GradientsParams::new());
    network.valid().visit(&mut weights);
    average.clone().map(&mut Blend { towards: weights.0, share })
}

/// `network` with `share` of the weights of `other`, which has the same sizes.
pub fn blended<M: Module>(network: M, other: &M, share: f32) -> M {
    let ids = list_param_ids(&network).into_iter();
    let mut weights = WeightsUnder { ids, weights: GradientsParams::new() };
    other.visit(&mut weights);
    network.map(&mut Blend { towards: weights.weights, share })
}

/// Tensors under the parameter ids of another network of the same kind.
struct WeightsUnder {
    ids: std::vec::IntoIter<ParamId>,
    weights: GradientsParams,
}

impl ModuleVisitor for WeightsUnder {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(id) = self.ids.next() {
            self.weights.register(id, param.val());
        }
    }
}

/// Tensors by parameter id; burn's container for gradients is one of those.
struct Weights(GradientsParams);

impl ModuleVisitor for Weights {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.register(param.id, param.val());
    }
}

struct Blend {
    towards: GradientsParams,
    share: f32,
}

impl ModuleMapper for Blend {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(weights) = self.towards.remove::<D>(param.id) else { return param };
        let share = self.share;
        param.map(|average| average.clone() + (weights - average).mul_scalar(share))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use burn::nn::{Initializer, Linear, LinearConfig};

    fn constant(network: &Linear, value: f32) -> Linear {
        struct Fill(f32);
        impl ModuleMapper for Fill {
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                param.map(|tensor| tensor.zeros_like().add_scalar(self.0))
            }
        }
        network.clone().map(&mut Fill(value))
    }

    fn values(network: &Linear) -> Vec<f32> {
        network.weight.val().into_data().try_to_vec().unwrap()
    }

    #[test]
    fn the_average_follows_the_formula() {
        let device = Device::flex().autodiff();
        let network = LinearConfig::new(2, 3).with_initializer(Initializer::Zeros).init(&device);
        let mut average = WeightAverage::new(network.valid(), 0.5, 0);
        let mut expected = 0.0_f64;
        for (n, weight) in [1.0_f64, 4.0, -2.0, 7.0, 1.0, 0.0, 3.0, 3.0, 9.0, 2.0, 5.0].into_iter().enumerate() {
            average.update(&constant(&network, weight as f32));
            let decay = ((1.0 + n as f64) / (10.0 + n as f64)).min(0.5);
            expected = decay * expected + (1.0 - decay) * weight;
            for value in values(average.network()) {
                assert!((f64::from(value) - expected).abs() < 1e-5, "update {n}: {value} against {expected}");
            }
        }
        assert_eq!(average.updates(), 11);
    }

    #[test]
    fn every_end_counts_as_much() {
        let device = Device::flex().autodiff();
        let network: Linear = LinearConfig::new(2, 3).init(&device);
        let mut mean = MeanOfEnds::new(network.valid(), 0);
        for weight in [1.0, 4.0, -2.0, 5.0] {
            mean.take(&constant(&network, weight));
        }
        assert_eq!(mean.ends(), 4);
        assert!(values(mean.network()).iter().all(|value| (value - 2.0).abs() < 1e-6));
    }

    #[test]
    fn constant_weights_stay_as_they_are() {
        let device = Device::flex().autodiff();
        let network = constant(&LinearConfig::new(4, 4).init(&device), 0.25);
        let mut average = WeightAverage::new(network.valid(), 0.999, 0);
        for _ in 0..50 {
            average.update(&network);
        }
        assert_eq!(values(average.network()), values(&network));
    }
}
