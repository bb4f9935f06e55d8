//! Time of each stage on this machine: `cargo bench --bench stages`, criterion's report in `target/criterion`.
//!
//! Everything is made on the spot: pictures of noise and edges, people of `stridepose::scene`. The 2D networks are not
//! here (their weights are not the project's): `benches/peers.py` times them on real pictures. `lift_and_refine` is the
//! way from tracked keypoints to metric skeletons with the shipped lifter, for 1, 4 and 20 people in view.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "common/feeder.rs"]
mod feeder;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use feeder::{Feeder, LiftAndRefine};
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use nalgebra::Point3;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use stridepose::adapters::model_store::ModelStore;
use stridepose::data::BoundingBox;
use stridepose::geometry::CameraModel;
use stridepose::model::{
    HeatmapAlignment, HeatmapDecode, HeatmapRefinement, ImageElement, ImageInput, ImageLayout, ModelTask, PictureSize,
    Placement,
};
use stridepose::render::{Appearance, Background, BackgroundFamily, Body3d, CameraEffects, Light, RenderScene, render};
use stridepose::report::overlay;
use stridepose::scene::{SceneSettings, make_scene};
use stridepose::skeleton::KeypointLayout;
use stridepose::stages::crop::Crop;
use stridepose::stages::detect::{DetectSettings, decode_yolov8, decode_yolox};
use stridepose::stages::image::{EncodedImage, decode_into};
use stridepose::stages::keypoints::{decode_heatmap, decode_simcc};
use stridepose::stages::single_stage::decode_yolo_pose;

const WIDTH: u32 = 1280;
const HEIGHT: u32 = 720;

/// A picture with smooth parts, edges and noise, as hard for a JPEG decoder as a photograph.
fn picture() -> RgbImage {
    RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let noise = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)) >> 28;
        let edge = if (x / 40 + y / 60).is_multiple_of(2) { 60 } else { 0 };
        Rgb([(x / 8 + noise) as u8, (y / 4 + noise) as u8, (edge + noise) as u8])
    })
}

fn image_stages(criterion: &mut Criterion) {
    let picture = picture();
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 90).encode_image(&picture).unwrap();
    let mut group = criterion.benchmark_group("image_720p");
    group.throughput(Throughput::Elements(u64::from(WIDTH * HEIGHT)));
    let mut rgb = RgbImage::new(0, 0);
    group.bench_function("decode_jpeg", |bencher| {
        let encoded = EncodedImage::Compressed { format: "jpeg", data: &jpeg };
        bencher.iter(|| decode_into(black_box(&encoded), &mut rgb).unwrap());
    });
    group.finish();

    let mut group = criterion.benchmark_group("crop");
    let person = BoundingBox { x_min: 500.0, y_min: 100.0, x_max: 700.0, y_max: 650.0 };
    let store = ModelStore::new(&[]).unwrap();
    let (contract, _) = store.contract("blazepose_full").unwrap();
    let ModelTask::Keypoints(contract) = contract.task else { panic!("blazepose_full is no keypoint network") };
    let input = ImageInput { layout: ImageLayout::Nhwc, element_type: ImageElement::F32, ..contract.input };
    let crop = Crop::around(&person, 1.25, input.size);
    let mut tensor = vec![0.0_f32; 3 * input.size.area()];
    group.bench_function(format!("{0}x{0}_of_720p", input.size.width_px), |bencher| {
        bencher.iter(|| crop.sample_f32(black_box(&picture), &input, &mut tensor));
    });
    let (contract, _) = store.contract("yolox_nano").unwrap();
    let ModelTask::Detector(contract) = contract.task else { panic!("yolox_nano is no detector") };
    let letterbox = Crop::letterbox((WIDTH, HEIGHT), contract.input.size, contract.input.placement);
    let mut tensor = vec![0.0_f32; 3 * contract.input.size.area()];
    group.bench_function(format!("letterbox_{0}x{0}_of_720p", contract.input.size.width_px), |bencher| {
        bencher.iter(|| letterbox.sample_f32(black_box(&picture), &contract.input, &mut tensor));
    });
    let turned = Crop { angle: 0.3, ..crop };
    let mut tensor = vec![0.0_f32; 3 * input.size.area()];
    group.bench_function(format!("turned_{0}x{0}_of_720p", input.size.width_px), |bencher| {
        bencher.iter(|| turned.sample_f32(black_box(&picture), &input, &mut tensor));
    });
    group.finish();
    let mut group = criterion.benchmark_group("overlay_720p");
    group.bench_function("jpeg", |bencher| bencher.iter(|| overlay::jpeg(black_box(&picture), overlay::JPEG_QUALITY)));
    group.finish();
    // Scores of nothing but background: what the decoder costs beyond the network.
    let outputs = vec![0.01_f32; 3549 * 85];
    let settings = DetectSettings { score_threshold: 0.4, nms_iou: 0.45, max_people: 10 };
    let mut group = criterion.benchmark_group("detect");
    group.bench_function("decode_yolox_416", |bencher| {
        bencher.iter(|| decode_yolox(black_box(&outputs), &[8, 16, 32], 80, &letterbox, (WIDTH, HEIGHT), &settings));
    });
    let letterbox = Crop::letterbox((WIDTH, HEIGHT), PictureSize::square(640), Placement::Centre);
    let outputs = vec![0.01_f32; 84 * 8400];
    group.bench_function("decode_yolov8_640", |bencher| {
        bencher.iter(|| decode_yolov8(black_box(&outputs), 80, &letterbox, (WIDTH, HEIGHT), &settings));
    });
    group.finish();
}

