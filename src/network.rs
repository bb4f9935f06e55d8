//! What the core asks of an inference engine: tensors in, tensors out. Engines live in `adapters`.

use ndarray::{ArrayD, ArrayViewD};

/// Element type of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementType {
    /// 32-bit float.
    F32,
    /// Unsigned byte.
    U8,
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// Anything else: no network of ours takes or gives it.
    Other,
}

/// Name, element type and shape of a graph's input or output; `None` is a dynamic dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Name in the graph.
    pub name: String,
    /// Element type.
    pub element_type: ElementType,
    /// Dimensions.
    pub shape: Vec<Option<usize>>,
}

impl std::fmt::Display for TensorSpec {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let size = |size: &Option<usize>| size.map_or_else(|| "?".to_owned(), |size| size.to_string());
        let shape: Vec<String> = self.shape.iter().map(size).collect();
        write!(formatter, "\"{}\" {:?} [{}]", self.name, self.element_type, shape.join(", "))
    }
}

/// A borrowed input tensor.
#[derive(Clone, Debug)]
pub enum TensorView<'a> {
    /// 32-bit floats.
    F32(ArrayViewD<'a, f32>),
    /// Unsigned bytes.
    U8(ArrayViewD<'a, u8>),
    /// 32-bit integers.
    I32(ArrayViewD<'a, i32>),
}

/// A network that failed to run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("network {network}: {reason}")]
pub struct NetworkError {
    /// Which network.
    pub network: String,
    /// What the engine said.
    pub reason: String,
}

/// A network that is loaded and ready to run.
pub trait Network: Send {
    /// The graph's inputs, in the order [`Network::run`] takes them.
    fn inputs(&self) -> &[TensorSpec];

    /// The graph's outputs, in the order [`Network::run`] gives them.
    fn outputs(&self) -> &[TensorSpec];

    /// The execution provider that really took the graph, e.g. `cpu` or `cuda`.
    fn provider(&self) -> &str;

    /// Runs the network once. The outputs are looked at where the engine left them, until the next run; outputs of whole
    /// numbers come as floats.
    ///
    /// # Errors
    /// [`NetworkError`] when the engine refuses the inputs or fails.
    fn run(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<ArrayViewD<'_, f32>>, NetworkError>;
}

/// Runs `network` once on zeros, with `batch` where the size of a dimension is open: to see whether it runs, and to get what a
/// first run costs over with.
///
/// # Errors
/// [`NetworkError`] when the network takes what cannot be made here, or the engine fails.
pub fn run_on_zeros(network: &mut dyn Network, batch: usize) -> Result<(), NetworkError> {
    enum Zeros {
        F32(ArrayD<f32>),
        U8(ArrayD<u8>),
        I32(ArrayD<i32>),
    }
    let zeros = |spec: &TensorSpec| {
        let shape: Vec<usize> = spec.shape.iter().map(|size| size.unwrap_or(batch)).collect();
        match spec.element_type {
            ElementType::F32 => Ok(Zeros::F32(ArrayD::zeros(shape))),
            ElementType::U8 => Ok(Zeros::U8(ArrayD::zeros(shape))),
            ElementType::I32 => Ok(Zeros::I32(ArrayD::zeros(shape))),
            ElementType::I64 | ElementType::Other => Err(NetworkError {
                network: spec.name.clone(),
                reason: "this input is neither f32 nor u8 nor i32".to_owned(),
            }),
        }
    };
    let inputs = network.inputs().iter().map(zeros).collect::<Result<Vec<_>, _>>()?;
    let views: Vec<TensorView<'_>> = inputs
        .iter()
        .map(|input| match input {
            Zeros::F32(values) => TensorView::F32(values.view()),
            Zeros::U8(values) => TensorView::U8(values.view()),
            Zeros::I32(values) => TensorView::I32(values.view()),
        })
        .collect();
    network.run(&views).map(|_| ())
}
