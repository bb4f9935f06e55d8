//! The overlay pictures of a result bag, JPEG as they lie there.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;

use crate::adapters::bag::{Bag, BagError};
use crate::adapters::messages::from_cdr;
use crate::adapters::messages::sensor_msgs::CompressedImage;
use crate::adapters::result_writer::OVERLAY_TOPIC;
use crate::data::Stamp;

/// Stamps of the images that have a picture; none where the bag has no overlays.
///
/// # Errors
/// [`BagError`] when the bag cannot be read.
pub fn overlay_stamps(path: &Path) -> Result<BTreeSet<Stamp>, BagError> {
    let mut stamps = BTreeSet::new();
    visit(path, &mut |image| {
        stamps.insert(image.header.stamp);
    })?;
    Ok(stamps)
}

/// The pictures of the images `wanted`.
///
/// # Errors
/// [`BagError`] when the bag cannot be read.
pub fn read_overlays(path: &Path, wanted: &BTreeSet<Stamp>) -> Result<BTreeMap<Stamp, Vec<u8>>, BagError> {
    let mut pictures = BTreeMap::new();
    if !wanted.is_empty() {
        visit(path, &mut |image| {
            if wanted.contains(&image.header.stamp) {
                pictures.insert(image.header.stamp, image.data.to_vec());
            }
        })?;
    }
    Ok(pictures)
}

/// Messages that cannot be decoded are no pictures.
fn visit(path: &Path, take: &mut dyn FnMut(&CompressedImage<'_>)) -> Result<(), BagError> {
    let mut bag = Bag::open(path)?;
    if !bag.topics().iter().any(|topic| topic.name == OVERLAY_TOPIC) {
        return Ok(());
    }
    bag.read::<BagError>(&[OVERLAY_TOPIC.to_owned()], &mut |message| {
        if let Ok(image) = from_cdr::<CompressedImage<'_>>(message.data) {
            take(&image);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(())
}
