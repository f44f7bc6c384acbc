//! A small seeded generator, and the loop that runs a property over many seeds.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// SplitMix64: enough for schedules, and the same on every machine.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `end`, which is above 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    /// True in so many of a hundred cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }
}

/// Runs a property for so many seeds, for `HOLDFAST_SEED` alone, or `HOLDFAST_TIMES` times as many.
pub fn for_seeds(cases: u64, property: impl Fn(&mut Random)) {
    let given =
        |name: &str| -> Option<u64> { std::env::var(name).ok().map(|number| number.parse().unwrap()) };
    let times = given("HOLDFAST_TIMES").unwrap_or(1);
    for seed in given("HOLDFAST_SEED").map_or(0..cases * times, |seed| seed..seed + 1) {
        if let Err(failure) = catch_unwind(AssertUnwindSafe(|| property(&mut Random::new(seed)))) {
            eprintln!("failed with HOLDFAST_SEED={seed}");
            resume_unwind(failure);
        }
    }
}
