//! Tasks and their primitives, against the other single-threaded executors:
//!
//! ```console
//! $ cargo bench -p greenloop --bench scheduler
//! ```
//!
//! Wall-clock time of a thread that has the machine to itself; `Kitem/s` counts operations. A row
//! is missing for an executor that lacks the feature. monoio's channels are those of `local-sync`,
//! which its authors made for it, and its lock is tokio's: the task that has just released a
//! semaphore of `local-sync` can acquire it again before all waiters, so there is never contention.

mod contestants;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use contestants::{Contestant, Futures, Greenloop, Monoio, Sleeps, Smol, Tokio};
use divan::Bencher;
use divan::counter::ItemsCount;

fn main() {
    divan::main();
}

/// Measures `program` on an executor; each round runs `items` operations.
fn measure<C: Contestant, F: Future<Output = ()> + 'static>(
    bencher: Bencher<'_, '_>,
    items: usize,
    program: impl Fn(C) -> F,
) {
    let contestant = C::new();
    bencher
        .counter(ItemsCount::new(items))
        .bench_local(|| contestant.run(program(contestant.clone())));
}

const ROUNDS: usize = 10_000;

#[divan::bench(types = [Greenloop, Tokio, Smol, Monoio, Futures])]
fn yield_1_task<C: Contestant>(bencher: Bencher<'_, '_>) {
    measure(bencher, ROUNDS, |executor: C| async move {
        let task = executor.spawn(async {
            for _ in 0..ROUNDS {
                C::yield_now().await;
            }
        });
        task.await;
    });
}

