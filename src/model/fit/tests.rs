//! Common graphs, and graphs that fit nothing.
#![allow(clippy::unwrap_used)]
use super::*;
use crate::model::{ImageElement, ModelTask};
use crate::network::ElementType;

fn tensor(name: &str, element_type: ElementType, shape: &[i64]) -> TensorSpec {
    let shape = shape.iter().map(|&size| usize::try_from(size).ok()).collect();
    TensorSpec { name: name.to_owned(), element_type, shape }
}

fn floats(name: &str, shape: &[i64]) -> TensorSpec {
    tensor(name, ElementType::F32, shape)
}

fn fitting(input: &TensorSpec, outputs: &[TensorSpec]) -> Vec<(&'static str, DraftContract)> {
    judge_styles(std::slice::from_ref(input), outputs)
        .into_iter()
        .filter_map(|fit| Some((fit.style, fit.outcome.ok()?)))
        .collect()
}

#[test]
fn every_template_is_a_contract_of_its_style() {
    for (name, text) in templates() {
        let contract = ModelContract::parse(text, name).unwrap();
        assert!(text.contains(&format!("style: {name}\n")) || text.contains(&format!("style: {name} #")), "{name}");
        assert!(!matches!(contract.task, ModelTask::Lifter(_)), "{name}");
        assert!(text.starts_with("# ") && text.lines().all(|line| line.len() <= 130), "{name} is commented");
    }
}

#[test]
fn the_common_graphs_fit_their_styles_and_the_drafts_are_contracts_for_them() {
    let i64s = |name: &str, shape: &[i64]| tensor(name, ElementType::I64, shape);
    let image = |shape: &[i64]| floats("in:put", shape);
    let square = image(&[1, 3, 640, 640]);
    let person = image(&[-1, 3, 256, 192]);
    for (input, outputs, wanted) in [
        (&square, vec![floats("output", &[1, 8400, 85])], "yolox"),
        (&square, vec![floats("output0", &[1, 84, 8400])], "yolov8"),
        (&square, vec![floats("output0", &[1, 56, 8400])], "yolo_pose"),
        (&image(&[-1, 3, -1, -1]), vec![floats("output0", &[-1, 56, -1])], "yolo_pose"),
        (&image(&[1, 3, 384, 640]), vec![floats("output0", &[1, 5, 5040])], "yolov8"),
        (&square, vec![floats("dets", &[1, -1, 5]), i64s("labels", &[1, -1])], "rtmdet"),
        (&person, vec![floats("hm", &[-1, 17, 64, 48])], "heatmap"),
        (
            &square,
            vec![floats("reg", &[1, 2, 160, 160]), floats("hm", &[1, 1, 160, 160]), floats("wh", &[1, 2, 160, 160])],
            "center_heatmap",
        ),
        (&image(&[1, 3, 384, 288]), vec![floats("hm", &[1, 17, 96, 72])], "heatmap"),
        (&person, vec![floats("simcc_x", &[-1, 17, 384]), floats("simcc_y", &[-1, 17, 512])], "simcc"),
        (&person, vec![floats("1", &[-1, 26, 512]), floats("0", &[-1, 26, 384])], "simcc"),
        (&tensor("i", ElementType::I32, &[1, -1, -1, 3]), vec![floats("o", &[1, 6, 56])], "movenet_multipose"),
        (&tensor("i", ElementType::U8, &[1, 192, 192, 3]), vec![floats("o", &[1, 1, 17, 3])], "movenet"),
        (
            &image(&[1, 256, 256, 3]),
            vec![
                floats("Identity", &[1, 195]),
                floats("Identity_1", &[1, 1]),
                floats("Identity_2", &[1, 256, 256, 1]),
                floats("Identity_3", &[1, 64, 64, 39]),
                floats("Identity_4", &[1, 117]),
            ],
            "blazepose",
        ),
    ] {
        let found = fitting(input, &outputs);
        assert_eq!(found.first().map(|(style, _)| *style), Some(wanted), "{outputs:?}");
        let yaml = found[0].1.to_yaml("my net", "net.onnx", Some(&"0".repeat(64)));
        let contract = ModelContract::parse(&yaml, wanted).unwrap();
        assert_eq!((contract.name.as_str(), contract.file.as_str()), ("my net", "net.onnx"));
        assert_eq!(contract.sha256.unwrap().len(), 64);
        let (taken, _) = ModelContract::parse(&yaml, wanted).unwrap().tensor_specs().unwrap();
        assert!(is_compatible(&taken, input), "{taken} for {input}");
        assert!(!found[0].1.to_check.is_empty());
    }
}

