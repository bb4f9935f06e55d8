//! Lifting and refining one person, 4 and 20: `cargo bench --bench people [-- --json FILE]`.
//!
//! They take turns of [`IMAGES`] images, so that what else the machine does disturbs all of them alike, and a ratio is of
//! one and the same moment. The shipped lifter, in 32 bits and in 8, with its discriminator; people of `stridepose::scene`.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "common/feeder.rs"]
mod feeder;

use feeder::{Feeder, LiftAndRefine};
use stridepose::adapters::model_store::ModelStore;
use stridepose::report::machine::Machine;

const PEOPLE: [usize; 3] = [1, 4, 20];
const TURNS: usize = 60;
/// Images of a turn.
const IMAGES: usize = 30;
/// Images before each turn, until the caches hold this pipeline.
const WARM_UP: usize = 5;

/// Milliseconds an image for lifting and for refinement.
type Ms = [f64; 2];

/// A row for each turn, one entry for each of [`PEOPLE`].
fn turns(lifter: &str) -> Vec<[Ms; PEOPLE.len()]> {
    let mut feeders = PEOPLE.map(|people| Feeder::new(people, lifter));
    let turn = |feeder: &mut Feeder, people: usize| {
        for _ in 0..WARM_UP {
            feeder.image(&mut ());
        }
        let (mut observer, mut told) = (LiftAndRefine::default(), 0);
        for _ in 0..IMAGES {
            told += feeder.image(&mut observer);
        }
        assert!(10 * told >= 9 * people * IMAGES, "{told} of {people} people in {IMAGES} images");
        [observer.lift, observer.refine].map(|time| time.as_secs_f64() * 1e3 / IMAGES as f64)
    };
    (0..TURNS).map(|_| std::array::from_fn(|at| turn(&mut feeders[at], PEOPLE[at]))).collect()
}

/// Median and quartiles.
fn quartiles(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    [2, 1, 3].map(|quarter| values[quarter * (values.len() - 1) / 4])
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let json = arguments.iter().position(|argument| argument == "--json").and_then(|at| arguments.get(at + 1));
    let machine = Machine::here();
    println!("lifting and refining, one thread, {TURNS} turns of {IMAGES} images: median (quartiles) ({machine:?})");
    let titles = ["lifter", "people", "lift ms", "refine ms", "both ms", "of one person, in the same turn"];
    println!("{:<12} {:>6}  {:>8} {:>9}  {:<22} {}", titles[0], titles[1], titles[2], titles[3], titles[4], titles[5]);
    let (store, mut measured) = (ModelStore::new(&[]).unwrap(), Vec::new());
    for lifter in ["lifter", "lifter_int8"] {
        let sha256 = store.load(lifter).unwrap().sha256;
        let turns = turns(lifter);
        let both = |[lift, refine]: Ms| lift + refine;
        for (at, people) in PEOPLE.into_iter().enumerate() {
            let [[lift, ..], [refine, ..]] = [0, 1].map(|part| quartiles(turns.iter().map(|turn| turn[at][part])));
            let [ms, low, high] = quartiles(turns.iter().map(|turn| both(turn[at])));
            let [of_one, low_of_one, high_of_one] = quartiles(turns.iter().map(|turn| both(turn[at]) / both(turn[0])));
            let time = format!("{ms:.3} ({low:.3} to {high:.3})");
            let ratio = format!("{of_one:.2} ({low_of_one:.2} to {high_of_one:.2})");
            println!("{lifter:<12} {people:>6}  {lift:>8.3} {refine:>9.3}  {time:<22} {ratio}");
            measured.push(serde_json::json!({
                "lifter": lifter, "sha256": sha256, "people": people, "lift_ms": lift, "refine_ms": refine, "ms": ms,
                "ms_quartiles": [low, high], "of_one": of_one, "of_one_quartiles": [low_of_one, high_of_one],
            }));
        }
    }
    if let Some(path) = json {
        let report = serde_json::json!({ "machine": machine, "lift_and_refine": measured });
        std::fs::write(path, serde_json::to_string_pretty(&report).unwrap() + "\n").unwrap();
        println!("wrote {path}");
    }
}
