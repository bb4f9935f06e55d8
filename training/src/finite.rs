//! Whether what was learnt is made of numbers.

use burn::module::{ModuleVisitor, Param};
use burn::prelude::*;

use crate::export::floats;

/// Refuses a network with a weight that is not finite: it answers nothing. `what` is its name.
///
/// # Errors
/// When there is such a weight.
pub(crate) fn check<M: Module>(module: &M, what: &str) -> anyhow::Result<()> {
    struct Count {
        broken: usize,
        all: usize,
    }
    impl ModuleVisitor for Count {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let values = floats(param.val());
            self.broken += values.iter().filter(|value| !value.is_finite()).count();
            self.all += values.len();
        }
    }
    let mut count = Count { broken: 0, all: 0 };
    module.visit(&mut count);
    anyhow::ensure!(
        count.broken == 0,
        "{} of {} weights of the {what} are not finite: the training diverged; train again with a lower --learning-rate",
        count.broken,
        count.all
    );
    Ok(())
}