#[test]
fn a_draft_has_the_sizes_and_names_of_the_graph() {
    let input = floats("in", &[1, 3, 256, 192]);
    let found = fitting(&input, &[floats("b", &[1, 26, 768]), floats("a", &[1, 26, 576])]);
    let yaml = found[0].1.to_yaml("n", "n.onnx", None);
    for part in ["x: \"a\"", "y: \"b\"", "simcc_split_ratio: 3", "layout: halpe_26", "width_px: 192", "height_px: 256"]
    {
        assert!(yaml.contains(part), "{part} in\n{yaml}");
    }
    let bytes = tensor("in", ElementType::U8, &[1, 256, 192, 3]);
    let found = fitting(&bytes, &[floats("hm", &[1, 17, 64, 48])]);
    let contract = ModelContract::parse(&found[0].1.to_yaml("n", "n.onnx", None), "n").unwrap();
    let ModelTask::Keypoints(keypoints) = contract.task else { panic!("keypoints") };
    assert_eq!((keypoints.input.element_type, keypoints.input.mean), (ImageElement::U8, [0.0; 3]));
}

#[test]
fn what_does_not_fit_says_why_with_both_sides() {
    let why = |input: &TensorSpec, outputs: &[TensorSpec], style: &str| {
        let fits = judge_styles(std::slice::from_ref(input), outputs);
        fits.into_iter().find(|fit| fit.style == style).unwrap().outcome.unwrap_err()
    };
    let person = floats("in", &[1, 3, 256, 192]);
    let of = |shape: &[i64]| [floats("out", shape)];
    assert!(why(&person, &of(&[1, 133, 64, 48]), "heatmap").contains("133"));
    assert!(why(&person, &of(&[1, 17, 60, 48]), "heatmap").contains("48 x 60"));
    let centers =
        |rows: i64| [floats("h", &[1, 1, rows, 48]), floats("s", &[1, 2, rows, 48]), floats("o", &[1, 2, rows, 48])];
    assert!(why(&person, &centers(60), "center_heatmap").contains("48 x 60"));
    assert!(why(&person, &centers(64)[..2], "center_heatmap").contains("has 1"));
    assert!(why(&person, &of(&[1, 17, 384]), "simcc").contains("384"));
    let two = [floats("x", &[1, 17, 384]), floats("y", &[1, 17, 500])];
    assert!(why(&person, &two, "simcc").contains("500"));
    assert!(why(&floats("in", &[1, 640]), &of(&[1, 84, 8400]), "yolov8").contains("640"));
    assert!(why(&floats("in", &[1, 3, 640, 640]), &of(&[1, 84, 8401]), "yolov8").contains("8401"));
    assert!(judge_styles(&[], &[]).iter().all(|fit| fit.outcome.is_err()));
    assert!(fitting(&floats("in", &[1, 3, 224, 224]), &of(&[1, 1000])).is_empty());
}

#[test]
fn a_picture_of_any_claimed_size_is_judged_without_an_overflow() {
    let input = TensorSpec {
        name: "in".to_owned(),
        element_type: ElementType::F32,
        shape: vec![Some(1), Some(3), Some(usize::MAX), Some(usize::MAX)],
    };
    for fit in judge_styles(std::slice::from_ref(&input), &[floats("out", &[1, 84, 8400])]) {
        let reason = fit.outcome.err().unwrap();
        assert!(reason.contains("65536 px a side"), "{}: {reason}", fit.style);
    }
    let input = floats("in", &[1, 3, 256, 192]);
    let maps = TensorSpec { shape: vec![Some(1), Some(17), Some(usize::MAX), Some(48)], ..floats("maps", &[]) };
    let fits = judge_styles(std::slice::from_ref(&input), std::slice::from_ref(&maps));
    let heatmap = fits.into_iter().find(|fit| fit.style == "heatmap").unwrap();
    assert!(heatmap.outcome.err().unwrap().contains("no whole multiple"));
}

#[test]
fn names_with_anything_in_them_stay_what_they_are() {
    let name = "serving: \"default\" #1\\";
    let input = floats(name, &[1, 192, 192, 3]);
    let found = fitting(&input, &[floats("StatefulPartitionedCall:0", &[1, 1, 17, 3])]);
    let contract = ModelContract::parse(&found[0].1.to_yaml("n", "n.onnx", None), "n").unwrap();
    assert_eq!(contract.tensor_specs().unwrap().0.name, name);
}
