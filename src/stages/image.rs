//! Encoded image bytes → 8-bit RGB, row by row, top left first.
//!
//! Raw encodings are those of `sensor_msgs/image_encodings`; compressed ones JPEG and PNG. Colour conversions:
//! - YUV: ITU-R BT.601, limited range (Y 16–235), as `cv_bridge` and `OpenCV` convert; chroma of subsampled formats is
//!   repeated, not interpolated.
//! - Bayer: bilinear interpolation, mirrored at the border.
//! - 16-bit grey: scaled by 1/257 and rounded, so that 65535 becomes 255.
//! - Alpha is dropped.
//!
//! Guarantees: a size, row step or length that does not fit is refused with the numbers, before anything of that size
//! is allocated; nothing above [`MAX_PIXELS`] is decoded; the output buffer is reused; no panic on any input.

mod bayer;
mod compressed;
mod yuv;

use image::RgbImage;

/// Largest image that is decoded, in pixels.
pub const MAX_PIXELS: u64 = 100_000_000;

/// An image as it lies in a message, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodedImage<'a> {
    /// `sensor_msgs/Image`.
    Raw {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// Pixel format, a name of `sensor_msgs/image_encodings`.
        encoding: &'a str,
        /// Bytes per row, padding included.
        step: u32,
        /// Whether 16-bit pixels are big endian.
        big_endian: bool,
        /// The pixels.
        data: &'a [u8],
    },
    /// `sensor_msgs/CompressedImage`.
    Compressed {
        /// What the writer says about the format; the bytes themselves decide.
        format: &'a str,
        /// The JPEG or PNG file.
        data: &'a [u8],
    },
}

/// An image that cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// No pixels, or too many.
    #[error("image is {width}x{height}, expected 1 to {MAX_PIXELS} pixels")]
    Size {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// A subsampled format with an odd size.
    #[error("{encoding} image is {width}x{height}, its subsampled colour needs {needed}")]
    OddSize {
        /// Pixel format.
        encoding: String,
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// What the format needs.
        needed: &'static str,
    },
    /// Rows shorter than their pixels.
    #[error("step is {step} bytes, {width} columns of {encoding} need at least {minimum}")]
    Step {
        /// Bytes per row.
        step: u32,
        /// Columns.
        width: u32,
        /// Pixel format.
        encoding: String,
        /// Fewest bytes per row.
        minimum: u64,
    },
    /// Data that is not `step` times the rows.
    #[error("data is {actual} bytes, {height} rows of {encoding} with step {step} need {expected}")]
    Length {
        /// Bytes there are.
        actual: usize,
        /// Rows.
        height: u32,
        /// Pixel format.
        encoding: String,
        /// Bytes per row.
        step: u32,
        /// Bytes there should be.
        expected: u64,
    },
    /// A pixel format that is not read.
    #[error(
        "encoding \"{encoding}\" is not read; read are rgb8 bgr8 rgba8 bgra8 mono8 mono16 8UC1 8UC3 8UC4 uyvy yuyv \
         yuv422 yuv422_yuy2 nv12 nv21 nv24 and bayer_rggb8 bayer_bggr8 bayer_gbrg8 bayer_grbg8"
    )]
    Encoding {
        /// Its name.
        encoding: String,
    },
    /// A compressed format that is neither JPEG nor PNG.
    #[error("compressed image of format \"{format}\" starts with {start}, which is neither JPEG nor PNG")]
    Format {
        /// What the writer says.
        format: String,
        /// First bytes, hexadecimal.
        start: String,
    },
    /// A JPEG or PNG that is damaged.
    #[error("{container} of {bytes} bytes cannot be decoded: {reason}")]
    Damaged {
        /// `JPEG` or `PNG`.
        container: &'static str,
        /// Length of the file.
        bytes: usize,
        /// What the decoder says.
        reason: String,
    },
}

