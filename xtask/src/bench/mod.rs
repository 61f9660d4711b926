//! What receiving costs: plan -> run -> statistics -> report.

pub mod plan;
pub mod report;
pub mod result;
pub mod run;
mod said;
pub mod statistics;
