//! Tests only: a registry with faults, a maker of workloads, runners for real programs.