/// Decodes into a new image.
///
/// # Errors
/// [`ImageError`] with the numbers that do not fit.
pub fn decode(image: &EncodedImage<'_>) -> Result<RgbImage, ImageError> {
    let mut rgb = RgbImage::default();
    decode_into(image, &mut rgb)?;
    Ok(rgb)
}

/// Decodes into `rgb`, which takes the size of the image and keeps its memory where that is enough. On an error its
/// content is unspecified.
///
/// # Errors
/// [`ImageError`] with the numbers that do not fit.
pub fn decode_into(image: &EncodedImage<'_>, rgb: &mut RgbImage) -> Result<(), ImageError> {
    match *image {
        EncodedImage::Compressed { format, data } => compressed::decode(format, data, rgb),
        EncodedImage::Raw { width, height, encoding, step, big_endian, data } => {
            check_size(width, height)?;
            let plan = Plan::of(encoding)?;
            let raw = RawImage::checked(plan, width, height, encoding, step, data)?;
            plan.convert(&raw, big_endian, resized(rgb, width, height));
            Ok(())
        }
    }
}

/// A raw image whose step and length were checked: rows are `step` bytes apart and there are enough of them.
struct RawImage<'a> {
    width: usize,
    height: usize,
    step: usize,
    data: &'a [u8],
}

impl<'a> RawImage<'a> {
    fn checked(
        plan: Plan,
        width: u32,
        height: u32,
        encoding: &str,
        step: u32,
        data: &'a [u8],
    ) -> Result<Self, ImageError> {
        let (even_columns, even_rows) = plan.needs_even();
        if (even_columns && width % 2 == 1) || (even_rows && height % 2 == 1) {
            let needed = if even_rows { "even width and height" } else { "an even width" };
            return Err(ImageError::OddSize { encoding: encoding.to_owned(), width, height, needed });
        }
        let minimum = u64::from(width) * plan.bytes_per_pixel();
        if u64::from(step) < minimum {
            return Err(ImageError::Step { step, width, encoding: encoding.to_owned(), minimum });
        }
        let (numerator, denominator) = plan.rows_of_data();
        let expected = u64::from(step) * u64::from(height) * numerator / denominator;
        if data.len() as u64 != expected {
            let actual = data.len();
            return Err(ImageError::Length { actual, height, encoding: encoding.to_owned(), step, expected });
        }
        Ok(Self { width: width as usize, height: height as usize, step: step as usize, data })
    }

    fn row(&self, row: usize, bytes: usize) -> &'a [u8] {
        &self.data[row * self.step..row * self.step + bytes]
    }
}

/// How a raw encoding becomes RGB.
#[derive(Clone, Copy)]
enum Plan {
    /// Interleaved 8-bit channels: bytes per pixel and the channel of red, green and blue.
    Channels {
        bytes_per_pixel: usize,
        red: usize,
        green: usize,
        blue: usize,
    },
    Mono16,
    Yuv422(yuv::Order422),
    SemiPlanar(yuv::SemiPlanar),
    Bayer(bayer::Pattern),
}

impl Plan {
    fn of(encoding: &str) -> Result<Self, ImageError> {
        let channels = |bytes_per_pixel, red, green, blue| Self::Channels { bytes_per_pixel, red, green, blue };
        Ok(match encoding {
            "rgb8" => channels(3, 0, 1, 2),
            "bgr8" | "8UC3" => channels(3, 2, 1, 0),
            "rgba8" => channels(4, 0, 1, 2),
            "bgra8" | "8UC4" => channels(4, 2, 1, 0),
            "mono8" | "8UC1" => channels(1, 0, 0, 0),
            "mono16" => Self::Mono16,
            "yuv422" | "uyvy" => Self::Yuv422(yuv::Order422::Uyvy),
            "yuv422_yuy2" | "yuyv" => Self::Yuv422(yuv::Order422::Yuyv),
            "nv12" => Self::SemiPlanar(yuv::SemiPlanar::Nv12),
            "nv21" => Self::SemiPlanar(yuv::SemiPlanar::Nv21),
            "nv24" => Self::SemiPlanar(yuv::SemiPlanar::Nv24),
            "bayer_rggb8" => Self::Bayer(bayer::Pattern::Rggb),
            "bayer_bggr8" => Self::Bayer(bayer::Pattern::Bggr),
            "bayer_gbrg8" => Self::Bayer(bayer::Pattern::Gbrg),
            "bayer_grbg8" => Self::Bayer(bayer::Pattern::Grbg),
            _ => return Err(ImageError::Encoding { encoding: encoding.to_owned() }),
        })
    }

