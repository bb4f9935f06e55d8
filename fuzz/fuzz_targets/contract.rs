//! Networks' files: the outermost fields of an ONNX model of any bytes, and the contracts that are drafted for graphs with
//! tensors of any names, types and shapes.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use stridepose::adapters::catalogue::onnx_frame;
use stridepose::model::{ModelContract, judge_styles};
use stridepose::network::{ElementType, TensorSpec};

const TYPES: [ElementType; 5] =
    [ElementType::F32, ElementType::U8, ElementType::I32, ElementType::I64, ElementType::Other];
/// Sizes that graphs have; other bytes stand for themselves.
const SIZES: [usize; 16] = [1, 3, 17, 33, 39, 48, 56, 64, 80, 84, 192, 195, 256, 640, 8400, usize::MAX];

fuzz_target!(|data: &[u8]| {
    let _ = onnx_frame::defect(&mut Cursor::new(data)).expect("memory can be read");

    let mut bytes = data.iter().copied();
    let mut tensors = || -> Vec<TensorSpec> {
        let count = bytes.next().unwrap_or(0) % 8;
        (0..count).map_while(|_| tensor(&mut bytes)).collect()
    };
    let (inputs, outputs) = (tensors(), tensors());
    for fit in judge_styles(&inputs, &outputs) {
        match fit.outcome {
            Ok(draft) => {
                let text = draft.to_yaml("fuzz", "fuzz.onnx", None);
                let contract = ModelContract::parse(&text, "fuzz").expect("a draft is a contract");
                let _ = contract.tensor_specs();
            }
            Err(reason) => assert!(!reason.is_empty(), "{} does not say why", fit.style),
        }
    }
});

/// A tensor as the next bytes tell; `None` where they end.
fn tensor(bytes: &mut impl Iterator<Item = u8>) -> Option<TensorSpec> {
    let kind = bytes.next()?;
    let name: Vec<u8> = (0..kind >> 5).map_while(|_| bytes.next()).collect();
    let shape = (0..kind >> 2 & 7)
        .map_while(|_| bytes.next())
        .map(|byte| match byte {
            0 => None,
            1..=16 => Some(SIZES[usize::from(byte) - 1]),
            _ => Some(usize::from(byte)),
        })
        .collect();
    let name = String::from_utf8_lossy(&name).into_owned();
    Some(TensorSpec { name, element_type: TYPES[usize::from(kind) % TYPES.len()], shape })
}
