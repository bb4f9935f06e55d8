//! JPEG and PNG → RGB. The bytes decide which it is; the `format` of a message is only quoted in errors.
//!
//! A JPEG without its end marker is refused: decoders fill what is missing with grey, and a detector would take that
//! for the scene.

use std::io::Cursor;

use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::PngDecoder;
use image::{ColorType, ImageDecoder, RgbImage};

use super::{ImageError, check_size, eight_bits, resized};

const JPEG_END: [u8; 2] = [0xff, 0xd9];

/// Decodes the file in `data`.
pub fn decode(format: &str, data: &[u8], rgb: &mut RgbImage) -> Result<(), ImageError> {
    let damaged = |container| {
        move |error: image::ImageError| ImageError::Damaged { container, bytes: data.len(), reason: error.to_string() }
    };
    if data.starts_with(&[0xff, 0xd8, 0xff]) {
        // From the end, where it lies in a whole file.
        if !data.windows(2).rev().any(|pair| pair == JPEG_END) {
            let reason = "the end marker ff d9 is missing, the picture was cut".to_owned();
            return Err(ImageError::Damaged { container: "JPEG", bytes: data.len(), reason });
        }
        let decoder = JpegDecoder::new(Cursor::new(data)).map_err(damaged("JPEG"))?;
        read(decoder, "JPEG", data.len(), rgb)
    } else if data.starts_with(&[0x89, b'P', b'N', b'G']) {
        let decoder = PngDecoder::new(Cursor::new(data)).map_err(damaged("PNG"))?;
        read(decoder, "PNG", data.len(), rgb)
    } else {
        let start: Vec<String> = data.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let start = if start.is_empty() { "nothing".to_owned() } else { start.join(" ") };
        Err(ImageError::Format { format: format.to_owned(), start })
    }
}

fn read(
    decoder: impl ImageDecoder,
    container: &'static str,
    bytes: usize,
    rgb: &mut RgbImage,
) -> Result<(), ImageError> {
    let damaged = |reason: String| ImageError::Damaged { container, bytes, reason };
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    let color = decoder.color_type();
    if color == ColorType::Rgb8 {
        return decoder.read_image(resized(rgb, width, height)).map_err(|error| damaged(error.to_string()));
    }
    let mut pixels = vec![0; width as usize * height as usize * usize::from(color.bytes_per_pixel())];
    decoder.read_image(&mut pixels).map_err(|error| damaged(error.to_string()))?;
    let out = resized(rgb, width, height).chunks_exact_mut(3);
    // 16-bit samples lie in native byte order.
    let wide =
        |pixel: &[u8], channel: usize| eight_bits(u16::from_ne_bytes([pixel[2 * channel], pixel[2 * channel + 1]]));
    let pixels = pixels.chunks_exact(usize::from(color.bytes_per_pixel()));
    match color {
        ColorType::L8 | ColorType::La8 => out.zip(pixels).for_each(|(out, pixel)| out.fill(pixel[0])),
        ColorType::Rgba8 => out.zip(pixels).for_each(|(out, pixel)| out.copy_from_slice(&pixel[..3])),
        ColorType::L16 | ColorType::La16 => out.zip(pixels).for_each(|(out, pixel)| out.fill(wide(pixel, 0))),
        ColorType::Rgb16 | ColorType::Rgba16 => out.zip(pixels).for_each(|(out, pixel)| {
            out.copy_from_slice(&[wide(pixel, 0), wide(pixel, 1), wide(pixel, 2)]);
        }),
        other => return Err(damaged(format!("pixels of type {other:?} are not read"))),
    }
    Ok(())
}