#[divan::bench(types = [Greenloop, Tokio, Smol, Monoio, Futures])]
fn yield_1000_tasks<C: Contestant>(bencher: Bencher<'_, '_>) {
    measure(bencher, 1000 * 20, |executor: C| async move {
        let tasks: Vec<_> = (0..1000)
            .map(|_| {
                executor.spawn(async {
                    for _ in 0..20 {
                        C::yield_now().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await;
        }
    });
}

#[divan::bench(types = [Greenloop, Tokio, Smol, Monoio, Futures])]
fn spawn_and_join<C: Contestant>(bencher: Bencher<'_, '_>) {
    measure(bencher, ROUNDS, |executor: C| async move {
        for _ in 0..ROUNDS {
            executor.spawn(async {}).await;
        }
    });
}

#[divan::bench(types = [Greenloop, Tokio, Smol, Monoio, Futures])]
fn spawn_1000_and_join<C: Contestant>(bencher: Bencher<'_, '_>) {
    measure(bencher, 1000, |executor: C| async move {
        let tasks: Vec<_> = (0..1000).map(|_| executor.spawn(async {})).collect();
        for task in tasks {
            task.await;
        }
    });
}

/// A producer that never waits, and a consumer that hardly does.
mod channel_unbounded {
    use futures::StreamExt as _;

    use super::{
        Bencher, Contestant as _, Futures, Greenloop, Monoio, ROUNDS, Rc, Smol, Tokio, measure,
    };

    #[divan::bench]
    fn greenloop(bencher: Bencher<'_, '_>) {
        measure(bencher, ROUNDS, |executor: Greenloop| async move {
            let queue = Rc::new(greenloop::queue::Queue::unbounded());
            let consumer = queue.clone();
            let task = executor.spawn(async move {
                for _ in 0..ROUNDS {
                    consumer.get().await.expect("it is open");
                }
            });
            for number in 0..ROUNDS {
                queue.put(number).await.expect("it is open");
            }
            task.await;
        });
    }

    #[divan::bench]
    fn tokio(bencher: Bencher<'_, '_>) {
        measure(bencher, ROUNDS, |executor: Tokio| async move {
            let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
            let task = executor.spawn(async move {
                for _ in 0..ROUNDS {
                    receiver.recv().await.expect("it is open");
                }
            });
            for number in 0..ROUNDS {
                sender.send(number).expect("it is open");
            }
            task.await;
        });
    }

    #[divan::bench]
    fn smol(bencher: Bencher<'_, '_>) {
        measure(bencher, ROUNDS, |executor: Smol| async move {
            let (sender, receiver) = smol::channel::unbounded();
            let task = executor.spawn(async move {
                for _ in 0..ROUNDS {
                    receiver.recv().await.expect("it is open");
                }
            });
            for number in 0..ROUNDS {
                sender.send(number).await.expect("it is open");
            }
            task.await;
        });
    }

    #[divan::bench]
    fn monoio(bencher: Bencher<'_, '_>) {
        measure(bencher, ROUNDS, |executor: Monoio| async move {
            let (sender, mut receiver) = local_sync::mpsc::unbounded::channel();
            let task = executor.spawn(async move {
                for _ in 0..ROUNDS {
                    receiver.recv().await.expect("it is open");
                }
            });
            for number in 0..ROUNDS {
                sender.send(number).expect("it is open");
            }
            task.await;
        });
    }

    #[divan::bench]
    fn futures(bencher: Bencher<'_, '_>) {
        measure(bencher, ROUNDS, |executor: Futures| async move {
            let (sender, mut receiver) = futures::channel::mpsc::unbounded();
            let task = executor.spawn(async move {
                for _ in 0..ROUNDS {
                    receiver.next().await.expect("it is open");
                }
            });
            for number in 0..ROUNDS {
                sender.unbounded_send(number).expect("it is open");
            }
            task.await;
        });
    }
}

/// Room for one: producer and consumer take turns.
mod channel_of_1 {
    use futures::{SinkExt as _, StreamExt as _};

    use super::{
        Bencher, Contestant as _, Futures, Greenloop, Monoio, ROUNDS, Rc, Smol, Tokio, measure,
    };

    #[divan::bench]
    fn greenloop(bencher: Bencher<'_, '_>) {
        measure(bencher, ROUNDS, |executor: Greenloop| async move {
            let queue = Rc::new(greenloop::queue::Queue::bounded(1));
            let consumer = queue.clone();
            let task = executor.spawn(async move {
                for _ in 0..ROUNDS {
                    consumer.get().await.expect("it is open");
                }
            });
            for number in 0..ROUNDS {
                queue.put(number).await.expect("it is open");
            }
            task.await;
        });
    }

    #[divan::bench]
    fn tokio(bencher: Bencher<'_, '_>) {
        measure(bencher, ROUNDS, |executor: Tokio| async move {
            let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
            let task = executor.spawn(async move {
                for _ in 0..ROUNDS {
                    receiver.recv().await.expect("it is open");
                }
            });
            for number in 0..ROUNDS {
                sender.send(number).await.expect("it is open");
            }
            task.await;
        });
    }

    #[divan::bench]
    fn smol(bencher: Bencher<'_, '_>) {
        measure(bencher, ROUNDS, |executor: Smol| async move {
            let (sender, receiver) = smol::channel::bounded(1);
            let task = executor.spawn(async move {
                for _ in 0..ROUNDS {
                    receiver.recv().await.expect("it is open");
                }
            });
            for number in 0..ROUNDS {
                sender.send(number).await.expect("it is open");
            }
            task.await;
        });
    }

    #[divan::bench]
    fn monoio(bencher: Bencher<'_, '_>) {
        measure(bencher, ROUNDS, |executor: Monoio| async move {
            let (sender, mut receiver) = local_sync::mpsc::bounded::channel(1);
            let task = executor.spawn(async move {
                for _ in 0..ROUNDS {
                    receiver.recv().await.expect("it is open");
                }
            });
            for number in 0..ROUNDS {
                sender.send(number).await.expect("it is open");
            }
            task.await;
        });
    }

    /// One more per sender than was requested.
    #[divan::bench]
    fn futures(bencher: Bencher<'_, '_>) {
        measure(bencher, ROUNDS, |executor: Futures| async move {
            let (mut sender, mut receiver) = futures::channel::mpsc::channel(0);
            let task = executor.spawn(async move {
                for _ in 0..ROUNDS {
                    receiver.next().await.expect("it is open");
                }
            });
            for number in 0..ROUNDS {
                sender.send(number).await.expect("it is open");
            }
            task.await;
        });
    }
}

/// Ten producers, ten consumers and room for a hundred. None of the others has a channel with
/// several consumers, so theirs is that of `async-channel`.
mod channel_of_100_10_by_10 {
    use super::{Bencher, Contestant, Greenloop, Monoio, ROUNDS, Rc, Smol, Tokio, measure};

    const EACH: usize = ROUNDS / 10;

    #[divan::bench]
    fn greenloop(bencher: Bencher<'_, '_>) {
        measure(bencher, ROUNDS, |executor: Greenloop| async move {
            let queue = Rc::new(greenloop::queue::Queue::bounded(100));
            let mut tasks = Vec::new();
            for _ in 0..10 {
                let [theirs, ours] = [queue.clone(), queue.clone()];
                tasks.push(executor.spawn(async move {
                    for number in 0..EACH {
                        theirs.put(number).await.expect("it is open");
                    }
                }));
                tasks.push(executor.spawn(async move {
                    for _ in 0..EACH {
                        ours.get().await.expect("it is open");
                    }
                }));
            }
            for task in tasks {
                task.await;
            }
        });
    }

    #[divan::bench(types = [Tokio, Smol, Monoio])]
    fn others<C: Contestant>(bencher: Bencher<'_, '_>) {
        measure(bencher, ROUNDS, |executor: C| async move {
            let (sender, receiver) = smol::channel::bounded(100);
            let mut tasks = Vec::new();
            for _ in 0..10 {
                let (sender, receiver) = (sender.clone(), receiver.clone());
                tasks.push(executor.spawn(async move {
                    for number in 0..EACH {
                        sender.send(number).await.expect("it is open");
                    }
                }));
                tasks.push(executor.spawn(async move {
                    for _ in 0..EACH {
                        receiver.recv().await.expect("it is open");
                    }
                }));
            }
            for task in tasks {
                task.await;
            }
        });
    }
}

/// Two tasks that wake each other.
mod notify_ping_pong {
    use super::{Bencher, Contestant as _, Greenloop, ROUNDS, Rc, Tokio, measure};

    #[divan::bench]
    fn greenloop(bencher: Bencher<'_, '_>) {
        measure(bencher, 2 * ROUNDS, |executor: Greenloop| async move {
            let events = Rc::new([greenloop::sync::Event::new(), greenloop::sync::Event::new()]);
            let [events, theirs] = [events.clone(), events];
            let task = executor.spawn(async move {
                for _ in 0..ROUNDS {
                    theirs[0].wait().await;
                    theirs[0].clear();
                    theirs[1].set();
                }
            });
            for _ in 0..ROUNDS {
                events[0].set();
                events[1].wait().await;
                events[1].clear();
            }
            task.await;
        });
    }

    #[divan::bench]
    fn tokio(bencher: Bencher<'_, '_>) {
        measure(bencher, 2 * ROUNDS, |executor: Tokio| async move {
            let events = Rc::new([tokio::sync::Notify::new(), tokio::sync::Notify::new()]);
            let [events, theirs] = [events.clone(), events];
            let task = executor.spawn(async move {
                for _ in 0..ROUNDS {
                    theirs[0].notified().await;
                    theirs[1].notify_one();
                }
            });
            for _ in 0..ROUNDS {
                events[0].notify_one();
                events[1].notified().await;
            }
            task.await;
        });
    }
}

/// A hundred tasks, each of which holds the lock while another one runs, ten times.
macro_rules! lock_contention {
    ($name:ident, $contestant:ty, $lock:expr, $acquire:ident) => {
        #[divan::bench]
        fn $name(bencher: Bencher<'_, '_>) {
            measure(bencher, 1000, |executor: $contestant| async move {
                let lock = Rc::new($lock);
                let tasks: Vec<_> = (0..100)
                    .map(|_| {
                        let lock = lock.clone();
                        executor.spawn(async move {
                            for _ in 0..10 {
                                let guard = lock.$acquire().await;
                                <$contestant>::yield_now().await;
                                guard.set(guard.get() + 1);
                            }
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await;
                }
                assert_eq!(lock.$acquire().await.get(), 1000);
            });
        }
    };
}

mod lock_of_100_tasks {
    use super::{
        Bencher, Cell, Contestant as _, Futures, Greenloop, Monoio, Rc, Smol, Tokio, measure,
    };

    lock_contention!(
        greenloop,
        Greenloop,
        greenloop::sync::Lock::new(Cell::new(0)),
        acquire
    );
    lock_contention!(tokio, Tokio, tokio::sync::Mutex::new(Cell::new(0)), lock);
    lock_contention!(smol, Smol, smol::lock::Mutex::new(Cell::new(0)), lock);
    lock_contention!(monoio, Monoio, tokio::sync::Mutex::new(Cell::new(0)), lock);
    lock_contention!(
        futures,
        Futures,
        futures::lock::Mutex::new(Cell::new(0)),
        lock
    );
}

/// Tasks that sleep up to a millisecond from when they run, in no order.
#[divan::bench(types = [Greenloop, Tokio, Smol, Monoio], sample_count = 20)]
fn timers_100k_firing<C: Sleeps>(bencher: Bencher<'_, '_>) {
    measure(bencher, 100_000, |executor: C| async move {
        let tasks: Vec<_> = (0..100_000_u64)
            .map(|number| {
                let delay = Duration::from_micros(number * 7919 % 1000);
                executor.spawn(async move { C::sleep(delay).await })
            })
            .collect();
        for task in tasks {
            task.await;
        }
    });
}

/// Timeouts as most are: set, and given up long before their time.
#[divan::bench(types = [Greenloop, Tokio, Smol, Monoio], sample_count = 20)]
fn timers_100k_given_up<C: Sleeps>(bencher: Bencher<'_, '_>) {
    measure(bencher, 100_000, |_executor: C| async move {
        for number in 0..100_000_u64 {
            let mut sleep = std::pin::pin!(C::sleep(Duration::from_millis(1000 + number % 1000)));
            assert!(futures::poll!(sleep.as_mut()).is_pending());
        }
        C::yield_now().await;
    });
}
