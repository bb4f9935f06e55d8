//! `stridepose models check FILE.onnx`: which decoder fits a graph, and a draft of its contract.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use sha2::{Digest, Sha256};

use super::super::{Outcome, Refused, print};
use crate::adapters::model_store::hexadecimal;
use crate::adapters::onnx::graph_tensors;
use crate::model::judge_styles;
use crate::network::TensorSpec;

/// Arguments of `stridepose models check`.
#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    /// The network
    #[arg(value_name = "FILE.onnx")]
    file: PathBuf,

    /// Write the contract of the first style that fits (or of --style) to this file, which must not exist
    #[arg(long, short, value_name = "MODEL.yaml")]
    output: Option<PathBuf>,

    /// Draft the contract of this style
    #[arg(long)]
    style: Option<String>,
}

/// Prints what every style makes of the graph, and the draft of the one that fits.
///
/// # Errors
/// [`Refused`] when the file is no graph that ONNX Runtime takes, no style fits, or the output exists; an I/O error when
/// a file cannot be read or written.
pub fn run(args: &CheckArgs) -> anyhow::Result<Outcome> {
    let path = &args.file;
    let weights = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (inputs, outputs) = graph_tensors(path, &weights).map_err(Refused::because)?;
    let mut text = String::new();
    // Writing to a string cannot fail.
    for (kind, tensors) in [("input", &inputs), ("output", &outputs)] {
        for tensor in tensors {
            let _ = writeln!(text, "{kind:<7} {tensor}");
        }
    }
    let fits = judge_styles(&inputs, &outputs);
    let known: Vec<&str> = fits.iter().map(|fit| fit.style).collect();
    let mut chosen = None;
    for fit in &fits {
        let is_asked = args.style.as_ref().is_none_or(|style| style == fit.style);
        match &fit.outcome {
            Ok(draft) => {
                let _ = writeln!(text, "fits    {}", fit.style);
                if is_asked && chosen.is_none() {
                    chosen = Some((fit.style, draft));
                }
            }
            Err(why) => {
                let _ = writeln!(text, "no      {}: {why}", fit.style);
            }
        }
    }
    print(&text)?;
    let Some((style, draft)) = chosen else {
        return Err(Refused::because(match &args.style {
            Some(style) if !known.contains(&style.as_str()) => {
                format!("there is no style \"{style}\"; styles are {}", known.join(", "))
            }
            Some(style) => format!("{} does not fit {style}; the list above says why", path.display()),
            None => no_style(path, &inputs, &outputs),
        }));
    };
    let name = path.file_stem().map_or_else(|| "model".to_owned(), |stem| stem.to_string_lossy().into_owned());
    let file = path.file_name().map_or_else(|| "model.onnx".to_owned(), |file| file.to_string_lossy().into_owned());
    let contract = draft.to_yaml(&name, &file, Some(&hexadecimal(&Sha256::digest(&weights))));
    let mut text = format!("\nto check in the contract for {style}, which names and shapes cannot tell\n");
    for doubt in &draft.to_check {
        let _ = writeln!(text, "  {doubt}");
    }
    match &args.output {
        Some(output) => {
            write_new(output, &contract)?;
            let _ = writeln!(text, "\nwrote {}; put it beside {file} as model.yaml", output.display());
        }
        None => {
            let _ = write!(text, "\n{contract}");
        }
    }
    print(&text)?;
    Ok(Outcome::Fine)
}

fn no_style(path: &Path, inputs: &[TensorSpec], outputs: &[TensorSpec]) -> String {
    let list = |tensors: &[TensorSpec]| tensors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!(
        "no decoder reads {}: it takes {} and gives {}; the templates in config/model_templates say what each style needs",
        path.display(),
        list(inputs),
        list(outputs)
    )
}

fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let created = std::fs::File::create_new(path);
    if created.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::AlreadyExists) {
        return Err(Refused::because(format!("{} exists; name another file", path.display())));
    }
    created
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}
