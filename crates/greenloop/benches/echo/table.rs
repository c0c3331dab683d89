//! The results as text.

use crate::measurement::{Cost, Plan, Row};

pub fn print_head(plan: &Plan) {
    let first = plan.contestants[0].name;
    println!(
        "CPU microseconds of the server for each request, medians of {} rounds; in brackets how \
         many times those of {first}.",
        plan.rounds
    );
    print!("{:24}", "");
    for contestant in &plan.contestants {
        print!("{:>16}", contestant.name);
    }
    println!();
}

pub fn print_row(row: &Row, costs: &[Cost]) {
    print!("{:24}", row.name());
    for cost in costs {
        print!("{:>9.2} ({:.2})", cost.median / 1e3, cost.ratio);
    }
    println!();
}
