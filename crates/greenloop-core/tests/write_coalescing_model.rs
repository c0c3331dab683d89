//! The write coalescer against a connection that keeps a record of all its jobs: the kernel expects
//! more where the record says so and nowhere else, and never after the job.

use greenloop_core::WriteCoalescer;
use proptest::prelude::*;

/// What a job does with the connection.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Writes a piece. It may be forbidden to announce more, or be kept and not sent.
    Write { allowed: bool, sent: bool },
    /// Looks whether all is sent.
    Look,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => Just(Step::Write { allowed: true, sent: true }),
        1 => (any::<bool>(), any::<bool>())
            .prop_map(|(allowed, sent)| Step::Write { allowed, sent }),
        1 => Just(Step::Look),
    ]
}

/// The steps of some jobs, mostly such as write more than once.
fn jobs() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let job = prop_oneof![
        8 => prop::collection::vec(step(), 2..6),
        1 => prop::collection::vec(step(), 0..3),
        1 => prop::collection::vec(step(), 250..520),
    ];
    prop::collection::vec(job, 1..30)
}

/// The kernel's end of a connection.
#[derive(Default)]
struct Kernel {
    /// A piece has announced more, and the kernel was not told since that none follows.
    expects_more: bool,
    /// How often it was told that no more follows.
    told: usize,
}

impl Kernel {
    fn push(&mut self, has_to_be_told: bool) {
        if has_to_be_told {
            self.expects_more = false;
            self.told += 1;
        }
    }
}

/// Whether the last four jobs that wrote have each written more than once.
fn is_habit(record: &[usize]) -> bool {
    let last_four = record.iter().rev().take(4);
    last_four.filter(|pieces| **pieces > 1).count() == 4
}

proptest! {
    #[test]
    fn nothing_is_expects_more_without_need_or_beyond_its_job(jobs in jobs()) {
        let mut coalescer = WriteCoalescer::new();
        let mut kernel = Kernel::default();
        let mut record = Vec::new();
        for job in jobs {
            let mut pieces = 0;
            for step in job {
                match step {
                    Step::Write { allowed, sent } => {
                        let write = coalescer.write();
                        prop_assert_eq!(write.is_first, pieces == 0);
                        prop_assert_eq!(write.announces_more, is_habit(&record));
                        pieces += 1;
                        if write.announces_more && allowed && sent {
                            coalescer.cork();
                            kernel.expects_more = true;
                        }
                    }
                    Step::Look => {
                        let has_to_be_told = coalescer.uncork();
                        prop_assert_eq!(has_to_be_told, kernel.expects_more);
                        kernel.push(has_to_be_told);
                    }
                }
            }
            if pieces > 0 {
                let told_before = kernel.told;
                let expected_more = kernel.expects_more;
                kernel.push(coalescer.end_job());
                record.push(pieces);
                prop_assert_eq!(kernel.told - told_before, usize::from(expected_more));
            }
            prop_assert!(!kernel.expects_more);
        }
    }
}
