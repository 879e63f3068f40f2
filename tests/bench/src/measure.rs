//! Rounds of segments, and what comes out of them.

use crate::{
    Settings,
    contest::{Contest, MONTRS, SQLX},
    worker::Worker,
};
use anyhow::Result;
use montrs_bench_worker::{Case, Spent, Workload};
use std::time::Duration;

/// What was measured of a case.
pub(crate) struct Measured {
    pub(crate) case: Case,
    /// What the reference takes for one iteration, in nanoseconds on the wall; the median.
    pub(crate) reference: f64,
    /// Each of the others, in multiples of the reference.
    pub(crate) ratios: Vec<Ratios>,
    /// How many times as long as montrs sqlx takes on the wall; the median.
    pub(crate) over_sqlx: f64,
}

/// A contestant in multiples of the reference; the medians.
pub(crate) struct Ratios {
    pub(crate) contestant: &'static str,
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
    /// What one iteration takes, in nanoseconds on the wall; the median.
    pub(crate) nanoseconds: f64,
}

/// How long a segment is to take.
const SEGMENT: Duration = Duration::from_millis(75);

/// What a trial must take to tell how many iterations make a segment.
const TRIAL: Duration = Duration::from_millis(10);

/// Runs the rounds of all cases that are asked for.
pub(crate) fn rounds(settings: &Settings, contest: &mut Contest) -> Result<Vec<Measured>> {
    let cases = contest.cases.iter().filter(|case| settings.includes(case.name));
    let mut races = cases.map(|case| Race::new(*case, contest)).collect::<Result<Vec<_>>>()?;
    if races.is_empty() {
        return Ok(Vec::new());
    }
    // The first round warms up.
    for round in 0..=settings.rounds() {
        eprintln!("round {round} of {}", settings.rounds());
        for race in &mut races {
            race.round(round, contest)?;
        }
    }
    Ok(races.iter().map(|race| race.result(contest)).collect())
}

/// A case that is being measured.
struct Race {
    case: Case,
    /// How many iterations make a segment: of the reference, then of the others.
    reference_iterations: u64,
    iterations: Vec<u64>,
    /// One list a contestant, one entry a round.
    pairs: Vec<Vec<Pair>>,
}

/// Two segments that were run one after the other.
#[derive(Clone, Copy)]
struct Pair {
    reference: Sample,
    other: Sample,
}

/// What one iteration takes, in nanoseconds.
#[derive(Clone, Copy)]
struct Sample {
    wall: f64,
    cpu: f64,
}

impl Race {
    fn new(case: Case, contest: &mut Contest) -> Result<Self> {
        eprintln!("calibrating {}", case.name);
        let reference_iterations = calibrate(case, &mut contest.reference)?;
        let iterations = contest.others.iter_mut().map(|worker| calibrate(case, worker)).collect::<Result<Vec<_>>>()?;
        let pairs = vec![Vec::new(); iterations.len()];
        Ok(Self { case, reference_iterations, iterations, pairs })
    }

    /// The order rotates with the rounds, and who of a pair is first alternates.
    fn round(&mut self, round: usize, contest: &mut Contest) -> Result<()> {
        for place in 0..self.iterations.len() {
            let index = (round + place) % self.iterations.len();
            let mut reference = || segment(self.case, &mut contest.reference, self.reference_iterations);
            let mut other = || segment(self.case, &mut contest.others[index], self.iterations[index]);
            let pair = if round.is_multiple_of(2) {
                let reference = reference()?;
                Pair { reference, other: other()? }
            } else {
                let other = other()?;
                Pair { reference: reference()?, other }
            };
            if round > 0 {
                self.pairs[index].push(pair);
            }
        }
        Ok(())
    }

    fn result(&self, contest: &Contest) -> Measured {
        let of = |name: &str| {
            let index = contest.others.iter().position(|worker| worker.name == name);
            index.map(|index| self.pairs[index].as_slice()).unwrap_or_default()
        };
        let ratio = |pair: &Pair| pair.other.wall / pair.reference.wall;
        let ratios = contest.others.iter().zip(&self.pairs).map(|(worker, pairs)| Ratios {
            contestant: worker.name,
            wall: median(pairs.iter().map(ratio)),
            cpu: median(pairs.iter().map(|pair| pair.other.cpu / pair.reference.cpu)),
            nanoseconds: median(pairs.iter().map(|pair| pair.other.wall)),
        });
        Measured {
            case: self.case,
            reference: median(self.pairs.iter().flatten().map(|pair| pair.reference.wall)),
            ratios: ratios.collect(),
            over_sqlx: median(of(SQLX).iter().zip(of(MONTRS)).map(|(sqlx, montrs)| ratio(sqlx) / ratio(montrs))),
        }
    }
}

/// Opens a case, and finds out how many iterations make a segment.
fn calibrate(case: Case, worker: &mut Worker) -> Result<u64> {
    worker.open(case)?;
    // So that each task has something to do, and the same.
    let unit = match case.workload {
        Workload::EightTasks => 8,
        Workload::Mixed => 64 * 10,
        _ => 1,
    };
    let mut iterations = unit;
    loop {
        let Spent { wall, .. } = worker.run(case, iterations)?;
        if wall >= TRIAL {
            let wanted = iterations as f64 * SEGMENT.as_secs_f64() / wall.as_secs_f64();
            return Ok((wanted as u64 / unit).max(1) * unit);
        }
        iterations *= 4;
    }
}

fn segment(case: Case, worker: &mut Worker, iterations: u64) -> Result<Sample> {
    let Spent { wall, cpu } = worker.run(case, iterations)?;
    let each = |time: Duration| time.as_nanos() as f64 / iterations as f64;
    Ok(Sample { wall: each(wall), cpu: each(cpu) })
}

/// The one in the middle, or between the two in the middle; not a number for none.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert!(median([].into_iter()).is_nan());
    }
}
