//! TensorRT: an engine is built for a graph, a GPU and a range of shapes, which takes minutes, and is kept for the next start.
//!
//! Engines lie in `STRIDEPOSE_CACHE`, else in `stridepose` of the user's cache folder (`XDG_CACHE_HOME`, else `~/.cache`),
//! in a folder whose name holds what the engine depends on: checksum of the weights, GPU and driver, version of ONNX
//! Runtime, and how many people it takes at once. Another of these is another folder: no engine is used where it does not fit.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ort::ep::TensorRT;

use crate::adapters::user_folder;
use crate::network::TensorSpec;

/// How often a running build says that it goes on.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// What an engine is built for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineKey<'a> {
    /// SHA-256 of the weights.
    pub sha256: &'a str,
    /// GPU and driver ([`crate::adapters::gpu::name`]).
    pub gpu: &'a str,
    /// Build of ONNX Runtime.
    pub runtime: &'a str,
    /// Most samples of one run.
    pub most: usize,
}

impl EngineKey<'_> {
    /// Name of the engine's folder.
    pub fn folder_name(&self) -> String {
        let plain = |text: &str| -> String {
            let kept = text.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' });
            kept.collect::<String>().split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
        };
        let start = self.sha256.get(..16).unwrap_or(self.sha256);
        format!("{start}_{}_ort-{}_n{}", plain(self.gpu), plain(self.runtime), self.most)
    }
}

/// Folder for engines; `None` where neither `STRIDEPOSE_CACHE` nor `XDG_CACHE_HOME` nor `HOME` is set.
pub fn cache_folder() -> Option<PathBuf> {
    let own = || user_folder::of_program("XDG_CACHE_HOME", ".cache");
    user_folder::from_variable("STRIDEPOSE_CACHE").or_else(own).map(|path| path.join("tensorrt"))
}

/// The smallest, the usual and the largest shapes in TensorRT's notation, e.g. `image:1x3x192x128`, so that one engine serves
/// every number of people; `None` when nothing is open, or something besides the first dimension.
pub fn profile(inputs: &[TensorSpec], most: usize) -> Option<[String; 3]> {
    let is_open = |spec: &TensorSpec| spec.shape.first().is_some_and(Option::is_none);
    if !inputs.iter().any(is_open) || inputs.iter().any(|spec| spec.shape.iter().skip(1).any(Option::is_none)) {
        return None;
    }
    let shapes = |batch: usize| {
        let of = |spec: &TensorSpec| {
            let sizes: Vec<String> = spec.shape.iter().map(|size| size.unwrap_or(batch).to_string()).collect();
            format!("{}:{}", spec.name, sizes.join("x"))
        };
        inputs.iter().map(of).collect::<Vec<_>>().join(",")
    };
    Some([shapes(1), shapes(1), shapes(most.max(1))])
}

/// The provider with its engine kept in `folder`.
pub fn provider(folder: Option<&Path>, profile: Option<&[String; 3]>) -> TensorRT {
    let mut provider = TensorRT::default();
    if let Some(folder) = folder {
        let path = folder.display().to_string();
        provider = provider.with_engine_cache(true).with_engine_cache_path(&path);
        provider = provider.with_timing_cache(true).with_timing_cache_path(&path);
    }
    if let Some([least, usual, most]) = profile {
        provider = provider.with_profile_min_shapes(least).with_profile_opt_shapes(usual).with_profile_max_shapes(most);
    }
    provider
}

/// Whether `folder` holds an engine.
pub fn is_built(folder: &Path) -> bool {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.into_iter().any(|file| file.path().extension().is_some_and(|extension| extension == "engine"))
}

/// Does `work` and says every ten seconds that it goes on.
pub fn with_progress<T>(what: &str, work: impl FnOnce() -> T) -> T {
    telling(TELL_EVERY, &|elapsed| tracing::info!("{what}: {} s", elapsed.as_secs()), work)
}

fn telling<T>(every: Duration, tell: &(dyn Fn(Duration) + Sync), work: impl FnOnce() -> T) -> T {
    let (done, wait) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let start = Instant::now();
            while wait.recv_timeout(every) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                tell(start.elapsed());
            }
        });
        // The sender goes with the work, also when it panics: the thread ends.
        let _done = done;
        work()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::network::ElementType;
    use std::sync::Mutex;

    fn spec(name: &str, shape: &[Option<usize>]) -> TensorSpec {
        TensorSpec { name: name.to_owned(), element_type: ElementType::F32, shape: shape.to_vec() }
    }

    #[test]
    fn whatever_an_engine_depends_on_gives_another_folder() {
        let sha256 = "0123456789abcdef0123";
        let key = EngineKey { sha256, gpu: "NVIDIA H100 80GB HBM3, 550.54.15", runtime: "1.24.4", most: 10 };
        assert_eq!(key.folder_name(), "0123456789abcdef_NVIDIA-H100-80GB-HBM3-550-54-15_ort-1-24-4_n10");
        let others = [
            EngineKey { sha256: "f123456789abcdef0123", ..key.clone() },
            EngineKey { gpu: "NVIDIA L4, 550.54.15", ..key.clone() },
            EngineKey { runtime: "1.23.0", ..key.clone() },
            EngineKey { most: 20, ..key.clone() },
        ];
        assert!(others.iter().all(|other| other.folder_name() != key.folder_name()));
        let hostile = EngineKey { gpu: "../../etc /x", ..key };
        assert!(!hostile.folder_name().contains(['/', '.', ' ']), "{}", hostile.folder_name());
    }

    #[test]
    fn one_engine_takes_one_person_to_the_most() {
        let picture = spec("image", &[None, Some(3), Some(192), Some(128)]);
        let [least, usual, most] = profile(std::slice::from_ref(&picture), 10).unwrap();
        assert_eq!((least.as_str(), usual.as_str()), ("image:1x3x192x128", "image:1x3x192x128"));
        assert_eq!(most, "image:10x3x192x128");
        let both = [picture, spec("mask", &[None, Some(17)])];
        assert_eq!(profile(&both, 2).unwrap()[2], "image:2x3x192x128,mask:2x17");
        assert_eq!(profile(&[spec("x", &[Some(1), Some(3)])], 4), None, "nothing is open");
        assert_eq!(profile(&[spec("x", &[None, None])], 4), None, "the second size is nobody's");
    }

    #[test]
    fn a_folder_is_built_once_an_engine_lies_in_it() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_built(folder.path()) && !is_built(&folder.path().join("none")));
        std::fs::write(folder.path().join("a.profile"), b"").unwrap();
        assert!(!is_built(folder.path()));
        std::fs::write(folder.path().join("a.engine"), b"").unwrap();
        assert!(is_built(folder.path()));
    }

    #[test]
    fn long_work_is_told_of_and_ends_at_once() {
        let told = Mutex::new(0);
        let every = Duration::from_millis(5);
        let answer = telling(every, &|_| *told.lock().unwrap() += 1, || {
            while *told.lock().unwrap() < 3 {
                std::thread::sleep(Duration::from_millis(1));
            }
            7
        });
        assert_eq!(answer, 7);
        let start = Instant::now();
        telling(Duration::from_mins(1), &|_| panic!("nothing to tell"), || ());
        assert!(start.elapsed() < Duration::from_secs(30), "it does not wait for the next word");
    }
}
