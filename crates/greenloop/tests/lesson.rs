//! The lesson's four programs print what the lesson says, as their counterparts in Python do.

use std::process::Command;

/// What a program prints, with short intervals.
fn output_of(program: &str, options: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "run",
            "--quiet",
            "--package",
            "greenloop",
            "--example",
            program,
            "--",
        ])
        .args(["--interval", "0.005"])
        .args(options)
        .output()
        .expect("cargo runs this test, too");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {errors}");
    let text = String::from_utf8(output.stdout).expect("the programs print text");
    text.lines().map(String::from).collect()
}

fn rounds(last: u32) -> Vec<String> {
    let rounds = (1..=last).map(|number| format!("Round {number}"));
    rounds.chain([String::from("[End of input]")]).collect()
}

#[test]
fn the_producer_sets_the_pace() {
    assert_eq!(output_of("producer_sets_pace", &[]), rounds(10));
    assert_eq!(
        output_of("producer_sets_pace", &["--rounds", "3"]),
        rounds(3)
    );
}

#[test]
fn the_consumer_sets_the_pace_in_either_way() {
    assert_eq!(output_of("consumer_sets_pace", &[]), rounds(10));
    assert_eq!(
        output_of("consumer_sets_pace", &["--mode", "event"]),
        rounds(10)
    );
}

#[test]
fn producers_are_iterated_over_in_turn() {
    let in_turn =
        (1..=5).flat_map(|number| ["a", "b", "c"].map(|name| format!("Round {name}{number}")));
    let expected: Vec<String> = in_turn.chain([String::from("[End of input]")]).collect();
    assert_eq!(output_of("async_iteration", &[]), expected);
}

#[test]
fn awaiting_one_by_one_is_explained_instead_of_hanging() {
    let mut lines = output_of("why_gather", &[]);
    let text = lines.join("\n");
    assert!(
        text.contains("Given up after 0.05 seconds; by itself it would wait for ever."),
        "{text}"
    );
    lines.retain(|line| line.starts_with("Round"));
    assert_eq!(lines, rounds(10)[..10]);
}
