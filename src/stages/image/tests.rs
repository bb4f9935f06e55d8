#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use proptest::prelude::*;
use serde::Deserialize;

/// See `tests/goldens/image_encodings.py` for versions, tolerances and their reasons.
#[derive(Deserialize)]
struct Goldens {
    raw: Vec<RawGolden>,
    files: Vec<FileGolden>,
}

#[derive(Deserialize)]
struct RawGolden {
    encoding: String,
    width: u32,
    height: u32,
    step: u32,
    data: Vec<u8>,
    rgb: Vec<u8>,
    border: u32,
}

#[derive(Deserialize)]
struct FileGolden {
    name: String,
    width: u32,
    height: u32,
    data: Vec<u8>,
    rgb: Vec<u8>,
    tolerance: u8,
}

fn goldens() -> Goldens {
    serde_json::from_str(include_str!("../../../tests/goldens/image_encodings.json")).unwrap()
}

fn raw<'a>(encoding: &'a str, width: u32, height: u32, step: u32, data: &'a [u8]) -> EncodedImage<'a> {
    EncodedImage::Raw { width, height, encoding, step, big_endian: false, data }
}

#[test]
fn raw_encodings_agree_with_opencv() {
    for golden in goldens().raw {
        let RawGolden { encoding, width, height, step, data, rgb, border } = golden;
        let decoded = decode(&raw(&encoding, width, height, step, &data)).unwrap();
        for y in border..height - border {
            for x in border..width - border {
                for channel in 0..3 {
                    let expected = rgb[((y * width + x) * 3 + channel) as usize];
                    let actual = decoded.get_pixel(x, y).0[channel as usize];
                    assert!(
                        actual.abs_diff(expected) <= 1,
                        "{encoding} ({x}, {y}) channel {channel}: {actual}, OpenCV {expected}"
                    );
                }
            }
        }
    }
}

#[test]
fn compressed_images_agree_with_opencv() {
    let mut rgb = RgbImage::default();
    for FileGolden { name, width, height, data, rgb: expected, tolerance } in goldens().files {
        decode_into(&EncodedImage::Compressed { format: "jpeg", data: &data }, &mut rgb).unwrap();
        assert_eq!(rgb.dimensions(), (width, height), "{name}");
        let worst = rgb.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(worst <= tolerance, "{name} differs by {worst}");
    }
}

#[test]
fn plain_channels_are_reordered_and_row_padding_is_skipped() {
    // Two rows of one pixel, each row padded to 5 bytes.
    let data = [1, 2, 3, 4, 99, 5, 6, 7, 8, 99];
    let pixels = |encoding| decode(&raw(encoding, 1, 2, 5, &data)).unwrap().into_raw();
    assert_eq!(pixels("rgb8"), [1, 2, 3, 5, 6, 7]);
    assert_eq!(pixels("bgr8"), [3, 2, 1, 7, 6, 5]);
    assert_eq!(pixels("8UC3"), [3, 2, 1, 7, 6, 5]);
    assert_eq!(pixels("rgba8"), [1, 2, 3, 5, 6, 7]);
    assert_eq!(pixels("bgra8"), [3, 2, 1, 7, 6, 5]);
    assert_eq!(pixels("8UC4"), [3, 2, 1, 7, 6, 5]);
    assert_eq!(pixels("mono8"), [1, 1, 1, 5, 5, 5]);
    assert_eq!(pixels("8UC1"), [1, 1, 1, 5, 5, 5]);
}

#[test]
fn mono16_honours_its_byte_order() {
    let data = [0xff, 0xff, 0x00, 0x80];
    let image =
        |big_endian| EncodedImage::Raw { width: 2, height: 1, encoding: "mono16", step: 4, big_endian, data: &data };
    assert_eq!(decode(&image(false)).unwrap().into_raw(), [255, 255, 255, 128, 128, 128]);
    assert_eq!(decode(&image(true)).unwrap().into_raw(), [255, 255, 255, 0, 0, 0]);
}

#[test]
fn nv24_has_chroma_for_every_pixel() {
    // Two pixels: grey, and the reddest V.
    let data = [126, 126, 128, 128, 128, 255];
    assert_eq!(decode(&raw("nv24", 2, 1, 2, &data)).unwrap().into_raw(), [128, 128, 128, 255, 25, 128]);
}

