//! The measurements, and their number.

use std::io;

use crate::processes::Pair;
use crate::servers::{CONTESTANTS, Contestant};

/// Requests of one size over some connections.
pub struct Row {
    pub connections: usize,
    /// Bytes of a request.
    pub size: usize,
    /// How many requests make a round.
    requests: usize,
}

pub const ROWS: [Row; 6] = [
    Row::new(1, 64),
    Row::new(1, 1024),
    Row::new(100, 64),
    Row::new(100, 1024),
    Row::new(1000, 64),
    Row::new(1000, 1024),
];

impl Row {
    const fn new(connections: usize, size: usize) -> Self {
        // A single connection waits for each answer, and so takes longer for as many.
        let requests = if connections == 1 { 10_000 } else { 40_000 };
        Self {
            connections,
            size,
            requests,
        }
    }

    pub fn name(&self) -> String {
        let plural = if self.connections == 1 { "" } else { "s" };
        format!("{} connection{plural}, {} B", self.connections, self.size)
    }
}

/// The options of the command line.
pub struct Plan {
    pub rounds: usize,
    pub contestants: Vec<&'static Contestant>,
    /// Whether the system chooses the processors.
    pub is_spread: bool,
    /// Parts of the names of rows; without any, all rows.
    rows: Vec<String>,
    /// How many requests of a round are left out: a test wants to know only whether everything
    /// runs.
    divisor: usize,
}

impl Plan {
    /// Cargo itself says `--bench`, and does not when benchmarks are run as tests.
    pub fn of(words: &[String]) -> io::Result<Self> {
        let is_test = !words.iter().any(|word| word == "--bench");
        let mut plan = Self {
            rounds: if is_test { 1 } else { 9 },
            contestants: Vec::new(),
            is_spread: false,
            rows: Vec::new(),
            divisor: if is_test { 20 } else { 1 },
        };
        let mut words = words.iter().filter(|word| *word != "--bench");
        while let Some(word) = words.next() {
            if word == "--rounds" {
                let rounds = words.next().and_then(|word| word.parse().ok());
                plan.rounds = rounds
                    .filter(|&rounds| rounds > 0)
                    .ok_or_else(|| io::Error::other("--rounds needs a number"))?;
            } else if word == "--spread" {
                plan.is_spread = true;
            } else if let Some(one) = CONTESTANTS.iter().find(|one| one.name == word) {
                plan.contestants.push(one);
            } else if ROWS.iter().any(|row| row.name().contains(word.as_str())) {
                plan.rows.push(word.clone());
            } else {
                let complaint =
                    format!("{word:?} is neither a contestant nor part of a row's name");
                return Err(io::Error::other(complaint));
            }
        }
        if plan.contestants.is_empty() {
            plan.contestants = CONTESTANTS.iter().collect();
        }
        Ok(plan)
    }

    pub fn has_row(&self, row: &Row) -> bool {
        let name = row.name();
        self.rows.is_empty() || self.rows.iter().any(|part| name.contains(part))
    }
}

/// The cost of a request for one contestant.
pub struct Cost {
    /// CPU nanoseconds.
    pub median: f64,
    /// How many times as much as the first contestant's, in the same round; the median.
    pub ratio: f64,
}

/// Measures the contestants, and returns their costs in the plan's order.
pub fn measure(row: &Row, plan: &Plan) -> io::Result<Vec<Cost>> {
    let requests = row.requests / plan.divisor;
    let mut pairs = Vec::new();
    for contestant in &plan.contestants {
        let mut pair = Pair::new(contestant.name, row)?;
        // Buffers and tables grow, and memory is touched first.
        pair.perform(requests)?;
        pairs.push((pair, Vec::new()));
    }
    let count = pairs.len();
    for round in 0..plan.rounds {
        for place in 0..count {
            let (pair, costs) = &mut pairs[(round + place) % count];
            #[expect(clippy::cast_precision_loss, reason = "it is a small number")]
            costs.push(pair.perform(requests)? / requests as f64);
        }
    }
    let costs: Vec<Vec<f64>> = pairs.into_iter().map(|(_, costs)| costs).collect();
    let of_contestant = |own: &Vec<f64>| Cost {
        median: median(own.clone()),
        ratio: median(
            own.iter()
                .zip(&costs[0])
                .map(|(own, first)| own / first)
                .collect(),
        ),
    };
    Ok(costs.iter().map(of_contestant).collect())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
