//! What a camera does to a picture: blur, exposure, colour cast, vignetting, noise, JPEG. Blur is symmetric, so keypoints
//! stay where they are.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{ImageError, ImageFormat, RgbImage};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The faults of one camera; drawn with [`CameraEffects::draw`], or [`CameraEffects::NONE`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CameraEffects {
    /// Direction (rad, image axes) and length (px) of the motion during the exposure.
    pub motion: Option<(f32, f32)>,
    /// Standard deviation of the defocus, px.
    pub defocus_px: f32,
    /// Factor per colour.
    pub gain: [f32; 3],
    /// Exponent of the tone curve.
    pub gamma: f32,
    /// Loss of light in the corners, as a share.
    pub vignette: f32,
    /// Standard deviation of the noise at mid grey, 8-bit levels, and whether each colour has its own.
    pub noise: f32,
    /// Noise differs between colours.
    pub is_coloured: bool,
    /// Quality of a JPEG that the picture goes through.
    pub jpeg_quality: Option<u8>,
}

impl CameraEffects {
    /// A perfect camera.
    pub const NONE: Self = Self {
        motion: None,
        defocus_px: 0.0,
        gain: [1.0; 3],
        gamma: 1.0,
        vignette: 0.0,
        noise: 0.0,
        is_coloured: false,
        jpeg_quality: None,
    };

    /// Draws a camera between a good one and a poor one.
    pub fn draw(rng: &mut impl Rng) -> Self {
        let exposure = 2.0_f32.powf(rng.random_range(-0.45..0.45));
        let warmth = rng.random_range(-0.12..0.12_f32);
        let tint = rng.random_range(-0.05..0.05_f32);
        let angle = rng.random_range(0.0..std::f32::consts::PI);
        Self {
            motion: rng.random_bool(0.2).then(|| (angle, rng.random_range(2.0..9.0))),
            defocus_px: if rng.random_bool(0.4) { rng.random_range(0.4..1.8) } else { 0.0 },
            gain: [exposure * (1.0 + warmth), exposure * (1.0 + tint), exposure * (1.0 - warmth)],
            gamma: rng.random_range(0.75..1.3),
            vignette: if rng.random_bool(0.4) { rng.random_range(0.0..0.5) } else { 0.0 },
            noise: if rng.random_bool(0.7) { 16.0_f32.powf(rng.random_range(0.0..1.0)) } else { 0.0 },
            is_coloured: rng.random_bool(0.6),
            jpeg_quality: rng.random_bool(0.6).then(|| rng.random_range(25..95)),
        }
    }

    /// The picture as the camera gives it. Noise differs between seeds, all else is the camera's. A side above 65 535 px
    /// has no JPEG: such a picture stays without.
    #[must_use]
    pub fn apply(&self, picture: RgbImage, seed: u64) -> RgbImage {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let mut pixels = picture.into_raw();
        if let Some((angle, length)) = self.motion {
            let taps = (length.ceil() as usize).clamp(2, 15) | 1;
            let (sine, cosine) = angle.sin_cos();
            let shifts: Vec<(isize, isize)> = (0..taps)
                .map(|tap| {
                    let at = length * (tap as f32 / (taps - 1) as f32 - 0.5);
                    ((at * cosine).round() as isize, (at * sine).round() as isize)
                })
                .collect();
            pixels = shifted_mean(&pixels, width, height, &shifts);
        }
        if self.defocus_px > 0.0 {
            pixels = gaussian(&pixels, width, height, self.defocus_px);
        }
        self.expose(&mut pixels, width, height, seed);
        // The buffer kept its size.
        let picture = RgbImage::from_raw(width as u32, height as u32, pixels).unwrap_or_default();
        let Some(quality) = self.jpeg_quality else { return picture };
        let decoded = encode_jpeg(&picture, quality)
            .and_then(|bytes| image::load_from_memory_with_format(&bytes, ImageFormat::Jpeg));
        decoded.map_or(picture, image::DynamicImage::into_rgb8)
    }