#[test]
fn a_uniform_mosaic_stays_uniform_up_to_the_border() {
    for encoding in ["bayer_rggb8", "bayer_bggr8", "bayer_gbrg8", "bayer_grbg8"] {
        for (width, height) in [(1, 1), (1, 5), (5, 1), (2, 2), (5, 3)] {
            let data = vec![77; (width * height) as usize];
            let decoded = decode(&raw(encoding, width, height, width, &data)).unwrap();
            assert!(decoded.iter().all(|&value| value == 77), "{encoding} {width}x{height}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_with_the_numbers() {
    let data = [0; 12];
    let error = |encoding, width, height, step| decode(&raw(encoding, width, height, step, &data)).unwrap_err();
    assert!(matches!(error("rgb8", 2, 2, 5), ImageError::Step { step: 5, minimum: 6, .. }));
    assert!(matches!(error("rgb8", 2, 3, 6), ImageError::Length { actual: 12, expected: 18, .. }));
    assert!(matches!(error("rgb8", 2, 1, 6), ImageError::Length { actual: 12, expected: 6, .. }));
    assert!(matches!(error("rgb8", 0, 2, 6), ImageError::Size { width: 0, height: 2 }));
    assert!(matches!(error("mono8", u32::MAX, u32::MAX, u32::MAX), ImageError::Size { .. }));
    assert!(matches!(error("yuyv", 3, 2, 6), ImageError::OddSize { width: 3, .. }));
    assert!(matches!(error("nv12", 4, 3, 4), ImageError::OddSize { height: 3, .. }));
    assert!(matches!(error("32FC1", 3, 1, 12), ImageError::Encoding { .. }));
    let text = error("32FC1", 3, 1, 12).to_string();
    assert!(text.contains("32FC1") && text.contains("bayer_rggb8"), "{text}");
}

#[test]
fn a_jpeg_cut_anywhere_is_refused_and_a_png_too() {
    for FileGolden { name, data, .. } in goldens().files {
        for length in 0..data.len() - 1 {
            let cut = EncodedImage::Compressed { format: "jpeg", data: &data[..length] };
            // A PNG may lack its closing chunk (12 bytes), all pixels came before.
            let complete = name.starts_with("png") && length + 12 >= data.len();
            assert!(complete || decode(&cut).is_err(), "{name} cut at {length} of {} was accepted", data.len());
        }
    }
}

#[test]
fn a_decompression_bomb_is_refused_by_its_header() {
    // A PNG header that promises 60000 x 60000 pixels.
    let mut data = goldens().files[0].data.clone();
    data[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
    data[20..24].copy_from_slice(&60_000_u32.to_be_bytes());
    let crc = crc32(&data[12..29]);
    data[29..33].copy_from_slice(&crc.to_be_bytes());
    let error = decode(&EncodedImage::Compressed { format: "png", data: &data }).unwrap_err();
    assert_eq!(error, ImageError::Size { width: 60_000, height: 60_000 });
}

fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(!0_u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[test]
fn the_buffer_is_reused() {
    let mut rgb = RgbImage::new(4, 4);
    let memory = rgb.as_ptr();
    decode_into(&raw("rgb8", 2, 2, 6, &[9; 12]), &mut rgb).unwrap();
    assert_eq!((rgb.dimensions(), rgb.as_ptr()), ((2, 2), memory));
    assert!(rgb.iter().all(|&value| value == 9));
}

proptest! {
    #[test]
    fn no_input_panics(
        width in 0_u32..9, height in 0_u32..9, step in 0_u32..40, extra in 0_usize..3, choice in 0_usize..16, seed: u8,
    ) {
        const ENCODINGS: [&str; 16] = [
            "rgb8", "bgr8", "rgba8", "bgra8", "mono8", "mono16", "uyvy", "yuyv", "nv12", "nv21", "nv24",
            "bayer_rggb8", "bayer_bggr8", "bayer_gbrg8", "bayer_grbg8", "",
        ];
        let rows = height as usize * if choice == 10 { 3 } else { 1 };
        let half = if choice == 8 || choice == 9 { rows / 2 } else { 0 };
        let data = vec![seed; (rows + half) * step as usize + extra.saturating_sub(1)];
        if let Ok(decoded) = decode(&raw(ENCODINGS[choice], width, height, step, &data)) {
            prop_assert_eq!(decoded.dimensions(), (width, height));
        }
    }

    #[test]
    fn no_damaged_file_panics(which in 0_usize..7, position in 0_usize..700, value: u8) {
        let mut data = goldens().files[which].data.clone();
        let position = position % data.len();
        data[position] = value;
        let _ = decode(&EncodedImage::Compressed { format: "", data: &data });
    }
}
