//! Pixels: compressed pictures, and raw ones of every encoding with any size and step.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stridepose::stages::image::{EncodedImage, decode};

const ENCODINGS: [&str; 17] = [
    "rgb8",
    "bgr8",
    "rgba8",
    "bgra8",
    "mono8",
    "mono16",
    "yuv422",
    "yuv422_yuy2",
    "uyvy",
    "yuyv",
    "nv12",
    "nv21",
    "bayer_rggb8",
    "bayer_bggr8",
    "bayer_gbrg8",
    "bayer_grbg8",
    "8UC3",
];

fuzz_target!(|data: &[u8]| {
    let [kind, a, b, c, d, e, pixels @ ..] = data else { return };
    if kind % 2 == 0 {
        let format = ["jpeg", "png", "rgb8; jpeg compressed bgr8", ""][usize::from(kind / 2 % 4)];
        let _ = decode(&EncodedImage::Compressed { format, data: &data[1..] });
        return;
    }
    let (width, height) = (u32::from(*a), u32::from(*b));
    let step = u32::from(u16::from_le_bytes([*c, *d]));
    let encoding = ENCODINGS[usize::from(*e) % ENCODINGS.len()];
    let big_endian = kind % 4 == 1;
    let _ = decode(&EncodedImage::Raw { width, height, encoding, step, big_endian, data: pixels });
});