    fn expose(&self, pixels: &mut [u8], width: usize, height: usize, seed: u64) {
        let curve: [[f32; 256]; 3] = std::array::from_fn(|channel| {
            std::array::from_fn(|value| 255.0 * (value as f32 / 255.0 * self.gain[channel]).powf(self.gamma))
        });
        let noise: Vec<f32> = {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            (0..if self.noise > 0.0 { 8192 } else { 0 })
                .map(|_| rng.sample::<f32, _>(rand_distr::StandardNormal) * self.noise)
                .collect()
        };
        let mut state = seed | 1;
        let (middle_x, middle_y) = (0.5 * width as f32, 0.5 * height as f32);
        let corner = middle_x * middle_x + middle_y * middle_y;
        for (row, line) in pixels.chunks_exact_mut(3 * width.max(1)).enumerate() {
            let down = (row as f32 - middle_y).powi(2);
            for (column, pixel) in line.chunks_exact_mut(3).enumerate() {
                let far = ((column as f32 - middle_x).powi(2) + down) / corner;
                let light = 1.0 - self.vignette * far;
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let place = (state >> 40) as usize;
                for (channel, value) in pixel.iter_mut().enumerate() {
                    let mut level = curve[channel][usize::from(*value)] * light;
                    if !noise.is_empty() {
                        let other = if self.is_coloured { 2731 * channel } else { 0 };
                        // Shot noise grows with the light, read noise stays.
                        level += noise[(place + other) % 8192] * (0.5 + level * (1.0 / 255.0));
                    }
                    *value = (level + 0.5).clamp(0.0, 255.0) as u8;
                }
            }
        }
    }
}

/// The picture as a JPEG file.
///
/// # Errors
/// What the encoder says, for example about a picture that is too large for it.
pub fn encode_jpeg(picture: &RgbImage, quality: u8) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut bytes, quality.clamp(1, 100)).encode_image(picture)?;
    Ok(bytes.into_inner())
}

/// Mean of the picture shifted by each of `shifts` (columns, rows); the border is repeated.
fn shifted_mean(pixels: &[u8], width: usize, height: usize, shifts: &[(isize, isize)]) -> Vec<u8> {
    let mut blurred = vec![0_u8; pixels.len()];
    let mut sums = vec![0_u16; 3 * width];
    let count = shifts.len() as u16;
    for row in 0..height {
        sums.fill(0);
        for &(across, down) in shifts {
            let from = (row as isize + down).clamp(0, height as isize - 1) as usize * width;
            for column in 0..width {
                let source = from + (column as isize + across).clamp(0, width as isize - 1) as usize;
                for channel in 0..3 {
                    sums[3 * column + channel] += u16::from(pixels[3 * source + channel]);
                }
            }
        }
        for (out, sum) in blurred[3 * row * width..][..3 * width].iter_mut().zip(&sums) {
            *out = ((sum + count / 2) / count) as u8;
        }
    }
    blurred
}

/// Gaussian blur of standard deviation `sigma` px, one axis after the other.
fn gaussian(pixels: &[u8], width: usize, height: usize, sigma: f32) -> Vec<u8> {
    let radius = (2.5 * sigma).ceil().max(1.0) as isize;
    let weights: Vec<f32> = (-radius..=radius).map(|at| (-0.5 * (at as f32 / sigma).powi(2)).exp()).collect();
    let total: f32 = weights.iter().sum();
    let weights: Vec<(isize, f32)> = (-radius..=radius).zip(weights.iter().map(|weight| weight / total)).collect();
    let mut rows = vec![0.0_f32; pixels.len()];
    let mut line = vec![0.0_f32; 3 * width];
    let margin = 3 * radius as usize;
    let mut wide = vec![0.0_f32; 3 * width + 2 * margin];
    for row in 0..height {
        let source = &pixels[3 * row * width..][..3 * width];
        for (at, value) in wide.iter_mut().enumerate() {
            let column = (at / 3).saturating_sub(radius as usize).min(width - 1);
            *value = f32::from(source[3 * column + at % 3]);
        }
        line.fill(0.0);
        for &(offset, weight) in &weights {
            let from = (3 * (offset + radius)) as usize;
            for (sum, value) in line.iter_mut().zip(&wide[from..]) {
                *sum += weight * value;
            }
        }
        rows[3 * row * width..][..3 * width].copy_from_slice(&line);
    }
    let mut blurred = vec![0_u8; pixels.len()];
    for row in 0..height {
        line.fill(0.0);
        for &(offset, weight) in &weights {
            let from = (row as isize + offset).clamp(0, height as isize - 1) as usize;
            for (sum, value) in line.iter_mut().zip(&rows[3 * from * width..][..3 * width]) {
                *sum += weight * value;
            }
        }
        for (out, value) in blurred[3 * row * width..][..3 * width].iter_mut().zip(&line) {
            *out = (value + 0.5) as u8;
        }
    }
    blurred
}
