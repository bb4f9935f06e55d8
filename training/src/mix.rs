//! The mean of the weights of two networks.
//!
//! Two runs from the same weights end on two sides of one valley; what lies between them is often better than either end
//! (Wortsman et al. 2022, arXiv 2203.05482), and costs nothing in use.

use std::fmt::Debug;
use std::path::Path;

use burn::prelude::*;

use crate::average;
use crate::import;
use crate::import_multi_scale;
use crate::multi_scale::{MultiScaleNetwork, MultiScaleSize};
use crate::network::{LifterNetwork, LifterSize};

/// The 2D `network` with `share` of the weights of the network in the model folder `other`, 0 to 1.
///
/// # Errors
/// When the share is none, or the folder holds no 2D network of these sizes, whatever its pictures' size.
pub fn mixed(
    network: MultiScaleNetwork,
    size: &MultiScaleSize,
    other: &Path,
    share: f64,
) -> anyhow::Result<MultiScaleNetwork> {
    blended(network, size, other, share, || {
        let (from, found) = import_multi_scale::model(other)?;
        Ok((from, MultiScaleSize { width_px: size.width_px, height_px: size.height_px, ..found }))
    })
}

/// The lifter `network` with `share` of the weights of the lifter in the model folder `other`, 0 to 1.
///
/// # Errors
/// When the share is none, or the folder holds no lifter of these sizes.
pub fn lifter(network: LifterNetwork, size: &LifterSize, other: &Path, share: f64) -> anyhow::Result<LifterNetwork> {
    blended(network, size, other, share, || {
        let from = import::lifter(other, &Device::flex())?;
        Ok((from.network, from.size))
    })
}

/// `load` brings what lies in the folder `other`.
fn blended<M: Module, S: PartialEq + Debug>(
    network: M,
    size: &S,
    other: &Path,
    share: f64,
    load: impl FnOnce() -> anyhow::Result<(M, S)>,
) -> anyhow::Result<M> {
    anyhow::ensure!((0.0..=1.0).contains(&share), "a share of {share}: it must be 0 to 1");
    let (from, found) = load()?;
    anyhow::ensure!(
        found == *size,
        "{} has another size and cannot be mixed in: it is {found:?}, wanted is {size:?}",
        other.display()
    );
    Ok(average::blended(network, &from, share as f32))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    use crate::export::floats;
    use crate::export_model;
    use stridepose::model::SCORE_KNOTS;

    fn size() -> MultiScaleSize {
        MultiScaleSize {
            width_px: 64,
            height_px: 64,
            stem: 4,
            channels: vec![4, 6],
            modules: vec![2, 2],
            blocks: vec![1, 2],
            head: 5,
            outputs: 17,
        }
    }

    #[test]
    fn weights_lie_between_those_of_both() {
        let device = Device::flex();
        let (own, other) = (MultiScaleNetwork::new(&size(), &device), MultiScaleNetwork::new(&size(), &device));
        let folder = tempfile::tempdir().unwrap();
        export_model::keypoints(folder.path(), &other, &size(), &[0.5; SCORE_KNOTS], "a test").unwrap();
        let stem = |network: &MultiScaleNetwork| floats(network.stem[1].weight.val());
        let mixed_in = |share: f64| stem(&mixed(own.clone(), &size(), folder.path(), share).unwrap());
        assert_eq!(mixed_in(0.0), stem(&own));
        for ((mean, own), other) in mixed_in(0.25).iter().zip(stem(&own)).zip(stem(&other)) {
            // The folder has half precision.
            assert!((mean - (0.75 * own + 0.25 * other)).abs() < 1e-3, "{mean} of {own} and {other}");
        }
        let refusal = |size: &MultiScaleSize, share: f64| {
            let network = MultiScaleNetwork::new(size, &device);
            format!("{:#}", mixed(network, size, folder.path(), share).unwrap_err())
        };
        assert!(refusal(&size(), 1.5).contains("a share of 1.5: it must be 0 to 1"));
        let wider = MultiScaleSize { stem: 6, ..size() };
        assert!(refusal(&wider, 0.5).contains("cannot be mixed in"), "{}", refusal(&wider, 0.5));
    }
}