/// What the decoders of one person's keypoints cost beyond the network: a peak in every map, as in a good view.
fn keypoint_decoders(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("keypoints");
    let output = PictureSize { width_px: 192, height_px: 256 };
    let person = BoundingBox { x_min: 500.0, y_min: 100.0, x_max: 700.0, y_max: 650.0 };
    let (crop, layout) = (Crop::around(&person, 1.25, output), KeypointLayout::Coco17);
    let bell = |at: usize, middle: f32, sigma: f32| (-0.5 * ((at as f32 - middle) / sigma).powi(2)).exp();
    let map =
        |k: usize| (0..64 * 48).map(move |cell| bell(cell % 48, 20.3, 2.2) * bell(cell / 48, 10.7 + k as f32, 2.2));
    let maps: Vec<f32> = (0..17).flat_map(map).collect();
    for (name, refine) in [("quarter", HeatmapRefinement::Quarter), ("dark_11", HeatmapRefinement::Dark { kernel: 11 })]
    {
        let decode = HeatmapDecode {
            output: String::new(),
            heatmap_stride_px: 4,
            alignment: HeatmapAlignment::FirstPixel,
            refine,
            target_sigma: 2.0,
        };
        group.bench_function(format!("decode_heatmap_17x64x48_{name}"), |bencher| {
            bencher.iter(|| decode_heatmap(black_box(&maps), &decode, layout, &crop));
        });
    }
    let vectors = |bins: usize| -> Vec<f32> {
        (0..17 * bins).map(|at| bell(at % bins, 100.0 + (at / bins) as f32, 6.0)).collect()
    };
    let (x, y) = (vectors(384), vectors(512));
    group.bench_function("decode_simcc_17x384_512", |bencher| {
        bencher.iter(|| decode_simcc(black_box(&x), black_box(&y), 2.0, layout, &crop));
    });
    let outputs = vec![0.01_f32; 56 * 8400];
    let letterbox = Crop::letterbox((WIDTH, HEIGHT), PictureSize::square(640), Placement::Centre);
    let settings = DetectSettings { score_threshold: 0.4, nms_iou: 0.45, max_people: 10 };
    group.bench_function("decode_yolo_pose_640", |bencher| {
        bencher.iter(|| decode_yolo_pose(black_box(&outputs), layout, &letterbox, (WIDTH, HEIGHT), &settings));
    });
    group.finish();
}

fn lift_and_refine(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lift_and_refine");
    for (lifter, people) in [("lifter", 1), ("lifter", 4), ("lifter", 20), ("lifter_int8", 1), ("lifter_int8", 4)] {
        let mut feeder = Feeder::new(people, lifter);
        let name = if lifter == "lifter" { "people" } else { "people_in_8_bits" };
        group.bench_function(BenchmarkId::new(name, people), |bencher| {
            bencher.iter_custom(|images| {
                let mut observer = LiftAndRefine::default();
                for _ in 0..images {
                    black_box(feeder.image(&mut observer));
                }
                observer.lift + observer.refine
            });
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("track_lift_refine");
    for people in [1, 4, 20] {
        let mut feeder = Feeder::new(people, "lifter");
        group.bench_function(BenchmarkId::new("people", people), |bencher| {
            bencher.iter(|| black_box(feeder.image(&mut ())));
        });
    }
    group.finish();
}

/// Pictures of 640 × 480 px with three people: the renderer alone, and what a middling camera does to them.
fn render_pictures(criterion: &mut Criterion) {
    let camera = CameraModel::pinhole(640, 480, 544.0);
    let settings = SceneSettings { duration_secs: 1.0, ..SceneSettings::default() };
    let image = make_scene(&settings, &|point| camera.project(point)).swap_remove(0);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let keep = [Point3::new(0.0, 0.0, 1.3), Point3::new(6.0, 2.0, 0.0), Point3::new(6.0, -2.0, 0.0)];
    let people = image
        .people
        .iter()
        .map(|person| Body3d { joints_in_camera: person.joints_in_camera, appearance: Appearance::draw(&mut rng) });
    let scene = RenderScene {
        people: people.collect(),
        background: Background::draw(BackgroundFamily::Room, &keep, &mut ChaCha8Rng::seed_from_u64(2)),
        occluders: Vec::new(),
        light: Light::draw(&mut ChaCha8Rng::seed_from_u64(3)),
        camera_from_world: image.camera_from_world,
    };
    let mut group = criterion.benchmark_group("render");
    group.bench_function("three_people_480p", |bencher| bencher.iter(|| render(black_box(&scene), &camera)));
    let picture = render(&scene, &camera).image;
    let effects = CameraEffects { defocus_px: 1.0, noise: 4.0, jpeg_quality: Some(70), ..CameraEffects::NONE };
    group.bench_function("effects_480p", |bencher| bencher.iter(|| effects.apply(black_box(picture.clone()), 1)));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = image_stages, keypoint_decoders, lift_and_refine, render_pictures
}
criterion_main!(benches);