    /// Bytes that `step` counts per pixel.
    const fn bytes_per_pixel(self) -> u64 {
        match self {
            Self::Channels { bytes_per_pixel, .. } => bytes_per_pixel as u64,
            Self::Mono16 | Self::Yuv422(_) => 2,
            Self::SemiPlanar(_) | Self::Bayer(_) => 1,
        }
    }

    /// Rows of `step` bytes per image row, as a fraction: the colour plane of NV12 has half as many rows.
    const fn rows_of_data(self) -> (u64, u64) {
        match self {
            Self::SemiPlanar(yuv::SemiPlanar::Nv24) => (3, 1),
            Self::SemiPlanar(_) => (3, 2),
            _ => (1, 1),
        }
    }

    /// Whether the width and the height have to be even.
    const fn needs_even(self) -> (bool, bool) {
        match self {
            Self::Yuv422(_) => (true, false),
            Self::SemiPlanar(yuv::SemiPlanar::Nv12 | yuv::SemiPlanar::Nv21) => (true, true),
            _ => (false, false),
        }
    }

    fn convert(self, raw: &RawImage<'_>, big_endian: bool, rgb: &mut [u8]) {
        match self {
            Self::Yuv422(order) => yuv::from_422(raw, order, rgb),
            Self::SemiPlanar(layout) => yuv::from_semi_planar(raw, layout, rgb),
            Self::Bayer(pattern) => bayer::demosaic(raw, pattern, rgb),
            Self::Channels { bytes_per_pixel, red, green, blue } => {
                for (row, out) in rgb.chunks_exact_mut(raw.width * 3).enumerate() {
                    let pixels = raw.row(row, raw.width * bytes_per_pixel);
                    if (bytes_per_pixel, red, blue) == (3, 0, 2) {
                        out.copy_from_slice(pixels);
                        continue;
                    }
                    for (out, pixel) in out.chunks_exact_mut(3).zip(pixels.chunks_exact(bytes_per_pixel)) {
                        out.copy_from_slice(&[pixel[red], pixel[green], pixel[blue]]);
                    }
                }
            }
            Self::Mono16 => {
                let read = if big_endian { u16::from_be_bytes } else { u16::from_le_bytes };
                for (row, out) in rgb.chunks_exact_mut(raw.width * 3).enumerate() {
                    for (out, pixel) in out.chunks_exact_mut(3).zip(raw.row(row, raw.width * 2).chunks_exact(2)) {
                        out.fill(eight_bits(read([pixel[0], pixel[1]])));
                    }
                }
            }
        }
    }
}

/// 16 bits to 8, rounded: 65535 becomes 255.
const fn eight_bits(value: u16) -> u8 {
    ((value as u32 + 128) / 257) as u8
}

fn check_size(width: u32, height: u32) -> Result<(), ImageError> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 || pixels > MAX_PIXELS { Err(ImageError::Size { width, height }) } else { Ok(()) }
}

/// Gives `rgb` the size `width` × `height`, keeping its memory, and returns its bytes. The size was checked.
fn resized(rgb: &mut RgbImage, width: u32, height: u32) -> &mut [u8] {
    if rgb.dimensions() != (width, height) {
        let mut bytes = std::mem::take(rgb).into_raw();
        bytes.resize(width as usize * height as usize * 3, 0);
        // The length fits, so this is always `Some`.
        *rgb = RgbImage::from_raw(width, height, bytes).unwrap_or_default();
    }
    rgb
}

#[cfg(test)]
mod tests;
